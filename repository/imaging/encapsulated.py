"""Encapsulated Pixel Data: a sequence of fragments, walked by their lengths without reading them (PS3.5 A.4)."""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from registry.metadata.errors import ErrorCode, Rejected

ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
# The longest recordings and whole-slide images have some 100,000 frames; each fragment costs a seek.
MAX_FRAGMENTS = 500_000
SOURCE = "PS3.5 A.4"

_HEADER = struct.Struct("<HHI")


class Span(NamedTuple):
    """A run of bytes of the file: `offset` from its start, and `length`, both in bytes."""

    offset: int
    length: int


def unreadable(where: str, text: str, source: str) -> Rejected:
    """The refusal of bytes that are no DICOM object."""
    return Rejected.because(ErrorCode.DicomUnreadable, where, text, source)


def item_at(file: BinaryIO, offset: int, end: int) -> Span | None:
    """The value of the item that starts at `offset` and must end by `end`; None for a sequence delimitation item.

    Raises:
        Rejected: no item starts there, or it is longer than what holds it.
    """
    where = f"(7FE0,0010) at byte {offset}"
    header = b""
    if offset + 8 <= end:
        file.seek(offset)
        header = file.read(8)
    if len(header) < 8:
        raise unreadable(where, "The fragments of Pixel Data end without a Sequence Delimitation Item.", SOURCE)
    group, element, length = _HEADER.unpack(header)
    if (group, element, length) == (0xFFFE, 0xE0DD, 0):
        return None
    if (group, element) != (0xFFFE, 0xE000) or length == UNDEFINED:
        raise unreadable(where, "An item of defined length must start here, a fragment of Pixel Data.", SOURCE)
    if offset + 8 + length > end:
        raise unreadable(where, f"A fragment of {length} bytes is longer than what is left of the file.", SOURCE)
    return Span(offset + 8, length)


def items(file: BinaryIO, start: int, end: int) -> Iterator[Span]:
    """All items from `start` to the sequence delimitation item, which must come by `end`; first the offset table.

    Raises:
        Rejected: the items do not fit together, or are more than `MAX_FRAGMENTS`.
    """
    for _ in range(MAX_FRAGMENTS + 1):
        item = item_at(file, start, end)
        if item is None:
            return
        yield item
        start = item.offset + item.length
    raise unreadable("(7FE0,0010)", f"Pixel Data has more than {MAX_FRAGMENTS} fragments.", SOURCE)
