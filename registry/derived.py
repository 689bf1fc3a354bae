"""What updates and removals of documents do to the FHIR resources that documents make.

A report document is a DiagnosticReport, a manifest an ImagingStudy: both follow a new version of their document, tell
when it is withdrawn, and go when it goes. A study whose objects are held here stands by itself.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from database.engine import Unit
from registry import merges, reports
from registry.identity import report_id
from registry.metadata.model import DocumentEntry, Submission
from registry.renderers import Renderers
from registry.store import derived as rows
from registry.store.fragments import compress, decompress
from registry.store.registration import first
from registry.store.resource_rows import (
    FORGET_STUDY_REFERENCES,
    PATIENT_ROW,
    REPORT_OF_ENTRY,
    TOUCH_REPORTS,
)
from registry.store.tables import REFERENCE_ID
from registry.studies import MANIFEST

CANCELLED, AVAILABLE = "cancelled", "available"


def follow(
    unit: Unit, entry: DocumentEntry, before: str, renderers: Renderers, report_types: Iterable[str], now: float
) -> None:
    """`entry` (bare UUID) is the new version of the entry `before`; its rows are there."""
    known = unit.rows(REPORT_OF_ENTRY, entries=[before])
    if known:
        at = first(entry.service_start_time) or first(entry.creation_time)
        unit.execute(rows.FOLLOW_REPORT, b_before=before, entry=entry.id, patient=entry.patient_id, at=at, now=now)
    if reports.is_report(entry, report_types):
        if known:
            unit.insert(REFERENCE_ID, [reports.unique_id_row(entry)])
            # The version before may have been none, and withdrawn for that.
            reports.restore(unit, [entry.id], now)
        elif _has_gone_on(unit, entry.id, before):
            unit.insert(REFERENCE_ID, [reports.unique_id_row(entry)])
        else:
            reports.register(unit, Submission(entries=(entry,)), report_types, (), now)
    elif known:
        # The update says that the document never was a report.
        reports.withdraw(unit, [entry.id], now)
    for id_, origin, patient, body, *_ in unit.rows(rows.STUDIES_OF, entries=[before]):
        if origin == MANIFEST and patient != entry.patient_id:
            _move_study(unit, id_, patient, str(entry.patient_id), body, renderers, now)
    unit.execute(rows.FOLLOW_STUDIES, b_before=before, entry=entry.id)


def _has_gone_on(unit: Unit, id_: str, before: str) -> bool:
    """True for a new version that is deprecated, as the one before was, whose report a newer document shows."""
    known = {one: (status, is_report) for one, status, is_report in unit.rows(rows.STANDING, entries=[id_, before])}
    return known[id_][0] == "Deprecated" and bool(known[before][1])


def _move_study(
    unit: Unit,
    id_: str,
    patient: str | None,
    wanted: str,
    body: bytes | None,
    renderers: Renderers,
    now: float,
) -> None:
    """A manifest was corrected to another patient, and with it the study that is known by it alone."""
    fhir_ids = [unit.rows(PATIENT_ROW, patient=one) for one in (patient, wanted)]
    if body is not None and all(fhir_ids):
        old, new = (str(found[0][0]) for found in fhir_ids)
        body = compress(renderers.subject_of(decompress(body), old, new))
    touched = list(merges.everyone(unit, [one for one in (patient, wanted) if one]))
    unit.execute(TOUCH_REPORTS, study=id_, patients=touched, now=now)
    unit.execute(rows.MOVE_STUDY, b_id=id_, patient=wanted, body=body, now=now)
    unit.execute(rows.MOVE_STUDY_REFERENCES, b_id=id_, patient=wanted)
    unit.execute(TOUCH_REPORTS, study=id_, patients=touched, now=now)


def withdraw(unit: Unit, entries: Sequence[str], now: float) -> None:
    """These entries (bare UUIDs) are deprecated, and nothing takes their place."""
    if entries:
        reports.withdraw(unit, entries, now)
        unit.execute(rows.SET_STUDY_STATUS, entries=list(entries), b_origin=MANIFEST, word=CANCELLED, now=now)
        _revive_studies(unit, unit.rows(rows.STUDIES_OF, entries=list(entries)), now)


def restore(unit: Unit, entries: Sequence[str], now: float) -> None:
    """These entries are approved again."""
    if entries:
        reports.restore(unit, entries, now)
        unit.execute(rows.SET_STUDY_STATUS, entries=list(entries), b_origin=MANIFEST, word=AVAILABLE, now=now)
        _revive_studies(unit, unit.rows(rows.CANCELLED_OF, entries=list(entries)), now)


def _revive_studies(unit: Unit, studies: Iterable[Sequence[Any]], now: float) -> None:
    """Cancelled studies that an approved manifest of their patient describes are not."""
    for study in studies:
        if study[1] == MANIFEST:
            left = _manifest_left(unit, study, ())
            if left and left[1:] == (study[2], "Approved"):
                unit.execute(rows.HAND_STUDY_ON, b_id=study[0], manifest=left[0], word=AVAILABLE, now=now)


def _manifest_left(unit: Unit, study: Sequence[Any], going: Sequence[str]) -> tuple[str, str, str] | None:
    """(entry, patient, status) of what describes a study (a row of `STUDIES_OF`) when these entries are gone."""
    id_, _, patient, _, uid, manifest = study
    patients = list(merges.everyone(unit, (patient,))) if patient else []
    found = unit.rows(rows.MANIFEST_LEFT, manifest=manifest, uid=uid, patients=patients, going=list(going), study=id_)
    return tuple(found[0]) if found else None


def forget_studies(unit: Unit, entries: Sequence[str], renderers: Renderers, now: float) -> None:
    """These manifests go: with each the study that is known by it alone, and by no other entry that is left."""
    for study in unit.rows(rows.STUDIES_OF, entries=list(entries)):
        id_, origin, patient, body, *_ = study
        if origin == MANIFEST:
            left = _manifest_left(unit, study, entries)
            if left:
                if left[1] != patient:
                    _move_study(unit, id_, patient, left[1], body, renderers, now)
                word = AVAILABLE if left[2] == "Approved" else CANCELLED
                unit.execute(rows.HAND_STUDY_ON, b_id=id_, manifest=left[0], word=word, now=now)
                continue
            touched = list(merges.everyone(unit, (patient,))) if patient else []
            unit.execute(TOUCH_REPORTS, study=id_, patients=touched, now=now)
            unit.execute(FORGET_STUDY_REFERENCES, id=id_)
            unit.execute(rows.FORGET_STUDY, b_id=id_)
    for one in entries:
        unit.execute(rows.FOLLOW_STUDIES, b_before=one, entry=None)


def reports_of(unit: Unit, entries: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Id of each report of these entries, which are still there, and uniqueIds of the documents that it can show.

    The first is its document now, the others are those that it has come from.
    """
    found = unit.rows(rows.REPORTS_OF, entries=list(entries))
    return [(str(id_), _line(unit, str(id_), str(unique_id))) for id_, unique_id in found]


def _line(unit: Unit, id_: str, unique_id: str) -> list[str]:
    found = [unique_id]
    # A report that began with its document goes with it, whatever that replaced: there the report is another.
    new = [] if id_ == report_id(unique_id) else [unique_id]
    while new:
        replaced = dict.fromkeys(str(row[0]) for row in unit.rows(rows.REPLACED, unique_ids=new))
        new = [one for one in replaced if one not in found]
        found += new
    return found


def forget_reports(unit: Unit, left: Iterable[tuple[str, Sequence[str]]], now: float) -> None:
    """The entries of these reports are gone: each shows another entry of its documents, or goes too."""
    gone = [id_ for id_, unique_ids in left if not reports.show_left(unit, id_, unique_ids, now)]
    if gone:
        unit.execute(rows.FORGET_REPORTS, ids=gone)
