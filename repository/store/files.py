"""Blobs as files in one folder: `tmp/` for what comes in, `blobs/ab/cd/<sha256>`, `quarantine/` for what is set aside.

The order is what makes an acknowledgement true: sync the file, rename it into place, sync the directory that now
names it, and only then return. All folders lie on one filesystem, so that the rename is atomic.
"""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from threading import Semaphore
from types import TracebackType
from typing import Self
from uuid import uuid4

import structlog

from registry.metadata.errors import Rejected
from repository.store.blobs import SHA256, Digests, Incoming, Temporary, out_of_resources, pieces

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
TWO_DIGITS = "[0-9a-f][0-9a-f]"
FLUSH_EVERY = 16 << 20
SYNC_THREADS = 8
SYNCS_UNDER_WAY = 64
FULL = "The repository has no room left, or its disk cannot be written; nothing of this request is kept."
FAILED = "The repository's disk failed; it takes no documents until it is mended. Nothing of this request is kept."


class FileBlobs:
    """A `BlobStore` in the folder `root`, which is made when it is missing.

    After a sync has failed the store refuses to write until the process is started anew: the kernel may have dropped
    the bytes and would report success the next time. Reading goes on.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tmp, self._blobs, self._quarantine = root / "tmp", root / "blobs", root / "quarantine"
        self._disk = _Disk()
        # One byte for each `ab/cd`: whether this process has synced the directory that names it.
        self._named = bytearray(1 << 16)
        new = [folder for folder in (root, *root.parents) if not folder.exists()]
        for folder in (self._tmp, self._blobs, self._quarantine):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (root, *(made.parent for made in new)):
            self._disk.sync_folder(folder)

    def receive(self, chunks: Iterable[bytes], sha1: bool = True) -> Incoming:
        """See `BlobStore.receive`. The file's sync begins here and is awaited by `keep`."""
        self._disk.refuse_after_failure()
        path = self._tmp / uuid4().hex
        with Digests(sha1) as digests, _Upload(path, self._disk) as upload:
            for piece in pieces(chunks):
                digests.take(piece)
                upload.write(piece)
            synced = upload.finish()
            return Incoming(*digests.hexdigests(), upload.size, path, synced)

    def keep(self, *incoming: Incoming) -> None:
        """See `BlobStore.keep`."""
        try:
            self._disk.refuse_after_failure()
            with _refusing():
                for one in incoming:
                    one.synced.result()
                for one in incoming:
                    self._place(one)
                # Also for what was there: whoever renamed it may not have come to this line.
                self._sync_names({one.sha256[:4] for one in incoming})
        finally:
            self.discard(*incoming)

    def discard(self, *incoming: Incoming) -> None:
        """See `BlobStore.discard`."""
        for one in incoming:
            one.path.unlink(missing_ok=True)

    def open(self, sha256: str) -> BufferedReader:
        """See `BlobStore.open`."""
        with _key_error(sha256):
            return self._path(sha256).open("rb")

    def size(self, sha256: str) -> int:
        """See `BlobStore.size`."""
        with _key_error(sha256):
            return self._path(sha256).stat().st_size

    def age(self, sha256: str) -> float:
        """See `BlobStore`."""
        with _key_error(sha256):
            return time.time() - self._path(sha256).stat().st_mtime

    def walk(self) -> Iterator[str]:
        """See `BlobStore.walk`; a folder is read when it is reached."""
        for first in sorted(self._blobs.glob(TWO_DIGITS)):
            for second in sorted(first.glob(TWO_DIGITS)):
                for name in sorted(path.name for path in second.iterdir()):
                    if SHA256.fullmatch(name) and name.startswith(first.name + second.name):
                        yield name

    def verify(self, sha256: str) -> bool:
        """See `BlobStore.verify`."""
        with self.open(sha256) as file:
            try:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
            except OSError as error:
                if error.errno == errno.EIO:
                    return False
                raise

    def set_aside(self, sha256: str) -> None:
        """See `BlobStore.set_aside`."""
        with _key_error(sha256):
            self._move_to_quarantine(self._path(sha256))

    def remove(self, sha256: str) -> None:
        """See `BlobStore.remove`. Gone when this returns, also after a loss of power."""
        path = self._path(sha256)
        with _key_error(sha256):
            path.unlink()
        self._disk.sync_folder(path.parent)

    def temporaries(self) -> Iterator[Temporary]:
        """See `BlobStore.temporaries`."""
        for path in sorted(self._tmp.iterdir()):
            with suppress(FileNotFoundError):
                status = path.stat()
                yield Temporary(path.name, max(0.0, time.time() - status.st_mtime), status.st_size)

    def set_aside_temporary(self, name: str) -> None:
        """See `BlobStore.set_aside_temporary`."""
        if all(path.name != name for path in self._tmp.iterdir()):
            raise KeyError(name)
        with _key_error(name):
            self._move_to_quarantine(self._tmp / name)

    def free_space(self) -> int:
        """See `BlobStore.free_space`."""
        return shutil.disk_usage(self._root).free

    def _path(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise KeyError(sha256)
        return self._blobs / sha256[:2] / sha256[2:4] / sha256

    def _is_there(self, one: Incoming) -> bool:
        try:
            return self.size(one.sha256) == one.size
        except KeyError:
            return False

    def _place(self, one: Incoming) -> None:
        if self._is_there(one):
            return
        # A blob of another length is damaged: it makes way for the good bytes, and stays to be looked at.
        with suppress(KeyError):
            self.set_aside(one.sha256)
        target = self._path(one.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        one.path.rename(target)

    def _sync_names(self, folders: Iterable[str]) -> None:
        """Make the names in these `abcd` folders durable, and the folders' own names the first time."""
        for folder in folders:
            self._disk.sync_folder(self._blobs / folder[:2] / folder[2:])
        new = [folder for folder in folders if not self._named[int(folder, 16)]]
        for first in {folder[:2] for folder in new}:
            self._disk.sync_folder(self._blobs / first)
        if new:
            self._disk.sync_folder(self._blobs)
        for folder in new:
            self._named[int(folder, 16)] = 1

    def _move_to_quarantine(self, path: Path) -> None:
        path.rename(self._quarantine / f"{path.name}.{uuid4().hex}")
        self._disk.sync_folder(self._quarantine)
        self._disk.sync_folder(path.parent)


class _Disk:
    """Every sync of the store. One that fails ends all writing: it must never be tried again."""

    def __init__(self) -> None:
        self._failed = False
        self._threads = _Threads()

    def refuse_after_failure(self) -> None:
        if self._failed:
            raise out_of_resources(FAILED)

    def sync(self, descriptor: int, data_only: bool = False) -> None:
        try:
            (os.fdatasync if data_only else os.fsync)(descriptor)
        except OSError as error:
            self._failed = True
            structlog.get_logger(__name__).critical("blob store has stopped writing: sync failed", error=str(error))
            raise out_of_resources(FAILED) from error

    def sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def flush(self, descriptor: int) -> Future[None]:
        """Begin to sync what has been written so far."""
        return self._living_threads().pool.submit(self.sync, descriptor, data_only=True)

    def sync_and_close(self, descriptor: int) -> Future[None]:
        """Begin the last sync of a file; waits first while `SYNCS_UNDER_WAY` files are open for it."""
        threads = self._living_threads()
        threads.places.acquire()

        def work() -> None:
            try:
                self.sync(descriptor)
            finally:
                os.close(descriptor)
                threads.places.release()

        return threads.pool.submit(work)

    def _living_threads(self) -> "_Threads":
        # Threads do not survive a fork: a worker process that inherits the store starts its own.
        if self._threads.process != os.getpid():
            self._threads = _Threads()
        return self._threads


class _Threads:
    """The threads of one process that wait for the disk."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.pool = ThreadPoolExecutor(SYNC_THREADS, "sync")
        self.places = Semaphore(SYNCS_UNDER_WAY)


class _Upload:
    """A temporary file while it is written; gone when its block ends by an exception.

    A long file is synced as it grows: most of a sync is the device emptying its own cache, which then happens while
    later bytes are still coming.
    """

    def __init__(self, path: Path, disk: _Disk) -> None:
        self.size = 0
        self._path, self._disk = path, disk
        self._flush: Future[None] | None = None
        self._flushed = 0
        with _refusing():
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._is_open = True

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        with _refusing():
            while rest:
                written = os.write(self._descriptor, rest)
                self.size += written
                rest = rest[written:]
        if self.size - self._flushed >= FLUSH_EVERY and (self._flush is None or self._flush.done()):
            self._await_flush()
            self._flushed = self.size
            self._flush = self._disk.flush(self._descriptor)

    def finish(self) -> Future[None]:
        """No more bytes; the sync that has begun."""
        self._await_flush()
        self._is_open = False
        return self._disk.sync_and_close(self._descriptor)

    def _await_flush(self) -> None:
        if self._flush:
            self._flush.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            return
        with suppress(Rejected):
            self._await_flush()
        if self._is_open:
            os.close(self._descriptor)
        self._path.unlink(missing_ok=True)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what a full or broken disk says into a refusal."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise out_of_resources(FULL) from error
        raise


@contextmanager
def _key_error(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise KeyError(name) from None
