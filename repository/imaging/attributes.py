"""Readers over a data set in the DICOM JSON model (PS3.18 F.2), for whatever VR a sender chose.

Tolerant: a tag is read by its number, not by its VR, and what cannot be read is as if it were not there.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

from registry.metadata.datatypes import is_oid, offset_of
from registry.metadata.model import Code
from registry.metadata.urn import CodingScheme
from repository.imaging.tags import Tag
from repository.imaging.values import Json

DATE = re.compile(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})")
TIME = re.compile(r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:\.[0-9]{1,6})?)?)?")
# PS3.16 8: designators of the schemes whose OIDs the product writes. Any other goes out as it came.
SCHEMES: Mapping[str, str] = {
    "DCM": CodingScheme.DICOM_CONTROLLED_TERMINOLOGY,
    "DCMUID": CodingScheme.DICOM_UID_REGISTRY,
    "LN": CodingScheme.LOINC,
    "SCT": CodingScheme.SNOMED_CT,
}


class Identifier(NamedTuple):
    """An identifier and the OID of the authority that assigned it, empty when the object does not say."""

    value: str
    authority: str


def values(data: Json, tag: str) -> list[Any]:
    """All values, empty if there are none."""
    found = data.get(tag, {}).get("Value", [])
    return found if isinstance(found, list) else []


def text(data: Json, tag: str) -> str:
    """The first value as text, of a person name its alphabetic group; empty if there is none."""
    found = values(data, tag)
    first = found[0] if found else None
    if isinstance(first, Mapping):
        first = first.get("Alphabetic")
    if isinstance(first, float) and first.is_integer():
        first = int(first)
    return "" if first is None else str(first).strip()


def number(data: Json, tag: str) -> int | None:
    """The first value as an integer, None if it is none."""
    return integer(text(data, tag))


def integer(written: str) -> int | None:
    """The integer that `written` is, None if it is none or needs more than the 32 bits of an IS (PS3.5 6.2)."""
    found = int(written) if re.fullmatch(r"[+-]?[0-9]{1,12}", written) else None
    return found if found is not None and -(2**31) <= found < 2**31 else None


def items(data: Json, tag: str) -> Iterator[Json]:
    """The items of a sequence."""
    return (item for item in values(data, tag) if isinstance(item, Mapping))


def code(data: Json, tag: str) -> Code | None:
    """The first item of a code sequence (PS3.3 8.8), its scheme as an OID where known; None if there is none."""
    return next(codes(data, tag), None)


def codes(data: Json, tag: str) -> Iterator[Code]:
    """The items of a code sequence, as `code` gives them; an item without a code value is passed over."""
    for item in items(data, tag):
        value = text(item, Tag.CODE_VALUE) or text(item, Tag.LONG_CODE_VALUE) or text(item, Tag.URN_CODE_VALUE)
        if value:
            scheme = text(item, Tag.CODING_SCHEME_DESIGNATOR)
            yield Code(value, str(SCHEMES.get(scheme, scheme)), text(item, Tag.CODE_MEANING))


def designator(scheme: str) -> str:
    """How DICOM calls a coding scheme that is known by its OID; any other goes out as it came."""
    return next((name for name, oid in SCHEMES.items() if oid == scheme), scheme)


def authority(data: Json, tag: str) -> str:
    """The OID in an issuer's sequence (HL7v2 Hierarchic Designator Macro, PS3.3 10.14), empty if it has none."""
    for item in items(data, tag):
        oid = text(item, Tag.UNIVERSAL_ENTITY_ID)
        if text(item, Tag.UNIVERSAL_ENTITY_ID_TYPE) == "ISO" and is_oid(oid):
            return oid
    return ""


def patient_identifier(data: Json) -> Identifier:
    """Patient ID and its issuer: the qualifiers' OID, else an Issuer of Patient ID that is one (PS3.3 C.7.1.1)."""
    issuer = authority(data, Tag.ISSUER_OF_PATIENT_ID_QUALIFIERS)
    if not issuer:
        plain = text(data, Tag.ISSUER_OF_PATIENT_ID)
        issuer = plain if is_oid(plain) else ""
    return Identifier(text(data, Tag.PATIENT_ID), issuer)


def accessions(data: Json) -> tuple[Identifier, ...]:
    """Accession numbers of the study and of each of its requests, each once (PS3.3 C.7.2.1, C.7.3.1, C.17.6.2)."""
    found = (_identifier(d, Tag.ACCESSION_NUMBER, Tag.ISSUER_OF_ACCESSION_NUMBER) for d in (data, *_requests(data)))
    return once(found)


def orders(data: Json) -> tuple[Identifier, ...]:
    """Placer order numbers of the study's requests, each once (PS3.3 C.7.3.1, C.17.6.2)."""
    found = (_identifier(d, Tag.PLACER_ORDER_NUMBER, Tag.ORDER_PLACER_IDENTIFIER) for d in (data, *_requests(data)))
    return once(found)


def moment(data: Json, date_tag: str, time_tag: str, zone: tzinfo | None = None) -> str | None:
    """A date and time of the object as a DTM in UTC, with the precision that it has.

    A date without a time stays the date that it is. `zone` is what the sender's clock shows when the object has no
    Timezone Offset From UTC (PS3.3 C.12.1.1.8); without either, the time is taken for UTC.
    """
    return utc(text(data, date_tag), text(data, time_tag), zone_of(data, zone))


def zone_of(data: Json, fallback: tzinfo | None = None) -> tzinfo:
    """The object's Timezone Offset From UTC, else `fallback`, else UTC."""
    try:
        return offset_of(text(data, Tag.TIMEZONE_OFFSET_FROM_UTC))
    except ValueError:
        return fallback or UTC


def utc(date: str, time: str, zone: tzinfo) -> str | None:
    """DA and TM values as a DTM in UTC; None when there is no such date. Fractions of a second are dropped."""
    day = DATE.fullmatch(date)
    clock = TIME.fullmatch(time)
    if day is None:
        return None
    digits = [int(part) for part in (*day.groups(), *(clock.groups() if clock else ())) if part]
    try:
        year, month, dom, *rest = digits
        local = datetime(year, month, dom, *rest, tzinfo=zone)  # type: ignore[misc,arg-type]
        if not rest:
            return local.strftime("%Y%m%d").zfill(8)
        there = local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    shown = there.strftime("%Y%m%d%H%M%S").zfill(14)
    # An offset of half an hour turns a whole hour into minutes that are known.
    return shown[: max(6 + 2 * len(rest) + 2, 12 if len(rest) == 1 and there.minute else 0)]


def _identifier(data: Json, value_tag: str, issuer_tag: str) -> Identifier:
    return Identifier(text(data, value_tag), authority(data, issuer_tag))


def _requests(data: Json) -> Iterator[Json]:
    yield from items(data, Tag.REQUEST_ATTRIBUTES_SEQUENCE)
    yield from items(data, Tag.REFERENCED_REQUEST_SEQUENCE)


def once(found: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """Each identifier once; one without authority gives way to the same value with one."""
    unique = dict.fromkeys(identifier for identifier in found if identifier.value)
    qualified = {identifier.value for identifier in unique if identifier.authority}
    return tuple(i for i in unique if i.authority or i.value not in qualified)
