"""What a submission may do to what is registered, and what it does (ITI TF-2, 3.42.4.1.3; ITI TF-3, 4.2.2.2).

Pure: `registry.state.State` is what the registry holds of the objects that a submission names; `problems` judges,
`DEPRECATING` tells which associations move a status. What associations may point to is in `registry.ends`.
"""

from collections.abc import Iterable, Iterator

from registry import ends
from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.identify import canonical, is_uuid
from registry.metadata.model import DocumentEntry, Folder, Submission, SubmissionSet
from registry.metadata.urn import AssociationType
from registry.state import Registered, State

# These deprecate their target, and what was appended to or transformed from it (ITI TF-2, 3.42.4.1.3.5).
DEPRECATING = {AssociationType.RPLC, AssociationType.XFRM_RPLC}
DEPENDENT = {AssociationType.APND, AssociationType.XFRM}


def problems(submission: Submission, state: State) -> Iterator[Finding]:
    """Everything that keeps a submission, right by itself, from being registered."""
    yield from _ids(submission, state)
    yield from _duplicates(submission, state)
    yield from ends.problems(submission, state)


def _ids(submission: Submission, state: State) -> Iterator[Finding]:
    for thing in submission.objects():
        if is_uuid(thing.id) and state.by_id(thing.id):
            yield Finding(
                ErrorCode.XDSRegistryMetadataError,
                thing.id,
                "this entryUUID is registered already",
                "ITI TF-3, 4.2.1.4",
            )
        elif is_uuid(thing.id) and state.is_logical_id(thing.id):
            text = "this entryUUID is the logicalID of a registered object"
            yield Finding(ErrorCode.XDSRegistryMetadataError, thing.id, text, "ITI TF-3, 4.2.1.4")


def _duplicates(submission: Submission, state: State) -> Iterator[Finding]:
    packages: tuple[SubmissionSet | Folder, ...] = (*submission.submission_sets, *submission.folders)
    for thing in packages:
        for kind in _holding(thing.unique_id, state, ("set", "folder", "document")):
            text = f"the uniqueId {thing.unique_id} is registered already, of a {ends.NAMES[kind]}"
            source = "ITI TF-3, 4.2.4.1"
            yield Finding(ErrorCode.XDSDuplicateUniqueIdInRegistry, f"{thing.id}.uniqueId", text, source)
    for entry in submission.entries:
        for kind in _holding(entry.unique_id, state, ("set", "folder")):
            # The code for a uniqueId that is registered already is never a document's: one may come again.
            text = f"the uniqueId {entry.unique_id} is registered already, of a {ends.NAMES[kind]}"
            yield Finding(ErrorCode.XDSRegistryMetadataError, f"{entry.id}.uniqueId", text, "ITI TF-3, 4.2.3.2.26")
        clashes = (list(_clashes(entry, known)) for known in state.by_unique_id("document", entry.unique_id))
        yield from next(filter(None, clashes), [])


def _holding(unique_id: str | None, state: State, kinds: Iterable[str]) -> list[str]:
    """Which of `kinds` have a registered object with this uniqueId: one object's alone, whatever its kind."""
    return [kind for kind in kinds if state.by_unique_id(kind, unique_id)]


def _clashes(entry: DocumentEntry, known: Registered) -> Iterator[Finding]:
    """What keeps `entry` from being the document that is registered as `known` under the same uniqueId."""
    if known.patient_id != canonical(entry.patient_id):
        # One document is one patient's: else the report of the one would lead to the entry of the other.
        text = f"the uniqueId {entry.unique_id} is registered for another patient"
        source = "ITI TF-2, 3.42.4.1.3.3.1"
        yield Finding(ErrorCode.XDSPatientIdDoesNotMatch, f"{entry.id}.patientId", text, source)
    if entry.hash and known.hash and entry.hash.lower() != known.hash.lower():
        text = f"the uniqueId {entry.unique_id} is registered with another hash"
        yield Finding(ErrorCode.XDSNonIdenticalHash, f"{entry.id}.hash", text, "ITI TF-3, 4.2.3.2.10")
    elif entry.size and known.size and entry.size.lstrip("0") != known.size.lstrip("0"):
        text = f"the uniqueId {entry.unique_id} is registered with another size"
        yield Finding(ErrorCode.XDSNonIdenticalSize, f"{entry.id}.size", text, "ITI TF-3, 4.2.3.2.21")


def unknown_authority(patient_id: str, authorities: Iterable[str]) -> Finding | None:
    """The finding for a patient whose authority is not one of the affinity domain's (policy `open`)."""
    if Cx.parse(patient_id).authority in authorities:
        return None
    text = "the assigning authority is not one of this affinity domain's"
    return Finding(ErrorCode.XDSUnknownPatientId, "patientId", text, "ITI TF-2, 3.42.4.1.3.3.1")
