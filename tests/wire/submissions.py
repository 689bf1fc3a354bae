"""Submissions for tests: each of a patient and of ids that no other test has."""

import itertools
import random
from dataclasses import replace
from typing import Any

from conformance import synthetic
from registry.metadata.model import Association, Submission
from registry.metadata.urn import AssociationType

_numbers = itertools.count(100_000)


def new(documents: int = 1, **entry: Any) -> Submission:
    """A valid submission; `entry` overrides attributes of its first DocumentEntry."""
    number = next(_numbers)
    made = synthetic.submission(random.Random(number), synthetic.patient_id(number), documents)
    return replace(made, entries=(replace(made.entries[0], **entry), *made.entries[1:]))


def of_patient(submission: Submission, patient: str | None) -> Submission:
    return replace(
        submission,
        submission_sets=tuple(replace(s, patient_id=patient) for s in submission.submission_sets),
        entries=tuple(replace(e, patient_id=patient) for e in submission.entries),
    )


def entry(submission: Submission, **changes: Any) -> Submission:
    return replace(submission, entries=(replace(submission.entries[0], **changes), *submission.entries[1:]))


def owner(submission: Submission, **changes: Any) -> Submission:
    return replace(submission, submission_sets=(replace(submission.submission_set, **changes),))


def member(submission: Submission, **changes: Any) -> Submission:
    return replace(
        submission, associations=(replace(submission.associations[0], **changes), *submission.associations[1:])
    )


def related(submission: Submission, target: str, kind: AssociationType = AssociationType.RPLC) -> Submission:
    """With an association of its first entry to `target`."""
    one = Association(f"{submission.associations[0].id[:-4]}0a0a", kind, submission.entries[0].id, target)
    return replace(submission, associations=(*submission.associations, one))


def following(first: Submission, kind: AssociationType = AssociationType.RPLC) -> Submission:
    """A later submission of the same patient, whose entry is related to the first one's."""
    return related(of_patient(new(), first.entries[0].patient_id), first.entries[0].id, kind)
