"""What must hold within one submission, before any registry is asked (ITI TF-3, 4.2.1 to 4.2.3).

The rules by subject: `attributes` (tables of attributes and formats), `objects` (one object), `membership` (HasMember),
`associations` (relations between documents), `codes` (the affinity domain's value sets). `transactions` says what each
transaction takes. Rules that need the registry's state (duplicates, replaced entries, patients, versions) are in
`registry.lifecycle` and `registry.update_rules`.
"""

from collections import Counter
from collections.abc import Iterator

from profiles.document_sharing import associations, attributes, membership, objects
from profiles.document_sharing.contents import Contents
from profiles.document_sharing.transactions import ON_DEMAND, PROVIDE, REGISTER, RESTRICTED_UPDATE, UPDATE, Rules
from registry.metadata.errors import Finding
from registry.metadata.identify import bare_uuid, canonical
from registry.metadata.model import Association, Folder, Submission, SubmissionSet
from registry.metadata.rules import check

__all__ = ["ON_DEMAND", "PROVIDE", "REGISTER", "RESTRICTED_UPDATE", "UPDATE", "Rules", "findings"]

MOST_OBJECTS = 10_000  # in one submission; a cap against floods, far above any real one
GRAPH = "ITI TF-3, 4.2.1.4"


def findings(submission: Submission, rules: Rules) -> Iterator[Finding]:
    """Everything that is wrong with `submission` by itself, for the transaction that `rules` is of."""
    number = sum(1 for _ in submission.objects())
    if number > MOST_OBJECTS:
        text = f"a submission may hold at most {MOST_OBJECTS} objects, {number} were sent"
        yield Finding(rules.metadata_error, "", text, "limit of this server")
        return
    count = len(submission.submission_sets)
    if count != 1:
        text = f"there must be exactly one SubmissionSet, {count} were sent"
        yield Finding(rules.metadata_error, "", text, GRAPH)
    yield from _objects(submission, rules)
    yield from _ids(submission, rules)
    yield from _unique_ids(submission, rules)
    contents = Contents.of(submission)
    yield from associations.findings(contents, rules)
    if count == 1:
        yield from _patients(submission, rules)
        yield from membership.findings(contents, rules)


def _objects(submission: Submission, rules: Rules) -> Iterator[Finding]:
    code, carriers = rules.metadata_error, rules.carriers
    for one in submission.submission_sets:
        yield from check(one, rules.submission_set, code, carriers=carriers[SubmissionSet])
    for entry in submission.entries:
        yield from objects.of_entry(entry, rules)
    for folder in submission.folders:
        yield from check(folder, attributes.FOLDER, code, carriers=carriers[Folder])
    for association in submission.associations:
        yield from check(association, attributes.ASSOCIATION, code, carriers=carriers[Association])
    for holder in submission.holders():
        yield from objects.of_holder(holder, rules)
    for thing in submission.objects():
        yield from objects.of_any(thing, rules)


def _ids(submission: Submission, rules: Rules) -> Iterator[Finding]:
    """All ids of a message are different, associations' included; a UUID in upper case is the same UUID."""
    ids = Counter(bare_uuid(o.id) for o in submission.objects() if o.id)
    for thing in submission.objects():
        times = ids.pop(bare_uuid(thing.id), 0)
        if times > 1:
            yield Finding(rules.metadata_error, thing.id, f"{times} objects have this id", GRAPH)


def _unique_ids(submission: Submission, rules: Rules) -> Iterator[Finding]:
    for uid, times in Counter(o.unique_id for o in submission.holders() if o.unique_id).items():
        if times > 1:
            text = f"{times} objects of this submission have this uniqueId"
            yield Finding(rules.duplicate, uid, text, "ITI TF-3, 4.2.4.1")


def _patients(submission: Submission, rules: Rules) -> Iterator[Finding]:
    """All that is submitted is of one patient (ITI TF-2, 3.42.4.1.3.3.1)."""
    patient = canonical(submission.submission_set.patient_id)
    for thing in submission.holders():
        if patient and canonical(thing.patient_id) not in (patient, None):
            text = "is not the SubmissionSet's patient"
            yield Finding(rules.other_patient, f"{thing.id}.patientId", text, "ITI TF-2, 3.42.4.1.3.3.1")
