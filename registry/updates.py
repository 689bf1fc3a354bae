"""A metadata update, taken apart and planned (ITI TF-2, 3.57.4.1.3; restricted: 3.92.4.1.3).

Pure: `registry.known.Objects` is what the registry holds of the objects that a request touches, `plan` what the request
does to them. Whether it may is judged in `registry.update_rules`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import uuid4

from registry.known import APPROVED, DEPRECATED, DOCUMENT, FOLDER, Known, Objects
from registry.metadata.identify import bare_uuid, is_uuid
from registry.metadata.model import Association, DocumentEntry, Folder, Submission
from registry.metadata.urn import DOCUMENT_RELATIONS, AssociationType, Status

# Slots of the associations that ask for something (ITI TF-2, 3.57.4.1.3).
PREVIOUS_VERSION, PROPAGATION = "PreviousVersion", "AssociationPropagation"
ORIGINAL_STATUS, NEW_STATUS = "OriginalStatus", "NewStatus"
WORDS = {status.value: status.name.title() for status in Status}
RELATIONS = frozenset({*DOCUMENT_RELATIONS, AssociationType.IS_SNAPSHOT_OF})


def slot(association: Association, name: str) -> tuple[str, ...] | None:
    """The values of a Slot that only metadata updates have; None when it is not there."""
    return next((values for slot_name, values in association.extra if slot_name == name), None)


class NewVersion(NamedTuple):
    """A new version of a DocumentEntry or Folder, and the SubmissionSet's HasMembers of it: there should be one."""

    kind: str
    thing: DocumentEntry | Folder
    members: tuple[Association, ...]

    @property
    def logical_id(self) -> str:
        """As sent; empty when it was left out."""
        return self.thing.logical_id or ""

    @property
    def propagates(self) -> bool:
        """Whether the associations of the version before are to be this one's too: unless the sender says no."""
        return all((slot(member, PROPAGATION) or ("yes",))[0].lower() != "no" for member in self.members)


class Move(NamedTuple):
    """An availabilityStatus to be changed: the association that asks for it, and the words that it says."""

    association: Association
    original: str | None
    new: str | None


class Addition(NamedTuple):
    """The association that asks for another to be registered, and that one, if it is in the submission."""

    trigger: Association
    association: Association | None


@dataclass(frozen=True, slots=True)
class Operations:
    """What a request asks for, and the associations that belong to nothing that can be asked for."""

    versions: tuple[NewVersion, ...]
    moves: tuple[Move, ...]
    additions: tuple[Addition, ...]
    strangers: tuple[Association, ...]


def operations(submission: Submission) -> Operations:
    """The operations of a request, right or wrong."""
    owners = {bare_uuid(s.id) for s in submission.submission_sets}
    inside = {bare_uuid(a.id): a for a in submission.associations}
    members = [a for a in submission.associations if _is_member(a, owners)]
    versions = tuple(
        NewVersion(kind, thing, tuple(m for m in members if bare_uuid(m.target) == bare_uuid(thing.id)))
        for kind, things in ((DOCUMENT, submission.entries), (FOLDER, submission.folders))
        for thing in things
    )
    moves = tuple(
        Move(a, _word(a, ORIGINAL_STATUS), _word(a, NEW_STATUS))
        for a in submission.associations
        if a.type == AssociationType.UPDATE_AVAILABILITY_STATUS
    )
    additions = tuple(
        Addition(a, inside.get(bare_uuid(a.target)))
        for a in submission.associations
        if a.type == AssociationType.SUBMIT_ASSOCIATION
    )
    used = {m.id for version in versions for m in version.members}
    used |= {move.association.id for move in moves} | {one.trigger.id for one in additions}
    used |= {one.association.id for one in additions if one.association}
    return Operations(versions, moves, additions, tuple(a for a in submission.associations if a.id not in used))


def _is_member(association: Association, owners: set[str]) -> bool:
    return association.type == AssociationType.HAS_MEMBER and bare_uuid(association.source) in owners


def _word(association: Association, name: str) -> str | None:
    values = slot(association, name)
    return WORDS.get(values[0]) if values and len(values) == 1 else None


def named(submission: Submission) -> tuple[set[str], set[str]]:
    """The entryUUIDs and the logicalIDs (all bare) that a request names."""
    ends = {end for a in submission.associations for end in (a.source, a.target)}
    ids = {bare_uuid(id_) for id_ in {o.id for o in submission.objects()} | ends if is_uuid(id_)}
    logical = {version.logical_id for version in operations(submission).versions}
    return ids, {bare_uuid(id_) for id_ in logical if is_uuid(id_)}


def replaced(asked: Operations, known: Objects) -> set[str]:
    """The versions that new ones take the place of: what a request says of them it says of the new ones."""
    latest = (known.latest(v.kind, v.logical_id) for v in asked.versions)
    return {old.id for old in latest if old}


class Copy(NamedTuple):
    """An association that is registered again with new ends, which are ids as the submission has them."""

    original: Known
    source: str
    target: str


def copies(asked: Operations, known: Objects) -> Iterator[Copy]:
    """The associations that new versions take over (ITI TF-2, 3.57.4.1.3.2, association propagation).

    Those between documents, and those of Folders with their documents; never a SubmissionSet's, which says what once
    was submitted. The other end must be what is valid now: a version that was replaced keeps its associations as they
    were, a Folder's new version does not take deprecated documents along, and what the same request deprecates does
    not come back as a copy.
    """
    before = {v.thing.id: known.latest(v.kind, v.logical_id) for v in asked.versions}
    following = {old.id: v.thing.id for v in asked.versions if v.propagates and (old := before[v.thing.id])}
    left = {old.id for old in before.values() if old} - following.keys()
    dropped = {bare_uuid(m.association.target) for m in asked.moves if m.new == DEPRECATED}
    seen = dropped
    for id_ in following:
        for one in known.ending_at(id_):
            ends = (str(one.source), str(one.target))
            if one.id in seen or one.status != APPROVED or not _is_propagated(one, known):
                continue
            seen.add(one.id)
            others = [known.by_id(end) for end in ends if end not in following]
            if all(other and _is_valid(other, one) and other.id not in left for other in others):
                source, target = (following.get(end, end) for end in ends)
                yield Copy(one, source, target)


def _is_valid(other: Known, one: Known) -> bool:
    """Whether the end of `one` that stays can be had anew: in a Folder only as an approved object."""
    return other.is_latest and (other.status == APPROVED or not one.is_membership)


def _is_propagated(one: Known, known: Objects) -> bool:
    source = known.by_id(one.source)
    return one.type in RELATIONS or bool(one.is_membership and source and source.kind == FOLDER)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new version stands: its logicalID (bare), its number, the word of its status, and what was before it."""

    logical_id: str
    version: int
    status: str
    before: Known


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done: `submission` is registered, its new versions at `places` (by id), and the rest is moved.

    Everything has bare UUIDs. `moves` are (object, word of its new status). `silent` are associations of the submission
    that are deprecated from the beginning.
    """

    submission: Submission
    places: dict[str, Place]
    copies: tuple[tuple[Copy, str], ...]
    moves: tuple[tuple[Known, str], ...]
    silent: frozenset[str] = frozenset()

    @property
    def standing(self) -> Submission:
        """The submission without what is deprecated from the beginning."""
        associations = tuple(one for one in self.submission.associations if one.id not in self.silent)
        return replace(self.submission, associations=associations)

    @property
    def added(self) -> tuple[Association, ...]:
        """The associations that were to be submitted, without the SubmissionSet's own."""
        return tuple(a for a in self.submission.associations if a.source != self.submission.submission_set.id)

    @property
    def touched(self) -> tuple[str, ...]:
        """The ids of all that this changes, for the audit."""
        submitted = (id_ for a in self.added for id_ in (a.id, a.source, a.target))
        touched = dict.fromkeys((*self.places, *(known.id for known, _ in self.moves), *submitted))
        return tuple(touched) or (self.submission.submission_set.id,)

    @property
    def patients(self) -> tuple[str, ...]:
        """Canonical CX texts of those whose records it changes, for the audit."""
        before = {place.before.patient_id for place in self.places.values()} | {one.patient_id for one, _ in self.moves}
        return tuple(sorted(before | {str(self.submission.submission_set.patient_id)}))


def plan(ready: Submission, known: Objects) -> Plan:
    """What a request does; `ready` has bare UUIDs and passed all rules.

    The associations that only ask for something are not registered: what they asked for is.
    """
    asked = operations(ready)
    places = {v.thing.id: _place(v, asked, known) for v in asked.versions}
    gone = replaced(asked, known)
    kept = [m for v in asked.versions for m in v.members]
    kept += [one.association for one in asked.additions if one.association]
    silent = {m.association.target for m in asked.moves if m.new == DEPRECATED}
    moves = [(known.by_id(m.association.target), m.new) for m in asked.moves]
    return Plan(
        replace(ready, associations=tuple(dict.fromkeys(kept))),
        places,
        tuple((copy, str(uuid4())) for copy in copies(asked, known)),
        tuple((old, new) for old, new in moves if old and new and old.id not in gone),
        frozenset(silent & {one.id for one in kept}),
    )


def _place(version: NewVersion, asked: Operations, known: Objects) -> Place:
    before = known.latest(version.kind, version.logical_id)
    if before is None:
        raise ValueError(f"{version.logical_id} has no version")
    # A status that is asked for together with a new version is the new version's (ITI TF-2, 3.57.4.1.3.1); without
    # that, a restricted update of what is deprecated leaves it deprecated (ITI TF-2, 3.92.4.1.3).
    wanted = [m.new for m in asked.moves if bare_uuid(m.association.target) in (version.thing.id, before.id)]
    status = DEPRECATED if before.status == DEPRECATED else APPROVED
    return Place(before.logical_id, before.version + 1, (wanted[0] if wanted else None) or status, before)
