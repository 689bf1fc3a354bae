"""Frames cut from a file's Pixel Data, by place and never by decoding (PS3.5 8 and A.4, PS3.3 C.7.6.3).

A frame is given as the pieces of the file that hold it, so that the answer streams from disk.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging import attributes
from repository.imaging.encapsulated import Span, item_at, items, unreadable
from repository.imaging.scanner import DicomObject, PixelData
from repository.imaging.tags import Tag
from repository.imaging.values import Json

CHUNK = 64 * 1024
# Two samples a pixel instead of three, and one and a half: chrominance is shared by neighbours (PS3.3 C.7.6.3.1.2).
SUBSAMPLED = {"YBR_FULL_422": (2, 3), "YBR_PARTIAL_422": (2, 3), "YBR_PARTIAL_420": (1, 2)}
# SOI and a marker; SOC and SIZ: how a new JPEG and a new JPEG 2000 codestream begin (ISO 10918-1, ISO 15444-1).
CODESTREAM_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")


@dataclass(frozen=True)
class Frames:
    """The frames of one object, numbered from 1."""

    file: BinaryIO
    pixels: PixelData
    count: int
    frame_bits: int

    def pieces(self, number: int) -> tuple[Span, ...]:
        """Where frame `number` lies in the file.

        Of 1-bit frames that do not begin at a byte, the bytes that hold it with bits of its neighbours; `read` cuts.

        Raises:
            Rejected: NotFound for a number out of range; NotAcceptable where frames cannot be told apart, as in video;
                DicomUnreadable where the pixels are fewer than the attributes say.
        """
        if not 1 <= number <= self.count:
            text = f"The object has {self.count} frames, numbered from 1."
            raise Rejected.because(ErrorCode.NotFound, f"frame {number}", text, "PS3.18 10.4")
        return self._encapsulated(number) if self.pixels.encapsulated else (self._native(number),)

    def read(self, number: int) -> Iterator[bytes]:
        """The bytes of frame `number`, in chunks; a 1-bit frame starts at bit 0 of its first byte.

        Raises:
            Rejected: as `pieces`, before the first chunk.
        """
        spans = self.pieces(number)
        if self.pixels.encapsulated or self.frame_bits % 8 == 0:
            return _chunks(self.file, spans)
        return _shifted(self.file, spans[0], (number - 1) * self.frame_bits % 8, self.frame_bits)

    def _native(self, number: int) -> Span:
        first = (number - 1) * self.frame_bits
        start, stop = first // 8, (first + self.frame_bits + 7) // 8
        if stop > self.pixels.length or not self.frame_bits:
            text = "Pixel Data is shorter than Rows, Columns, samples and bits say."
            raise unreadable(f"frame {number}", text, "PS3.5 8.1.1")
        return Span(self.pixels.offset + start, stop - start)

    def _encapsulated(self, number: int) -> tuple[Span, ...]:
        table = self._table
        first = table.offset + table.length
        if self.pixels.offsets is not None:
            return (self._by_extended_table(self.pixels.offsets, first, number),)
        if table.length == 4 * self.count:
            return tuple(self._by_table(table, first, number))
        return self._by_fragments[number - 1]

    def _by_extended_table(self, offsets: Span, first: int, number: int) -> Span:
        """PS3.3 C.7.6.3.1.8: one fragment a frame; 64-bit offsets of the items, and the lengths without padding."""
        (offset,) = self._entry(offsets, number, "<Q")
        item = item_at(self.file, first + offset, self._end)
        if item is None:
            raise unreadable(f"frame {number}", "The Extended Offset Table points to no fragment.", "PS3.3 C.7.6.3")
        if self.pixels.lengths is None:
            return item
        (length,) = self._entry(self.pixels.lengths, number, "<Q")
        return Span(item.offset, min(length, item.length))

    def _by_table(self, table: Span, first: int, number: int) -> Iterator[Span]:
        """PS3.5 A.4: the frame's items are those from its offset to the next frame's."""
        (at,) = self._entry(table, number, "<I")
        (length,) = self._entry(table, number + 1, "<I") if number < self.count else (self._end - first,)
        at, stop = first + at, min(first + length, self._end)
        while at < stop:
            item = item_at(self.file, at, self._end)
            if item is None:
                break
            yield item
            at = item.offset + item.length
        if at != stop:
            raise unreadable(f"frame {number}", "The Basic Offset Table does not point to fragments.", "PS3.5 A.4")

    def _entry(self, table: Span, number: int, layout: str) -> tuple[int]:
        size = struct.calcsize(layout)
        if number * size > table.length:
            raise unreadable(f"frame {number}", "The offset table has no entry for this frame.", "PS3.5 A.4")
        self.file.seek(table.offset + (number - 1) * size)
        (value,) = struct.unpack(layout, self.file.read(size))
        return (value,)

    @property
    def _end(self) -> int:
        return self.pixels.offset + self.pixels.length

    @cached_property
    def _table(self) -> Span:
        """The Basic Offset Table's value: the first item, empty or an offset a frame."""
        table = item_at(self.file, self.pixels.offset, self._end)
        if table is None:
            raise unreadable("(7FE0,0010)", "There is no Basic Offset Table item.", "PS3.5 A.4")
        return table

    @cached_property
    def _by_fragments(self) -> tuple[tuple[Span, ...], ...]:
        """Without a table: a fragment a frame, or all fragments the one frame, or cut where a codestream begins."""
        fragments = tuple(items(self.file, self.pixels.offset, self._end + 8))[1:]
        if len(fragments) == self.count:
            return tuple((fragment,) for fragment in fragments)
        if self.count == 1 and fragments:
            return (fragments,)
        starts = [at for at, fragment in enumerate(fragments) if self._starts_codestream(fragment)]
        if not starts or starts[0] != 0 or len(starts) != self.count:
            text = "The frames cannot be told apart: there is no offset table, and the fragments do not show them."
            raise Rejected.because(ErrorCode.NotAcceptable, "(7FE0,0010)", text, "PS3.5 A.4")
        return tuple(fragments[at:stop] for at, stop in zip(starts, [*starts[1:], None], strict=True))

    def _starts_codestream(self, fragment: Span) -> bool:
        self.file.seek(fragment.offset)
        return self.file.read(min(4, fragment.length)).startswith(CODESTREAM_STARTS)


def frames_of(file: BinaryIO, pixels: PixelData, json: Json) -> Frames:
    """The frames of an object from its DICOM JSON; `file` is its seekable file.

    Raises:
        Rejected: with DicomUnreadable when Rows, Columns, Samples per Pixel or Bits Allocated are missing.
    """
    rows, columns, bits = (attributes.number(json, tag) or 0 for tag in (Tag.ROWS, Tag.COLUMNS, Tag.BITS_ALLOCATED))
    samples = attributes.number(json, Tag.SAMPLES_PER_PIXEL) or 1
    frame_bits = rows * columns * samples * bits
    part, whole = SUBSAMPLED.get(attributes.text(json, Tag.PHOTOMETRIC_INTERPRETATION), (1, 1))
    if not pixels.encapsulated and frame_bits <= 0:
        raise unreadable("(0028,0010)", "Rows, Columns and Bits Allocated are needed to cut frames.", "PS3.3 C.7.6.3")
    return Frames(file, pixels, max(attributes.number(json, Tag.NUMBER_OF_FRAMES) or 1, 1), frame_bits * part // whole)


def frame(file: BinaryIO, obj: DicomObject, number: int) -> Iterator[bytes]:
    """The bytes of one frame of a scanned object, in chunks.

    Raises:
        Rejected: with NotFound when the object has no pixels or no such frame; else as `Frames.read`.
    """
    if obj.pixel_data is None:
        raise Rejected.because(ErrorCode.NotFound, f"frame {number}", "The object has no Pixel Data.", "PS3.18 10.4")
    return frames_of(file, obj.pixel_data, obj.json).read(number)


def _chunks(file: BinaryIO, spans: tuple[Span, ...]) -> Iterator[bytes]:
    for offset, length in spans:
        file.seek(offset)
        while length:
            chunk = file.read(min(CHUNK, length))
            if not chunk:
                raise unreadable("(7FE0,0010)", "The file ends within its Pixel Data.", "PS3.5 7.1")
            length -= len(chunk)
            yield chunk


def _shifted(file: BinaryIO, span: Span, shift: int, bits: int) -> Iterator[bytes]:
    """The span moved `shift` bits towards its start, and no bit beyond `bits`: PS3.5 8.1.1 packs from bit 0 upwards."""
    held, left = b"", bits
    for chunk in _chunks(file, (span,)):
        held += chunk
        whole = min(len(held) - 1, left // 8)
        yield (int.from_bytes(held[: whole + 1], "little") >> shift & (1 << 8 * whole) - 1).to_bytes(whole, "little")
        held, left = held[whole:], left - 8 * whole
    if left:
        yield bytes([int.from_bytes(held, "little") >> shift & (1 << left) - 1])
