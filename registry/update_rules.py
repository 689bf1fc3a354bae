"""What a metadata update may not do to what is registered (ITI TF-2, 3.57.4.1.3 and 3.92.4.1.3).

The rules of one new version are in `registry.version_rules`, those of a status and of an added association in
`registry.status_rules`; here is what concerns the request as a whole.
"""

from collections import Counter
from collections.abc import Iterator

from registry import status_rules, version_rules
from registry.known import APPROVED, ASSOCIATION, Objects
from registry.metadata.errors import Finding
from registry.metadata.identify import bare_uuid, canonical, is_uuid
from registry.metadata.model import Submission
from registry.update_codes import COMMON, FAULT, PATIENTS, RESTRICTED, RESTRICTED_SOURCE, STATUS, UPDATE, Codes
from registry.updates import Operations, copies, operations

__all__ = ["FAULT", "RESTRICTED", "UPDATE", "problems"]


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
    yield from _patients(asked, known)


def _ids(submission: Submission, known: Objects) -> Iterator[Finding]:
    owners = {one.id for one in submission.submission_sets}
    for thing in submission.objects():
        if thing.id not in owners and is_uuid(thing.id) and known.by_id(thing.id):
            yield Finding(FAULT, thing.id, "this entryUUID is registered already", "ITI TF-3, 4.2.1.4")


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


def _patients(asked: Operations, known: Objects) -> Iterator[Finding]:
    """No approved association may tie objects of two patients (ITI TF-2, 3.57.4.1.3.1, patient reconciliation)."""
    new = {v.thing.id: canonical(v.thing.patient_id) for v in asked.versions}

    def patient(id_: str | None) -> str | None:
        old = known.by_id(id_)
        return new.get(id_ or "") or (old.patient_id if old else None)

    ties = [
        (c.source if c.source in new else c.target, c.source, c.target, c.original.id) for c in copies(asked, known)
    ]
    ties += [
        (a.association.id, a.association.source, a.association.target, "") for a in asked.additions if a.association
    ]
    for move in asked.moves:
        old = known.by_id(move.association.target)
        if old and old.kind == ASSOCIATION and move.new == APPROVED:
            ties.append((move.association.id, str(old.source), str(old.target), old.id))
    for where, source, target, original in ties:
        patients = {patient(source), patient(target)} - {None}
        if len(patients) > 1:
            text = "would tie objects of two patients" + (f", by association {original}" if original else "")
            yield Finding(PATIENTS, where, text, COMMON)
