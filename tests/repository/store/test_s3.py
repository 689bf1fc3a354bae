"""What is particular to blobs in an object store, against a real one: its failures, ranges, parts and crashes."""

import hashlib
import os
import socket
import threading
import uuid
from contextlib import contextmanager
from dataclasses import replace

import pytest
from boto3.s3.transfer import TransferConfig
from s3_server import BUCKET, CREDENTIALS

from registry.metadata.errors import ErrorCode, Rejected
from repository.store import s3, s3_reader
from repository.store.s3 import S3Blobs
from repository.store.s3_place import S3Place
from repository.store.s3_reader import LEAST, MOST, opened

REPORT = b"%PDF-1.7 a report"
PART = 5 << 20  # the least that S3 takes
BUSY, FULL = ErrorCode.XDSRepositoryBusy, ErrorCode.XDSRepositoryOutOfResources


@pytest.fixture
def place(s3_server, monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return S3Place.parse(s3_server.url(uuid.uuid4().hex))


@pytest.fixture
def store(place, tmp_path):
    return S3Blobs(place, tmp_path / "spool")


@pytest.fixture
def in_parts(monkeypatch):
    monkeypatch.setattr(s3, "TRANSFER", TransferConfig(multipart_threshold=PART, multipart_chunksize=PART))


def kept(store, data=REPORT):
    incoming = store.receive([data])
    store.keep(incoming)
    return incoming.sha256


@contextmanager
def refused(code, text):
    with pytest.raises(Rejected) as refusal:
        yield
    assert [(finding.code, text in finding.text) for finding in refusal.value.findings] == [(code, True)]
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in str(refusal.value)


@contextmanager
def listening(answer=b""):
    """A server that takes connections, reads, and says `answer` or nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in held:
        connection.close()


class TestRefusals:
    """Nothing is half stored, nothing temporary stays, and the text says what to mend."""

    def test_a_bucket_that_is_not_there(self, place, tmp_path):
        store = S3Blobs(replace(place, bucket="nowhere"), tmp_path)
        incoming = store.receive([REPORT])
        with refused(FULL, "bucket does not exist"):
            store.keep(incoming)
        assert list((tmp_path / "tmp").iterdir()) == []
        for ask in (store.open, store.size, store.remove):
            with refused(FULL, ""):
                ask(incoming.sha256)
        with refused(FULL, "bucket does not exist"):
            list(store.walk())
        with refused(FULL, ""):
            store.reach()

    @pytest.mark.parametrize(("name", "value"), [("AWS_ACCESS_KEY_ID", "nobody"), ("AWS_SECRET_ACCESS_KEY", "guessed")])
    def test_credentials_that_are_wrong(self, store, name, value, monkeypatch):
        monkeypatch.setenv(name, value)
        with refused(FULL, "credentials"):
            kept(store)

    def test_no_credentials(self, store, monkeypatch, tmp_path):
        for name in CREDENTIALS:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        with refused(FULL, "no credentials"):
            kept(store)

    def test_a_client_that_cannot_be_set_up(self, store, monkeypatch):
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        with refused(FULL, "cannot be set up"):
            kept(store)

    def test_a_server_that_is_away(self, place, tmp_path, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setattr(s3, "ATTEMPTS", 1)
        store = S3Blobs(replace(place, endpoint=endpoint), tmp_path)
        batch = [store.receive([bytes([number])]) for number in range(3)]
        with refused(BUSY, "cannot be reached"):
            store.keep(*batch)
        assert list(store._spool.temporaries()) == []

    def test_a_server_that_says_nothing_is_given_up(self, place, tmp_path, monkeypatch):
        monkeypatch.setattr(s3, "ATTEMPTS", 1)
        with listening() as endpoint:
            store = S3Blobs(replace(place, endpoint=endpoint, seconds=0.3), tmp_path)
            with refused(BUSY, "cannot be reached"):
                kept(store)

    @pytest.mark.parametrize(
        ("status", "code", "text"),
        [(b"503 Slow Down", BUSY, "too much to do"), (b"507 Full", FULL, "no room"), (b"400 Bad", FULL, "refuses")],
    )
    def test_what_the_server_says_is_told(self, place, tmp_path, monkeypatch, status, code, text):
        monkeypatch.setattr(s3, "ATTEMPTS", 1)
        answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        with listening(answer) as endpoint, refused(code, text):
            kept(S3Blobs(replace(place, endpoint=endpoint), tmp_path))


class TestRanges:
    def test_a_frame_costs_a_small_range(self, store):
        data = os.urandom(9 << 20)
        name = kept(store, data)
        asked = []
        store._here().client.meta.events.register(
            "before-parameter-build.s3.GetObject", lambda params, **_: asked.append(params["Range"])
        )
        with store.open(name) as file:
            file.seek(8_000_001)
            assert file.read(1000) == data[8_000_001:8_001_001]
        assert asked == [f"bytes=8000001-{8_000_001 + LEAST - 1}"]

    def test_reading_on_fetches_more_at_a_time_and_never_holds_much(self):
        data, asked = os.urandom(20 << 20), []

        def fetch(offset, length):
            asked.append(length)
            return data[offset : offset + length]

        with opened(fetch, len(data)) as file:
            assert hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(data).digest()
        assert asked[0] <= 2 * LEAST
        assert max(asked) <= MOST
        assert len(asked) < 15

    @pytest.mark.parametrize("size", [0, 1, LEAST - 1, LEAST, LEAST + 1])
    def test_every_place_of_a_file_can_be_read(self, size):
        data = os.urandom(size)
        with opened(lambda offset, length: data[offset : offset + length], size) as file:
            assert file.read() == data
            assert file.read() == b""
            file.seek(0)
            assert file.read(7) == data[:7]
            file.seek(-min(size, 3), os.SEEK_END)
            assert file.read() == data[max(0, size - 3) :]
            file.seek(size + 5)
            assert file.read() == b""
            with pytest.raises((ValueError, OSError)):
                file.seek(-1)

    def test_an_object_cut_short_behind_our_back_ends_early_and_is_no_hang(self):
        with opened(lambda offset, length: b"abc"[offset : offset + length], 1000) as file:
            assert file.read() == b"abc"

    def test_a_range_that_breaks_off_is_asked_for_again(self, store, monkeypatch):
        name, client = kept(store), store._here().client
        real, calls = client.get_object, []

        def broken(**arguments):
            calls.append(arguments)
            if len(calls) == 1:
                raise s3_failure()
            return real(**arguments)

        monkeypatch.setattr(client, "get_object", broken)
        assert store.open(name).read() == REPORT
        assert len(calls) == 2

    def test_the_buffer_is_small(self):
        assert s3_reader.BUFFER <= LEAST


def s3_failure():
    from botocore.exceptions import ReadTimeoutError

    return ReadTimeoutError(endpoint_url="http://store")


class TestParts:
    def test_a_large_blob_goes_up_in_parts_and_is_one_object(self, store, in_parts):
        data = os.urandom(2 * PART + 17)
        name = kept(store, data)
        assert store.size(name) == len(data)
        assert store.verify(name)
        store.set_aside(name)
        assert list(store.walk()) == []
        assert list(store.temporaries()) == []

    def test_an_upload_that_was_never_finished_is_seen_and_given_up(self, store):
        client, name = store._here().client, hashlib.sha256(REPORT).hexdigest()
        key = store._key(name)
        upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=bytes(PART))
        (one,) = store.temporaries()
        assert (one.size, 0 <= one.age < 60) == (PART, True)
        assert list(store.walk()) == []
        store.set_aside_temporary(one.name)
        assert list(store.temporaries()) == []
        with pytest.raises(KeyError):
            store.set_aside_temporary(one.name)

    def test_a_part_that_fails_leaves_neither_blob_nor_upload(self, store, in_parts, monkeypatch):
        incoming, client = store.receive([os.urandom(2 * PART)]), store._here().client

        def broken(**_):
            raise s3_failure()

        monkeypatch.setattr(client, "upload_part", broken)
        with refused(BUSY, "cannot be reached"):
            store.keep(incoming)
        assert list(store.walk()) == []
        assert list(store.temporaries()) == []


def test_a_store_made_before_a_fork_works_on_both_sides(store):
    name = kept(store)
    child = os.fork()
    if child == 0:
        os._exit(0 if store.open(name).read() == REPORT and kept(store, b"from the child") else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert hashlib.sha256(b"from the child").hexdigest() in store.walk()


class TestPlace:
    def test_a_url_says_all(self):
        url = "s3://bucket/a/b/?endpoint=https://s3.example.org:9000/&region=eu-north-1&timeout=5&addressing=virtual"
        assert S3Place.parse(url) == S3Place(
            "bucket", "a/b/", "https://s3.example.org:9000", "eu-north-1", "virtual", 5.0
        )
        assert S3Place.parse("s3://bucket") == S3Place("bucket")
        assert S3Place.parse("s3://bucket?endpoint=http://h").addressing == "path"

    @pytest.mark.parametrize(
        "url",
        [
            "s3:",
            "s3:///prefix",
            "s3://Hush",
            "s3://hu",
            "s3://key:hush@bucket",
            "s3://bucket?secret=hush",
            "s3://bucket?endpoint=https://key:hush@host",
            "s3://bucket?endpoint=ftp://hush",
            "s3://bucket?timeout=hush",
            "s3://bucket?timeout=0",
            "s3://bucket?timeout=inf",
            "s3://bucket?addressing=hush",
        ],
    )
    def test_a_wrong_one_is_refused_and_not_repeated(self, url):
        with pytest.raises(ValueError, match="blobs_url") as refusal:
            S3Place.parse(url)
        assert "hush" not in str(refusal.value)
