"""The identifier of a C-FIND, C-MOVE or C-GET (PS3.4 C.4.1.1.3, C.4.2.1.4, C.4.3.1.3): its level and its keys.

All questions are hierarchical, for relational ones must be negotiated: the unique keys of the levels above are there,
each with one value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydicom.datadict import keyword_for_tag

from profiles.faces.dimse import Refused
from profiles.faces.dimse_status import OTHER_CLASS
from registry.metadata.errors import Rejected
from repository.imaging.matching import matches_of
from repository.imaging.query import Level, Match, key_of

LEVEL_TAG: Final = "00080052"
# What says how the identifier is written, or where; no key of anything (PS3.4 C.4.1.1.3.1).
NO_KEYS: Final = frozenset({LEVEL_TAG, "00080005", "00080053", "00080054", "00080056", "00080201"})
_ISSUER_TYPE: Final = "00100024.00400033"  # ISO, or the issuer is none that can be asked for

LEVELS: Final[Mapping[str, Level]] = {
    "PATIENT": Level.PATIENT,
    "STUDY": Level.STUDY,
    "SERIES": Level.SERIES,
    "IMAGE": Level.INSTANCE,
}
"""Query/Retrieve Level -> what is looked for."""

UNIQUE: Final[Mapping[Level, tuple[str, str]]] = {
    Level.PATIENT: ("PatientID", "00100020"),
    Level.STUDY: ("StudyInstanceUID", "0020000D"),
    Level.SERIES: ("SeriesInstanceUID", "0020000E"),
    Level.INSTANCE: ("SOPInstanceUID", "00080018"),
}
"""The unique key of each level: keyword and tag (PS3.4 C.6.1.1, C.6.2.1)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What an identifier asks: conditions, and the tags that answers are to have.

    `ignored` are the tags that were to be matched and cannot be.
    """

    level: Level
    matches: tuple[Match, ...]
    returned: tuple[str, ...]
    ignored: tuple[str, ...]

    def values(self, level: Level) -> tuple[str, ...]:
        """What the unique key of `level` is to be; empty where the question leaves it open."""
        return next((match.values for match in self.matches if match.keyword == UNIQUE[level][0]), ())


def keys_of(identifier: Mapping[str, Any], top: Level) -> Keys:
    """The keys of an identifier, in the DICOM JSON model, for the information model whose uppermost level is `top`.

    Raises:
        Refused: A900, the identifier is not as the information model has it.
    """
    level = _level(identifier, top)
    asked: list[tuple[str, str]] = []
    ignored = []
    for tag, value in _valued(identifier):
        if key_of(level, tag) is not None:
            asked.append((tag, value))
        elif value.strip("*") and tag != _ISSUER_TYPE:
            ignored.append(tag.partition(".")[0])
    try:
        matches = matches_of(level, asked)
    except Rejected as rejected:
        first = rejected.findings[0]
        raise Refused(OTHER_CLASS, f"{keyword_of(first.where)}: {first.text}", (first.where[:8],)) from None
    returned = tuple(sorted(tag for tag in identifier if tag not in NO_KEYS))
    keys = Keys(level, matches, returned, tuple(ignored))
    _must_be_hierarchical(keys, top)
    return keys


def keyword_of(tag: str) -> str:
    """The keyword of a tag, the tag itself where it has none."""
    return keyword_for_tag(int(tag[:8], 16)) or tag


def _level(identifier: Mapping[str, Any], top: Level) -> Level:
    name = "".join(_text(value) for value in identifier.get(LEVEL_TAG, {}).get("Value", ()))
    known = [written for written, level in LEVELS.items() if list(Level).index(level) >= list(Level).index(top)]
    if name not in known:
        text = f"Query/Retrieve Level must be {', '.join(known)}"
        raise Refused(OTHER_CLASS, text, (LEVEL_TAG,))
    return LEVELS[name]


def _must_be_hierarchical(keys: Keys, top: Level) -> None:
    order = list(Level)
    for level in order[order.index(top) : order.index(keys.level)]:
        keyword, tag = UNIQUE[level]
        found = [match for match in keys.matches if match.keyword == keyword]
        if not found or len(found[0].values) != 1 or any(sign in found[0].values[0] for sign in "*?"):
            raise Refused(OTHER_CLASS, f"One {keyword} is needed above this level", (tag,))


def _valued(identifier: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Each tag, of an item of a sequence behind the sequence's, with its values as they were written."""
    for tag, attribute in identifier.items():
        if not above and tag in NO_KEYS:
            continue
        values = attribute.get("Value") or []
        if attribute.get("vr") == "SQ":
            for item in values[:1]:
                yield from _valued(item or {}, f"{above}{tag}.")
        elif written := "\\".join(_text(value) for value in values):
            yield f"{above}{tag}", written


def _text(value: Any) -> str:
    """One value; of a person's name its groups in the order of PS3.5 6.2.1.2."""
    if isinstance(value, Mapping):
        return "=".join(value.get(group) or "" for group in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    return "" if value is None else str(value).strip()
