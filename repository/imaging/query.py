"""A question to the index of held objects, as a value: QIDO-RS and C-FIND ask the same (PS3.18 10.6, PS3.4 C.2.2.2)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto, unique
from typing import Any, Final, NamedTuple

from pydicom.datadict import tag_for_keyword

from registry.metadata.errors import ErrorCode, Finding, Rejected

ALL = "all"
PARAMETERS = "PS3.18 8.3.4"
TAG = re.compile(r"[0-9A-Fa-f]{8}")


@unique
class Level(StrEnum):
    """What is looked for. Ordered from the top: a question at one level may name attributes of those above it."""

    PATIENT = "patient"
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


REQUEST: Final = "RequestAttributesSequence"
"""The one sequence that is matched: all its keys by one and the same item (PS3.4 C.2.2.2.6)."""

# fmt: off
KEYS = (
    Key("PatientID",                  "00100020", Level.PATIENT,  Kind.TEXT),
    Key("IssuerOfPatientID",          "00100021", Level.PATIENT,  Kind.ISSUER),
    Key("PatientName",                "00100010", Level.PATIENT,  Kind.NAME),
    Key("PatientBirthDate",           "00100030", Level.PATIENT,  Kind.DATE),
    Key("PatientSex",                 "00100040", Level.PATIENT,  Kind.TEXT),
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
    Key("PerformedProcedureStepStartDate", "00400244", Level.SERIES, Kind.DATE),
    Key("PerformedProcedureStepStartTime", "00400245", Level.SERIES, Kind.TIME),
    Key(f"{REQUEST}.AccessionNumber",          "00400275.00080050", Level.SERIES, Kind.TEXT),
    Key(f"{REQUEST}.RequestedProcedureID",     "00400275.00401001", Level.SERIES, Kind.TEXT),
    Key(f"{REQUEST}.ScheduledProcedureStepID", "00400275.00400009", Level.SERIES, Kind.TEXT),
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

    A Patient ID without its issuer is read as `repository.imaging.whose` says. `authority` is the OID of the one whose
    Patient IDs the asker means, empty where nobody knows; `viewed` are Study Instance UIDs that the asker looks at.
    """

    level: Level
    matches: tuple[Match, ...] = ()
    include: frozenset[str] = frozenset()
    limit: int = 1000
    offset: int = 0
    authority: str = ""
    viewed: tuple[str, ...] = ()

    @property
    def studies(self) -> tuple[str, ...]:
        """The Study Instance UIDs that the question is confined to, empty when to none."""
        return next((m.values for m in self.matches if m.keyword == "StudyInstanceUID"), ())

    @property
    def wanted(self) -> dict[str, str]:
        """The values that are to be equal, by the keyword."""
        return {match.keyword: match.values[0] for match in self.matches if match.operator is Operator.EQUALS}


def key_of(level: Level, name: str) -> Key | None:
    """The key that is asked for by keyword or tag at this level or above it; None if there is none."""
    key = _BY_NAME.get(name) or _BY_NAME.get(name.upper())
    if key is not None and key.keyword == "Modality" and level is Level.STUDY:
        # Clients ask so, and can mean but one thing.
        return _BY_NAME["ModalitiesInStudy"]
    return key if key is not None and _DEPTH[key.level] <= _DEPTH[level] else None


def keys_at(level: Level) -> tuple[Key, ...]:
    """All keys of this level and those above it."""
    return tuple(key for key in KEYS if _DEPTH[key.level] <= _DEPTH[level])


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
            text = f"there is no attribute {name[:64]!r}"
            findings.append(Finding(ErrorCode.InvalidRequest, "includefield", text, PARAMETERS))
    if findings:
        raise Rejected(findings)
    return frozenset(tags)


def folded(name: Any) -> str:
    """A person name for comparison: case-folded groups, parted by `=`, without empty components at their ends.

    `name` is PN text or a PN value of the DICOM JSON model.
    """
    groups = name.values() if isinstance(name, dict) else str(name or "").split("=")
    return "=".join(str(group).strip().rstrip("^ ").casefold() for group in groups)
