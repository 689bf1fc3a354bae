"""One element's value bytes into its DICOM JSON attribute, a reader for each VR (PS3.5 6.2, PS3.18 F.2).

Lenient on purpose: an archive keeps what it is given. A number that is none stays text, a value that does not fit its
VR becomes UN with its bytes, bytes that do not fit the character set become U+FFFD. NUL, which no text may hold and
no database takes, is dropped. No value is judged here.
"""

import re
import struct
from array import array
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, Literal

from pydicom.charset import CODES_TO_ENCODINGS, STAND_ALONE_ENCODINGS, handled_encodings, python_encoding

Attribute = dict[str, Any]
Json = Mapping[str, Attribute]
Encodings = tuple[str, ...]
Reader = Callable[[bytes, Encodings], Attribute]
Order = Literal["<", ">"]

DEFAULT_ENCODINGS: Encodings = ("iso8859",)
INLINE_BYTES = 1024
EXACT_IN_JSON = 2**53
LONG_FORM = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
BYTE_VRS = {b"OB": 1, b"UN": 1, b"OW": 2, b"OL": 4, b"OF": 4, b"OD": 8, b"OV": 8}
NUMBER_VRS = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FL": "f", b"FD": "d", b"SV": "q", b"UV": "Q"}
# Objects in the field write dashes and spaces where the standard has an underscore.
SET_NAME = re.compile(r"ISO[ _-]?(2022)?[ _-]?IR[ _-]?([0-9]{1,3})")
ESCAPED = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
TEXT_DELIMITERS = set(b"\\\r\n\t\f")
NAME_DELIMITERS = set(b"\\^=")
INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
DECIMAL = re.compile(r"[+-]?([0-9]{1,32}\.?[0-9]{0,32}|\.[0-9]{1,32})([eE][+-]?[0-9]{1,4})?")


@lru_cache(maxsize=256)
def encodings_of(declared: bytes) -> Encodings:
    """Python's codecs for a Specific Character Set value (PS3.3 C.12.1.1.2); what is unknown reads as Latin-1."""
    found: list[str] = []
    for name in declared.decode("latin-1").replace("\0", "").split("\\"):
        name = name.strip(" ")
        if written := SET_NAME.fullmatch(name):
            name = f"ISO 2022 IR {written[2]}" if written[1] else f"ISO_IR {written[2]}"
        if name in STAND_ALONE_ENCODINGS and not found:
            return (python_encoding[name],)
        found.append(python_encoding.get(name, DEFAULT_ENCODINGS[0]))
    return tuple(found)


def decoded(raw: bytes, encodings: Encodings, delimiters: set[int] = TEXT_DELIMITERS) -> str:
    """Text of a value, without NUL. Code extensions are followed (PS3.5 6.1.2.5)."""
    if b"\0" in raw:
        raw = raw.replace(b"\0", b"")
    if b"\x1b" not in raw:
        try:
            return raw.decode(encodings[0])
        except UnicodeError:
            return raw.decode(encodings[0], "replace")
    return "".join(_extended(part, encodings, delimiters) for part in ESCAPED.findall(raw))


def _extended(part: bytes, encodings: Encodings, delimiters: set[int]) -> str:
    """Text up to the next escape sequence; a delimiter ends what an escape sequence began (PS3.5 6.1.2.5.3)."""
    size = 4 if part.startswith((b"\x1b$(", b"\x1b$)")) else 3
    codec = CODES_TO_ENCODINGS.get(part[:size], "")
    if codec not in encodings and codec != DEFAULT_ENCODINGS[0]:
        return part.decode(encodings[0], "replace")
    if codec in handled_encodings:
        return part.decode(codec, "replace")
    part = part[size:]
    reset = next((at for at, byte in enumerate(part) if byte in delimiters), len(part))
    return part[:reset].decode(codec, "replace") + part[reset:].decode(encodings[0], "replace")


def _listed(vr: str, text: str) -> Attribute:
    """Backslash-separated text; an empty value among others is null (PS3.18 F.2.5)."""
    if "\\" in text:
        return {"vr": vr, "Value": [value.strip(" ") or None for value in text.split("\\")]}
    text = text.strip(" ")
    return {"vr": vr, "Value": [text]} if text else {"vr": vr}


def _plain(vr: str) -> Reader:
    """VRs of the default repertoire, several values."""

    def read(raw: bytes, _: Encodings) -> Attribute:
        return _listed(vr, raw.decode("latin-1").replace("\0", ""))

    return read


def _text(vr: str) -> Reader:
    """VRs in the object's character set, several values. The set may use byte 5C within a character: decode first."""

    def read(raw: bytes, encodings: Encodings) -> Attribute:
        return _listed(vr, decoded(raw, encodings))

    return read


def _long_text(vr: str) -> Reader:
    """One value whose leading spaces and backslashes count."""

    def read(raw: bytes, encodings: Encodings) -> Attribute:
        text = decoded(raw, encodings).rstrip(" ")
        return {"vr": vr, "Value": [text]} if text else {"vr": vr}

    return read


def _person_name(raw: bytes, encodings: Encodings) -> Attribute:
    """PN: each value an object of its component groups (PS3.18 F.2.2)."""
    text = decoded(raw, encodings, NAME_DELIMITERS)
    values: list[dict[str, str] | None] = []
    for name in text.split("\\"):
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False)
        values.append({group: kept for group, part in groups if (kept := part.strip(" "))} or None)
    return {"vr": "PN", "Value": values} if any(values) else {"vr": "PN"}


def _number_or_text(text: str, pattern: re.Pattern[str], kind: type[int] | type[float]) -> int | float | str | None:
    text = text.strip(" ")
    if pattern.fullmatch(text) is None:
        return text or None
    number = kind(text)
    return number if isfinite(number) and abs(number) < EXACT_IN_JSON else text


def _numeric_string(vr: str, pattern: re.Pattern[str], kind: type[int] | type[float]) -> Reader:
    """IS and DS as JSON numbers; as text where they are none, or none that JSON can carry exactly."""

    def read(raw: bytes, _: Encodings) -> Attribute:
        text = raw.decode("latin-1").replace("\0", "")
        if "\\" in text:
            return {"vr": vr, "Value": [_number_or_text(part, pattern, kind) for part in text.split("\\")]}
        value = _number_or_text(text, pattern, kind)
        return {"vr": vr} if value is None else {"vr": vr, "Value": [value]}

    return read


def _json_number(number: int | float) -> int | float | str:
    """Itself, or text where JSON has no such number."""
    if isinstance(number, int):
        return number if abs(number) <= EXACT_IN_JSON else str(number)
    if isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def _numbers(vr: str, order: Order, letter: str) -> Reader:
    unpack, size = struct.Struct(order + letter).unpack, struct.calcsize(order + letter)
    wide = letter in "fdqQ"

    def read(raw: bytes, _: Encodings) -> Attribute:
        if len(raw) == size:
            (value,) = unpack(raw)
            return {"vr": vr, "Value": [_json_number(value) if wide else value]}
        if len(raw) % size:
            return byte_string("UN", raw)
        values = struct.unpack(f"{order}{len(raw) // size}{letter}", raw)
        return {"vr": vr, "Value": [_json_number(value) for value in values]} if raw else {"vr": vr}

    return read


def _tags(order: Order) -> Reader:
    """AT: group and element numbers as eight hexadecimal digits each."""
    pair = struct.Struct(f"{order}HH")

    def read(raw: bytes, _: Encodings) -> Attribute:
        if len(raw) % 4:
            return byte_string("UN", raw)
        return {"vr": "AT", "Value": [f"{g:04X}{e:04X}" for g, e in pair.iter_unpack(raw)]} if raw else {"vr": "AT"}

    return read


def byte_string(vr: str, raw: bytes, order: Order = "<") -> Attribute:
    """InlineBinary, in little endian order whatever the file's (PS3.18 F.2.7)."""
    width = BYTE_VRS[vr.encode()]
    if order == ">" and width > 1 and len(raw) % width == 0:
        words = array({2: "H", 4: "I", 8: "Q"}[width], raw)
        words.byteswap()
        raw = words.tobytes()
    return {"vr": vr, "InlineBinary": b2a_base64(raw, newline=False).decode("ascii")} if raw else {"vr": vr}


@lru_cache(maxsize=2)
def readers(order: Order) -> Mapping[bytes, Reader]:
    """The reader of each VR that holds text or numbers, for one byte order. Byte strings and SQ have none."""
    table: dict[bytes, Reader] = {vr.encode(): _plain(vr) for vr in ("AE", "AS", "CS", "DA", "DT", "TM", "UI")}
    table |= {vr.encode(): _text(vr) for vr in ("LO", "SH", "UC")}
    table |= {vr.encode(): _long_text(vr) for vr in ("LT", "ST", "UT", "UR")}
    table |= {vr: _numbers(vr.decode(), order, letter) for vr, letter in NUMBER_VRS.items()}
    table |= {b"PN": _person_name, b"AT": _tags(order)}
    table[b"IS"] = _numeric_string("IS", INTEGER, int)
    table[b"DS"] = _numeric_string("DS", DECIMAL, float)
    return table


@lru_cache(maxsize=2)
def short_readers(order: Order) -> Mapping[bytes, Reader]:
    """Those of `readers` whose VR has the short explicit header of eight bytes (PS3.5 7.1.2)."""
    return {vr: reader for vr, reader in readers(order).items() if vr not in LONG_FORM}
