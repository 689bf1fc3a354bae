"""What an object carries that is shown as it is: encapsulated documents and video (PS3.18, 8.7.3.3)."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydicom.uid import UID

from repository.imaging import attributes
from repository.imaging.packing import read
from repository.imaging.tags import PIXEL_TAGS, Tag
from repository.store.imaging import HeldInstance

ENCAPSULATED: Final = "00420011"
MEDIA_TYPE, LENGTH = "00420012", "00420015"
# Media types that are named in answers; an object may say any, and a browser would believe it (PS3.3 C.24.2.1).
DOCUMENTS: Final[Mapping[str, str]] = {
    "application/pdf": "application/pdf",
    "text/xml": "text/xml",
    "text/xml;charset=utf-8": "text/xml",
    "application/xml": "text/xml",
    "model/stl": "model/stl",
    "application/sla": "model/stl",
    "model/obj": "model/obj",
    "model/mtl": "model/mtl",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A document or a film: `read(start, stop)` gives its bytes, of which there are `size`."""

    media: str
    size: int
    read: Callable[[int, int], Iterator[bytes]]


def document_of(imaging: Any, held: HeldInstance) -> Document | None:
    """What the object carries, None if it is neither a document nor video.

    Raises:
        Rejected: as `ImagingRepository.bulk_value`.
    """
    if media := video_type(held.transfer_syntax_uid) if held.pixels else "":
        film = imaging.bulk_value(held, str(Tag.PIXEL_DATA))
        return Document(media, film.size, film.read)
    data = read(held.attributes)
    if ENCAPSULATED not in data:
        return None
    media = document_type(data)
    announced = attributes.number(data, LENGTH)
    if inline := data[ENCAPSULATED].get("InlineBinary"):
        raw = b64decode(inline)
        return Document(media, _length(len(raw), announced), lambda start, stop: iter((raw[start:stop],)))
    if "BulkDataURI" not in data[ENCAPSULATED]:
        return None
    value = imaging.bulk_value(held, ENCAPSULATED)
    return Document(media, _length(value.size, announced), value.read)


def document_type(data: Mapping[str, Any]) -> str:
    """The media type of an encapsulated document, octets for what is not known to be harmless."""
    return DOCUMENTS.get(attributes.text(data, MEDIA_TYPE).lower().replace(" ", ""), "application/octet-stream")


def video_type(transfer_syntax: str) -> str:
    """The media type of a film in this transfer syntax (PS3.18, table 8.7.3-6), empty for what is no film."""
    name = UID(transfer_syntax).name
    if "MPEG2" in name:
        return "video/mpeg"
    return "video/mp4" if "MPEG-4" in name or "HEVC" in name else ""


def media_of(held: HeldInstance, path: str) -> str:
    """The media type of the bulk value at `path`, octets unless it is a document or a film."""
    if path == ENCAPSULATED:
        return document_type(read(held.attributes))
    return (video_type(held.transfer_syntax_uid) if path in PIXEL_TAGS else "") or "application/octet-stream"


def _length(value: int, announced: int | None) -> int:
    """Without the byte that makes the value's length even."""
    return announced if announced is not None and announced in (value, value - 1) else value
