"""Pictures of frames: what a browser shows, made in the decoding process (PS3.18 8.3.5.1 and 10.4.1.1.3).

Which look-up tables and which window belong to a frame is read here, from the index and the multi-frame functional
groups; bytes from outside are only handed on.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any, Final

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging import attributes
from repository.imaging.decoder import undecodable
from repository.imaging.pixels import Pixels, pixels_of
from repository.store.imaging import HeldInstance

LARGEST_SIDE: Final = 8192
"""Pixels of a viewport's side."""

THUMBNAIL: Final = (128, 128)
QUALITY: Final = 90

_BULK_BYTES = 512 * 1024
_SOURCE = "PS3.18, 10.4.1.1.3"
# What changes a stored value into a shown one (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5, C.7.9), by tag.
_TABLES = (
    "00280100", "00280101", "00280102", "00280103", "00280106", "00280107", "00281050", "00281051", "00281052",
    "00281053", "00281054", "00281056", "00281101", "00281102", "00281103", "00281201", "00281202", "00281203",
    "00281221", "00281222", "00281223", "00283000", "00283010", "20500020",
)  # fmt: skip
_SHARED_GROUPS, _FRAME_GROUPS = "52009229", "52009230"
# Pixel Value Transformation, Frame VOI LUT: the groups that hold such attributes for a frame (PS3.3 C.7.6.16.2).
_GROUPS = ("00289145", "00289132")


@unique
class Media(Enum):
    """What pictures are given as: the media type, and the encoder's name."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    GIF = "image/gif"


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the image, in pixels from its upper left corner, and whether it is mirrored left-right, top-bottom."""

    left: int
    top: int
    width: int
    height: int
    flipped: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """How a frame is to be seen.

    `window` is center, width and function (LINEAR, LINEAR_EXACT, SIGMOID). `viewport` is columns and rows that the
    picture must fit into, 0 for either; `quality` is JPEG's, 1 to 100.
    """

    media: Media = Media.JPEG
    quality: int = QUALITY
    window: tuple[float, float, str] | None = None
    viewport: tuple[int, int] | None = None
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's bytes, in the media type that was asked for."""

    media: Media
    content: bytes


def render(imaging: Any, held: HeldInstance, number: int, view: View) -> Picture:
    """Frame `number` (from 1) of a held image.

    Raises:
        Rejected: NotFound for a frame that is not there or an object without pixels; NotAcceptable when the frame
            cannot be decoded within bounds; InvalidRequest for a region outside the image.
    """
    if held.pixels is None:
        text = "The object is no image; nothing can be drawn of it"
        raise Rejected.because(ErrorCode.NotAcceptable, held.uid, text, _SOURCE)
    pixels = pixels_of(held)
    if not pixels.fits:
        text = f"Images in this form or of this size are not drawn here ({held.transfer_syntax_uid})"
        raise undecodable(text)
    if view.region and not _within(view.region, pixels):
        raise Rejected.because(ErrorCode.InvalidRequest, "region", "The region lies outside the image", _SOURCE)
    (frame,) = imaging.frames(held, [number])
    region = view.region
    wanted = {
        "format": view.media.name,
        "quality": view.quality,
        "window": view.window,
        "viewport": view.viewport,
        "region": region
        and (region.left, region.top, region.width, region.height, int(region.flipped), int(region.turned)),
    }
    stored = b"".join(frame.pieces)
    content: bytes
    _, content = imaging.decoder.run(
        "picture",
        stored,
        syntax=held.transfer_syntax_uid,
        image=pixels.image,
        attributes=_tables(imaging, held, pixels, number),
        picture=wanted,
    )
    return Picture(view.media, content)


def representative(frames: int) -> int:
    """The frame that stands for all of them: the middle one, for the first is often empty."""
    return (frames + 1) // 2


def _within(region: Region, pixels: Pixels) -> bool:
    columns, rows = pixels.image["columns"], pixels.image["rows"]
    return bool(region.width > 0 and region.height > 0 and region.left < columns and region.top < rows)


def _tables(imaging: Any, held: HeldInstance, pixels: Pixels, number: int) -> dict[str, Any]:
    """The tables and windows of the frame as DICOM JSON with their bulk values inline."""
    data = pixels.data
    found = {tag: (tag, data[tag]) for tag in _TABLES if tag in data}
    shared = ((_SHARED_GROUPS, 0), (_FRAME_GROUPS, number - 1))
    for groups, place in shared:
        items = attributes.values(data, groups)
        for group in _GROUPS if place < len(items) else ():
            for item in attributes.values(items[place], group)[:1]:
                path = f"{groups}/{place}/{group}/0/"
                found |= {tag: (path + tag, value) for tag, value in item.items() if tag in _TABLES}
    return {tag: _inline(imaging, held, path, value) for tag, (path, value) in found.items()}


def _inline(imaging: Any, held: HeldInstance, path: str, attribute: Mapping[str, Any]) -> dict[str, Any]:
    if "BulkDataURI" in attribute:
        raw = bytearray()
        for piece in imaging.bulk(held, path):
            raw += piece
            if len(raw) > _BULK_BYTES:
                raise undecodable("A look-up table of the image is larger than any that the standard has")
        vr = "OW" if attribute["vr"] in ("US", "SS", "UN") else attribute["vr"]
        return {"vr": vr, "InlineBinary": b64encode(raw).decode()}
    if attribute.get("vr") == "SQ":
        items = enumerate(attribute.get("Value", ()))
        return {
            "vr": "SQ",
            "Value": [
                {tag: _inline(imaging, held, f"{path}/{place}/{tag}", value) for tag, value in (item or {}).items()}
                for place, item in items
            ],
        }
    return dict(attribute)
