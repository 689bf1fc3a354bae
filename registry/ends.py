"""Which registered objects a submission's associations may have at their ends (ITI TF-3, 4.2.2; ITI TF-2, 3.42.4.1.3).

One row of `TARGETS` a role that an association can play. Only a Folder may be a registered source: a SubmissionSet
never changes once it is submitted, and everything else starts from a document of the submission. What an end must be
within the submission, a message shows by itself, before any registry is asked.
"""

from collections.abc import Iterator
from enum import StrEnum, unique
from typing import NamedTuple

from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.identify import bare_uuid, canonical, is_uuid
from registry.metadata.model import Association, Submission
from registry.metadata.urn import DOCUMENT_RELATIONS, AssociationType, ObjectType
from registry.state import Registered, State

BOOK = "ITI TF-3, 4.2.2"
PATIENT = "ITI TF-2, 3.42.4.1.3.3.1"
DEPRECATED = "ITI TF-3, table 4.2.4.1-2"
APPROVED = "Approved"
NAMES = {"document": "DocumentEntry", "set": "SubmissionSet", "folder": "Folder", "association": "Association"}


@unique
class Role(StrEnum):
    """What an association says, by its type and its source."""

    RELATION = "a replacement, addendum, transformation or signature"
    SNAPSHOT = "a snapshot of an on-demand document"
    SET_MEMBER = "a member of the SubmissionSet"
    FOLDER_MEMBER = "a member of a Folder"


class End(NamedTuple):
    """A registered object that may stand at an end: its kind, and its objectType where only one will do."""

    kind: str
    object_type: ObjectType | None
    source: str


# fmt: off
TARGETS = {
    #   role              kind          objectType                      source
    Role.RELATION:      End("document", None,                           "ITI TF-3, 4.2.2.2"),
    Role.SNAPSHOT:      End("document", ObjectType.ON_DEMAND_DOCUMENT,  "ITI TF-3, 4.2.2.2"),
    Role.SET_MEMBER:    End("document", None,                           "ITI TF-3, 4.2.2.1"),
    Role.FOLDER_MEMBER: End("document", None,                           "ITI TF-3, 4.2.2.1"),
}
# fmt: on
SOURCES = {Role.FOLDER_MEMBER: End("folder", None, "ITI TF-3, 4.2.2.1")}


def role_of(association: Association, submission: Submission) -> Role | None:
    """The role that `association` plays; None for what only a metadata update says (ITI TF-2, 3.57)."""
    if association.type in DOCUMENT_RELATIONS:
        return Role.RELATION
    if association.type == AssociationType.IS_SNAPSHOT_OF:
        return Role.SNAPSHOT
    if association.type != AssociationType.HAS_MEMBER:
        return None
    sets = {bare_uuid(s.id) for s in submission.submission_sets}
    return Role.SET_MEMBER if bare_uuid(association.source) in sets else Role.FOLDER_MEMBER


def problems(submission: Submission, state: State) -> Iterator[Finding]:
    """Everything wrong with what the submission's associations point to in the registry."""
    inside = {bare_uuid(o.id) for o in submission.objects()}
    patient = canonical(submission.submission_sets[0].patient_id) if submission.submission_sets else None
    for association in submission.associations:
        role = role_of(association, submission)
        if role is None:
            continue
        ends = (
            ("sourceObject", association.source, SOURCES.get(role)),
            ("targetObject", association.target, TARGETS[role]),
        )
        for name, id_, end in ends:
            if is_uuid(id_) and bare_uuid(id_) not in inside:
                yield from _end(f"{association.id}.{name}", id_, end, state.by_id(id_), patient)


def _end(where: str, id_: str, end: End | None, known: Registered | None, patient: str | None) -> Iterator[Finding]:
    """What is wrong with `id_`, which is not in the submission; no `end`: the submission's own rules speak of it."""
    if end is None:
        return
    if known is None:
        yield Finding(ErrorCode.XDSRegistryMetadataError, where, f"{id_} is not registered", BOOK)
    elif patient and known.patient_id != patient:
        yield Finding(ErrorCode.XDSPatientIdDoesNotMatch, where, f"{id_} is another patient's", PATIENT)
    elif known.kind != end.kind:
        text = f"{id_} is not a {NAMES[end.kind]} but a registered {NAMES[known.kind]}"
        yield Finding(ErrorCode.XDSRegistryMetadataError, where, text, end.source)
    else:
        if end.object_type and known.object_type != end.object_type:
            text = f"{id_} is not an on-demand DocumentEntry"
            yield Finding(ErrorCode.XDSRegistryMetadataError, where, text, end.source)
        if known.status != APPROVED:
            # The book's code speaks of documents only.
            document = known.kind == "document"
            code = ErrorCode.XDSRegistryDeprecatedDocumentError if document else ErrorCode.XDSRegistryMetadataError
            yield Finding(code, where, f"{id_} is deprecated", DEPRECATED)
