"""DICOM files made of metadata and bulk values that were sent apart (PS3.18 10.5.2, PS3.10 7.1)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from pydicom import uid

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging import attributes
from repository.imaging.encapsulated import unreadable
from repository.imaging.encoding import Bulk, Encapsulated, Piece, Value, element, encoded
from repository.imaging.part10 import is_uid
from repository.imaging.tags import PIXEL_TAGS, Tag

NATIVE: Final = "application/octet-stream"
_SOURCE = "PS3.18, 10.5.2"
_VERSION = b"\0\1"
_PREAMBLE = bytes(128) + b"DICM"

# PS3.18, table 8.7.3-5 and 8.7.3-6: the transfer syntaxes of a media type. Where a codestream does not tell by itself,
# the first is taken.
# fmt: off
SYNTAXES: Final[Mapping[str, tuple[str, ...]]] = {media: tuple(map(str, syntaxes)) for media, syntaxes in (
    (NATIVE,            (uid.ExplicitVRLittleEndian,)),
    ("image/jpeg",      (uid.JPEGLosslessSV1, uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless)),
    ("image/dicom-rle", (uid.RLELossless,)),
    ("image/jls",       (uid.JPEGLSLossless, uid.JPEGLSNearLossless)),
    ("image/jp2",       (uid.JPEG2000Lossless, uid.JPEG2000)),
    ("image/jpx",       (uid.JPEG2000MCLossless, uid.JPEG2000MC)),
    ("image/jphc",      (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)),
    ("video/mpeg2",     (uid.MPEG2MPML, uid.MPEG2MPHL)),
    ("video/mpeg",      (uid.MPEG2MPML, uid.MPEG2MPHL)),
    ("video/mp4",       (uid.MPEG4HP41, uid.MPEG4HP41BD, uid.MPEG4HP422D, uid.MPEG4HP423D, uid.MPEG4HP42STEREO,
                         uid.HEVCMP51, uid.HEVCM10P51)),
)}
# fmt: on
_HEAD = 64 * 1024
# The frame header of a JPEG, and its scan header: components and their tables, then Ss (ISO 10918-1, B.2.2 and B.2.3).
_FRAME_HEADER = re.compile(rb"\xff([\xc0\xc1\xc3\xf7])")


class Sent(Value, Protocol):
    """A bulk part as it was received: `media` and `transfer_syntax` as its Content-Type has them."""

    @property
    def media(self) -> str:
        """The media type."""

    @property
    def transfer_syntax(self) -> str:
        """A UID, or empty."""


def assembled(data: Mapping[str, Any], parts: Mapping[str, Sequence[Sent]]) -> tuple[dict[str, str], Iterator[bytes]]:
    """A DICOM file from a data set of the DICOM JSON model and the parts that its BulkDataURIs name, by URI.

    Several parts of one URI are the frames of compressed pixels. Gives the file's UIDs by tag, and its bytes.

    Raises:
        Rejected: DicomUnreadable when the metadata are none or a BulkDataURI names no part: nothing is ever fetched.
    """
    if not isinstance(data, Mapping):
        raise unreadable("metadata", "A data set is an object of attributes", "PS3.18, F.2")
    syntaxes: set[str] = set()

    def bulk(tag: str, uri: str) -> Bulk:
        sent = parts.get(uri)
        if not sent:
            text = "The BulkDataURI is the Content-Location of no part of this request, and nothing else is fetched"
            raise unreadable(f"({tag[:4]},{tag[4:]})", text, _SOURCE)
        if tag in PIXEL_TAGS:
            syntaxes.add(syntax_of(sent[0]))
            if sent[0].media != NATIVE:
                return Encapsulated(tuple(sent))
        if len(sent) > 1:
            raise unreadable(f"({tag[:4]},{tag[4:]})", "Several parts have this Content-Location", _SOURCE)
        return sent[0]

    pieces = encoded(_in_utf8(data), bulk)
    if len(syntaxes) > 1:
        raise unreadable("(7FE0,0010)", "The pixels are in several transfer syntaxes", _SOURCE)
    uids = _identity(data)
    head = _group_2(uids, syntaxes.pop() if syntaxes else str(uid.ExplicitVRLittleEndian))
    return uids, _chunks((head, *pieces))


def syntax_of(sent: Sent) -> str:
    """The transfer syntax of a part: as it says, else as its codestream shows.

    Raises:
        Rejected: UnsupportedMediaType for a media type that is none of pixels, or another transfer syntax than it has.
    """
    possible = SYNTAXES.get(sent.media, ())
    if not possible or (sent.transfer_syntax and sent.transfer_syntax not in possible):
        text = f"Pixels are not taken as {sent.media[:100]} of the transfer syntax {sent.transfer_syntax[:64] or '-'}"
        raise Rejected.because(ErrorCode.UnsupportedMediaType, "Content-Type", text, "PS3.18, table 8.7.3-5")
    return sent.transfer_syntax or _shown(sent, possible)


def _shown(sent: Sent, possible: tuple[str, ...]) -> str:
    head = b"".join(_first(sent.read(), _HEAD))
    if sent.media == "image/jp2":
        at = head.find(b"\xff\x52")
        # COD: the wavelet is the fourteenth byte of the segment; 1 is the reversible one (ISO 15444-1, A.6.1).
        return possible[0] if at < 0 or head[at + 13 : at + 14] == b"\1" else possible[1]
    found = _FRAME_HEADER.search(head)
    scan = head.find(b"\xff\xda")
    if found is None or scan < 0:
        return possible[0]
    selection = head[scan + 5 + 2 * head[scan + 4] :][:1] if scan + 4 < len(head) else b""
    if sent.media == "image/jls":
        return possible[0] if selection == b"\0" else possible[1]
    kind = found[1]
    if kind == b"\xc3":
        return str(uid.JPEGLosslessSV1 if selection == b"\1" else uid.JPEGLossless)
    return str(uid.JPEGBaseline8Bit if kind == b"\xc0" else uid.JPEGExtended12Bit)


def _in_utf8(data: Mapping[str, Any]) -> dict[str, Any]:
    """JSON is UTF-8, so the data set must say so, whatever it said before (PS3.18 F.2)."""
    return {**data, str(Tag.SPECIFIC_CHARACTER_SET): {"vr": "CS", "Value": ["ISO_IR 192"]}}


def _identity(data: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for tag in (Tag.SOP_CLASS_UID, Tag.SOP_INSTANCE_UID):
        found[str(tag)] = attributes.text(data, tag)
        if not is_uid(found[str(tag)]):
            raise unreadable(f"({tag[:4]},{tag[4:]})", "The metadata have no such UID", "PS3.3, C.12.1")
    return found


def _group_2(uids: Mapping[str, str], syntax: str) -> bytes:
    """Preamble, prefix and File Meta Information, made here (PS3.10 7.1)."""
    values = (
        (0x00020001, "OB", _VERSION),
        (0x00020002, "UI", uids[Tag.SOP_CLASS_UID].encode()),
        (0x00020003, "UI", uids[Tag.SOP_INSTANCE_UID].encode()),
        (0x00020010, "UI", syntax.encode()),
        (0x00020012, "UI", str(uid.PYDICOM_IMPLEMENTATION_UID).encode()),
    )
    group = b"".join(element(*value) for value in values)
    return _PREAMBLE + element(0x00020000, "UL", len(group).to_bytes(4, "little")) + group


def _chunks(pieces: Iterable[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from piece.read()


def _first(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return
