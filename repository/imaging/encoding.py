"""A data set of the DICOM JSON model as bytes of Explicit VR Little Endian (PS3.18 F.2, PS3.5 7.1.2).

The model comes from outside, so every value is taken with care: what does not fit its VR is refused by its tag. The
bytes are read again by the scanner like any others.
"""

import struct
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from pydicom.valuerep import format_number_as_ds

from repository.imaging.encapsulated import ITEM, ITEM_END, SEQUENCE_END, UNDEFINED, unreadable
from repository.imaging.tags import Tag
from repository.imaging.values import BYTE_VRS, LONG_FORM, NUMBER_VRS

DEPTH = 32
LONGEST = 0xFFFFFFFE
UTF8 = "ISO_IR 192"
_SOURCE = "PS3.18, F.2"
_MANY = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI", "LO", "SH", "UC"})
_ONE = frozenset({"LT", "ST", "UT", "UR"})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


class Value(Protocol):
    """A bulk value: its length, and its bytes."""

    @property
    def size(self) -> int:
        """The length in bytes."""

    def read(self) -> Iterable[bytes]:
        """The bytes in chunks."""


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Compressed pixels: a fragment for each frame, or the one of a film."""

    fragments: tuple[Value, ...]


Bulk: TypeAlias = Value | Encapsulated
Found: TypeAlias = Callable[[str, str], Bulk]
"""Gives the bulk value for a tag and a BulkDataURI; raises Rejected when there is none."""

Piece: TypeAlias = bytes | Value


def encoded(data: Mapping[str, Any], bulk: Found) -> list[Piece]:
    """The data set in pieces, without group 2. Text becomes UTF-8, and the data set says so where it matters.

    Raises:
        Rejected: DicomUnreadable, with the element that does not fit the model; and what `bulk` raises.
    """
    return _elements(data, bulk, 0)


def element(tag: int, vr: str, raw: bytes) -> bytes:
    """One element with its value, padded to an even length (PS3.5 6.2)."""
    if len(raw) % 2:
        raw += b"\0" if vr == "UI" or vr.encode() in BYTE_VRS else b" "
    return _head(tag, vr, len(raw)) + raw


def _elements(data: Mapping[str, Any], bulk: Found, depth: int) -> list[Piece]:
    if not isinstance(data, Mapping) or depth > DEPTH:
        raise unreadable("metadata", f"A data set is an object, nested at most {DEPTH} deep", _SOURCE)
    pieces: list[Piece] = []
    for name in sorted(data):
        tag, attribute = _tag(name), data[name]
        if tag >> 16 == 2 or tag & 0xFFFF == 0:
            continue
        vr = attribute.get("vr") if isinstance(attribute, Mapping) else None
        if not isinstance(vr, str) or len(vr) != 2 or not vr.isascii():
            raise _wrong(name, "An attribute is an object with its `vr`")
        pieces += _attribute(tag, vr, attribute, bulk, depth)
    return pieces


def _tag(name: str) -> int:
    try:
        return _of_digits(name)
    except ValueError:
        raise _wrong(name[:40], "A tag is eight upper-case hexadecimal digits") from None


def _of_digits(name: str) -> int:
    if len(name) != 8 or name != name.upper():
        raise ValueError(name)
    return int.from_bytes(bytes.fromhex(name), "big")


def _attribute(tag: int, vr: str, attribute: Mapping[str, Any], bulk: Found, depth: int) -> list[Piece]:
    name = f"{tag:08X}"
    given = [key for key in ("Value", "InlineBinary", "BulkDataURI") if key in attribute]
    if len(given) > 1:
        raise _wrong(name, f"Only one of {', '.join(given)} can be the value")
    if "BulkDataURI" in attribute:
        uri = attribute["BulkDataURI"]
        if not isinstance(uri, str) or vr == "SQ":
            raise _wrong(name, "A BulkDataURI is a text, and no sequence has one")
        return _bulk(tag, vr, bulk(name, uri))
    if "InlineBinary" in attribute:
        return [_checked(tag, vr, _inline(name, vr, attribute["InlineBinary"]))]
    values = attribute.get("Value", [])
    if not isinstance(values, list):
        raise _wrong(name, "A Value is an array")
    if vr == "SQ":
        return _sequence(tag, values, bulk, depth)
    try:
        if name == Tag.SPECIFIC_CHARACTER_SET:
            values = [UTF8]
        return [_checked(tag, vr, _raw(vr, values))]
    except (TypeError, ValueError, OverflowError, AttributeError, struct.error, KeyError):
        raise _wrong(name, f"The value is none of the VR {vr}") from None


def _raw(vr: str, values: list[Any]) -> bytes:
    if vr in _MANY:
        return "\\".join("" if value is None else _text(value) for value in values).encode()
    if vr in _ONE:
        (value,) = values or [""]
        return _text(value or "").encode()
    if vr == "PN":
        return "\\".join(_name(value or {}) for value in values).encode()
    if vr in ("IS", "DS"):
        return "\\".join(_decimal(vr, value) for value in values).encode("ascii")
    if vr == "AT":
        return b"".join(struct.pack("<HH", *divmod(_of_digits(value), 1 << 16)) for value in values)
    letter = NUMBER_VRS[vr.encode()]
    convert: Callable[[Any], float] = float if letter in "fd" else int
    return struct.pack(f"<{len(values)}{letter}", *map(convert, values))


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


def _name(value: Mapping[str, str]) -> str:
    return "=".join(_text(value.get(group, "")) for group in _GROUPS).rstrip("=")


def _decimal(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and vr == "DS":
        text = repr(value)
        return text if len(text) <= 16 else str(format_number_as_ds(value))
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(vr)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _inline(name: str, vr: str, value: Any) -> bytes:
    if vr.encode() not in BYTE_VRS:
        raise _wrong(name, f"The VR {vr} has no InlineBinary")
    try:
        return b64decode(value, validate=True)
    except (NoBase64, ValueError, TypeError):
        raise _wrong(name, "The InlineBinary is no base64") from None


def _checked(tag: int, vr: str, raw: bytes) -> bytes:
    if vr.encode() not in LONG_FORM and len(raw) > 0xFFFE:
        raise _wrong(f"{tag:08X}", f"The value is longer than the VR {vr} can be")
    return element(tag, vr, raw)


def _bulk(tag: int, vr: str, value: Bulk) -> list[Piece]:
    if vr.encode() not in LONG_FORM:
        # PS3.18 F.2.2 lets any value be bulk; of the short form, whole values alone fit.
        if isinstance(value, Encapsulated) or value.size > 0xFFFE:
            raise _wrong(f"{tag:08X}", f"The value is longer than the VR {vr} can be")
        return [element(tag, vr, b"".join(value.read()))]
    if isinstance(value, Encapsulated):
        pieces: list[Piece] = [_head(tag, "OB", UNDEFINED), _item(ITEM, 0)]
        for fragment in value.fragments:
            pieces += [_item(ITEM, fragment.size + fragment.size % 2), fragment, bytes(fragment.size % 2)]
        return [*pieces, _item(SEQUENCE_END, 0)]
    if value.size > LONGEST:
        raise _wrong(f"{tag:08X}", "The value is longer than any element can be")
    pad = b" " if vr in ("UC", "UR", "UT") else b"\0"
    return [_head(tag, vr, value.size + value.size % 2), value, pad * (value.size % 2)]


def _sequence(tag: int, items: list[Any], bulk: Found, depth: int) -> list[Piece]:
    pieces: list[Piece] = [_head(tag, "SQ", UNDEFINED)]
    for item in items:
        pieces += [_item(ITEM, UNDEFINED), *_elements(item or {}, bulk, depth + 1), _item(ITEM_END, 0)]
    return [*pieces, _item(SEQUENCE_END, 0)]


def _head(tag: int, vr: str, length: int) -> bytes:
    group, number = divmod(tag, 1 << 16)
    if vr.encode() in LONG_FORM:
        return struct.pack("<HH2s2xI", group, number, vr.encode(), length)
    return struct.pack("<HH2sH", group, number, vr.encode(), length)


def _item(tag: int, length: int) -> bytes:
    return struct.pack("<HHI", *divmod(tag, 1 << 16), length)


def _wrong(name: str, text: str) -> Exception:
    return unreadable(name, text, _SOURCE)
