"""What a new version of a DocumentEntry or Folder must be (ITI TF-2, 3.57.4.1.3.3.1 and .3; restricted: 3.92.4.1.3)."""

from collections.abc import Callable, Generator, Iterator

from registry.known import APPROVED, DOCUMENT, FOLDER, NAMES, Known, Objects
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.identify import bare_uuid, canonical, is_uuid
from registry.metadata.model import DocumentEntry
from registry.metadata.urn import SlotName
from registry.update_codes import COMMON, ENTRY, FAULT, FOLDERS, PATIENTS, RESTRICTED_SOURCE, VERSION, Codes
from registry.updates import PREVIOUS_VERSION, PROPAGATION, WORDS, NewVersion, slot

ONLINE = "Online"
# What a restricted update may not change: the attribute, its value before and its value in the update.
Pair = tuple[str, str | None, str | None]
FIXED: tuple[Callable[[DocumentEntry, Known], Pair], ...] = (
    lambda new, old: ("repositoryUniqueId", old.repository_unique_id, new.repository_unique_id),
    lambda new, old: ("hash", old.hash, new.hash and new.hash.lower()),
    lambda new, old: ("size", old.size, new.size and (new.size.lstrip("0") or "0")),
    lambda new, old: ("mimeType", old.mime_type, new.mime_type),
    lambda new, old: (
        "sourcePatientId",
        canonical(first(old.slot("sourcePatientId"))),
        canonical(new.source_patient_id),
    ),
    lambda new, old: (
        "documentAvailability",
        _availability(first(old.slot(SlotName.DOCUMENT_AVAILABILITY))),
        _availability(new.document_availability),
    ),
)


def first(values: tuple[str, ...]) -> str | None:
    """The first value; None without any."""
    return values[0] if values else None


def _availability(value: str | None) -> str:
    """The last word of documentAvailability, which is online where nothing is said (ITI TF-3, 4.2.3.2)."""
    return (value or ONLINE).rpartition(":")[2]


def problems(version: NewVersion, known: Objects, codes: Codes) -> Iterator[Finding]:
    """Everything wrong with one new version."""
    new, source = version.thing, ENTRY if version.kind == DOCUMENT else FOLDERS
    if codes.restricted and version.kind == FOLDER:
        yield Finding(codes.object_type, new.id, "a restricted update takes no Folders", RESTRICTED_SOURCE)
        return
    previous = yield from _annotations(version, codes, source)
    lid = version.logical_id
    if not lid or bare_uuid(lid) == bare_uuid(new.id):
        text = "is a first version: an update has the logicalID of what it changes, and an entryUUID of its own"
        yield Finding(codes.first_version, f"{new.id}.logicalID", text, COMMON)
        return
    if not is_uuid(lid):
        yield Finding(FAULT, f"{new.id}.logicalID", f"{lid!r} is not a UUID", COMMON)
        return
    latest = known.latest(version.kind, lid)
    if latest is None:
        text = f"no {NAMES[version.kind]} with this logicalID is registered"
        yield Finding(VERSION, f"{new.id}.logicalID", text, source)
        return
    if previous is not None and previous != str(latest.version):
        text = f"is {previous}, the latest version is {latest.version}"
        yield Finding(VERSION, f"{version.members[0].id}.{PREVIOUS_VERSION}", text, source)
    yield from _unchanged(version, latest, codes, source)


def _annotations(version: NewVersion, codes: Codes, source: str) -> Generator[Finding, None, str | None]:
    """What is wrong with the SubmissionSet's HasMember; returns the PreviousVersion that it names."""
    new, number = version.thing, len(version.members)
    if number != 1:
        text = f"needs exactly one HasMember from the SubmissionSet, {number} were sent"
        yield Finding(codes.annotation, new.id, text, source)
        return None
    member = version.members[0]
    previous = slot(member, PREVIOUS_VERSION) or ()
    if len(previous) != 1:
        text = "is required, with one value: the number of the version that is updated"
        yield Finding(codes.annotation, f"{member.id}.{PREVIOUS_VERSION}", text, source)
    propagation = slot(member, PROPAGATION)
    where = f"{member.id}.{PROPAGATION}"
    if propagation is not None and [value.lower() for value in propagation] not in (["yes"], ["no"]):
        yield Finding(codes.annotation, where, "must be yes or no", "ITI TF-2, 3.57.4.1.3.2")
    elif codes.restricted and not version.propagates:
        text = "may not be no: a restricted update keeps what the document is associated with"
        yield Finding(codes.annotation, where, text, "ITI TF-2, 3.92.4.1.2.2.2")
    return first(previous)


def _unchanged(version: NewVersion, latest: Known, codes: Codes, source: str) -> Iterator[Finding]:
    """What of an object no update, or no restricted one, may change."""
    new = version.thing
    if latest.status != APPROVED and not codes.restricted:
        yield Finding(FAULT, new.id, "the version that is to be updated is deprecated", source)
    if new.unique_id and new.unique_id != latest.unique_id:
        text = f"is {new.unique_id}, was {latest.unique_id}: an update may not change it"
        yield Finding(codes.identifier, f"{new.id}.uniqueId", text, source)
    if not isinstance(new, DocumentEntry):
        return
    if new.object_type != latest.object_type:
        text = f"is {new.object_type}, was {latest.object_type}: an update may not change it"
        yield Finding(codes.object_type, f"{new.id}.objectType", text, source)
    if not codes.restricted:
        return
    if canonical(new.patient_id) != latest.patient_id:
        text = "is not the patient's of the version before"
        yield Finding(PATIENTS, f"{new.id}.patientId", text, RESTRICTED_SOURCE)
    # Whatever is submitted is written as Approved; what is deprecated stays so all the same.
    if new.status and WORDS.get(new.status) not in (APPROVED, latest.status):
        text = f"is {new.status}, the version before is {latest.status}: a restricted update may not change it"
        yield Finding(ErrorCode.UnmodifiableMetadataError, f"{new.id}.availabilityStatus", text, RESTRICTED_SOURCE)
    for row in FIXED:
        name, before, after = row(new, latest)
        if before != after:
            text = "is not as in the version before: a restricted update may not change it"
            yield Finding(ErrorCode.UnmodifiableMetadataError, f"{new.id}.{name}", text, RESTRICTED_SOURCE)
