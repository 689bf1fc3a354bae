"""Bulk values by their place in the file: whole, or a range of their bytes; in little endian order (PS3.18 F.2.7)."""

import struct
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from repository.imaging.encapsulated import Span
from repository.imaging.values import BYTE_VRS, NUMBER_VRS

CHUNK = 256 * 1024
"""A multiple of every word's length."""

WORDS: Mapping[str, int] = {
    **{vr.decode(): width for vr, width in BYTE_VRS.items()},
    **{vr.decode(): struct.calcsize(f"<{letter}") for vr, letter in NUMBER_VRS.items()},
    "AT": 2,
}
"""Bytes of the words of each VR that has some (PS3.5 7.3)."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """A value that lies in `spans` of the file that `open` gives. `size` is in bytes.

    `width` is the length of the words that have to be turned about, 1 where the file's order will do.
    """

    spans: Sequence[Span]
    open: Callable[[], BinaryIO]
    width: int = 1

    @property
    def size(self) -> int:
        """The length of the value."""
        return sum(span.length for span in self.spans)

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Its bytes from `start` up to, not including, `stop`, in chunks; the file is open no longer than that."""
        stop = self.size if stop is None else stop
        if self.width == 1:
            yield from self._stored(start, stop)
            return
        first = start - start % self.width
        turned = (swapped(chunk, self.width) for chunk in self._stored(first, min(stop + self.width, self.size)))
        skipped, left = start - first, stop - start
        for chunk in turned:
            chunk = chunk[skipped:][:left]
            skipped, left = 0, left - len(chunk)
            yield chunk

    def _stored(self, start: int, stop: int) -> Iterator[bytes]:
        left = stop - start
        with self.open() as file:
            for offset, length in self.spans:
                if start >= length:
                    start -= length
                    continue
                file.seek(offset + start)
                here = min(length - start, left)
                start, left = 0, left - here
                while here and (chunk := file.read(min(CHUNK, here))):
                    here -= len(chunk)
                    yield chunk
                if not left:
                    return


def swapped(block: bytes, width: int) -> bytes:
    """Words of `width` bytes (1, 2, 4 or 8), turned about; bytes that make no whole word stay as they are."""
    if width == 1:
        return block
    whole = len(block) - len(block) % width
    words = array({2: "H", 4: "I", 8: "Q"}[width], block[:whole])
    words.byteswap()
    return words.tobytes() + block[whole:]


def word_of(data: Mapping[str, Any], path: str) -> int:
    """The length of the words of the bulk value at `path` of a data set in the DICOM JSON model."""
    *steps, tag = path.split("/")
    for sequence, place in zip(steps[::2], steps[1::2], strict=True):
        data = data[sequence]["Value"][int(place)]
    return WORDS.get(data[tag]["vr"], 1)
