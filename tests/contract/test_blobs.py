"""What every blob store promises, put to each of them."""

import errno
import hashlib
import io
import os
import resource
import tracemalloc
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.metadata.errors import ErrorCode, Rejected
from repository.store.blobs import BEHIND, PIECE, Digests
from repository.store.files import FLUSH_EVERY, FileBlobs

REPORT = b"%PDF-1.7 a report"
NOBODY = "0" * 64
NOT_A_HASH = [
    "",
    ".",
    "..",
    "../" * 3 + "etc/passwd",
    "/etc/passwd",
    "a" * 63,
    "a" * 65,
    "A" * 64,
    "a" * 64 + "\n",
    "a\0",
    "é" * 64,
]


@dataclass
class Place:
    """Where a store keeps its bytes: `folders` are what is behind it."""

    make: Callable
    folders: list[Path]

    def rglob(self, pattern):
        return [path for folder in self.folders for path in folder.rglob(pattern)]


def in_files(request, tmp_path):
    return Place(lambda: FileBlobs(tmp_path / "store"), [tmp_path])


def in_s3(request, tmp_path):
    server, prefix = request.getfixturevalue("s3_server"), uuid.uuid4().hex
    from repository.store import s3
    from repository.store.s3 import S3Blobs
    from repository.store.s3_place import S3Place

    # Making a client takes longer than most tests.
    request.getfixturevalue("monkeypatch").setattr(s3._Process, "client", request.getfixturevalue("s3_client"))
    url = server.url(prefix)
    return Place(lambda: S3Blobs(S3Place.parse(url), tmp_path / "spool"), [tmp_path, server.behind(prefix)])


STORES = {"files": in_files, "s3": in_s3}


@pytest.fixture(params=STORES)
def place(request, tmp_path):
    return STORES[request.param](request, tmp_path)


@pytest.fixture
def store(place):
    return place.make()


@pytest.fixture
def files(tmp_path):
    return FileBlobs(tmp_path / "store")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def kept(store, data=REPORT):
    store.keep(store.receive([data]))
    return sha256(data)


def content(store, name):
    with store.open(name) as file:
        return file.read()


def nothing_temporary(store):
    return list(store.temporaries()) == []


def out_of_resources(call, *arguments):
    with pytest.raises(Rejected) as refusal:
        call(*arguments)
    assert [finding.code for finding in refusal.value.findings] == [ErrorCode.XDSRepositoryOutOfResources]
    return refusal.value.status == 507


def failing(number, after=0):
    """A system call that says `number` at every call but the first `after`."""
    calls = []

    def call(*arguments):
        calls.append(arguments)
        if len(calls) > after:
            raise OSError(number, os.strerror(number))
        return len(arguments[1]) if len(arguments) > 1 else None

    return call


class TestReceiving:
    @pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7])
    @pytest.mark.parametrize("step", [4099, PIECE, 3 * PIECE])
    def test_length_hashes_and_bytes_are_those_of_what_was_sent(self, store, length, step):
        data = os.urandom(length)
        incoming = store.receive(data[at : at + step] for at in range(0, length, step))
        assert (incoming.size, incoming.sha256, incoming.sha1) == (length, sha256(data), hashlib.sha1(data).hexdigest())
        store.keep(incoming)
        assert content(store, incoming.sha256) == data
        assert store.size(incoming.sha256) == length

    def test_a_long_document_is_synced_as_it_grows_and_kept_whole(self, store):
        block = os.urandom(PIECE)
        count = 3 * FLUSH_EVERY // PIECE
        incoming = store.receive(block for _ in range(count))
        store.keep(incoming)
        assert store.size(incoming.sha256) == count * PIECE
        assert store.verify(incoming.sha256)

    def test_empty_chunks_are_no_bytes(self, store):
        assert store.receive([b"", b"a", b"", b"b", b""]).sha256 == sha256(b"ab")

    def test_sha1_is_left_out_when_it_is_not_wanted(self, store):
        incoming = store.receive([REPORT], sha1=False)
        assert (incoming.sha256, incoming.sha1) == (sha256(REPORT), "")

    def test_received_bytes_can_be_read_from_any_place_and_are_no_blob_yet(self, store):
        incoming = store.receive([REPORT])
        with incoming.open() as file:
            file.seek(-6, os.SEEK_END)
            assert file.read() == b"report"
            file.seek(0)
            assert file.read() == REPORT
        assert list(store.walk()) == []
        with pytest.raises(KeyError):
            store.open(incoming.sha256)

    @pytest.mark.parametrize("blocks", [0, 1, 40])
    @pytest.mark.parametrize("error", [ValueError("truncated"), OSError(errno.ENOSPC, "not ours"), GeneratorExit()])
    def test_what_the_sender_raises_passes_through_and_nothing_stays(self, store, blocks, error):
        def half():
            for _ in range(blocks):
                yield bytes(PIECE)
            yield b"half a "
            raise error

        with pytest.raises(type(error)) as seen:
            store.receive(half())
        assert seen.value is error
        assert nothing_temporary(store)
        assert kept(store) in store.walk()

    def test_memory_does_not_grow_with_the_document(self, store):
        chunk = bytes(1 << 16)
        tracemalloc.start()
        try:
            store.discard(store.receive(chunk for _ in range(96 * PIECE // len(chunk))))
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()

    def test_hashing_is_never_more_than_a_few_pieces_behind(self):
        with Digests(sha1=True) as digests:
            for _ in range(4 * BEHIND):
                digests.take(bytes(PIECE))
                assert len(digests._pending) <= BEHIND

    def test_a_disk_that_takes_a_little_at_a_time_gets_it_all(self, store, monkeypatch):
        write, data = os.write, os.urandom(PIECE + 5)
        monkeypatch.setattr(os, "write", lambda descriptor, rest: write(descriptor, rest[:70_001]))
        incoming = store.receive([data])
        store.keep(incoming)
        assert content(store, sha256(data)) == data

    def test_a_failure_of_our_own_after_the_last_byte_leaves_a_working_store(self, store, monkeypatch):
        with monkeypatch.context() as broken:
            broken.setattr(Digests, "hexdigests", failing(errno.ENOMEM))
            with pytest.raises(OSError, match="memory"):
                store.receive([REPORT])
        assert nothing_temporary(store)
        assert kept(store) in store.walk()


class TestKeeping:
    def test_a_kept_batch_is_all_there_and_no_longer_temporary(self, store):
        documents = [b"document %d" % number for number in range(40)]
        store.keep(*[store.receive([document]) for document in documents])
        assert list(store.walk()) == sorted(map(sha256, documents))
        assert [content(store, sha256(document)) for document in documents] == documents
        assert nothing_temporary(store)

    def test_the_same_bytes_again_are_one_blob_not_written_again(self, store, place):
        kept(store)
        (path,) = place.rglob(sha256(REPORT))
        before = path.stat()
        kept(store)
        store.keep(*[store.receive([REPORT]) for _ in range(3)])
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert list(store.walk()) == [sha256(REPORT)]
        assert nothing_temporary(store)

    def test_keeping_again_what_is_kept_is_harmless(self, store):
        incoming = store.receive([REPORT])
        store.keep(incoming, incoming)
        store.keep(incoming)
        store.discard(incoming)
        assert content(store, incoming.sha256) == REPORT

    def test_many_senders_of_the_same_bytes_at_once_make_one_blob(self, store):
        with ThreadPoolExecutor(8) as senders:
            names = set(senders.map(lambda _: kept(store), range(40)))
        assert list(store.walk()) == list(names) == [sha256(REPORT)]
        assert nothing_temporary(store)

    def test_good_bytes_take_the_place_of_a_blob_cut_short(self, store, place):
        name = kept(store)
        (path,) = place.rglob(name)
        path.write_bytes(REPORT[:5])
        assert content(store, kept(store)) == REPORT
        assert REPORT[:5] in [path.read_bytes() for path in place.rglob(f"{name}*")]

    def test_nothing_to_keep_is_nothing_done(self, store):
        store.keep()
        store.discard()
        assert list(store.walk()) == []

    def test_what_is_discarded_is_gone(self, store):
        incoming = store.receive([REPORT])
        store.discard(incoming)
        store.discard(incoming)
        assert nothing_temporary(store)
        with pytest.raises(FileNotFoundError):
            store.keep(incoming)
        assert list(store.walk()) == []

    def test_a_store_opened_again_has_what_was_kept(self, store, place):
        name = kept(store)
        assert content(place.make(), name) == REPORT


class TestNames:
    @pytest.mark.parametrize("ask", ["open", "size", "verify", "set_aside", "remove"])
    def test_an_unknown_hash_is_a_key_error(self, store, ask):
        kept(store)
        with pytest.raises(KeyError):
            getattr(store, ask)(NOBODY)

    @pytest.mark.parametrize("name", NOT_A_HASH)
    @pytest.mark.parametrize("ask", ["open", "size", "verify", "set_aside", "remove"])
    def test_what_is_no_hash_never_reaches_the_disk(self, store, ask, name, monkeypatch):
        for module, call in ((io, "open"), (os, "open"), (os, "stat"), (os, "rename"), (os, "unlink")):
            monkeypatch.setattr(module, call, failing(errno.EACCES))
        with pytest.raises(KeyError):
            getattr(store, ask)(name)

    @pytest.mark.parametrize("name", ["", ".", "..", "../blobs", "/etc/passwd", "unknown", "a\0"])
    def test_only_a_temporary_is_set_aside_as_one(self, store, name, monkeypatch):
        store.receive([REPORT])
        monkeypatch.setattr(os, "rename", failing(errno.EACCES))
        with pytest.raises(KeyError):
            store.set_aside_temporary(name)


class TestCare:
    def test_one_flipped_bit_and_a_cut_are_found(self, store, place):
        name = kept(store)
        (path,) = place.rglob(name)
        assert store.verify(name)
        path.write_bytes(bytes([REPORT[0] ^ 1]) + REPORT[1:])
        assert not store.verify(name)
        path.write_bytes(REPORT[:-1])
        assert not store.verify(name)

    def test_what_is_set_aside_is_out_of_sight_and_not_deleted(self, store, place):
        other = kept(store, b"another")
        for _ in range(2):
            name = kept(store)
            store.set_aside(name)
        with pytest.raises(KeyError):
            store.open(name)
        assert list(store.walk()) == [other]
        assert [path.read_bytes() for path in place.rglob(f"{name}*")] == [REPORT, REPORT]

    def test_what_is_removed_is_gone_and_may_come_again(self, store, place):
        other, name = kept(store, b"another"), kept(store)
        store.remove(name)
        with pytest.raises(KeyError):
            store.remove(name)
        assert list(store.walk()) == [other]
        assert list(place.rglob(f"{name}*")) == []
        assert content(store, kept(store)) == REPORT

    def test_temporaries_are_listed_with_age_and_size_and_can_be_set_aside(self, store, place):
        store.receive([REPORT])
        (one,) = store.temporaries()
        assert one.size == len(REPORT)
        assert 0 <= one.age < 60
        (path,) = place.rglob(one.name)
        os.utime(path, (0, 0))
        assert next(store.temporaries()).age > 24 * 3600
        store.set_aside_temporary(one.name)
        assert nothing_temporary(store)
        assert [path.read_bytes() for path in place.rglob(f"{one.name}*")] == [REPORT]

    def test_strange_files_are_not_taken_for_blobs(self, store, place):
        name = kept(store)
        (path,) = place.rglob(name)
        path.with_name("readme").touch()
        path.with_name(NOBODY if not name.startswith("0000") else "f" * 64).touch()
        (path.parents[2] / "lost+found").mkdir()
        assert list(store.walk()) == [name]

    def test_free_space_is_told(self, store):
        assert store.free_space() > 0


class TestBrokenDisk:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO])
    @pytest.mark.parametrize("after", [0, 3])
    def test_a_write_that_fails_is_refused_and_writing_resumes_when_there_is_room(
        self, store, number, after, monkeypatch
    ):
        name = kept(store)
        with monkeypatch.context() as broken:
            broken.setattr(os, "write", failing(number, after))
            assert out_of_resources(store.receive, [bytes(PIECE)] * 5)
            assert content(store, name) == REPORT
        assert nothing_temporary(store)
        assert kept(store, b"later") in store.walk()

    def test_a_file_that_may_not_be_made_is_refused(self, store, monkeypatch):
        with monkeypatch.context() as broken:
            broken.setattr(os, "open", failing(errno.EROFS))
            assert out_of_resources(store.receive, [REPORT])
        assert kept(store) in store.walk()

    def test_the_kernels_own_limit_is_refused(self, store):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * PIECE + 5, hard))
        try:
            assert out_of_resources(store.receive, [bytes(PIECE)] * 4)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert nothing_temporary(store)


class TestBrokenDiskOfFiles:
    @pytest.mark.parametrize("call", ["mkdir", "rename"])
    def test_no_room_for_the_name_is_refused_and_nothing_temporary_stays(self, files, call, monkeypatch):
        batch = [files.receive([bytes([number])]) for number in range(5)]
        with monkeypatch.context() as broken:
            broken.setattr(os, call, failing(errno.ENOSPC))
            assert out_of_resources(files.keep, *batch)
        assert nothing_temporary(files)
        assert kept(files) in files.walk()

    @pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EINVAL])
    def test_after_a_failed_sync_nothing_is_kept_any_more_and_reading_goes_on(self, files, number, monkeypatch):
        name = kept(files)
        waiting = files.receive([b"received before"])
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", failing(number))
            lost = files.receive([b"lost"])
            assert out_of_resources(files.keep, lost)
        assert out_of_resources(files.receive, [b"later"])
        assert out_of_resources(files.keep, waiting)
        assert list(files.walk()) == [name]
        assert content(files, name) == REPORT
        assert nothing_temporary(files)

    def test_a_failed_sync_of_a_folder_is_no_success(self, files, monkeypatch):
        incoming = files.receive([REPORT])
        incoming.synced.result()
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", failing(errno.EIO))
            assert out_of_resources(files.keep, incoming)
        assert out_of_resources(files.receive, [REPORT])

    def test_a_failed_sync_while_a_long_document_comes_in_ends_it(self, files, monkeypatch):
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", failing(errno.EIO))
            assert out_of_resources(files.receive, (bytes(PIECE) for _ in range(3 * FLUSH_EVERY // PIECE)))
        assert nothing_temporary(files)
        assert out_of_resources(files.receive, [REPORT])

    def test_a_sector_that_cannot_be_read_is_a_damaged_blob(self, files, monkeypatch):
        name = kept(files)
        monkeypatch.setattr(hashlib, "file_digest", failing(errno.EIO))
        assert not files.verify(name)
