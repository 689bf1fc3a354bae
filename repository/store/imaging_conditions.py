"""The conditions of a question as SQL, with their parameters; one text a shape of question, whatever its values."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, literal, select, tuple_

from database.sql import any_of
from repository.imaging.query import REQUEST, Match, Operator
from repository.store.tables import INSTANCE, SERIES, SERIES_REQUEST, STUDY

study, series, instance, request = STUDY.c, SERIES.c, INSTANCE.c, SERIES_REQUEST.c
ESCAPE = "!"

COLUMNS: Mapping[str, ColumnElement[Any]] = {
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
    "PerformedProcedureStepStartDate": series.performed_date,
    "PerformedProcedureStepStartTime": series.performed_time,
    f"{REQUEST}.AccessionNumber": request.accession_number,
    f"{REQUEST}.RequestedProcedureID": request.requested_procedure_id,
    f"{REQUEST}.ScheduledProcedureStepID": request.scheduled_procedure_step_id,
    "SOPInstanceUID": instance.uid,
    "SOPClassUID": instance.sop_class_uid,
    "InstanceNumber": instance.number,
}
NAMES = frozenset({"PatientName", "ReferringPhysicianName"})
NUMBERS = frozenset({"SeriesNumber", "InstanceNumber"})

OF_STUDY = and_(series.study_uid == study.uid, series.source == study.source)
_SERIES_KEY = tuple_(series.study_uid, series.source, series.uid)

Shape = tuple[str, Operator, tuple[bool, ...]]


def shape_of(match: Match) -> Shape:
    """What of a match shows in the SQL: not its values, but how many there are and which ends are open."""
    filled = () if match.operator is Operator.ONE_OF else tuple(bool(value) for value in match.values)
    return match.keyword, match.operator, filled


def conditions(shapes: Iterable[Shape]) -> Iterable[ColumnElement[bool]]:
    """The conditions of a question's matches."""
    of_item: list[ColumnElement[bool]] = []
    for shape in shapes:
        if shape[0].startswith(REQUEST):
            of_item += _conditions(*shape)
        else:
            yield from _conditions(*shape)
    if of_item:
        # As a list of series: the engines begin with it where it is short, and its columns are indexed.
        items = select(request.study_uid, request.source, request.series_uid).where(*of_item)
        yield _SERIES_KEY.in_(items)


def parameters(match: Match) -> Iterable[tuple[str, Any]]:
    """Names and values of a match's parameters."""
    keyword, values = _name(match.keyword), match.values
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


def _conditions(keyword: str, operator: Operator, filled: tuple[bool, ...]) -> Iterable[ColumnElement[bool]]:
    column, keyword = COLUMNS[keyword], _name(keyword)
    if keyword == "ModalitiesInStudy":
        shown = and_(OF_STUDY, series.instance_count > 0)
        yield exists().where(shown, any_of(series.modality, keyword)).correlate(STUDY)
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


def _bounds(column: ColumnElement[Any], keyword: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return column >= bindparam(f"{keyword}_from"), column <= bindparam(f"{keyword}_to")


def _name(keyword: str) -> str:
    """A parameter's name."""
    return keyword.replace(".", "_")


def _pattern(value: str) -> str:
    """DICOM's wildcards as SQL's, and SQL's as themselves."""
    for special in (ESCAPE, "%", "_"):
        value = value.replace(special, ESCAPE + special)
    return value.replace("*", "%").replace("?", "_")
