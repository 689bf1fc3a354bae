"""A folder on this machine where bytes wait that came in and are not yet in an object store.

They are looked at here, and sent from here under the name that their hash gives them. Nothing here is acknowledged, so
nothing is synced.
"""

import errno
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from repository.store.blobs import Digests, Incoming, Temporary, out_of_resources, pieces

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
FULL = "This server has no room left for uploads, or its disk cannot be written; nothing of this request is kept."


class Spool:
    """`root/tmp` for what comes in, `root/quarantine` for what a crash left behind. Made when it is first written."""

    def __init__(self, root: Path) -> None:
        self._root, self._tmp, self._quarantine = root, root / "tmp", root / "quarantine"

    def receive(self, chunks: Iterable[bytes], sha1: bool) -> Incoming:
        """See `BlobStore.receive`."""
        path, size = self._tmp / uuid4().hex, 0
        with _refusing():
            self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with Digests(sha1) as digests:
                for piece in pieces(chunks):
                    digests.take(piece)
                    _write(descriptor, piece)
                    size += len(piece)
                return Incoming(*digests.hexdigests(), size, path, _done())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def temporaries(self) -> Iterator[Temporary]:
        """See `BlobStore.temporaries`; those of this machine."""
        for path in sorted(self._tmp.glob("*")):
            with suppress(FileNotFoundError):
                status = path.stat()
                yield Temporary(path.name, max(0.0, time.time() - status.st_mtime), status.st_size)

    def set_aside(self, name: str) -> None:
        """See `BlobStore.set_aside_temporary`."""
        if all(path.name != name for path in self._tmp.glob("*")):
            raise KeyError(name)
        self._quarantine.mkdir(mode=0o700, exist_ok=True)
        try:
            (self._tmp / name).rename(self._quarantine / f"{name}.{uuid4().hex}")
        except FileNotFoundError:
            raise KeyError(name) from None

    def free_space(self) -> int:
        """Bytes that can still come in at the same time."""
        self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
        return shutil.disk_usage(self._root).free


def _write(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    with _refusing():
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise out_of_resources(FULL) from error
        raise
