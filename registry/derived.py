"""What updates and removals of documents do to the FHIR resources that documents make.

A report document is a DiagnosticReport, a manifest an ImagingStudy: both follow a new version of their document, tell
when it is withdrawn, and go when it goes. A study whose objects are held here stands by itself.
"""

from collections.abc import Iterable, Sequence

from database.engine import Unit
from registry import merges, reports
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
    WITHDRAW_REPORTS,
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
        else:
            reports.register(unit, Submission(entries=(entry,)), report_types, (), now)
    elif known:
        # The update says that the document never was a report.
        unit.execute(WITHDRAW_REPORTS, entries=[entry.id], now=now)
    for id_, origin, patient, body in unit.rows(rows.STUDIES_OF, entries=[before]):
        if origin == MANIFEST and patient != entry.patient_id:
            _move_study(unit, id_, patient, entry, body, renderers, now)
    unit.execute(rows.FOLLOW_STUDIES, b_before=before, entry=entry.id)


def _move_study(
    unit: Unit,
    id_: str,
    patient: str | None,
    entry: DocumentEntry,
    body: bytes | None,
    renderers: Renderers,
    now: float,
) -> None:
    """A manifest was corrected to another patient, and with it the study that is known by it alone."""
    wanted = str(entry.patient_id)
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
        unit.execute(WITHDRAW_REPORTS, entries=list(entries), now=now)
        unit.execute(rows.SET_STUDY_STATUS, entries=list(entries), b_origin=MANIFEST, word=CANCELLED, now=now)


def restore(unit: Unit, entries: Sequence[str], now: float) -> None:
    """These entries are approved again."""
    if entries:
        unit.execute(rows.RESTORE_REPORTS, entries=list(entries), now=now)
        unit.execute(rows.SET_STUDY_STATUS, entries=list(entries), b_origin=MANIFEST, word=AVAILABLE, now=now)


def forget_studies(unit: Unit, entries: Sequence[str], now: float) -> None:
    """These manifests go: with each the study that is known by it alone."""
    for id_, origin, patient, _ in unit.rows(rows.STUDIES_OF, entries=list(entries)):
        if origin == MANIFEST:
            touched = list(merges.everyone(unit, (patient,))) if patient else []
            unit.execute(TOUCH_REPORTS, study=id_, patients=touched, now=now)
            unit.execute(FORGET_STUDY_REFERENCES, id=id_)
            unit.execute(rows.FORGET_STUDY, b_id=id_)
    for one in entries:
        unit.execute(rows.FOLLOW_STUDIES, b_before=one, entry=None)


def reports_of(unit: Unit, entries: Sequence[str]) -> list[tuple[str, str]]:
    """Id and uniqueId of the document of each report of these entries, which are still there."""
    return [(str(id_), str(unique_id)) for id_, unique_id in unit.rows(rows.REPORTS_OF, entries=list(entries))]


def forget_reports(unit: Unit, left: Iterable[tuple[str, str]], now: float) -> None:
    """The entries of these reports are gone: each shows another entry of the same document, or goes too."""
    gone = []
    for id_, unique_id in left:
        found = unit.rows(rows.OTHER_ENTRY, unique_id=unique_id)
        if not found:
            gone.append(id_)
            continue
        entry, patient, status, at = found[0]
        word = "final" if status == "Approved" else "entered-in-error"
        unit.execute(rows.HAND_REPORT_BACK, b_id=id_, entry=entry, patient=patient, word=word, at=at, now=now)
    if gone:
        unit.execute(rows.FORGET_REPORTS, ids=gone)
