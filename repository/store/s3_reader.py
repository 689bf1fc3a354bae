"""An object of an object store as a seekable file: ranges are fetched as they are read, more of them at a time when
the reading goes on. Each range is read to its end, so that the connection can be used again.
"""

from collections.abc import Callable
from io import SEEK_CUR, SEEK_END, SEEK_SET, BufferedReader, RawIOBase

LEAST, MOST = 128 << 10, 4 << 20
BUFFER = 16 << 10

Fetch = Callable[[int, int], bytes]
"""Bytes by offset and length, both in bytes; fewer where the object ends."""


class Ranges(RawIOBase):
    """`size` bytes that `fetch` gives; at most `MOST` of them are held.

    The first range after a jump is small: whoever wants one frame, or a header, pays for no more.
    """

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch, self._size = fetch, size
        self._at = self._start = 0
        self._ahead = LEAST
        self._held = memoryview(b"")

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """As io.RawIOBase. Raises Rejected when the store cannot be reached."""
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        if not self._start <= self._at < self._start + len(self._held):
            self._load(wanted)
        piece = self._held[self._at - self._start :][:wanted]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _load(self, wanted: int) -> None:
        end = self._start + len(self._held)
        goes_on = end > 0 and end <= self._at <= end + self._ahead
        self._ahead = min(self._ahead * 2, MOST) if goes_on else LEAST
        length = min(max(self._ahead, wanted), MOST, self._size - self._at)
        self._start, self._held = self._at, memoryview(self._fetch(self._at, length))

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """As io.IOBase."""
        start = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """As io.IOBase."""
        return self._at

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True


def opened(fetch: Fetch, size: int) -> BufferedReader:
    """The object as a buffered file."""
    return BufferedReader(Ranges(fetch, size), BUFFER)
