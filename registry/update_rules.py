"""What a metadata update may not do to what is registered (ITI TF-2, 3.57.4.1.3 and 3.92.4.1.3).

The rules of one new version are in `registry.version_rules`, those of a status and of an added association in
`registry.status_rules`; here is what concerns the request as a whole.
"""

from collections import Counter
from collections.abc import Iterator

from registry import status_rules, version_rules
from registry.known import APPROVED, ASSOCIATION, DOCUMENT, FOLDER, Objects
from registry.metadata.errors import Finding
from registry.metadata.identify import bare_uuid, canonical, is_uuid
from registry.metadata.model import Submission
from registry.state import State
from registry.update_codes import COMMON, FAULT, PATIENTS, RESTRICTED, RESTRICTED_SOURCE, STATUS, UPDATE, Codes
from registry.updates import Operations, copies, operations, replaced

__all__ = ["FAULT", "RESTRICTED", "UPDATE", "problems", "shared_documents"]


def problems(submission: Submission, known: Objects, codes: Codes) -> Iterator[Finding]:
    """Everything that keeps an update from being made."""
    asked = operations(submission)
    owners = {bare_uuid(s.id) for s in submission.submission_sets}
    yield from _ids(submission, known)
    yield from _operations(asked, owners, codes)
    for version in asked.versions:
        yield from version_rules.problems(version, known, codes)
    if not codes.restricted:
        for move in asked.moves:
            yield from status_rules.of_move(move, asked, known, codes)
        for addition in asked.additions:
            yield from status_rules.of_addition(addition, asked, known, codes)
    yield from _patients(submission, asked, known)


def _ids(submission: Submission, known: Objects) -> Iterator[Finding]:
    owners = {one.id for one in submission.submission_sets}
    for thing in submission.objects():
        if thing.id in owners or not is_uuid(thing.id):
            continue
        if known.by_id(thing.id):
            yield Finding(FAULT, thing.id, "this entryUUID is registered already", "ITI TF-3, 4.2.1.4")
        elif any(known.versions(kind, thing.id) for kind in (DOCUMENT, FOLDER)):
            text = "this entryUUID is the logicalID of a registered object"
            yield Finding(FAULT, thing.id, text, "ITI TF-3, 4.2.1.4")


def _operations(asked: Operations, owners: set[str], codes: Codes) -> Iterator[Finding]:
    """What can be told of the request without the registry."""
    triggers = [*(m.association for m in asked.moves), *(a.trigger for a in asked.additions)]
    if not (asked.versions or triggers or asked.strangers):
        yield Finding(FAULT, "", "nothing is asked for: there is no new version, status or association", COMMON)
    for stranger in asked.strangers:
        text = "belongs to no operation of a metadata update"
        yield Finding(codes.operation, stranger.id, text, "ITI TF-2, 3.57.4.1.3.3")
    for trigger in triggers:
        if codes.restricted:
            text = "a restricted update makes new versions of DocumentEntries, and nothing else"
            yield Finding(codes.operation, trigger.id, text, RESTRICTED_SOURCE)
        elif bare_uuid(trigger.source) not in owners:
            yield Finding(codes.operation, f"{trigger.id}.sourceObject", "must be the SubmissionSet", STATUS)
    versions = Counter(bare_uuid(v.logical_id) for v in asked.versions if v.logical_id)
    moves = Counter(bare_uuid(m.association.target) for m in asked.moves)
    for id_, number in (*versions.items(), *moves.items()):
        if number > 1:
            yield Finding(FAULT, id_, f"is to be changed {number} times by one request", COMMON)


def shared_documents(submission: Submission, known: Objects, state: State) -> Iterator[Finding]:
    """Every entry of one document is one patient's: none may be given away alone (ITI TF-2, 3.57.4.1.3.1)."""
    asked = operations(submission)
    going = replaced(asked, known)
    for version in asked.versions:
        if version.kind != DOCUMENT:
            continue
        patient = canonical(version.thing.patient_id)
        others = state.by_unique_id(DOCUMENT, version.thing.unique_id)
        if any(one.patient_id != patient for one in others if one.id not in going):
            text = "another DocumentEntry of the same document is another patient's: it would have to be removed first"
            yield Finding(PATIENTS, f"{version.thing.id}.patientId", text, COMMON)


def _patients(submission: Submission, asked: Operations, known: Objects) -> Iterator[Finding]:
    """What a request ties together or moves must be its SubmissionSet's patient's (ITI TF-2, 3.57.4.1.3.1)."""
    owner = canonical(submission.submission_sets[0].patient_id) if submission.submission_sets else None
    if owner is None:
        return
    new = {bare_uuid(v.thing.id): canonical(v.thing.patient_id) for v in asked.versions}

    def patient(id_: str | None) -> str | None:
        old = known.by_id(id_)
        return new.get(bare_uuid(id_ or "")) or (old.patient_id if old else None)

    for where, source, target, original in _ties(asked, known):
        if {owner, patient(source), patient(target)} - {None, owner}:
            text = "would tie objects of two patients" + (f", by association {original}" if original else "")
            yield Finding(PATIENTS, where, text, COMMON)
    for move in asked.moves:
        old = known.by_id(move.association.target)
        if old is None or old.patient_id == owner or (old.kind == ASSOCIATION and move.new == APPROVED):
            continue
        # What ties the version before to others of its patient may be untied when a new one is given to another.
        if not {old.id, old.source, old.target} & replaced(asked, known):
            yield Finding(PATIENTS, move.association.id, "would change what is another patient's", COMMON)


def _ties(asked: Operations, known: Objects) -> Iterator[tuple[str, str, str, str]]:
    """(where, source, target, original) of all associations that are approved from now on; most have no original."""
    new = {v.thing.id for v in asked.versions}
    for copy in copies(asked, known):
        yield copy.source if copy.source in new else copy.target, copy.source, copy.target, copy.original.id
    for one in asked.additions:
        if one.association:
            yield one.association.id, one.association.source, one.association.target, ""
    for move in asked.moves:
        old = known.by_id(move.association.target)
        if old and old.kind == ASSOCIATION and move.new == APPROVED:
            yield move.association.id, str(old.source), str(old.target), old.id
