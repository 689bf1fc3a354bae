"""Statements on the FHIR resources that documents make: reports of report documents, studies of manifests."""

from sqlalchemy import and_, bindparam, case, delete, exists, func, literal, not_, null, select, union, update

from database.sql import any_of
from database.statement import Statement
from registry.lifecycle import DEPRECATING
from registry.metadata.urn import ObjectType, ReferenceIdType
from registry.store.tables import ASSOCIATION, DIAGNOSTIC_REPORT, DOCUMENT_ENTRY, IMAGING_STUDY, REFERENCE_ID

a, d, p, s, r = ASSOCIATION.c, DOCUMENT_ENTRY.c, DIAGNOSTIC_REPORT.c, IMAGING_STUDY.c, REFERENCE_ID.c

_STALE = {"fhir": null(), "version": p.version + 1, "updated": bindparam("now")}
_CHANGED = {"version": s.version + 1, "updated": bindparam("now")}
_REPLACES = a.type.in_([literal(str(type_)) for type_ in sorted(DEPRECATING)])
_entry, _held = DOCUMENT_ENTRY.alias("entry").c, IMAGING_STUDY.alias("held").c
_shown = DIAGNOSTIC_REPORT.alias("shown").c
# An entry that is a report is found by its own uniqueId in the cross-index.
_IS_REPORT = exists().where(
    r.record_id == d.id,
    r.record == literal("entry"),
    r.kind == literal(ReferenceIdType.UNIQUE_ID.value),
    r.value == d.unique_id,
)
_WORD = case(
    (d.status != literal("Approved"), literal("entered-in-error")),
    (exists().where(a.source == d.id, _REPLACES, a.status == literal("Approved")), literal("amended")),
    else_=literal("final"),
)

FOLLOW_REPORT = Statement(
    update(DIAGNOSTIC_REPORT)
    .where(p.entry_id == bindparam("b_before"))
    .values(entry_id=bindparam("entry"), patient_id=bindparam("patient"), effective=bindparam("at"), **_STALE)
)
# (entry, status, whether it is a report)
STANDING = Statement(select(d.id, d.status, _IS_REPORT).where(any_of(d.id, "entries")))
# (report, its document's uniqueId) of the reports that are withdrawn and show a document of these entries
WITHDRAWN_OF = Statement(
    select(p.id, d.unique_id)
    .where(
        p.entry_id == d.id,
        d.unique_id.in_(select(_entry.unique_id).where(any_of(_entry.id, "entries"))),
        p.status == literal("entered-in-error"),
    )
    .order_by(p.id)
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
# The same of the entries that are a report, and shown by no other: (entry, patient, the report's status, time).
SHOWING = Statement(
    select(d.id, d.patient_id, _WORD, func.coalesce(d.service_start_time, d.creation_time))
    .where(
        d.unique_id == bindparam("unique_id"),
        _IS_REPORT,
        not_(exists().where(_shown.entry_id == d.id, _shown.id != bindparam("report"))),
    )
    .order_by(d.status, d.is_latest.desc(), d.version.desc(), d.registered.desc(), d.id)
    .limit(literal(1))
)
# uniqueIds of what these documents replaced
REPLACED = Statement(
    select(_entry.unique_id)
    .where(any_of(d.unique_id, "unique_ids"), a.source == d.id, _REPLACES, _entry.id == a.target)
    .order_by(a.registered, a.id)
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

# (study, origin, patient, body, Study Instance UID, manifest)
_STUDY = select(s.id, s.origin, s.patient_id, s.fhir, s.uid, s.manifest_id)
# The studies that these manifests describe.
STUDIES_OF = Statement(_STUDY.where(any_of(s.manifest_id, "entries")))
_SAME = DOCUMENT_ENTRY.alias("same").c
_OF_STUDY = and_(r.record == literal("entry"), r.kind == literal(ReferenceIdType.STUDY_INSTANCE_UID.value))
# The cancelled ones whose manifest is of the same document as one of these entries, or that one of these refers to.
CANCELLED_OF = Statement(
    _STUDY.where(
        s.status == literal("cancelled"),
        s.id.in_(
            union(
                select(_held.id).where(
                    _held.manifest_id == _SAME.id,
                    _SAME.unique_id.in_(select(_entry.unique_id).where(any_of(_entry.id, "entries"))),
                ),
                select(_held.id).where(_held.uid == r.value, any_of(r.record_id, "entries"), _OF_STUDY),
            )
        ),
    ).order_by(s.id)
)
# Which entry describes a study best, but for those that go: (entry, patient, status). It is one of the manifest's
# document, or of another manifest that refers to the study and describes no other.
MANIFEST_LEFT = Statement(
    select(d.id, d.patient_id, d.status)
    .where(
        d.id.in_(
            union(
                select(_SAME.id).where(_SAME.unique_id == _entry.unique_id, _entry.id == bindparam("manifest")),
                select(_SAME.id).where(
                    _SAME.id == r.record_id,
                    r.value == bindparam("uid"),
                    _OF_STUDY,
                    func.lower(_SAME.mime_type) == literal("application/dicom"),
                    _SAME.object_type == literal(ObjectType.STABLE_DOCUMENT.value),
                    any_of(_SAME.patient_id, "patients"),
                ),
            )
        ),
        not_(any_of(d.id, "going")),
        not_(exists().where(_held.manifest_id == d.id, _held.id != bindparam("study"))),
    )
    .order_by(d.status, d.is_latest.desc(), d.version.desc(), d.registered.desc(), d.id)
    .limit(literal(1))
)
HAND_STUDY_ON = Statement(
    update(IMAGING_STUDY)
    .where(s.id == bindparam("b_id"))
    .values(manifest_id=bindparam("manifest"), status=bindparam("word"), **_CHANGED)
)
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
