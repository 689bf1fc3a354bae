"""The values of search parameters: tokens, dates, references and identifiers (FHIR R4, 3.1.1.4).

Each reader takes the text of one value and raises ValueError with a reason that the asker can act upon.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from profiles.faces.fhir_codes import authority_of, schemes_of
from registry.metadata.datatypes import Cx, is_oid
from registry.metadata.model import Code
from registry.metadata.urn import FhirSystem, ReferenceIdType
from registry.queries import ReferenceId

_ESCAPED = re.compile(r"\\([,|$\\])")
_PIECE = re.compile(r"(?:[^,\\]++|\\.?+)*+")
_SYSTEM = re.compile(r"((?:[^|\\]++|\\.?+)*+)\|")
_DATE = re.compile(
    r"([a-z]{2})?([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)?"
    r"(Z|[+ -][0-9]{2}:[0-9]{2})?)?)?)?"
)
_SYSTEMLESS: Final = frozenset({FhirSystem.URI, FhirSystem.DICOM_UID})
"""Systems that say what kind of value stands after them, not who gave it."""


@dataclass(frozen=True, slots=True)
class Token:
    """`[system|]value`: `system` is None when left open and empty when there must be none; `value` empty means any."""

    system: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Interval:
    """Moments that are asked for, 14 digits UTC: `start` inclusive, `end` exclusive; None is open."""

    start: str | None = None
    end: str | None = None

    def both(self, other: "Interval") -> "Interval":
        """The moments in both; when there are none, end is not after start."""
        starts = [s for s in (self.start, other.start) if s is not None]
        ends = [e for e in (self.end, other.end) if e is not None]
        return Interval(max(starts, default=None), min(ends, default=None))

    @property
    def seconds(self) -> tuple[float | None, float | None]:
        """The same in seconds since 1970."""
        start, end = (None if t is None else _moment(t).timestamp() for t in (self.start, self.end))
        return start, end


def alternatives(text: str) -> list[str]:
    """The ORed values of one parameter, still escaped; empty ones are left out."""
    return [piece for piece in _PIECE.findall(text) if piece]


def unescaped(text: str) -> str:
    r"""`\,` `\|` `\$` and `\\` as the characters that they stand for."""
    return _ESCAPED.sub(r"\1", text)


def token(text: str) -> Token:
    """A token, from its escaped text.

    Raises:
        ValueError: neither system nor value.
    """
    before = _SYSTEM.match(text)
    system = unescaped(before[1]).strip() if before else None
    value = unescaped(text[before.end() :] if before else text).strip()
    if not value and not system:
        raise ValueError("a value is missing")
    return Token(system, value)


def bare_uid(text: str) -> str:
    """A UID without `urn:oid:`: guides and their examples differ in writing it (MADO, search; ImagingStudy)."""
    return text[len(FhirSystem.OID_PREFIX) :] if text.lower().startswith(FhirSystem.OID_PREFIX) else text


def uid(asked: Token) -> str:
    """The bare UID that a token names, in any of its spellings.

    Raises:
        ValueError: not a UID, or a system that no UID has.
    """
    value = bare_uid(asked.value)
    if asked.system not in (None, "", *_SYSTEMLESS):
        raise ValueError(f"a UID's system is {FhirSystem.DICOM_UID} or left out")
    if not is_oid(value):
        raise ValueError("a UID is digits and dots, with urn:oid: before it or not")
    return value


def reference_id(asked: Token, kind: str | None = None) -> ReferenceId:
    """The identifier that a token names, as the cross-index of identifiers keeps it.

    Raises:
        ValueError: a system without a value: the index is by value.
    """
    if not asked.value:
        raise ValueError("a system alone is too little; write system|value")
    bare = bare_uid(asked.value)
    if asked.system == FhirSystem.DICOM_UID:
        return ReferenceId(bare, kind or ReferenceIdType.STUDY_INSTANCE_UID)
    if asked.system == FhirSystem.URI or (asked.system is None and bare != asked.value):
        return ReferenceId(bare, kind)
    return ReferenceId(asked.value, kind, None if asked.system is None else authority_of(asked.system))


def modality(text: str) -> str:
    """A modality's code, from the escaped text of its token.

    Raises:
        ValueError: no code, or another system than DICOM's.
    """
    asked = token(text)
    if not asked.value or asked.system not in (None, "", FhirSystem.DICOM):
        raise ValueError(f"a modality is written {FhirSystem.DICOM}|<code>, or its code alone")
    return asked.value


def patient_cx(asked: Token) -> str:
    """The patient that a token names, as canonical CX text.

    Raises:
        ValueError: no value, or an authority that is not an OID; the same number from two authorities is two people.
    """
    authority = authority_of(asked.system or "")
    if not is_oid(authority):
        raise ValueError("a patient's identifier is written urn:oid:<assigning authority>|<value>")
    text = str(Cx(asked.value, authority))
    if Cx.parse(text) != Cx(asked.value, authority):
        raise ValueError("a patient's identifier holds no ^")
    return text


def code_keys(asked: Token) -> tuple[str, ...]:
    """Keys `code^^scheme` that a token may mean; one with an empty scheme where it is left open.

    Raises:
        ValueError: a system without a code.
    """
    if not asked.value:
        raise ValueError("a system alone is too little; write system|code")
    if not asked.system:
        return (Code(asked.value, "").key,)
    return tuple(Code(asked.value, scheme).key for scheme in schemes_of(asked.system))


def reference(text: str, type: str) -> str:
    """The logical id that a reference to a `type` names, written `Type/id` or `id`; an absolute URL as it is.

    Raises:
        ValueError: another type, or no id.
    """
    path = unescaped(text).strip()
    if "://" in path:
        return path
    kind, slash, id = path.partition("/")
    if slash and kind != type:
        raise ValueError(f"it must refer to a {type}")
    id = id.partition("/_history/")[0] if slash else kind
    if not id or "/" in id:
        raise ValueError(f"write {type}/<id>")
    return id


def own_id(named: str, type: str, fhir_url: str) -> str | None:
    """The logical id of what `reference` gave; None for a URL of another server, of which nothing is held here."""
    if "://" not in named:
        return named
    prefix = f"{fhir_url}/{type}/"
    return named[len(prefix) :].partition("/_history/")[0] if named.startswith(prefix) else None


def interval(text: str) -> Interval:
    """The moments that a date means, by its precision and its prefix (FHIR R4, 3.1.1.4.5).

    A date without a zone is in UTC, as metadata is. `ap` reaches one more of its own length to either side.

    Raises:
        ValueError: not a date, an unknown prefix, or `ne`, which is no interval.
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a date is written [prefix]YYYY[-MM[-DD[Thh:mm[:ss]]]] with a zone after a time")
    prefix, *parts = found.groups()
    try:
        first, last = _bounds(parts)
        if prefix == "ap":
            first, last = first - (last - first), last + (last - first)
    except (ValueError, OverflowError):
        raise ValueError("there is no such date") from None
    start, end = _digits(first), _digits(last)
    intervals = {
        None: Interval(start, end),
        "eq": Interval(start, end),
        "ap": Interval(start, end),
        "ge": Interval(start, None),
        "gt": Interval(end, None),
        "sa": Interval(end, None),
        "lt": Interval(None, start),
        "eb": Interval(None, start),
        "le": Interval(None, end),
    }
    if prefix not in intervals:
        raise ValueError("prefixes are eq, ge, gt, sa, le, lt, eb and ap")
    return intervals[prefix]


def _bounds(parts: list[str | None]) -> tuple[datetime, datetime]:
    """First moment, and the first one after, of year, month, day, hour, minute, second and zone."""
    *numbers, zone = parts
    year, month, day, hour, minute, second = (None if n is None else int(n) for n in numbers)
    first = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=UTC)
    if month is None:
        last = first.replace(year=first.year + 1)
    elif day is None:
        last = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    else:
        last = first + timedelta(seconds=86400 if hour is None else 60 if second is None else 1)
    offset = _offset(zone)
    return first - offset, last - offset


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:])
    if hours > 14 or minutes > 59:
        raise ValueError("no such zone")
    # In a URL "+" is a space: clients that forget to escape the zone mean the plus.
    return timedelta(minutes=hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)


def _digits(moment: datetime) -> str:
    # strftime("%Y") does not fill up years before 1000.
    return f"{moment.year:04}{moment:%m%d%H%M%S}"


def _moment(digits: str) -> datetime:
    return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
