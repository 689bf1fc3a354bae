"""RAD-14, Query Images (RAD TF-2, 4.14; PS3.4 C.4.1): C-FIND for patients, studies, series and images.

A question must name whom or what it is about, lest `*` give everybody away; an answer has at most
`limits.find_matches` matches, and one that was cut ends with A700 and says so. Keys that cannot be matched do not
narrow the answer, and each match says that with FF01.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydicom.datadict import dictionary_VR
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from profiles.catalog import Dimse, Transaction
from profiles.dicom.query_keys import LEVEL_TAG, LEVELS, Keys, keys_of
from profiles.faces.dimse import Find, Match, Refused, Service
from profiles.faces.dimse_status import OUT_OF_RESOURCES
from profiles.house import House
from registry.access import Caller
from repository.imaging import answers
from repository.imaging.query import REQUEST, DicomQuery, Level, Operator
from repository.imaging.rows import PATIENT_GROUP, SERIES_TAGS, STUDY_TAGS
from repository.imaging.service import Found

SELECTIVE: Final = frozenset(
    {
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "AccessionNumber",
        "StudyInstanceUID",
        "StudyDate",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        f"{REQUEST}.AccessionNumber",
        f"{REQUEST}.RequestedProcedureID",
        f"{REQUEST}.ScheduledProcedureStepID",
    }
)
"""Keys one of which a question must have a value for."""

LEAST_LITERAL: Final = 2
"""Characters that a pattern must have beside its wildcards to be selective."""

CHARACTER_SET: Final = "00080005"
RETRIEVE_AE_TITLE: Final = "00080054"
AVAILABILITY: Final = "00080056"
CANCELLED: Final = 0xFE00
_COMPUTED = {
    answers.MODALITIES_IN_STUDY,
    answers.SOP_CLASSES_IN_STUDY,
    answers.STUDY_SERIES,
    answers.STUDY_INSTANCES,
    answers.PATIENT_STUDIES,
    answers.PATIENT_SERIES,
    answers.PATIENT_INSTANCES,
    answers.SERIES_INSTANCES,
}
_WRITTEN = {level: name for name, level in LEVELS.items()}


@dataclass(frozen=True, slots=True)
class Question:
    """A C-FIND, read."""

    find: Find
    keys: Keys


@dataclass(frozen=True, slots=True)
class Matches:
    """What was found for a question; `title` is the AE title from which it can be retrieved."""

    question: Question
    found: Found
    title: str


def decode(request: Find) -> Question:
    """The question. Raises Refused: A900, the identifier is not as the information model has it."""
    root = request.sop_class_uid == PatientRootQueryRetrieveInformationModelFind
    return Question(request, keys_of(request.identifier, Level.PATIENT if root else Level.STUDY))


def handle(question: Question, house: House, caller: Caller) -> Matches:
    """All matches up to the limit; the audit of them is durable when this returns.

    Raises:
        Refused: A700, the question names neither patient nor study, accession, series, object or date.
    """
    keys = question.keys
    if not any(_is_selective(match.keyword, match.operator, match.values) for match in keys.matches):
        raise Refused(OUT_OF_RESOURCES, "Name a patient, an accession number, a UID or dates")
    query = DicomQuery(
        keys.level,
        keys.matches,
        frozenset(keys.returned),
        limit=house.settings.limits.find_matches,
        authority=question.find.peer.authority,
    )
    find = {
        Level.PATIENT: house.imaging.find_patients,
        Level.STUDY: house.imaging.find_studies,
        Level.SERIES: house.imaging.find_series,
        Level.INSTANCE: house.imaging.find_instances,
    }
    return Matches(question, find[keys.level](query, caller), question.find.peer.called or house.settings.ae_title)


def encode(matches: Matches) -> Iterator[Match]:
    """One after the other, until the asker wants no more.

    Raises:
        Refused: FE00 after a cancel, A700 after the last match when there are more.
    """
    keys = matches.question.keys
    unsupported = bool(keys.ignored) or not all(_is_known(tag, keys.level) for tag in keys.returned)
    for found in matches.found.matches:
        if matches.question.find.cancelled():
            raise Refused(CANCELLED, "Cancelled")
        yield Match(_identifier(found, keys, matches.title), unsupported)
    if matches.found.more:
        raise Refused(OUT_OF_RESOURCES, f"More than {len(matches.found.matches)} match; ask for less")


def _identifier(found: dict[str, Any], keys: Keys, title: str) -> dict[str, Any]:
    """The keys that were asked for, empty where there is no value, with the level and where to retrieve."""
    said = {tag: found.get(tag) or {"vr": _vr(tag)} for tag in keys.returned}
    if not _is_ascii(said):
        said[CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    said[LEVEL_TAG] = {"vr": "CS", "Value": [_WRITTEN[keys.level]]}
    said[RETRIEVE_AE_TITLE] = {"vr": "AE", "Value": [title]}
    if keys.level is not Level.PATIENT:
        said[AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    return {tag: said[tag] for tag in sorted(said)}


def _is_selective(keyword: str, operator: Operator, values: tuple[str, ...]) -> bool:
    if keyword not in SELECTIVE:
        return False
    literal = values[0].replace("*", "").replace("?", "")
    return operator is not Operator.LIKE or len(literal.strip("^= ")) >= LEAST_LITERAL


def _is_known(tag: str, level: Level) -> bool:
    """Whether an attribute of this level is kept where a question can have it."""
    if level is Level.INSTANCE or tag in _COMPUTED or tag.startswith(PATIENT_GROUP):
        return True
    return level is not Level.PATIENT and (tag in STUDY_TAGS or (level is Level.SERIES and tag in SERIES_TAGS))


def _is_ascii(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_ascii, value.values()))
    if isinstance(value, list):
        return all(map(_is_ascii, value))
    return not isinstance(value, str) or value.isascii()


def _vr(tag: str) -> str:
    try:
        return str(dictionary_VR(int(tag, 16))).partition(" ")[0]
    except KeyError:
        return "UN"


TRANSACTION = Transaction(
    id="RAD-14",
    name="Query Images (C-FIND)",
    actor="Image Manager/Archive",
    source="RAD TF-2, 4.14; PS3.4, C.4.1",
    face=Dimse(
        Service.FIND,
        (
            str(PatientRootQueryRetrieveInformationModelFind),
            str(StudyRootQueryRetrieveInformationModelFind),
        ),
    ),
    decode=decode,
    handle=handle,
    encode=encode,
)
