"""Questions to the index as SQL: one statement a shape of question, compiled once; visibility first, then limit.

Patterns match without regard to case on both engines; values without a wildcard match exactly (PS3.4 C.2.2.2).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Select, and_, bindparam, exists, func, literal, select

from database.engine import Database
from database.sql import any_of
from database.statement import Statement
from registry.access import Visibility
from repository.imaging.query import DicomQuery, Level, Match, Operator
from repository.store.tables import INSTANCE, SERIES, STUDY

study, series, instance = STUDY.c, SERIES.c, INSTANCE.c
ESCAPE = "!"
UNNUMBERED = 1 << 40  # sorts what has no number behind what has

COLUMNS: Mapping[str, Column[Any]] = {
    "PatientID": study.dicom_patient_id,
    "IssuerOfPatientID": study.patient_id,
    "PatientName": study.patient_name,
    "PatientBirthDate": study.patient_birth_date,
    "PatientSex": study.patient_sex,
    "StudyInstanceUID": study.uid,
    "StudyDate": study.study_date,
    "StudyTime": study.study_time,
    "StudyID": study.study_id,
    "StudyDescription": study.description,
    "AccessionNumber": study.accession_number,
    "ReferringPhysicianName": study.referring_physician,
    "InstitutionName": study.institution,
    "ModalitiesInStudy": study.modalities,
    "SeriesInstanceUID": series.uid,
    "Modality": series.modality,
    "SeriesNumber": series.number,
    "SeriesDescription": series.description,
    "BodyPartExamined": series.body_part,
    "SOPInstanceUID": instance.uid,
    "SOPClassUID": instance.sop_class_uid,
    "InstanceNumber": instance.number,
}
NAMES = frozenset({"PatientName", "ReferringPhysicianName"})
NUMBERS = frozenset({"SeriesNumber", "InstanceNumber"})

_STUDY = (study.uid, study.patient_id, study.modalities, study.series_count, study.instance_count, study.attributes)
_SERIES = (series.uid, series.instance_count, series.attributes)
_INSTANCE = (instance.uid, instance.attributes)
_OF_STUDY = and_(series.study_uid == study.uid, series.source == study.source)
_OF_SERIES = and_(
    instance.study_uid == series.study_uid, instance.series_uid == series.uid, instance.source == series.source
)
_SELECT: Mapping[Level, Select[Any]] = {
    Level.STUDY: select(*_STUDY),
    Level.SERIES: select(*_STUDY, *_SERIES).select_from(STUDY.join(SERIES, _OF_STUDY)),
    Level.INSTANCE: select(*_STUDY, *_SERIES, *_INSTANCE).select_from(
        STUDY.join(SERIES, _OF_STUDY).join(INSTANCE, _OF_SERIES)
    ),
}
_BY_STUDY: tuple[ColumnElement[Any], ...] = (study.study_date.desc(), study.uid.desc(), study.source)
_BY_SERIES = (*_BY_STUDY, func.coalesce(series.number, UNNUMBERED), series.uid)
_ORDER: Mapping[Level, tuple[ColumnElement[Any], ...]] = {
    Level.STUDY: _BY_STUDY,
    Level.SERIES: _BY_SERIES,
    Level.INSTANCE: (*_BY_SERIES, func.coalesce(instance.number, UNNUMBERED), instance.uid),
}


class FoundStudy(NamedTuple):
    """A study's columns in an answer; `attributes` is packed DICOM JSON."""

    uid: str
    patient_id: str | None
    modalities: str
    series_count: int
    instance_count: int
    attributes: bytes


class FoundSeries(NamedTuple):
    """A series' columns in an answer."""

    uid: str
    instance_count: int
    attributes: bytes


class FoundInstance(NamedTuple):
    """An instance's columns in an answer."""

    uid: str
    attributes: bytes


class Row(NamedTuple):
    """One match, with all levels down to the one asked for."""

    study: FoundStudy
    series: FoundSeries | None
    instance: FoundInstance | None


def find(database: Database, query: DicomQuery, visibility: Visibility) -> list[Row]:
    """What `query` finds among what is visible: `limit` matches from `offset` on, and one more if there is one."""
    shape = tuple(_shape(match) for match in query.matches)
    parameters = {name: value for match in query.matches for name, value in _parameters(match)}
    if visibility.patients is not None:
        parameters["visible"] = sorted(visibility.patients)
    statement = _statement(query.level, shape, visibility.patients is not None)
    rows = database.rows(statement, most=query.limit + 1, skip=query.offset, **parameters)
    return [_row(row) for row in rows]


Shape = tuple[str, Operator, tuple[bool, ...]]


def _shape(match: Match) -> Shape:
    """What of a match shows in the SQL: not its values, but how many there are and which ends are open."""
    filled = () if match.operator is Operator.ONE_OF else tuple(bool(value) for value in match.values)
    return match.keyword, match.operator, filled


@lru_cache(maxsize=512)
def _statement(level: Level, shape: tuple[Shape, ...], restricted: bool) -> Statement:
    conditions = [condition for part in shape for condition in _conditions(*part)]
    if restricted:
        conditions.append(any_of(study.patient_id, "visible"))
    question = _SELECT[level].where(*conditions).order_by(*_ORDER[level])
    return Statement(question.limit(bindparam("most")).offset(bindparam("skip")))


def _conditions(keyword: str, operator: Operator, filled: tuple[bool, ...]) -> Iterable[ColumnElement[bool]]:
    column = COLUMNS[keyword]
    if keyword == "ModalitiesInStudy":
        yield exists().where(_OF_STUDY, any_of(series.modality, keyword)).correlate(STUDY)
    elif operator is Operator.ONE_OF:
        yield any_of(column, keyword)
    elif operator is Operator.WORDS:
        spaced = " " + func.replace(func.replace(column, "^", " "), "=", " ")
        for place in range(len(filled)):
            yield spaced.like(bindparam(f"{keyword}{place}"), escape=ESCAPE)
    elif operator is Operator.RANGE:
        for bound, is_set in zip(_bounds(column, keyword), filled, strict=True):
            if is_set:
                yield bound
        yield column != literal("")
    elif keyword in NAMES:
        yield ("=" + column + "=").like(bindparam(keyword), escape=ESCAPE)
    elif operator is Operator.LIKE or keyword == "IssuerOfPatientID":
        yield column.ilike(bindparam(keyword), escape=ESCAPE)
    else:
        yield column == bindparam(keyword)


def _bounds(column: Column[Any], keyword: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return column >= bindparam(f"{keyword}_from"), column <= bindparam(f"{keyword}_to")


def _parameters(match: Match) -> Iterable[tuple[str, Any]]:
    keyword, values = match.keyword, match.values
    if match.operator is Operator.ONE_OF:
        yield keyword, list(values)
    elif match.operator is Operator.WORDS:
        yield from ((f"{keyword}{place}", f"% {_pattern(word)}%") for place, word in enumerate(values))
    elif match.operator is Operator.RANGE:
        yield from ((f"{keyword}_{end}", value) for end, value in zip(("from", "to"), values, strict=True) if value)
    elif keyword in NAMES:
        # Any one of the component groups may match: alphabetic, ideographic or phonetic.
        yield keyword, f"%={_pattern(values[0])}=%"
    elif keyword == "IssuerOfPatientID":
        yield keyword, f"%^^^&{_pattern(values[0])}&ISO"
    elif match.operator is Operator.LIKE:
        yield keyword, _pattern(values[0])
    else:
        yield keyword, int(values[0]) if keyword in NUMBERS else values[0]


def _pattern(value: str) -> str:
    """DICOM's wildcards as SQL's, and SQL's as themselves."""
    for special in (ESCAPE, "%", "_"):
        value = value.replace(special, ESCAPE + special)
    return value.replace("*", "%").replace("?", "_")


def _row(row: tuple[Any, ...]) -> Row:
    of_series, of_instance = row[6:9], row[9:]
    return Row(
        FoundStudy(*row[:6]),
        FoundSeries(*of_series) if of_series else None,
        FoundInstance(*of_instance) if of_instance else None,
    )
