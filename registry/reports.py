"""Imaging reports: the DiagnosticReport that a report document is.

One report is one DiagnosticReport through all its versions: a replacement moves it to the new document and makes it
`amended`. Its body is rendered when first read, since the studies that it reports on may come later.
"""

from collections.abc import Iterable, Mapping, Sequence

from database.engine import Unit
from registry.identity import report_id
from registry.lifecycle import DEPRECATING
from registry.metadata.model import DocumentEntry, Submission
from registry.metadata.urn import FormatCode, ReferenceIdType
from registry.renderers import Renderers
from registry.store.fragments import decompress
from registry.store.registration import first
from registry.store.resource_rows import (
    MOVE_REPORT,
    REPORT_ENTRY,
    REPORT_OF_ENTRY,
    REPORTS_BY_ID,
    STUDIES_OF_REPORT,
    WITHDRAW_REPORTS,
)
from registry.store.tables import DIAGNOSTIC_REPORT, REFERENCE_ID

REPORT_FORMATS = {FormatCode.PDF_REPORT, FormatCode.TEXT_REPORT, FormatCode.CDA_REPORT}
STUDY_KINDS = (f"^{ReferenceIdType.STUDY_INSTANCE_UID}", f"^{ReferenceIdType.ACCESSION}")
DICOM = "application/dicom"


def is_report(entry: DocumentEntry, report_types: Iterable[str]) -> bool:
    """True for a document that reports on a study: by its format, its type, or the study that it refers to.

    A DICOM object never is one: manifests carry the same types and references.
    """
    if entry.mime_type.lower() == DICOM:
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
        # What has not moved to a newer document is valid no longer: FHIR's word for a report that is withdrawn.
        unit.execute(WITHDRAW_REPORTS, entries=list(deprecated), now=now)


def _add(unit: Unit, documents: Sequence[DocumentEntry], replaces: Mapping[str, str], now: float) -> None:
    fresh = []
    ids = [report_id(str(entry.unique_id)) for entry in documents]
    there = {row[0] for row in unit.rows(REPORTS_BY_ID, ids=ids)}
    for entry in documents:
        at = first(entry.service_start_time) or first(entry.creation_time)
        old = replaces.get(entry.id)
        known = unit.rows(REPORT_OF_ENTRY, entries=[old]) if old else []
        if known:
            unit.execute(MOVE_REPORT, b_id=known[0][0], as_status="amended", entry=entry.id, at=at, now=now)
        else:
            fresh.append(_row(unit, entry, at, now, there))
    unit.insert(DIAGNOSTIC_REPORT, [row for row in fresh if row])
    unit.insert(REFERENCE_ID, [_unique_id_row(entry) for entry in documents])


def _row(unit: Unit, entry: DocumentEntry, at: str | None, now: float, there: set[str]) -> dict[str, object] | None:
    id_ = report_id(str(entry.unique_id))
    if id_ in there:
        # The same document registered again: it is the same report, now seen through its newest entry.
        unit.execute(MOVE_REPORT, b_id=id_, as_status="final", entry=entry.id, at=at, now=now)
        return None
    return {
        "id": id_,
        "patient_id": entry.patient_id,
        "version": 1,
        "updated": now,
        "status": "final",
        "entry_id": entry.id,
        "effective": at,
        "fhir": None,
    }


def _unique_id_row(entry: DocumentEntry) -> dict[str, object]:
    """So that a report is found by its document's uniqueId, as by an accession number."""
    return {
        "patient_id": entry.patient_id,
        "kind": ReferenceIdType.UNIQUE_ID.value,
        "value": entry.unique_id,
        "authority": "",
        "record": "entry",
        "record_id": entry.id,
    }


def render(unit: Unit, id_: str, renderers: Renderers) -> bytes:
    """The report's body of its document's DocumentReference and the studies that are known now."""
    body, dictionary = unit.rows(REPORT_ENTRY, id=id_)[0]
    found = [row[0] for row in unit.rows(STUDIES_OF_REPORT, id=id_)]
    return renderers.diagnostic_report(decompress(body, dictionary), found)
