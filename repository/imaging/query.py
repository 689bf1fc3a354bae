"""A question to the index of held objects, as a value: QIDO-RS and C-FIND ask the same (PS3.18 10.6, PS3.4 C.2.2.2)."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto, unique
from typing import Any, NamedTuple

from pydicom.datadict import tag_for_keyword

from registry.metadata.datatypes import is_oid
from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.imaging.part10 import is_uid

ALL = "all"
MATCHING = "PS3.4 C.2.2.2"
PARAMETERS = "PS3.18 8.3.4"
MOST_VALUES = 500
MOST_WORDS = 8
TAG = re.compile(r"[0-9A-Fa-f]{8}")
DATE_RANGE = re.compile(r"([0-9]{8})?(-)?([0-9]{8})?")
TIME = r"([0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?)"
TIME_RANGE = re.compile(rf"{TIME}?(-)?{TIME}?")


@unique
class Level(StrEnum):
    """What is looked for. Ordered from the top: a question at one level may name attributes of those above it."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


@unique
class Kind(Enum):
    """How an attribute's value in a question is read."""

    UID = auto()
    CODE = auto()
    TEXT = auto()
    NAME = auto()
    DATE = auto()
    TIME = auto()
    NUMBER = auto()
    ISSUER = auto()


@unique
class Operator(Enum):
    """How a `Match` is matched."""

    ONE_OF = auto()
    EQUALS = auto()
    LIKE = auto()
    WORDS = auto()
    RANGE = auto()


class Key(NamedTuple):
    """An attribute that can be matched."""

    keyword: str
    tag: str
    level: Level
    kind: Kind


# fmt: off
KEYS = (
    Key("PatientID",                  "00100020", Level.STUDY,    Kind.TEXT),
    Key("IssuerOfPatientID",          "00100021", Level.STUDY,    Kind.ISSUER),
    Key("PatientName",                "00100010", Level.STUDY,    Kind.NAME),
    Key("PatientBirthDate",           "00100030", Level.STUDY,    Kind.DATE),
    Key("PatientSex",                 "00100040", Level.STUDY,    Kind.TEXT),
    Key("StudyInstanceUID",           "0020000D", Level.STUDY,    Kind.UID),
    Key("StudyDate",                  "00080020", Level.STUDY,    Kind.DATE),
    Key("StudyTime",                  "00080030", Level.STUDY,    Kind.TIME),
    Key("StudyID",                    "00200010", Level.STUDY,    Kind.TEXT),
    Key("StudyDescription",           "00081030", Level.STUDY,    Kind.TEXT),
    Key("AccessionNumber",            "00080050", Level.STUDY,    Kind.TEXT),
    Key("ReferringPhysicianName",     "00080090", Level.STUDY,    Kind.NAME),
    Key("InstitutionName",            "00080080", Level.STUDY,    Kind.TEXT),
    Key("ModalitiesInStudy",          "00080061", Level.STUDY,    Kind.CODE),
    Key("SeriesInstanceUID",          "0020000E", Level.SERIES,   Kind.UID),
    Key("Modality",                   "00080060", Level.SERIES,   Kind.CODE),
    Key("SeriesNumber",               "00200011", Level.SERIES,   Kind.NUMBER),
    Key("SeriesDescription",          "0008103E", Level.SERIES,   Kind.TEXT),
    Key("BodyPartExamined",           "00180015", Level.SERIES,   Kind.TEXT),
    Key("SOPInstanceUID",             "00080018", Level.INSTANCE, Kind.UID),
    Key("SOPClassUID",                "00080016", Level.INSTANCE, Kind.UID),
    Key("InstanceNumber",             "00200013", Level.INSTANCE, Kind.NUMBER),
)
# fmt: on
_BY_NAME = {name: key for key in KEYS for name in (key.keyword, key.tag)}
# The issuer as an OID stands in a sequence of its own; the question means the same (PS3.3 C.7.1.1).
_BY_NAME |= dict.fromkeys(
    ("IssuerOfPatientIDQualifiersSequence.UniversalEntityID", "00100024.00400032"), _BY_NAME["IssuerOfPatientID"]
)
_DEPTH = {level: depth for depth, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Match:
    """One condition. `values` are the list, the one value, the pattern (`*`, `?`), the words, or the range's two ends.

    An open end of a range is empty. Dates are 8 digits, times 6; names are case-folded.
    """

    keyword: str
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DicomQuery:
    """What is asked. `matches` come from `matches_of`, `include` from `include_of`.

    `limit` and `offset` count answers. Answers come newest study first, then by number and UID.
    """

    level: Level
    matches: tuple[Match, ...] = ()
    include: frozenset[str] = frozenset()
    limit: int = 1000
    offset: int = 0

    @property
    def studies(self) -> tuple[str, ...]:
        """The Study Instance UIDs that the question is confined to, empty when to none."""
        return next((m.values for m in self.matches if m.keyword == "StudyInstanceUID"), ())


def matches_of(level: Level, asked: Iterable[tuple[str, str]], *, fuzzy: bool = False) -> tuple[Match, ...]:
    """The conditions of (attribute, value) pairs; attributes are keywords or tags of eight hexadecimal digits.

    An empty value and `*` match everything and give no condition. With `fuzzy` each word of a person's name may begin
    any word of the stored one.

    Raises:
        Rejected: InvalidRequest, with each attribute that cannot be matched and each value that cannot be read. A
            condition is never left out silently: the answer would show more than was asked for.
    """
    found: dict[str, Match] = {}
    findings: list[Finding] = []
    for name, value in asked:
        key = _key(level, name)
        if key is None:
            known = ", ".join(k.keyword for k in KEYS if _DEPTH[k.level] <= _DEPTH[level])
            findings.append(_finding(name, f"the attribute cannot be matched here; these can: {known}", PARAMETERS))
        elif value.strip().strip("*"):
            try:
                match = _match(key, value.strip(), fuzzy)
            except ValueError as error:
                findings.append(_finding(name, str(error), MATCHING))
            else:
                if found.setdefault(key.keyword, match) != match:
                    findings.append(_finding(name, "the attribute is asked for twice", PARAMETERS))
    if findings:
        raise Rejected(findings)
    return tuple(sorted(found.values(), key=lambda match: match.keyword))


def for_all_ids(query: DicomQuery, same: Callable[[str, str | None], tuple[str, ...]]) -> DicomQuery:
    """The question for all ids of the patient whom it names by PatientID, and by the issuer if it does.

    `same` gives those ids, canonical CX texts, and none where the patient was never merged with another.
    """
    named = {m.keyword: m.values[0] for m in query.matches if m.operator is Operator.EQUALS}
    if "PatientID" not in named:
        return query
    ids = same(named["PatientID"], named.get("IssuerOfPatientID"))
    if not ids:
        return query
    others = (m for m in query.matches if m.keyword not in ("PatientID", "IssuerOfPatientID"))
    # The issuer's column holds the whole identifier: an id of another issuer is another patient's.
    return replace(query, matches=(*others, Match("IssuerOfPatientID", Operator.ONE_OF, ids)))


def include_of(fields: Iterable[str]) -> frozenset[str]:
    """Tags that `includefield` values name: keywords, tags or `all`, several parted by commas; of a path, its head.

    Raises:
        Rejected: InvalidRequest, with each name that PS3.6 does not know.
    """
    tags: set[str] = set()
    findings = []
    for name in (part.strip() for field in fields for part in field.split(",")):
        head = name.partition(".")[0]
        number = None if TAG.fullmatch(head) else tag_for_keyword(head)
        if head == ALL or TAG.fullmatch(head):
            tags.add(ALL if head == ALL else head.upper())
        elif number is not None:
            tags.add(f"{number:08X}")
        elif name:
            findings.append(_finding("includefield", f"there is no attribute {name[:64]!r}", PARAMETERS))
    if findings:
        raise Rejected(findings)
    return frozenset(tags)


def folded(name: Any) -> str:
    """A person name for comparison: case-folded groups, parted by `=`, without empty components at their ends.

    `name` is PN text or a PN value of the DICOM JSON model.
    """
    groups = name.values() if isinstance(name, dict) else str(name or "").split("=")
    return "=".join(str(group).strip().rstrip("^ ").casefold() for group in groups)


def _key(level: Level, name: str) -> Key | None:
    key = _BY_NAME.get(name) or _BY_NAME.get(name.upper())
    if key is not None and key.keyword == "Modality" and level is Level.STUDY:
        # Clients ask so, and can mean but one thing.
        return _BY_NAME["ModalitiesInStudy"]
    return key if key is not None and _DEPTH[key.level] <= _DEPTH[level] else None


def _match(key: Key, value: str, fuzzy: bool) -> Match:
    operator, values = _READERS[key.kind](value)
    if key.kind is Kind.NAME and fuzzy and (words := re.findall(r"\w+", values[0])):
        return Match(key.keyword, Operator.WORDS, tuple(words[:MOST_WORDS]))
    return Match(key.keyword, operator, values)


def _listed(value: str) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(part.strip() for part in re.split(r"[,\\]", value) if part.strip()))
    if len(parts) > MOST_VALUES:
        raise ValueError(f"at most {MOST_VALUES} values can be asked for at once")
    return parts


def _uids(value: str) -> tuple[Operator, tuple[str, ...]]:
    uids = _listed(value)
    if not all(map(is_uid, uids)):
        raise ValueError("a UID is digits and dots, at most 64 characters")
    return Operator.ONE_OF, uids


def _codes(value: str) -> tuple[Operator, tuple[str, ...]]:
    return Operator.ONE_OF, _listed(value)


def _text(value: str) -> tuple[Operator, tuple[str, ...]]:
    return Operator.LIKE if "*" in value or "?" in value else Operator.EQUALS, (_bounded(value),)


def _name(value: str) -> tuple[Operator, tuple[str, ...]]:
    return Operator.LIKE, (_bounded(folded(value)),)


def _issuer(value: str) -> tuple[Operator, tuple[str, ...]]:
    if not is_oid(value):
        raise ValueError("the issuer is asked for by its OID")
    return Operator.EQUALS, (value,)


def _number(value: str) -> tuple[Operator, tuple[str, ...]]:
    if re.fullmatch(r"[+-]?[0-9]{1,12}", value) is None:
        raise ValueError("a whole number is expected")
    return Operator.EQUALS, (str(int(value)),)


def _dates(value: str) -> tuple[Operator, tuple[str, ...]]:
    first, last = _ends(DATE_RANGE, value, "a date is written YYYYMMDD, a range YYYYMMDD-YYYYMMDD")
    return Operator.RANGE, (first, last)


def _times(value: str) -> tuple[Operator, tuple[str, ...]]:
    first, last = _ends(TIME_RANGE, value, "a time is written hh[mm[ss]], a range hhmmss-hhmmss")
    first, last = first.partition(".")[0], last.partition(".")[0]
    return Operator.RANGE, (first and first.ljust(6, "0"), last and last + "235959"[len(last) :])


def _ends(form: re.Pattern[str], value: str, otherwise: str) -> tuple[str, str]:
    read = form.fullmatch(value.replace(" ", ""))
    if read is None or not (read[1] or read[3]) or (read[1] and read[3] and not read[2]):
        raise ValueError(otherwise)
    return read[1] or "", (read[3] or "") if read[2] else read[1] or read[3]


def _bounded(value: str) -> str:
    if len(value) > 256 or "\0" in value:
        raise ValueError("the value is longer than any that is stored")
    return value


_READERS = {
    Kind.UID: _uids,
    Kind.CODE: _codes,
    Kind.TEXT: _text,
    Kind.NAME: _name,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.NUMBER: _number,
    Kind.ISSUER: _issuer,
}


def _finding(where: str, text: str, source: str) -> Finding:
    return Finding(ErrorCode.InvalidRequest, where[:64], text, source)
