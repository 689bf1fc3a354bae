"""Statements on the rows of ImagingStudy, DiagnosticReport, Patient and Endpoint: to write and to render them."""

from sqlalchemy import and_, bindparam, delete, func, literal, null, or_, select, union, update

from database.sql import any_of
from database.statement import Statement
from registry.store.tables import DIAGNOSTIC_REPORT, DOCUMENT_ENTRY, ENDPOINT, IMAGING_STUDY, PATIENT, REFERENCE_ID

d, r = DOCUMENT_ENTRY.c, REFERENCE_ID.c

STUDY_ROW = Statement(
    select(IMAGING_STUDY.c.uid, IMAGING_STUDY.c.source, IMAGING_STUDY.c.patient_id).where(
        IMAGING_STUDY.c.id == bindparam("id")
    )
)
REPORT_ENTRY = Statement(
    select(d.fhir, d.dictionary, d.patient_id).where(
        d.id == select(DIAGNOSTIC_REPORT.c.entry_id).where(DIAGNOSTIC_REPORT.c.id == bindparam("id")).scalar_subquery()
    )
)
_e, _s = REFERENCE_ID.alias("e").c, REFERENCE_ID.alias("s").c
# Authorities must agree, unless a sender left one out; the patient must be the same in any case, by whichever id.
_AGREE = and_(
    _e.value == _s.value,
    _e.kind == _s.kind,
    any_of(_e.patient_id, "patients"),
    any_of(_s.patient_id, "patients"),
    or_(_e.authority == _s.authority, _e.authority == literal(""), _s.authority == literal("")),
)
STUDIES_OF_REPORT = Statement(
    select(_s.record_id)
    .distinct()
    .where(
        _AGREE,
        _s.record == literal("study"),
        _e.record == literal("entry"),
        _e.record_id
        == select(DIAGNOSTIC_REPORT.c.entry_id).where(DIAGNOSTIC_REPORT.c.id == bindparam("id")).scalar_subquery(),
    )
    .order_by(_s.record_id)
)
# A study that becomes known, or gains an identifier, makes the reports that refer to it stale.
TOUCH_REPORTS = Statement(
    update(DIAGNOSTIC_REPORT)
    .where(
        DIAGNOSTIC_REPORT.c.entry_id.in_(
            select(_e.record_id).where(
                _AGREE, _e.record == literal("entry"), _s.record == literal("study"), _s.record_id == bindparam("study")
            )
        )
    )
    .values(fhir=null(), version=DIAGNOSTIC_REPORT.c.version + 1, updated=bindparam("now"))
)
REPORT_OF_ENTRY = Statement(select(DIAGNOSTIC_REPORT.c.id).where(any_of(DIAGNOSTIC_REPORT.c.entry_id, "entries")))
_shown = select(DIAGNOSTIC_REPORT.c.id, DIAGNOSTIC_REPORT.c.status, d.unique_id).where(
    DIAGNOSTIC_REPORT.c.entry_id == d.id
)
# (id, status, uniqueId of its document) of the reports that have one of these ids, or show such a document
REPORTS_OF = Statement(
    union(_shown.where(any_of(DIAGNOSTIC_REPORT.c.id, "ids")), _shown.where(any_of(d.unique_id, "unique_ids")))
)
WITHDRAW_REPORTS = Statement(
    update(DIAGNOSTIC_REPORT)
    .where(any_of(DIAGNOSTIC_REPORT.c.entry_id, "entries"))
    .values(
        status=literal("entered-in-error"),
        fhir=null(),
        version=DIAGNOSTIC_REPORT.c.version + 1,
        updated=bindparam("now"),
    )
)
MOVE_REPORT = Statement(
    update(DIAGNOSTIC_REPORT)
    .where(DIAGNOSTIC_REPORT.c.id == bindparam("b_id"))
    .values(
        entry_id=bindparam("entry"),
        patient_id=bindparam("patient"),
        status=bindparam("as_status"),
        effective=bindparam("at"),
        fhir=null(),
        version=DIAGNOSTIC_REPORT.c.version + 1,
        updated=bindparam("now"),
    )
)
STUDY = Statement(
    select(IMAGING_STUDY.c.id, IMAGING_STUDY.c.origin, IMAGING_STUDY.c.patient_id).where(
        IMAGING_STUDY.c.uid == bindparam("uid"), IMAGING_STUDY.c.source == bindparam("source")
    )
)
# (source, patient) of all that tell of a study
STUDY_SOURCES = Statement(
    select(IMAGING_STUDY.c.source, IMAGING_STUDY.c.patient_id).where(IMAGING_STUDY.c.uid == bindparam("uid"))
)
CHANGE_STUDY = Statement(
    update(IMAGING_STUDY)
    .where(IMAGING_STUDY.c.id == bindparam("b_id"))
    .values(
        patient_id=bindparam("patient"),
        origin=bindparam("from_"),
        manifest_id=func.coalesce(bindparam("manifest"), IMAGING_STUDY.c.manifest_id),
        started=bindparam("at"),
        modalities=bindparam("kinds"),
        fhir=bindparam("body"),
        status=literal("available"),
        version=IMAGING_STUDY.c.version + 1,
        updated=bindparam("now"),
    )
)
SET_MANIFEST = Statement(
    update(IMAGING_STUDY).where(IMAGING_STUDY.c.id == bindparam("b_id")).values(manifest_id=bindparam("manifest"))
)
STUDY_REFERENCES = Statement(
    select(r.kind, r.value, r.authority, r.patient_id).where(
        r.record_id == bindparam("id"), r.record == literal("study")
    )
)
FORGET_STUDY_REFERENCES = Statement(
    delete(REFERENCE_ID).where(r.record_id == bindparam("id"), r.record == literal("study"))
)
PATIENT_ROW = Statement(
    select(
        PATIENT.c.id, PATIENT.c.family, PATIENT.c.given, PATIENT.c.birth_date, PATIENT.c.sex, PATIENT.c.is_fed
    ).where(PATIENT.c.patient_id == bindparam("patient"))
)
PATIENT_OF = Statement(select(PATIENT.c.patient_id).where(PATIENT.c.id == bindparam("id")))
CHANGE_PATIENT = Statement(
    update(PATIENT)
    .where(PATIENT.c.id == bindparam("b_id"))
    .values(
        family=bindparam("b_family"),
        given=bindparam("b_given"),
        birth_date=bindparam("b_birth_date"),
        sex=bindparam("b_sex"),
        folded_family=bindparam("b_folded_family"),
        folded_given=bindparam("b_folded_given"),
        fhir=bindparam("body"),
        version=PATIENT.c.version + 1,
        updated=bindparam("now"),
    )
)
ENDPOINT_ROW = Statement(select(ENDPOINT.c.id, ENDPOINT.c.address).where(ENDPOINT.c.id == bindparam("id")))
