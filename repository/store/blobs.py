"""What a store of bytes promises: a document is received, looked at, and then kept or discarded.

A blob is named by its SHA-256, so the same bytes are kept once, whoever sends them and however often. `keep` comes
before the database transaction that names the blob: a row never lacks its blob, a blob may for a while lack its row.
SHA-1 is the `hash` attribute of a DocumentEntry (ITI TF-3, 4.2.3.2.10); it is computed in the same pass.
"""

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Protocol, Self

from registry.metadata.errors import ErrorCode, Rejected

PIECE = 1 << 20
BEHIND = 4
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Incoming:
    """Bytes that have been received and hashed and are not kept yet.

    `sha256` and `sha1` are lower-case hexadecimal, `sha1` empty when it was not asked for; `size` is in bytes. `path`
    and `synced` belong to the store that made it.
    """

    sha256: str
    sha1: str
    size: int
    path: Path = field(repr=False)
    synced: Future[None] = field(repr=False, compare=False)

    def open(self) -> BinaryIO:
        """The bytes from their beginning, seekable; only until they are kept or discarded."""
        return self.path.open("rb")


class Temporary(NamedTuple):
    """Something received that was neither kept nor discarded. `age` in seconds since its last byte, `size` in bytes."""

    name: str
    age: float
    size: int


class BlobStore(Protocol):
    """Bytes under their SHA-256. A name that is not 64 lower-case hexadecimal digits is the name of no blob.

    A store across a network may raise Rejected at every method: XDSRepositoryBusy when it cannot be reached.
    """

    def receive(self, chunks: Iterable[bytes], sha1: bool = True) -> Incoming:
        """Write and hash a stream; memory does not grow with it. What `chunks` raises passes through, nothing stays.

        Raises:
            Rejected: XDSRepositoryOutOfResources: no room, or the store cannot write.
        """

    def keep(self, *incoming: Incoming) -> None:
        """Make blobs of what was received; when this returns, they outlive a loss of power.

        Bytes that are kept already are not written again. After a refusal nothing of the batch is temporary any more;
        some of it may have become blobs, which no row names.

        Raises:
            Rejected: XDSRepositoryOutOfResources: no room, or the store cannot write.
        """

    def discard(self, *incoming: Incoming) -> None:
        """Forget what was received; harmless when it is kept or discarded already."""

    def open(self, sha256: str) -> BinaryIO:
        """The blob's bytes, seekable. Raises KeyError when there is no such blob."""

    def size(self, sha256: str) -> int:
        """The blob's length in bytes. Raises KeyError when there is no such blob."""

    def age(self, sha256: str) -> float:
        """Seconds since the blob was received. Raises KeyError when there is no such blob."""

    def walk(self) -> Iterator[str]:
        """The SHA-256 of every blob, ascending."""

    def verify(self, sha256: str) -> bool:
        """Whether the blob can be read and still has the hash of its name. Raises KeyError when there is none."""

    def set_aside(self, sha256: str) -> None:
        """Move a blob out of sight, into quarantine; nothing is deleted. Raises KeyError when there is none."""

    def remove(self, sha256: str) -> None:
        """Delete a blob for good. Raises KeyError when there is none, OSError when it cannot be deleted."""

    def temporaries(self) -> Iterator[Temporary]:
        """What was received and neither kept nor discarded: uploads under way, and what a crash left behind."""

    def set_aside_temporary(self, name: str) -> None:
        """Move one of `temporaries` into quarantine. Raises KeyError when there is none of that name."""

    def free_space(self) -> int:
        """Bytes that can still be written."""


def is_whole(blobs: BlobStore, sha256: str, size: int) -> bool:
    """Whether a blob of `size` bytes is there: asked before an answer begins that can no longer say that it is not."""
    try:
        return blobs.size(sha256) == size
    except KeyError:
        return False


def out_of_resources(text: str) -> Rejected:
    """The refusal of a store that cannot take more (ITI TF-3, table 4.2.4.1-2)."""
    return Rejected.because(ErrorCode.XDSRepositoryOutOfResources, "", text, "ITI TF-3, table 4.2.4.1-2")


def pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at least `PIECE` bytes; only the last one is shorter."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        if not chunk:
            continue
        held.append(chunk)
        size += len(chunk)
        if size >= PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


class Digests:
    """SHA-256, and SHA-1 if wanted, of one document's `pieces`.

    hashlib works without the interpreter's lock, so full pieces are hashed in threads while the caller receives and
    writes the next; the short last one, which is all that a small document has, is hashed by `hexdigests` itself. The
    threads are at most `BEHIND` pieces behind.
    """

    def __init__(self, sha1: bool) -> None:
        self._hashes = [hashlib.sha256()]
        if sha1:
            self._hashes.append(hashlib.sha1(usedforsecurity=False))
        self._threads: list[ThreadPoolExecutor] = []
        self._pending: deque[list[Future[None]]] = deque()
        self._last = b""

    def take(self, piece: bytes) -> None:
        """The next piece."""
        if len(piece) < PIECE:
            self._last = piece
            return
        if not self._threads:
            self._threads = [ThreadPoolExecutor(1, "hash") for _ in self._hashes]
        work = zip(self._threads, self._hashes, strict=True)
        self._pending.append([thread.submit(each.update, piece) for thread, each in work])
        if len(self._pending) > BEHIND:
            self._wait_for_oldest()

    def hexdigests(self) -> tuple[str, str]:
        """SHA-256 and SHA-1 of all that was taken; the second is empty when it was not wanted."""
        while self._pending:
            self._wait_for_oldest()
        for each in self._hashes:
            each.update(self._last)
        sha256, sha1 = ([each.hexdigest() for each in self._hashes] + [""])[:2]
        return sha256, sha1

    def _wait_for_oldest(self) -> None:
        for future in self._pending.popleft():
            future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for thread in self._threads:
            thread.shutdown(cancel_futures=True)
