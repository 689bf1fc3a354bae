"""Imaging reports: the DiagnosticReport that a report document is.

One report is one DiagnosticReport through all its versions: a replacement moves it to the new document and makes it
`amended`. Its body is rendered when first read, since the studies that it reports on may come later.
"""

from collections.abc import Container, Iterable, Mapping, Sequence

from database.engine import Unit
from registry import merges
from registry.identity import report_id
from registry.lifecycle import DEPRECATING
from registry.metadata.model import DocumentEntry, Submission
from registry.metadata.urn import FormatCode, ObjectType, ReferenceIdType
from registry.renderers import Renderers
from registry.store import derived as rows
from registry.store.fragments import decompress
from registry.store.registration import first
from registry.store.resource_rows import (
    MOVE_REPORT,
    REPORT_ENTRY,
    REPORT_OF_ENTRY,
    REPORTS_OF,
    STUDIES_OF_REPORT,
    WITHDRAW_REPORTS,
)
from registry.store.tables import DIAGNOSTIC_REPORT, REFERENCE_ID

REPORT_FORMATS = {FormatCode.PDF_REPORT, FormatCode.TEXT_REPORT, FormatCode.CDA_REPORT}
STUDY_KINDS = (f"^{ReferenceIdType.STUDY_INSTANCE_UID}", f"^{ReferenceIdType.ACCESSION}")
DICOM = "application/dicom"
FINAL, AMENDED, WITHDRAWN = "final", "amended", "entered-in-error"


def is_report(entry: DocumentEntry, report_types: Iterable[str]) -> bool:
    """True for a document that reports on a study: by its format, its type, or the study that it refers to.

    A DICOM object never is one: manifests carry the same types and references. Nor is an on-demand entry: there is
    no report yet, each of its snapshots will be one.
    """
    if entry.mime_type.lower() == DICOM or entry.object_type == ObjectType.ON_DEMAND_DOCUMENT:
        return False
    if entry.format_code and entry.format_code.code in REPORT_FORMATS:
        return True
    if entry.type_code and entry.type_code.code in report_types:
        return True
    return any(text.rstrip("^").endswith(STUDY_KINDS) for text in entry.reference_ids)


def register(
    unit: Unit, submission: Submission, report_types: Iterable[str], deprecated: Sequence[str], now: float
) -> None:
    """The DiagnosticReports of the submission's report documents (`submission` has bare UUIDs)."""
    documents = [e for e in submission.entries if is_report(e, report_types)]
    replaces = {a.source: a.target for a in reversed(submission.associations) if a.type in DEPRECATING}
    if documents:
        _add(unit, documents, replaces if deprecated else {}, now)
    if deprecated:
        # What has not moved to a newer document is valid no longer.
        withdraw(unit, deprecated, now)


def _add(unit: Unit, documents: Sequence[DocumentEntry], replaces: Mapping[str, str], now: float) -> None:
    uids = [str(entry.unique_id) for entry in documents]
    there = unit.rows(REPORTS_OF, ids=list(map(report_id, uids)), unique_ids=uids)
    taken = {id_ for id_, _, _ in there}
    showing = {uid: (id_, status) for id_, status, uid in there}
    fresh = []
    for entry in documents:
        at = first(entry.service_start_time) or first(entry.creation_time)
        old = replaces.get(entry.id)
        replaced = unit.rows(REPORT_OF_ENTRY, entries=[old]) if old else []
        # The same document registered again is the same report, now seen through its newest entry.
        again, was = showing.get(str(entry.unique_id), (None, None))
        if replaced:
            _move(unit, replaced[0][0], AMENDED, entry, at, now)
        elif again:
            _move(unit, again, AMENDED if was == AMENDED else FINAL, entry, at, now)
        else:
            fresh.append(_row(entry, at, now, taken))
    unit.insert(DIAGNOSTIC_REPORT, fresh)
    unit.insert(REFERENCE_ID, [unique_id_row(entry) for entry in documents])


def _move(unit: Unit, id_: str, status: str, entry: DocumentEntry, at: str | None, now: float) -> None:
    # The patient too: an entry that takes the place of another may be filed under the id that it was merged into.
    unit.execute(MOVE_REPORT, b_id=id_, as_status=status, entry=entry.id, patient=entry.patient_id, at=at, now=now)


def withdraw(unit: Unit, entries: Sequence[str], now: float) -> None:
    """The reports that these entries (bare UUIDs) show are withdrawn, but where the document has an approved entry."""
    if unit.execute(WITHDRAW_REPORTS, entries=list(entries), now=now):
        for id_, unique_id in unit.rows(rows.REPORTS_OF, entries=list(entries)):
            _show_approved(unit, id_, unique_id, now)


def restore(unit: Unit, entries: Sequence[str], now: float) -> None:
    """These entries (bare UUIDs) are approved again, or a report again: what was withdrawn of their documents holds."""
    for id_, unique_id in unit.rows(rows.WITHDRAWN_OF, entries=list(entries)):
        _show_approved(unit, id_, unique_id, now)


def _show_approved(unit: Unit, id_: str, unique_id: str, now: float) -> None:
    found = unit.rows(rows.SHOWING, unique_id=unique_id, report=id_)
    if found and found[0][2] != WITHDRAWN:
        _show(unit, id_, found[0], now)


def show_left(unit: Unit, id_: str, unique_ids: Iterable[str], now: float) -> bool:
    """Let a report show what is left of the first of these documents that has an entry; False when none has."""
    for unique_id in unique_ids:
        found = unit.rows(rows.SHOWING, unique_id=unique_id, report=id_)
        if found:
            _show(unit, id_, found[0], now)
            return True
    return False


def _show(unit: Unit, id_: str, row: Sequence[str], now: float) -> None:
    entry, patient, word, at = row
    unit.execute(rows.HAND_REPORT_BACK, b_id=id_, entry=entry, patient=patient, word=word, at=at, now=now)


def _row(entry: DocumentEntry, at: str | None, now: float, taken: Container[str]) -> dict[str, object]:
    id_ = report_id(str(entry.unique_id))
    return {
        # A report that has gone on to a newer document keeps its id; who sends the old one again begins another.
        "id": report_id(f"{entry.unique_id}|{entry.id}") if id_ in taken else id_,
        "patient_id": entry.patient_id,
        "version": 1,
        "updated": now,
        "status": FINAL,
        "entry_id": entry.id,
        "effective": at,
        "fhir": None,
    }


def unique_id_row(entry: DocumentEntry) -> dict[str, object]:
    """A report's row of the cross-index: it is found by its document's uniqueId, as by an accession number."""
    return {
        "patient_id": entry.patient_id,
        "kind": ReferenceIdType.UNIQUE_ID.value,
        "value": entry.unique_id,
        "authority": "",
        "record": "entry",
        "record_id": entry.id,
    }


def render(unit: Unit, id_: str, renderers: Renderers) -> bytes | None:
    """The report's body of its document's DocumentReference and the studies that are known now; None: it is gone."""
    shown = unit.rows(REPORT_ENTRY, id=id_)
    if not shown:
        return None
    body, dictionary, patient = shown[0]
    found = [row[0] for row in unit.rows(STUDIES_OF_REPORT, id=id_, patients=list(merges.everyone(unit, (patient,))))]
    return renderers.diagnostic_report(decompress(body, dictionary), found)
