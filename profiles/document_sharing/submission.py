"""What must hold within one submission, before any registry is asked (ITI TF-3, 4.2.1 and 4.2.2).

Rules that need the registry's state (duplicates, replaced entries, patients) are in `registry.lifecycle`.
"""

from collections import Counter
from collections.abc import Iterator

from profiles.document_sharing import attributes
from registry.metadata.datatypes import Dtm, uuid_urn
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.identify import canonical
from registry.metadata.model import Association, DocumentEntry, Submission
from registry.metadata.rules import Row, check
from registry.metadata.urn import DOCUMENT_RELATIONS, AssociationType, ObjectType

MOST_OBJECTS = 10_000  # in one submission; a cap against floods, far above any real one


def findings(
    submission: Submission,
    code: ErrorCode,
    duplicate: ErrorCode,
    document_entry: tuple[Row, ...] = attributes.DOCUMENT_ENTRY,
) -> Iterator[Finding]:
    """Everything wrong with `submission` by itself.

    `code` is the transaction's metadata error, `duplicate` its code for a uniqueId that occurs twice.
    """
    if sum(1 for _ in submission.objects()) > MOST_OBJECTS:
        yield Finding(code, "", f"a submission may hold at most {MOST_OBJECTS} objects", "local limit")
        return
    count = len(submission.submission_sets)
    if count != 1:
        yield Finding(code, "", f"there must be exactly one SubmissionSet, {count} were sent", "ITI TF-3, 4.2.1.4")
    for one in submission.submission_sets:
        yield from check(one, attributes.SUBMISSION_SET, code)
    for entry in submission.entries:
        yield from check(entry, document_entry, code)
        yield from _entry(entry, code)
    for folder in submission.folders:
        yield from check(folder, attributes.FOLDER, code)
    for association in submission.associations:
        yield from check(association, attributes.ASSOCIATION, code)
        yield from _association(association, submission, code)
    yield from _common(submission, code, duplicate)
    yield from _membership(submission, code)


def _entry(entry: DocumentEntry, code: ErrorCode) -> Iterator[Finding]:
    if entry.object_type not in (ObjectType.STABLE_DOCUMENT, ObjectType.ON_DEMAND_DOCUMENT):
        yield Finding(
            code, f"{entry.id}.objectType", "must be the stable or the on-demand document type", "ITI TF-3, 4.2.5.1"
        )
    elif entry.object_type == ObjectType.ON_DEMAND_DOCUMENT:
        yield Finding(
            code, f"{entry.id}.objectType", "an on-demand entry is registered by ITI-61", "ITI TF-2, 3.61.4.1"
        )
    if _reversed(entry.service_start_time, entry.service_stop_time):
        yield Finding(code, f"{entry.id}.serviceStopTime", "is before serviceStartTime", "ITI TF-3, 4.2.3.2.23")


def _reversed(start: str | None, stop: str | None) -> bool:
    try:
        return bool(start and stop) and Dtm.parse(start or "").first > Dtm.parse(stop or "").last
    except ValueError:
        return False


def _common(submission: Submission, code: ErrorCode, duplicate: ErrorCode) -> Iterator[Finding]:
    ids = Counter((uuid_urn(o.id) or o.id) for o in submission.objects() if o.id)
    for id_, times in ids.items():
        if times > 1:
            yield Finding(code, id_, f"{times} objects have this id", "ITI TF-3, 4.2.1.4")
    uids = Counter(o.unique_id for o in submission.holders() if o.unique_id)
    for uid, times in uids.items():
        if times > 1:
            yield Finding(duplicate, uid, f"{times} objects have this uniqueId", "ITI TF-3, 4.2.4.1")
    for one in submission.holders():
        if one.limited_metadata:
            yield Finding(code, one.id, "limited metadata is not allowed in XDS", "ITI TF-3, 4.2.3.2.15")
        if one.status and not one.status.endswith(":Approved"):
            yield Finding(
                code, f"{one.id}.availabilityStatus", "must be Approved when it is sent", "ITI TF-3, 4.2.3.2.2"
            )
    if len(submission.submission_sets) == 1:
        patient = canonical(submission.submission_set.patient_id)
        for thing in submission.holders():
            if patient and canonical(thing.patient_id) not in (patient, None):
                yield Finding(
                    ErrorCode.XDSPatientIdDoesNotMatch,
                    f"{thing.id}.patientId",
                    "is not the SubmissionSet's patient",
                    "ITI TF-2, 3.42.4.1.3.3.1",
                )


def _association(association: Association, submission: Submission, code: ErrorCode) -> Iterator[Finding]:
    where = association.id
    if association.type and association.type not in set(AssociationType):
        yield Finding(code, f"{where}.associationType", f"{association.type!r} is not known", "ITI TF-3, 4.2.2")
        return
    if association.type in (AssociationType.UPDATE_AVAILABILITY_STATUS, AssociationType.SUBMIT_ASSOCIATION):
        yield Finding(code, f"{where}.associationType", "belongs to Metadata Update, ITI-57", "ITI TF-2, 3.57.4.1.3")
    if association.source and association.source == association.target:
        yield Finding(code, where, "source and target are the same object", "ITI TF-3, 4.2.2")
    inside = {o.id for o in submission.objects()}
    for name, end in (("sourceObject", association.source), ("targetObject", association.target)):
        if end and end not in inside and uuid_urn(end) is None:
            yield Finding(
                code, f"{where}.{name}", f"{end!r} is neither in the submission nor a UUID", "ITI TF-3, 4.2.2"
            )
    if association.type in DOCUMENT_RELATIONS:
        if association.source not in {e.id for e in submission.entries}:
            yield Finding(
                code, f"{where}.sourceObject", "must be a DocumentEntry of this submission", "ITI TF-3, 4.2.2.2"
            )
        if association.target in inside:
            yield Finding(code, f"{where}.targetObject", "must be registered already", "ITI TF-3, 4.2.2.2")


def _membership(submission: Submission, code: ErrorCode) -> Iterator[Finding]:
    """Every DocumentEntry and Folder is linked to the SubmissionSet by exactly one HasMember (ITI TF-3, 4.2.1.4)."""
    if len(submission.submission_sets) != 1:
        return
    owner = submission.submission_set.id
    members = [a for a in submission.associations if a.type == AssociationType.HAS_MEMBER and a.source == owner]
    linked = Counter(a.target for a in members)
    entries = {e.id for e in submission.entries}
    for thing in submission.holders():
        if thing is not submission.submission_set and linked[thing.id] != 1:
            text = f"needs exactly one HasMember from the SubmissionSet, {linked[thing.id]} were sent"
            yield Finding(code, thing.id, text, "ITI TF-3, 4.2.1.4")
    for member in members:
        where = f"{member.id}.SubmissionSetStatus"
        wanted = "Original" if member.target in entries else "Reference"
        known = entries | {f.id for f in submission.folders} | {a.id for a in submission.associations}
        if member.target in entries and member.submission_set_status is None:
            yield Finding(code, where, "is required: Original or Reference", "ITI TF-3, 4.2.2.2.1")
        elif member.submission_set_status not in (None, "Original", "Reference"):
            yield Finding(code, where, "must be Original or Reference", "ITI TF-3, 4.2.2.2.1")
        elif member.submission_set_status == "Original" and member.target not in known:
            yield Finding(code, where, "is Original, but the target is not in this submission", "ITI TF-3, 4.2.2.2.1")
        elif member.submission_set_status == "Reference" and wanted == "Original":
            yield Finding(code, where, "is Reference, but the target is in this submission", "ITI TF-3, 4.2.2.2.1")
