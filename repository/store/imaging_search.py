"""Questions to the index as SQL: one statement a shape of question, compiled once; visibility first, then limit.

Patterns match without regard to case on both engines; values without a wildcard match exactly (PS3.4 C.2.2.2).
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, null, select

from database.engine import Database
from database.sql import any_of
from database.statement import Statement
from registry.access import Visibility
from repository.imaging.query import DicomQuery, Level
from repository.store.imaging_conditions import OF_STUDY, Shape, conditions, parameters, shape_of
from repository.store.tables import INSTANCE, SERIES, STUDY

study, series, instance = STUDY.c, SERIES.c, INSTANCE.c
UNNUMBERED = 1 << 40  # sorts what has no number behind what has

_STUDY = (study.uid, study.patient_id, study.modalities, study.series_count, study.instance_count, study.attributes)
_SERIES = (series.uid, series.instance_count, series.attributes, study.correction)
_INSTANCE = (instance.uid, instance.attributes)
_OF_SERIES = and_(
    instance.study_uid == series.study_uid, instance.series_uid == series.uid, instance.source == series.source
)
# Without what is rejected: a study or series of which nothing shows is none.
_SELECT: Mapping[Level, Select[Any]] = {
    Level.STUDY: select(*_STUDY).where(study.instance_count > 0),
    Level.SERIES: select(*_STUDY, *_SERIES).select_from(STUDY.join(SERIES, OF_STUDY)).where(series.instance_count > 0),
    Level.INSTANCE: select(*_STUDY, *_SERIES, *_INSTANCE)
    .select_from(STUDY.join(SERIES, OF_STUDY).join(INSTANCE, _OF_SERIES))
    .where(instance.hidden == 0),
}
# As the index study_date has it, read backwards.
_BY_STUDY: tuple[ColumnElement[Any], ...] = (study.study_date.desc(), study.uid.desc(), study.source.desc())
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
    """A series' columns in an answer; `correction` is the version of its study's corrected demographics."""

    uid: str
    instance_count: int
    attributes: bytes
    correction: int | None = None


class FoundInstance(NamedTuple):
    """An instance's columns in an answer."""

    uid: str
    attributes: bytes


class Row(NamedTuple):
    """One match, with all levels down to the one asked for.

    Of a patient `study` is the newest study, with the counts of them all, and `studies` how many they are.
    """

    study: FoundStudy
    series: FoundSeries | None = None
    instance: FoundInstance | None = None
    studies: int | None = None


def find(database: Database, query: DicomQuery, visibility: Visibility) -> list[Row]:
    """What `query` finds among what is visible: `limit` matches from `offset` on, and one more if there is one."""
    shape = tuple(shape_of(match) for match in query.matches)
    values = {name: value for match in query.matches for name, value in parameters(match)}
    if visibility.patients is not None:
        values["visible"] = sorted(visibility.patients)
    if visibility.studies is not None:
        values["visible_studies"] = sorted(visibility.studies)
    statement = _statement(query.level, shape, visibility.patients is not None, visibility.studies is not None)
    rows = database.rows(statement, most=query.limit + 1, skip=query.offset, **values)
    return [_row(query.level, row) for row in rows]


def patients_of(
    database: Database, visibility: Visibility, *, value: str = "", studies: Sequence[str] = ()
) -> set[str]:
    """Whose the visible studies are that carry the Patient ID `value`, or that have these UIDs: canonical CX texts."""
    if visibility.studies is not None:
        # Of the others, not even that they have such a number.
        studies = sorted(visibility.studies)
    restricted = visibility.patients is not None
    values: dict[str, Any] = {"visible": sorted(visibility.patients)} if visibility.patients is not None else {}
    values |= {"studies": list(studies)} if studies else {"value": value}
    return {found for (found,) in database.rows(_PATIENTS_OF[bool(studies), restricted], **values)}


def sop_classes(database: Database, studies: Sequence[str]) -> dict[str, list[str]]:
    """Study Instance UID -> the SOP Class UIDs of what it shows."""
    found: dict[str, list[str]] = {}
    for uid, sop_class in database.rows(_SOP_CLASSES, studies=list(studies)):
        found.setdefault(uid, []).append(sop_class)
    return found


def _patients_of(by_study: bool, restricted: bool) -> Statement:
    named = any_of(study.uid, "studies") if by_study else study.dicom_patient_id == bindparam("value")
    question = select(study.patient_id).distinct().where(named, study.patient_id != null(), study.instance_count > 0)
    return Statement(question.where(any_of(study.patient_id, "visible")) if restricted else question)


_PATIENTS_OF = {(by, restricted): _patients_of(by, restricted) for by in (False, True) for restricted in (False, True)}
_SOP_CLASSES = Statement(
    select(instance.study_uid, instance.sop_class_uid)
    .distinct()
    .where(any_of(instance.study_uid, "studies"), instance.hidden == 0)
    .order_by(instance.study_uid, instance.sop_class_uid)
)


def _patients(narrowed: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """A patient's newest study with the counts of all that match; a study of nobody is no patient's."""
    whose: dict[str, Any] = {"partition_by": study.patient_id}
    each = (
        select(
            study.uid,
            study.patient_id,
            study.modalities,
            func.sum(study.series_count).over(**whose).label("series_count"),
            func.sum(study.instance_count).over(**whose).label("instance_count"),
            study.attributes,
            study.patient_name,
            func.count().over(**whose).label("studies"),
            func.row_number().over(**whose, order_by=_BY_STUDY).label("place"),
        )
        .where(study.instance_count > 0, study.patient_id != null(), *narrowed)
        .subquery()
    )
    shown = (each.c[name] for name in (*FoundStudy._fields, "studies"))
    return select(*shown).where(each.c.place == 1).order_by(each.c.patient_name, each.c.patient_id)


@lru_cache(maxsize=512)
def _statement(level: Level, shape: tuple[Shape, ...], restricted: bool, of_studies: bool = False) -> Statement:
    narrowed = list(conditions(shape))
    if restricted:
        narrowed.append(any_of(study.patient_id, "visible"))
    if of_studies:
        narrowed.append(any_of(study.uid, "visible_studies"))
    if level is Level.PATIENT:
        question = _patients(narrowed)
    else:
        question = _SELECT[level].where(*narrowed).order_by(*_ORDER[level])
    return Statement(question.limit(bindparam("most")).offset(bindparam("skip")))


def _row(level: Level, row: tuple[Any, ...]) -> Row:
    if level is Level.PATIENT:
        return Row(FoundStudy._make((*row[:3], int(row[3]), int(row[4]), row[5])), studies=row[6])
    of_series, of_instance = row[6:10], row[10:]
    return Row(
        FoundStudy(*row[:6]),
        FoundSeries(*of_series) if of_series else None,
        FoundInstance(*of_instance) if of_instance else None,
    )
