"""Manifests among the documents that are submitted: read, judged, and made known (RAD TF-2, 4.68.4.1.2)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import structlog

from database.engine import Unit
from registry.access import Caller
from registry.manifests import ManifestNote, is_manifest
from registry.metadata.datatypes import Cxi
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.identify import canonical
from registry.metadata.model import DocumentEntry, StudyDescription, Submission
from registry.metadata.urn import ReferenceIdType
from repository.findings import FindingKind, Findings
from repository.imaging.attributes import Identifier, once
from repository.imaging.codes import Kind
from repository.imaging.kos_reader import Manifest, read_manifest
from repository.registrar import Registrar
from repository.sources import note_sources
from repository.store.blobs import Incoming

SOURCE = "RAD TF-2, 4.68.4.1.2.3"


def manifests_of(submission: Submission, received: Mapping[str, Incoming]) -> tuple[dict[str, Manifest], list[Finding]]:
    """The manifests among the documents by DocumentEntry id, read; what cannot be one is a finding."""
    manifests: dict[str, Manifest] = {}
    wrong: list[Finding] = []
    for entry in submission.entries:
        document = received.get(entry.id)
        if document is None or not is_manifest(entry):
            continue
        try:
            with document.open() as file:
                manifest = read_manifest(file, document.size)
        except Rejected as rejected:
            wrong += [
                Finding(ErrorCode.InvalidDocumentContent, entry.id, f"{f.where}: {f.text}".lstrip(": "), f.source)
                for f in rejected.findings
            ]
            continue
        problem = _problem(entry, manifest)
        if problem:
            wrong.append(problem)
        else:
            manifests[entry.id] = manifest
    return manifests, wrong


def _problem(entry: DocumentEntry, manifest: Manifest) -> Finding | None:
    """Why the key object document is no manifest of this entry."""
    title = manifest.title.display or manifest.title.code
    if manifest.kind is Kind.REJECTION:
        text = (
            f"the document is a rejection note ({title}), not a manifest: send it to the image archive as a DICOM"
            " object, and submit the manifest of what is left"
        )
        return Finding(ErrorCode.InvalidDocumentContent, entry.id, text, "RAD TF-2, 4.66; " + SOURCE)
    if not manifest.is_manifest:
        text = f"the document's title is {title}, not a manifest's"
        return Finding(ErrorCode.InvalidDocumentContent, entry.id, text, SOURCE)
    if entry.unique_id != manifest.sop_instance_uid:
        text = f"must be the manifest's SOP Instance UID, {manifest.sop_instance_uid}"
        return Finding(ErrorCode.InvalidDocumentContent, f"{entry.id}.uniqueId", text, SOURCE)
    return None


class Knowing:
    """Makes manifests known within the unit of work that registers them.

    With `explicit` their source says by associations itself what each takes the place of, as this product's own does.
    """

    def __init__(self, registrar: Registrar[Any], findings: Findings, *, explicit: bool) -> None:
        self._registrar = registrar
        self._findings = findings
        self._explicit = explicit

    def know(
        self, unit: Unit, ready: Submission, entry: DocumentEntry, manifest: Manifest, sha256: str, caller: Caller
    ) -> None:
        """`entry` (as registered, in `ready`) is the manifest's."""
        self._report(unit, entry, manifest, sha256)
        studies = list(_studies(manifest, ready, entry))
        if not self._explicit and len(studies) == 1 and not self._stands(unit, ready, entry, manifest, caller):
            return
        for study in studies:
            self._registrar.know_study(unit, study, caller, manifest_id=entry.id)
            note_sources(unit, self._registrar, self._findings, study.uid)

    def _stands(self, unit: Unit, ready: Submission, entry: DocumentEntry, manifest: Manifest, caller: Caller) -> bool:
        (study,) = manifest.studies
        note = ManifestNote(
            entry.id,
            manifest.sop_instance_uid,
            str(canonical(entry.patient_id)),
            study.uid,
            str(ready.submission_set.source_id),
            study.source,
            manifest.content_time or str(entry.creation_time),
            withdraws=manifest.withdraws,
        )
        return self._registrar.know_manifest(unit, note, caller)

    def _report(self, unit: Unit, entry: DocumentEntry, manifest: Manifest, sha256: str) -> None:
        """What is odd in a manifest goes into the log, and a difference of its two lists to people."""
        log = structlog.get_logger(__name__)
        for finding in manifest.findings:
            log.warning("manifest is odd", document=manifest.sop_instance_uid, where=finding.where, text=finding.text)
        if manifest.differing:
            self._findings.add(
                unit,
                FindingKind.REFERENCES_DIFFER,
                text=manifest.differing.text,
                patient_ids=[str(canonical(entry.patient_id))],
                study_uid=manifest.study_instance_uid,
                object_uid=manifest.sop_instance_uid,
                sha256=sha256,
            )


def _studies(manifest: Manifest, ready: Submission, entry: DocumentEntry) -> Iterator[StudyDescription]:
    """The manifest's studies, for the patient that the submission names: identities are the affinity domain's.

    Numbers that the document leaves to its metadata are the study's too, where there is but one.
    """
    patient = canonical(ready.submission_set.patient_id)
    single = len(manifest.studies) == 1
    for study in manifest.studies:
        source = study.source or str(ready.submission_set.source_id)
        numbers = {"accessions": study.accessions, "orders": study.orders}
        if single:
            numbers = {
                "accessions": _with(study.accessions, entry.reference_ids, ReferenceIdType.ACCESSION),
                "orders": _with(study.orders, entry.reference_ids, ReferenceIdType.ORDER),
            }
        yield replace(study, patient_id=patient, source=source, **numbers)  # type: ignore[arg-type]


def _with(
    known: Iterable[tuple[str, str]], reference_ids: Iterable[str], kind: ReferenceIdType
) -> tuple[tuple[str, str], ...]:
    said = (one for one in map(Cxi.parse, reference_ids) if one.kind == kind)
    found = [*(Identifier(*pair) for pair in known), *(Identifier(one.value, one.authority) for one in said)]
    return once(found)
