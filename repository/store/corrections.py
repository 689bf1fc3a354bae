"""Corrected demographics as SQL: the versions, and a study's rows as a version makes them."""

from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, select, update

from database.engine import Unit
from database.statement import Statement
from repository.store.imaging import Rows
from repository.store.tables import DEMOGRAPHICS, INSTANCE, SERIES, STUDY

study, series, instance, d = STUDY.c, SERIES.c, INSTANCE.c, DEMOGRAPHICS.c
MOST_OF_NUMBER = 5
REPLACED_COLUMNS = (
    "sop_class_uid",
    "transfer_syntax_uid",
    "number",
    "frames",
    "sha256",
    "size",
    "stored",
    "pixels",
    "withheld",
    "attributes",
)

_THIS = and_(study.uid == bindparam("b_uid"), study.source == bindparam("b_source"))
_OF_SERIES = and_(series.study_uid == bindparam("b_uid"), series.source == bindparam("b_source"))
_OF_INSTANCES = and_(instance.study_uid == bindparam("b_uid"), instance.source == bindparam("b_source"))
_VERSIONS = select(d.version, d.patient_id, d.attributes, d.reason, d.made_by, d.made).where(
    d.study_uid == bindparam("study_uid"), d.source == bindparam("source")
)


class CorrectedStudy(NamedTuple):
    """A study's row, as far as a correction asks; `attributes` is packed DICOM JSON."""

    patient_id: str | None
    requests: str
    modalities: str
    attributes: bytes
    correction: int | None
    stated_patient_id: str | None
    manifest_uid: str | None


class DemographicsRow(NamedTuple):
    """One version of a study's demographics; `made` is seconds since 1970, `attributes` packed DICOM JSON."""

    version: int
    patient_id: str | None
    attributes: bytes
    reason: str
    made_by: str
    made: float


STUDY_ROW = Statement(select(*(study[name] for name in CorrectedStudy._fields)).where(_THIS))
VERSIONS = Statement(_VERSIONS.order_by(d.version))
OVERLAY = Statement(
    select(d.attributes).where(
        d.study_uid == bindparam("study_uid"), d.source == bindparam("source"), d.version == bindparam("version")
    )
)
CORRECT_STUDY = Statement(
    update(STUDY)
    .where(_THIS)
    .values(
        patient_id=bindparam("patient"),
        dicom_patient_id=bindparam("dicom_patient_id"),
        patient_name=bindparam("patient_name"),
        patient_birth_date=bindparam("patient_birth_date"),
        patient_sex=bindparam("patient_sex"),
        accession_number=bindparam("accession_number"),
        requests=bindparam("requests"),
        attributes=bindparam("attributes"),
        correction=bindparam("version_of_it"),
        stated_patient_id=bindparam("stated"),
        version=study.version + 1,
        # A manifest that is being made of what was before is overtaken.
        shrunk=study.version + 1,
        changed=bindparam("now"),
    )
)
CORRECT_INSTANCES = Statement(update(INSTANCE).where(_OF_INSTANCES).values(correction=bindparam("version_of_it")))
MOVE_SERIES = Statement(update(SERIES).where(_OF_SERIES).values(patient_id=bindparam("patient")))
MOVE_INSTANCES = Statement(update(INSTANCE).where(_OF_INSTANCES).values(patient_id=bindparam("patient")))
SERIES_ATTRIBUTES = Statement(
    select(series.attributes)
    .where(series.study_uid == bindparam("study_uid"), series.source == bindparam("source"))
    .order_by(series.uid)
)
# Whom the studies are of that name this number, by whichever issuer.
OF_NUMBER = Statement(
    select(study.patient_id)
    .distinct()
    .where(study.dicom_patient_id == bindparam("number"), study.patient_id.is_not(None))
    .order_by(study.patient_id)
    .limit(bindparam("most"))
)
REPLACE_INSTANCE = Statement(
    update(INSTANCE)
    .where(instance.uid == bindparam("b_uid"), instance.source == bindparam("b_source"))
    .values({name: bindparam(f"new_{name}") for name in REPLACED_COLUMNS})
)
HELD_OBJECT = Statement(
    select(instance.study_uid, instance.series_uid, instance.sha256, instance.size).where(
        instance.uid == bindparam("b_uid"), instance.source == bindparam("b_source")
    )
)
FORGET = Statement(
    delete(DEMOGRAPHICS).where(d.study_uid == bindparam("b_study_uid"), d.source == bindparam("b_source"))
)
CHANGED = Statement(update(STUDY).where(_THIS).values(version=study.version + 1, changed=bindparam("now")))
STUDIES_OF_PATIENT = Statement(
    select(study.uid)
    .where(study.patient_id == bindparam("patient"), study.source == bindparam("source"))
    .order_by(func.coalesce(study.study_date, ""), study.uid)
)


def get(rows: Rows, study_uid: str, source: str) -> CorrectedStudy | None:
    """The study's row, None if there is none."""
    found = rows(STUDY_ROW, b_uid=study_uid, b_source=source)
    return CorrectedStudy(*found[0]) if found else None


def versions(rows: Rows, study_uid: str, source: str) -> list[DemographicsRow]:
    """All versions of a study's demographics, from 0 on; none for one that was never corrected."""
    return [DemographicsRow(*row) for row in rows(VERSIONS, study_uid=study_uid, source=source)]


def overlay(rows: Rows, study_uid: str, source: str, version: int) -> bytes | None:
    """The packed attributes of a version, None if there is none."""
    found = rows(OVERLAY, study_uid=study_uid, source=source, version=version)
    return bytes(found[0][0]) if found else None


def add(unit: Unit, study_uid: str, source: str, row: DemographicsRow) -> None:
    """Add a version."""
    unit.insert(DEMOGRAPHICS, [{"study_uid": study_uid, "source": source, **row._asdict()}])


def correct(
    unit: Unit,
    study_uid: str,
    source: str,
    *,
    version: int,
    patient: str | None,
    moves: bool,
    stated: str | None,
    now: float,
    columns: dict[str, Any],
) -> None:
    """Give a study's rows what a version says; `moves` its series and instances to `patient` too."""
    this = {"b_uid": study_uid, "b_source": source}
    unit.execute(CORRECT_STUDY, **this, version_of_it=version, patient=patient, stated=stated, now=now, **columns)
    unit.execute(CORRECT_INSTANCES, **this, version_of_it=version)
    if moves:
        unit.execute(MOVE_SERIES, **this, patient=patient)
        unit.execute(MOVE_INSTANCES, **this, patient=patient)


def forget(unit: Unit, study_uid: str, source: str) -> None:
    """Take out the demographics of a study that is deleted."""
    unit.execute(FORGET, b_study_uid=study_uid, b_source=source)


def series_attributes(rows: Rows, study_uid: str, source: str) -> list[bytes]:
    """The packed attributes of a study's series."""
    return [bytes(row[0]) for row in rows(SERIES_ATTRIBUTES, study_uid=study_uid, source=source)]


def patients_of_number(rows: Rows, number: str) -> tuple[str, ...]:
    """Canonical CX texts of some patients whose studies name this Patient ID."""
    return tuple(str(row[0]) for row in rows(OF_NUMBER, number=number, most=MOST_OF_NUMBER))


def studies_of(rows: Rows, patient_ids: tuple[str, ...], source: str) -> list[str]:
    """The Study Instance UIDs of patients, the oldest first."""
    return [str(uid) for one in patient_ids for (uid,) in rows(STUDIES_OF_PATIENT, patient=one, source=source)]
