"""What a change of status and an added association must be (ITI TF-2, 3.57.4.1.3.3.2 and .5)."""

from collections.abc import Iterator

from registry.known import APPROVED, ASSOCIATION, DOCUMENT, FOLDER, NAMES, SET, Known, Objects
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association, DocumentEntry
from registry.metadata.urn import AssociationType, ObjectType
from registry.update_codes import FAULT, STATUS, SUBMITTED, Codes
from registry.updates import (
    NEW_STATUS,
    ORIGINAL_STATUS,
    PREVIOUS_VERSION,
    PROPAGATION,
    RELATIONS,
    Addition,
    Move,
    Operations,
    replaced,
    slot,
)


def of_move(move: Move, asked: Operations, known: Objects, codes: Codes) -> Iterator[Finding]:
    """Everything wrong with a change of status."""
    one = move.association
    for name, word in ((ORIGINAL_STATUS, move.original), (NEW_STATUS, move.new)):
        if word is None:
            text = "is required, with one value: the URN of Approved or Deprecated"
            yield Finding(codes.operation, f"{one.id}.{name}", text, STATUS)
    for name in (PREVIOUS_VERSION, PROPAGATION):
        if slot(one, name) is not None:
            text = "belongs to a new version, not to a change of status"
            yield Finding(codes.operation, f"{one.id}.{name}", text, STATUS)
    if move.original and move.original == move.new:
        text = f"is {NEW_STATUS} too: nothing would change"
        yield Finding(codes.operation, f"{one.id}.{ORIGINAL_STATUS}", text, STATUS)
    target = bare_uuid(one.target)
    if target in _new(asked, known):
        # What this request registers is approved when it is registered (ITI TF-2, 3.57.4.1.3.1).
        status: str | None = APPROVED
    else:
        old = known.by_id(target)
        status = old.status if old else None
        yield from _movable(one, old, known)
    if status and move.original and move.original != status:
        text = f"is {move.original}, the object is {status}"
        yield Finding(FAULT, f"{one.id}.{ORIGINAL_STATUS}", text, STATUS)


def _new(asked: Operations, known: Objects) -> set[str]:
    """The ids of what the request registers, and of the versions that it replaces: either names the new one."""
    new = {bare_uuid(v.thing.id) for v in asked.versions} | replaced(asked, known)
    return new | {bare_uuid(one.association.id) for one in asked.additions if one.association}


def _movable(one: Association, old: Known | None, known: Objects) -> Iterator[Finding]:
    """What is wrong with the object whose status is to be changed."""
    text = ""
    if old is None:
        text = f"{one.target} is not registered"
    elif old.kind == SET:
        text = "a SubmissionSet has one status for ever"
    elif not old.is_latest:
        text = f"{one.target} has a newer version, whose status may be changed"
    elif old.kind == ASSOCIATION:
        source = known.by_id(old.source)
        if old.is_membership and (source is None or source.kind != FOLDER):
            text = "what a SubmissionSet has as a member it has for ever"
        elif not (old.is_membership or old.type in RELATIONS):
            text = f"{one.target} has no status that may be changed"
    if text:
        yield Finding(FAULT, f"{one.id}.targetObject", text, STATUS)


def of_addition(addition: Addition, asked: Operations, known: Objects, codes: Codes) -> Iterator[Finding]:
    """Everything wrong with an association that is to be registered between what is registered, or is from now on."""
    one = addition.association
    if one is None:
        where = f"{addition.trigger.id}.targetObject"
        yield Finding(FAULT, where, "must be an association of this submission", SUBMITTED)
        return
    if one.type != AssociationType.HAS_MEMBER and one.type not in RELATIONS:
        text = "must be HasMember or a relation between documents"
        yield Finding(FAULT, f"{one.id}.associationType", text, SUBMITTED)
        return
    if one.logical_id and bare_uuid(one.logical_id) != bare_uuid(one.id):
        text = "is not the association's own id: associations have no versions"
        yield Finding(FAULT, f"{one.id}.logicalID", text, SUBMITTED)
    source = FOLDER if one.type == AssociationType.HAS_MEMBER else DOCUMENT
    for name, id_, kind in (("sourceObject", one.source, source), ("targetObject", one.target, DOCUMENT)):
        for code, text in _end(id_, kind, asked, known, codes):
            yield Finding(code, f"{one.id}.{name}", text, SUBMITTED)
    if one.type == AssociationType.IS_SNAPSHOT_OF:
        yield from _snapshot(one, asked, known)
    same = (one.type, bare_uuid(one.source), bare_uuid(one.target))
    others = known.ending_at(bare_uuid(one.source))
    if any((o.type, o.source, o.target) == same and o.status == APPROVED for o in others):
        yield Finding(FAULT, one.id, "there is such an association already", SUBMITTED)
    added = (other.association for other in asked.additions)
    twins = (o for o in added if o and (o.type, bare_uuid(o.source), bare_uuid(o.target)) == same)
    if any(bare_uuid(twin.id) != bare_uuid(one.id) for twin in twins):
        yield Finding(FAULT, one.id, "the same association is submitted twice", SUBMITTED)


def _snapshot(one: Association, asked: Operations, known: Objects) -> Iterator[Finding]:
    """A stable document is the snapshot of an on-demand one (ITI TF-3, 4.2.2.2)."""
    for name, id_, wanted in (
        ("sourceObject", one.source, ObjectType.STABLE_DOCUMENT),
        ("targetObject", one.target, ObjectType.ON_DEMAND_DOCUMENT),
    ):
        new = next((v.thing for v in asked.versions if bare_uuid(v.thing.id) == bare_uuid(id_)), None)
        old = known.by_id(id_)
        is_a = new.object_type if isinstance(new, DocumentEntry) else old.object_type if old else None
        if is_a and is_a != wanted:
            text = f"{id_} is {'an on-demand' if name == 'sourceObject' else 'a stable'} document"
            yield Finding(FAULT, f"{one.id}.{name}", text, "ITI TF-3, 4.2.2.2")


def _end(id_: str, kind: str, asked: Operations, known: Objects, codes: Codes) -> Iterator[tuple[ErrorCode, str]]:
    """What is wrong with the end `id_`, which must be of this kind: code and text."""
    new = next((v for v in asked.versions if bare_uuid(v.thing.id) == bare_uuid(id_)), None)
    old = known.by_id(id_)
    is_a = new.kind if new else old.kind if old else None
    if is_a is None:
        yield FAULT, f"{id_} is not registered"
    elif is_a != kind:
        yield FAULT, f"{id_} is a {NAMES[is_a]}, not a {NAMES[kind]}"
    elif new:
        if new.propagates:
            text = (
                "is a new version that takes over the associations of the one before: set AssociationPropagation to no"
            )
            yield codes.operation, text
    elif old and (old.status != APPROVED or not old.is_latest or old.id in replaced(asked, known)):
        yield FAULT, f"{id_} is deprecated"
