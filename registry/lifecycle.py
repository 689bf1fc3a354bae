"""What a submission may do to what is registered, and what it does (ITI TF-2, 3.42.4.1.3; ITI TF-3, 4.2.2.2).

Pure: `State` is what the registry holds of the objects that a submission names; `problems` judges, `DEPRECATING` tells
which associations move a status.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.identify import bare_uuid, canonical, is_uuid
from registry.metadata.model import DocumentEntry, Submission
from registry.metadata.urn import DOCUMENT_RELATIONS, AssociationType

# These deprecate their target, and what was appended to or transformed from it (ITI TF-2, 3.42.4.1.3.5).
DEPRECATING = {AssociationType.RPLC, AssociationType.XFRM_RPLC}
DEPENDENT = {AssociationType.APND, AssociationType.XFRM}


class Registered(NamedTuple):
    """One registered object, as far as a submission's rules ask. `id` is a bare UUID, `status` a word."""

    kind: str
    id: str
    patient_id: str
    status: str
    unique_id: str | None
    hash: str | None
    size: str | None


@dataclass(frozen=True, slots=True)
class State:
    """The registered objects that a submission names by id or uniqueId."""

    objects: tuple[Registered, ...]

    def by_id(self, urn: str) -> Registered | None:
        """The object whose entryUUID is `urn`."""
        bare = bare_uuid(urn)
        return next((o for o in self.objects if o.id == bare), None)

    def by_unique_id(self, kind: str, unique_id: str | None) -> Iterator[Registered]:
        """The objects of one kind with this uniqueId."""
        return (o for o in self.objects if o.kind == kind and o.unique_id == unique_id)


def named(submission: Submission) -> tuple[list[str], list[str]]:
    """The UUIDs (bare) and uniqueIds that a submission names: what `State` must be asked for."""
    ids = {bare_uuid(o.id) for o in submission.objects() if is_uuid(o.id)}
    for association in submission.associations:
        ids |= {bare_uuid(end) for end in (association.source, association.target) if is_uuid(end)}
    return sorted(ids), sorted({o.unique_id for o in submission.holders() if o.unique_id})


def problems(submission: Submission, state: State) -> Iterator[Finding]:
    """Everything that keeps a submission, right by itself, from being registered."""
    yield from _ids(submission, state)
    yield from _duplicates(submission, state)
    yield from _ends(submission, state)


def _ids(submission: Submission, state: State) -> Iterator[Finding]:
    for thing in submission.objects():
        if is_uuid(thing.id) and state.by_id(thing.id):
            yield Finding(
                ErrorCode.XDSRegistryMetadataError,
                thing.id,
                "this entryUUID is registered already",
                "ITI TF-3, 4.2.1.4",
            )


def _duplicates(submission: Submission, state: State) -> Iterator[Finding]:
    for kind, things in (("set", submission.submission_sets), ("folder", submission.folders)):
        for thing in things:
            if thing.unique_id and any(state.by_unique_id(kind, thing.unique_id)):
                text = f"the uniqueId {thing.unique_id} is registered already"
                yield Finding(
                    ErrorCode.XDSDuplicateUniqueIdInRegistry, f"{thing.id}.uniqueId", text, "ITI TF-3, 4.2.4.1"
                )
    for entry in submission.entries:
        clashes = (list(_clashes(entry, known)) for known in state.by_unique_id("document", entry.unique_id))
        yield from next(filter(None, clashes), [])


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
        yield Finding(ErrorCode.XDSNonIdenticalSize, f"{entry.id}.size", text, "ITI TF-3, 4.2.3.2.24")


def _ends(submission: Submission, state: State) -> Iterator[Finding]:
    """Ends of associations that lie in the registry."""
    inside = {o.id for o in submission.objects()}
    patient = canonical(submission.submission_sets[0].patient_id) if submission.submission_sets else None
    for association in submission.associations:
        for name, end in (("sourceObject", association.source), ("targetObject", association.target)):
            if end in inside or not is_uuid(end):
                continue
            where, known = f"{association.id}.{name}", state.by_id(end)
            if known is None:
                yield Finding(ErrorCode.XDSRegistryMetadataError, where, f"{end} is not registered", "ITI TF-3, 4.2.2")
            elif patient and known.patient_id != patient:
                text = f"{end} is another patient's"
                yield Finding(ErrorCode.XDSPatientIdDoesNotMatch, where, text, "ITI TF-2, 3.42.4.1.3.3.1")
            elif name == "targetObject" and association.type in DOCUMENT_RELATIONS and known.kind != "document":
                yield Finding(
                    ErrorCode.XDSRegistryMetadataError, where, f"{end} is not a DocumentEntry", "ITI TF-3, 4.2.2.2"
                )
            elif known.status != "Approved" and name == "targetObject" and association.type in DOCUMENT_RELATIONS:
                text = f"{end} is deprecated"
                yield Finding(ErrorCode.XDSRegistryDeprecatedDocumentError, where, text, "ITI TF-2, 3.42.4.1.3.5")


def unknown_authority(patient_id: str, authorities: Iterable[str]) -> Finding | None:
    """The finding for a patient whose authority is not one of the affinity domain's (policy `open`)."""
    if Cx.parse(patient_id).authority in authorities:
        return None
    text = "the assigning authority is not one of this affinity domain's"
    return Finding(ErrorCode.XDSUnknownPatientId, "patientId", text, "ITI TF-2, 3.42.4.1.3.3.1")
