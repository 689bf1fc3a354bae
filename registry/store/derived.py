"""Statements on the FHIR resources that documents make: reports of report documents, studies of manifests."""

from sqlalchemy import bindparam, case, delete, exists, func, literal, null, select, update

from database.sql import any_of
from database.statement import Statement
from registry.lifecycle import DEPRECATING
from registry.store.tables import ASSOCIATION, DIAGNOSTIC_REPORT, DOCUMENT_ENTRY, IMAGING_STUDY, REFERENCE_ID

a, d, p, s, r = ASSOCIATION.c, DOCUMENT_ENTRY.c, DIAGNOSTIC_REPORT.c, IMAGING_STUDY.c, REFERENCE_ID.c

_STALE = {"fhir": null(), "version": p.version + 1, "updated": bindparam("now")}
_CHANGED = {"version": s.version + 1, "updated": bindparam("now")}
_AMENDED = exists().where(
    a.source == p.entry_id, a.type.in_([literal(str(type_)) for type_ in sorted(DEPRECATING)]), a.status == "Approved"
)

FOLLOW_REPORT = Statement(
    update(DIAGNOSTIC_REPORT)
    .where(p.entry_id == bindparam("b_before"))
    .values(entry_id=bindparam("entry"), patient_id=bindparam("patient"), effective=bindparam("at"), **_STALE)
)
RESTORE_REPORTS = Statement(
    update(DIAGNOSTIC_REPORT)
    .where(any_of(p.entry_id, "entries"))
    .values(status=case((_AMENDED, literal("amended")), else_=literal("final")), **_STALE)
)
# (report, its document's uniqueId) of the reports of these entries
REPORTS_OF = Statement(
    select(p.id, d.unique_id).where(p.entry_id == d.id, any_of(p.entry_id, "entries")).order_by(p.id)
)
# Which of the entries that are left shows the document best: (entry, patient, status, effective time).
OTHER_ENTRY = Statement(
    select(d.id, d.patient_id, d.status, func.coalesce(d.service_start_time, d.creation_time))
    .where(d.unique_id == bindparam("unique_id"))
    .order_by(d.status, d.is_latest.desc(), d.version.desc(), d.registered.desc(), d.id)
    .limit(literal(1))
)
HAND_REPORT_BACK = Statement(
    update(DIAGNOSTIC_REPORT)
    .where(p.id == bindparam("b_id"))
    .values(
        entry_id=bindparam("entry"),
        patient_id=bindparam("patient"),
        status=bindparam("word"),
        effective=bindparam("at"),
        **_STALE,
    )
)
FORGET_REPORTS = Statement(delete(DIAGNOSTIC_REPORT).where(any_of(p.id, "ids")))

# (study, origin, patient, body) of the studies that these manifests describe
STUDIES_OF = Statement(select(s.id, s.origin, s.patient_id, s.fhir).where(any_of(s.manifest_id, "entries")))
FOLLOW_STUDIES = Statement(
    update(IMAGING_STUDY).where(s.manifest_id == bindparam("b_before")).values(manifest_id=bindparam("entry"))
)
MOVE_STUDY = Statement(
    update(IMAGING_STUDY)
    .where(s.id == bindparam("b_id"))
    .values(patient_id=bindparam("patient"), fhir=bindparam("body"), **_CHANGED)
)
MOVE_STUDY_REFERENCES = Statement(
    update(REFERENCE_ID)
    .where(r.record_id == bindparam("b_id"), r.record == literal("study"))
    .values(patient_id=bindparam("patient"))
)
SET_STUDY_STATUS = Statement(
    update(IMAGING_STUDY)
    .where(any_of(s.manifest_id, "entries"), s.origin == bindparam("b_origin"))
    .values(status=bindparam("word"), **_CHANGED)
)
FORGET_STUDY = Statement(delete(IMAGING_STUDY).where(s.id == bindparam("b_id")))
