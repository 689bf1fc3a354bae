"""What a held object's pixels are, as decoding asks it: from the index alone, and judged before anything is decoded."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from repository.imaging import attributes
from repository.imaging.encapsulated import MAX_FRAGMENTS, Span
from repository.imaging.packing import read
from repository.imaging.scanner import PixelData
from repository.imaging.tags import Tag
from repository.store.imaging import HeldInstance

LARGEST_FRAME: Final = 256 * 2**20
"""Bytes of one decoded frame; the decoding process has a gigabyte for all that it does with it."""

LARGEST_PIXELS: Final = 4 * 2**30 - 2
"""Bytes of all decoded frames: what the length of one element can say (PS3.5 7.1.1)."""

COMPRESSED: Final = frozenset(
    map(
        str,
        (
            JPEGBaseline8Bit,
            JPEGExtended12Bit,
            JPEGLossless,
            JPEGLosslessSV1,
            JPEGLSLossless,
            JPEGLSNearLossless,
            JPEG2000Lossless,
            JPEG2000,
            HTJ2KLossless,
            HTJ2KLosslessRPCL,
            HTJ2K,
            RLELossless,
        ),
    )
)
"""Compressed transfer syntaxes that there is a decoder for."""

# What decoding gives where a codestream has its colour by itself (PS3.5 8.2).
_TO_RGB = frozenset({"YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_422", "YBR_PARTIAL_420"})
_ITEM_HEAD = 8
_KEYWORDS = {"OF": "FloatPixelData", "OD": "DoubleFloatPixelData"}


@dataclass(frozen=True)
class Pixels:
    """Where the pixels are, and their attributes. `data` is the object's DICOM JSON."""

    place: PixelData
    transfer_syntax: str
    data: Mapping[str, Any]

    @property
    def start(self) -> int:
        """The first byte of the element that holds the pixels."""
        return self.place.offset - (8 if self.transfer_syntax == ImplicitVRLittleEndian else 12)

    @property
    def end(self) -> int:
        """The byte after that element."""
        return self.place.offset + self.place.length + (8 if self.place.encapsulated else 0)

    @property
    def announced(self) -> int:
        """How many frames the object says that it has."""
        return max(self._number(Tag.NUMBER_OF_FRAMES), 1)

    @property
    def frames(self) -> int:
        """How many frames there are, at most as many as there are bytes for."""
        place = self.place
        possible = place.length // _ITEM_HEAD if place.encapsulated else place.length // max(self.frame_bytes - 1, 1)
        return max(min(self.announced, possible, MAX_FRAGMENTS), 1)

    @property
    def frame_bytes(self) -> int:
        """The length of a decoded frame, rounded up to whole bytes."""
        samples = self._number(Tag.SAMPLES_PER_PIXEL) or 1
        rows, columns, bits = (self._number(tag) for tag in (Tag.ROWS, Tag.COLUMNS, Tag.BITS_ALLOCATED))
        return (rows * columns * samples * bits + 7) // 8

    @property
    def fits(self) -> bool:
        """Whether one frame may be decoded: its size as the attributes tell it, which the bounds do not rely upon."""
        known = not self.place.encapsulated or self.transfer_syntax in COMPRESSED
        return known and 0 < self.frame_bytes <= LARGEST_FRAME

    @property
    def is_decodable(self) -> bool:
        """Whether all frames together may be given decoded."""
        if not self.place.encapsulated:
            return True
        whole = self._number(Tag.BITS_ALLOCATED) % 8 == 0 and self.frames == self.announced
        return self.fits and whole and self.frame_bytes * self.frames <= LARGEST_PIXELS

    @cached_property
    def image(self) -> dict[str, Any]:
        """The attributes of one frame as the decoder takes them."""
        samples = self._number(Tag.SAMPLES_PER_PIXEL) or 1
        bits = self._number(Tag.BITS_ALLOCATED)
        keyword = _KEYWORDS.get(self.place.vr, "PixelData")
        found: dict[str, Any] = {
            "rows": self._number(Tag.ROWS),
            "columns": self._number(Tag.COLUMNS),
            "samples_per_pixel": samples,
            "photometric_interpretation": self.interpretation,
            "bits_allocated": bits,
            "pixel_keyword": keyword,
            "pixel_vr": self.place.vr,
        }
        if keyword == "PixelData":
            found["bits_stored"] = self._number(Tag.BITS_STORED) or bits
            found["pixel_representation"] = self._number(Tag.PIXEL_REPRESENTATION)
        if samples > 1:
            found["planar_configuration"] = self._number(Tag.PLANAR_CONFIGURATION)
        return found

    @property
    def interpretation(self) -> str:
        """Photometric Interpretation."""
        return attributes.text(self.data, Tag.PHOTOMETRIC_INTERPRETATION) or "MONOCHROME2"

    @property
    def decoded_attributes(self) -> dict[str, Any]:
        """Attributes that decoding changes, by keyword: compressed colour becomes RGB by pixel."""
        if not self.place.encapsulated or (self._number(Tag.SAMPLES_PER_PIXEL) or 1) < 2:
            return {}
        interpretation = "RGB" if self.interpretation in _TO_RGB else self.interpretation
        return {"PlanarConfiguration": 0, "PhotometricInterpretation": interpretation}

    def _number(self, tag: str) -> int:
        return max(attributes.number(self.data, tag) or 0, 0)


def pixels_of(held: HeldInstance) -> Pixels:
    """The pixels of an object that has some (`held.pixels` is not None)."""
    *place, offsets, lengths = json.loads(held.pixels or "")
    tables = (Span(*table) if table else None for table in (offsets, lengths))
    return Pixels(PixelData(*place, *tables), held.transfer_syntax_uid, read(held.attributes))


def needs_decoding(transfer_syntax: str) -> bool:
    """Whether the pixels of this syntax are other bytes than Explicit VR Little Endian has."""
    return transfer_syntax in COMPRESSED or transfer_syntax == ExplicitVRBigEndian
