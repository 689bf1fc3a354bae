"""Manifests that say nothing of each other: which of one study and one source stands (RAD TF-2, 4.68.4.1.2).

A source whose study changed should replace its manifest. Widespread archives do not: each export is a new document,
and without a rule a study would be listed once for every export. So a source's newer manifest takes the place of its
older one, and one that lists nothing withdraws what came before. Which is newer is told by when each was made, not by
when it came; the same study from another source is another matter.
"""

from dataclasses import dataclass

from database.engine import Unit
from registry import changing, merges, withdrawing
from registry.access import Caller
from registry.known import APPROVED
from registry.metadata.datatypes import Cxi, Dtm
from registry.metadata.model import DocumentEntry, Submission
from registry.metadata.urn import AssociationType, CodingScheme, FormatCode, ObjectType, ReferenceIdType
from registry.store import derived as studies
from registry.store import manifests as rows
from registry.studies import MANIFEST


@dataclass(frozen=True, slots=True)
class ManifestNote:
    """A registered manifest of one study.

    `entry_id` is its entry's bare UUID, `patient_id` canonical CX text, `source_id` the submission's sourceId,
    `location` the Retrieve Location UID that it names (empty: none, or not read), `made` a DTM, `is_read` whether
    its content was, `withdraws` whether it lists nothing.
    """

    entry_id: str
    unique_id: str
    patient_id: str
    study_uid: str
    source_id: str
    location: str
    made: str
    is_read: bool = True
    withdraws: bool = False


def is_manifest(entry: DocumentEntry) -> bool:
    """Whether an entry is a manifest's, by its format code (RAD TF-3, 4.68.4.1.2.3)."""
    code = entry.format_code
    return bool(code and code.code == FormatCode.KOS_MANIFEST and code.scheme == CodingScheme.DICOM_UID_REGISTRY)


def settle(unit: Unit, note: ManifestNote, caller: Caller, means: changing.Means, *, supersede: bool) -> bool:
    """Let a manifest, registered in this unit, take its place among those of its study and source.

    Whether it is what stands now: False where it withdraws, or a newer one stands already.
    """
    unit.lock(f"manifest {note.study_uid} {note.source_id}")
    made = Dtm.parse(note.made).first
    patients = list(merges.everyone(unit, (note.patient_id,)))
    known = rows.entries(unit, note.study_uid, note.source_id, patients, note.unique_id)
    rows.add(
        unit,
        {
            "unique_id": note.unique_id,
            "study_uid": note.study_uid,
            "source_id": note.source_id,
            "location": note.location,
            "made": made,
            "is_read": note.is_read,
            "withdraws": note.withdraws,
        },
    )
    if note.withdraws:
        # Also of what its own submission has replaced the study is shown no longer.
        gone = [note.entry_id, *(one.id for one in known if one.made <= made)]
        withdrawing.deprecate(unit, gone, caller, means)
        # FHIR R4, ImagingStudy.status: what is withdrawn after it was available was entered in error.
        word = withdrawing.ENTERED_IN_ERROR
        unit.execute(studies.SET_STUDY_STATUS, entries=gone, b_origin=MANIFEST, word=word, now=means.now)
        return False
    if any(one.withdraws and one.made > made for one in known):
        # What comes late does not bring back what was withdrawn since it was made.
        withdrawing.deprecate(unit, [note.entry_id], caller, means)
        return False
    if not supersede:
        return True
    same = [one for one in known if one.status == APPROVED and one.location == note.location]
    if any(one.made > made for one in same):
        withdrawing.deprecate(unit, [note.entry_id], caller, means)
        return False
    # Of two that were made in one second, the later to come is the newer, where it is sure what both are.
    older = [one.id for one in same if one.made < made or (note.is_read and one.is_read)]
    withdrawing.deprecate(unit, older, caller, means)
    return True


def settle_unread(unit: Unit, ready: Submission, caller: Caller, means: changing.Means, *, supersede: bool) -> None:
    """The same for entries whose documents lie elsewhere: by what their metadata says (ITI-42)."""
    snapshots = {one.source for one in ready.associations if one.type == AssociationType.IS_SNAPSHOT_OF}
    for entry in ready.entries:
        uids = _studies(entry)
        if not is_manifest(entry) or len(uids) != 1 or entry.object_type != ObjectType.STABLE_DOCUMENT:
            continue
        if entry.id in snapshots or not entry.creation_time:
            continue
        note = ManifestNote(
            entry.id,
            str(entry.unique_id),
            str(entry.patient_id),
            uids.pop(),
            str(ready.submission_set.source_id),
            "",
            entry.creation_time,
            is_read=False,
        )
        settle(unit, note, caller, means, supersede=supersede)


def _studies(entry: DocumentEntry) -> set[str]:
    found = (Cxi.parse(text) for text in entry.reference_ids)
    return {one.value for one in found if one.kind == ReferenceIdType.STUDY_INSTANCE_UID}
