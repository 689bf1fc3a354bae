"""Blobs as objects of any S3-compatible store: `blobs/ab/cd/<sha256>`, as in a folder, and `quarantine/`.

What comes in is spooled on this machine, hashed and looked at; `keep` sends it under its final name and returns when
the store has said that it has it, so an acknowledged blob is as durable as the store. An upload becomes visible whole
or not at all (a multipart upload with its completion): a crash leaves spooled files, unfinished uploads, or whole
blobs without a row, all of which `fsck` sees.
"""

import base64
import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config

from repository.store.blobs import SHA256, Incoming, Temporary
from repository.store.s3_errors import FAILURES, code_of, is_missing, refusing
from repository.store.s3_place import S3Place
from repository.store.s3_reader import opened
from repository.store.spooling import Spool

BLOBS, QUARANTINE = "blobs/", "quarantine/"
SENDERS = 8
ATTEMPTS = 3
CONNECT_SECONDS = 5.0
# Above this a blob goes up in parts, which are tried again one by one.
TRANSFER = TransferConfig(multipart_threshold=64 << 20, multipart_chunksize=16 << 20, max_concurrency=4)
UNFINISHED = "multipart:"


class S3Blobs:
    """A `BlobStore` at `place`; `spool` is a folder of this machine. Nothing is asked of the store before it is used.

    Every method may raise Rejected: XDSRepositoryBusy when the store cannot be reached, XDSRepositoryOutOfResources
    when it refuses (no such bucket, wrong credentials, no room).
    """

    def __init__(self, place: S3Place, spool: Path) -> None:
        self._place = place
        self._spool = Spool(spool)
        self._process = _Process(place)
        self._making = threading.Lock()

    def receive(self, chunks: Iterable[bytes], sha1: bool = True) -> Incoming:
        """See `BlobStore.receive`."""
        return self._spool.receive(chunks, sha1)

    def keep(self, *incoming: Incoming) -> None:
        """See `BlobStore.keep`. Several are sent at once."""
        different = list({one.sha256: one for one in incoming}.values())
        try:
            if len(different) == 1:
                self._put(different[0])
            else:
                list(self._here().senders.map(self._put, different))
        finally:
            self.discard(*incoming)

    def discard(self, *incoming: Incoming) -> None:
        """See `BlobStore.discard`."""
        for one in incoming:
            one.path.unlink(missing_ok=True)

    def open(self, sha256: str) -> BufferedReader:
        """See `BlobStore.open`; only what is read is fetched, with some read-ahead."""
        key = self._key(sha256)
        size = self.size(sha256)
        return opened(lambda offset, length: self._range(key, offset, length), size)

    def size(self, sha256: str) -> int:
        """See `BlobStore.size`."""
        return int(self._head(sha256)["ContentLength"])

    def age(self, sha256: str) -> float:
        """See `BlobStore.age`; by the store's clock and ours, in whole seconds."""
        return max(0.0, time.time() - float(self._head(sha256)["LastModified"].timestamp()))

    def walk(self) -> Iterator[str]:
        """See `BlobStore.walk`; a page is asked for when it is reached."""
        prefix = self._place.prefix + BLOBS
        for page in self._pages("list_objects_v2", Prefix=prefix):
            for found in page.get("Contents", ()):
                name = found["Key"].rpartition("/")[2]
                if SHA256.fullmatch(name) and found["Key"] == self._key(name):
                    yield name

    def verify(self, sha256: str) -> bool:
        """See `BlobStore.verify`."""
        with self.open(sha256) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    def set_aside(self, sha256: str) -> None:
        """See `BlobStore.set_aside`: copied, and only then deleted."""
        self.size(sha256)
        source = {"Bucket": self._place.bucket, "Key": self._key(sha256)}
        target = f"{self._place.prefix}{QUARANTINE}{sha256}.{uuid4().hex}"
        with refusing():
            self._here().client.copy(source, self._place.bucket, target, Config=TRANSFER)
            self._here().client.delete_object(**source)

    def remove(self, sha256: str) -> None:
        """See `BlobStore.remove`."""
        self.size(sha256)
        with refusing():
            self._here().client.delete_object(Bucket=self._place.bucket, Key=self._key(sha256))

    def temporaries(self) -> Iterator[Temporary]:
        """See `BlobStore.temporaries`: what is spooled on this machine, and unfinished uploads of all machines."""
        yield from self._spool.temporaries()
        for key, upload in self._unfinished():
            parts = self._pages("list_parts", Key=key, UploadId=upload["UploadId"])
            size = sum(part["Size"] for page in parts for part in page.get("Parts", ()))
            age = max(0.0, time.time() - upload["Initiated"].timestamp())
            yield Temporary(_name(key, upload["UploadId"]), age, size)

    def set_aside_temporary(self, name: str) -> None:
        """See `BlobStore.set_aside_temporary`. Parts of an upload cannot be moved: it is given up, with its parts."""
        if not name.startswith(UNFINISHED):
            self._spool.set_aside(name)
            return
        for key, upload in self._unfinished():
            if _name(key, upload["UploadId"]) == name:
                with refusing():
                    self._here().client.abort_multipart_upload(
                        Bucket=self._place.bucket, Key=key, UploadId=upload["UploadId"]
                    )
                return
        raise KeyError(name)

    def free_space(self) -> int:
        """See `BlobStore.free_space`: what this machine can spool, for an object store tells of no limit."""
        return self._spool.free_space()

    def reach(self) -> None:
        """Return if the bucket is there and may be used; else raise Rejected, as every method does."""
        with refusing():
            self._here().client.head_bucket(Bucket=self._place.bucket)

    def _key(self, sha256: str) -> str:
        if not SHA256.fullmatch(sha256):
            raise KeyError(sha256)
        return f"{self._place.prefix}{BLOBS}{sha256[:2]}/{sha256[2:4]}/{sha256}"

    def _head(self, sha256: str) -> Any:
        """What the store says of a blob. An answer to HEAD has no text, so a missing bucket is asked for by itself."""
        key = self._key(sha256)
        try:
            return self._peek(key)
        except KeyError:
            self.reach()
            raise KeyError(sha256) from None

    def _peek(self, key: str) -> Any:
        with refusing():
            try:
                return self._here().client.head_object(Bucket=self._place.bucket, Key=key)
            except FAILURES as error:
                if is_missing(error):
                    raise KeyError(key) from None
                raise

    def _put(self, one: Incoming) -> None:
        key, bucket = self._key(one.sha256), self._place.bucket
        try:
            if self._peek(key)["ContentLength"] == one.size:
                return
            # A blob of another length is damaged: it makes way for the good bytes, and stays to be looked at.
            self.set_aside(one.sha256)
        except KeyError:
            pass
        with one.path.open("rb") as file, refusing():
            client = self._here().client
            if one.size > TRANSFER.multipart_threshold:
                client.upload_file(
                    str(one.path), bucket, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=TRANSFER
                )
            else:
                # The store compares it with what it has received.
                checksum = base64.b64encode(bytes.fromhex(one.sha256)).decode()
                client.put_object(Bucket=bucket, Key=key, Body=file, ContentLength=one.size, ChecksumSHA256=checksum)

    def _range(self, key: str, offset: int, length: int) -> bytes:
        """A range of an object; one that breaks off is asked for again."""
        for left in reversed(range(ATTEMPTS)):
            with refusing():
                try:
                    span = f"bytes={offset}-{offset + length - 1}"
                    answer = self._here().client.get_object(Bucket=self._place.bucket, Key=key, Range=span)
                    return bytes(answer["Body"].read())
                except FAILURES as error:
                    if code_of(error) == "InvalidRange":
                        return b""
                    if not left or code_of(error):
                        raise
        raise AssertionError("the last attempt returns or raises")

    def _unfinished(self) -> Iterator[tuple[str, Any]]:
        for page in self._pages("list_multipart_uploads", Prefix=self._place.prefix + BLOBS):
            for upload in page.get("Uploads", ()):
                yield upload["Key"], upload

    def _pages(self, call: str, **arguments: Any) -> Iterator[Any]:
        with refusing():
            pages = iter(self._here().client.get_paginator(call).paginate(Bucket=self._place.bucket, **arguments))
        while True:
            with refusing():
                page = next(pages, None)
            if page is None:
                return
            yield page

    def _here(self) -> "_Process":
        # Neither connections nor threads survive a fork: a worker process that inherits the store makes its own.
        if self._process.id != os.getpid():
            with self._making:
                if self._process.id != os.getpid():
                    self._process = _Process(self._place)
        return self._process


class _Process:
    """The client and the threads of one process."""

    def __init__(self, place: S3Place) -> None:
        self.id = os.getpid()
        self.senders = ThreadPoolExecutor(SENDERS, "s3")
        self._place = place
        self._client: Any = None
        self._making = threading.Lock()

    @property
    def client(self) -> Any:
        """Made when it is first used; threads may share it."""
        with self._making:
            if self._client is None:
                self._client = boto3.session.Session().client(
                    "s3",
                    endpoint_url=self._place.endpoint or None,
                    region_name=self._place.region or None,
                    config=_config(self._place),
                )
        return self._client


def _config(place: S3Place) -> Config:
    return Config(
        signature_version="s3v4",
        connect_timeout=min(CONNECT_SECONDS, place.seconds),
        read_timeout=place.seconds,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=4 * SENDERS,
        tcp_keepalive=True,
        s3={"addressing_style": place.addressing},
        # Hashes are our own, both ways; older stores do not take the client's checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _name(key: str, upload_id: str) -> str:
    return f"{UNFINISHED}{key.rpartition('/')[2]}:{upload_id}"
