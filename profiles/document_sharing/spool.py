"""Other communities' documents until they are passed on: an answer's status comes before its documents, and says
whether all of them could be had, so nothing can be sent before everything has come in.
"""

import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from profiles.faces.soap_client import NoAnswer

PIECE = 128 * 1024  # bytes a read


class Spool:
    """The documents of one answer, in one file without a name, which ends with the last of its `Piece`s."""

    def __init__(self, folder: Path) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115  # it outlives this call, see finalize
        self._size = 0
        weakref.finalize(self, self._file.close)

    def receive(self, chunks: Iterator[bytes]) -> "Piece":
        """Take in a document, which is whatever `chunks` give until they end.

        Raises:
            NoAnswer: there is no room for it.
        """
        begin = self._size
        for chunk in chunks:
            self._write(chunk)
        self._write(b"")
        return Piece(self, begin, self._size - begin)

    def read(self, begin: int, size: int) -> bytes:
        """At most `size` bytes from `begin` on; several threads may read."""
        return os.pread(self._file.fileno(), size, begin)

    def _write(self, chunk: bytes) -> None:
        try:
            self._size += self._file.write(chunk)
            if not chunk:
                self._file.flush()
        except OSError as error:
            raise NoAnswer(f"there is no room here for its documents: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Piece:
    """One document in a spool; `begin` and `size` in bytes."""

    spool: Spool
    begin: int
    size: int

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, in pieces."""
        at, end = self.begin, self.begin + self.size
        while at < end:
            chunk = self.spool.read(at, min(PIECE, end - at))
            if not chunk:
                raise OSError("a spooled document is shorter than it was")
            at += len(chunk)
            yield chunk
