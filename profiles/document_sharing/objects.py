"""What must hold of one DocumentEntry, SubmissionSet or Folder beyond its table of attributes (ITI TF-3, 4.2.3).

"Only if" is no row of a table: each is a small function here.
"""

from collections.abc import Iterator

from profiles.document_sharing import attributes
from profiles.document_sharing.transactions import Rules
from registry.metadata.datatypes import Dtm
from registry.metadata.errors import Finding
from registry.metadata.model import DocumentEntry, Folder, Holder, RegistryObject
from registry.metadata.rules import check, shown
from registry.metadata.urn import ObjectType
from registry.updates import NEW_STATUS, ORIGINAL_STATUS, PREVIOUS_VERSION, PROPAGATION

OBJECT_TYPE = "ITI TF-3, 4.2.3.2.30"
EXTRA = "ITI TF-3, 4.2.3.1.6"
UPDATE = "ITI TF-2, 3.57"
RESERVED = "urn:ihe:"
OF_UPDATES = (PREVIOUS_VERSION, PROPAGATION, ORIGINAL_STATUS, NEW_STATUS)
STATUS = {DocumentEntry: "ITI TF-3, 4.2.3.2.2", Folder: "ITI TF-3, 4.2.3.4.1"}
LIMITED = {DocumentEntry: "ITI TF-3, 4.2.3.2.29", Folder: "ITI TF-3, 4.2.3.4.10"}

# objectType -> its name, and the transaction that takes it.
KINDS = {
    ObjectType.STABLE_DOCUMENT: ("stable", "ITI-42 or ITI-41"),
    ObjectType.ON_DEMAND_DOCUMENT: ("on-demand", "ITI-61"),
}


def of_entry(entry: DocumentEntry, rules: Rules) -> Iterator[Finding]:
    """Everything wrong with one DocumentEntry by itself."""
    table = rules.entries.get(entry.object_type, attributes.ANY_DOCUMENT_ENTRY)
    if entry.object_type not in rules.entries:
        kind = KINDS.get(entry.object_type)  # type: ignore[call-overload]
        wanted = " or ".join(f"{one}, the {KINDS[ObjectType(one)][0]} document type" for one in rules.entries)
        text = f"is the {kind[0]} type, which {kind[1]} registers" if kind else f"is {shown(entry.object_type)}"
        yield Finding(rules.object_type, f"{entry.id}.objectType", f"{text}; it must be {wanted}", OBJECT_TYPE)
    yield from check(entry, table, rules.metadata_error, carriers=rules.carriers[DocumentEntry])
    if _reversed(entry.service_start_time, entry.service_stop_time):
        text = f"{entry.service_stop_time} is before serviceStartTime, {entry.service_start_time}"
        yield Finding(rules.metadata_error, f"{entry.id}.serviceStopTime", text, "ITI TF-3, 4.2.3.2.20")


def _reversed(start: str | None, stop: str | None) -> bool:
    """A time of little precision may mean any of its moments: only what cannot be right is wrong."""
    try:
        return bool(start and stop) and Dtm.parse(start or "").first > Dtm.parse(stop or "").last
    except ValueError:
        return False


def of_holder(thing: Holder, rules: Rules) -> Iterator[Finding]:
    """What DocumentEntry, SubmissionSet and Folder have in common: authors, status, limited metadata."""
    for author in () if isinstance(thing, Folder) else thing.authors:
        yield from check(author, attributes.AUTHOR, rules.metadata_error, f"{thing.id}.author")
        yield from _reserved(author.extra, f"{thing.id}.author", rules)
    if thing.limited_metadata:
        text = "limited metadata is not allowed in XDS: leave out the classification, and send what is required"
        source = LIMITED.get(type(thing), "ITI TF-3, 4.2.3.3.13")
        yield Finding(rules.metadata_error, f"{thing.id}.limitedMetadata", text, source)
    # ITI-57 takes an entry's status as it is; it moves by an operation of its own (ITI TF-2, 3.57.4.1.3.3).
    settled = rules.updates and isinstance(thing, DocumentEntry)
    if thing.status and not settled and thing.status.rpartition(":")[2] != "Approved":
        text = f"is {shown(thing.status)}; what is submitted is Approved: write that, or leave the status out"
        source = STATUS.get(type(thing), "ITI TF-3, 4.2.3.3.2")
        yield Finding(rules.metadata_error, f"{thing.id}.availabilityStatus", text, source)


def of_any(thing: RegistryObject, rules: Rules) -> Iterator[Finding]:
    """What every registry object has in common: extra metadata, and the marks of an update."""
    yield from _reserved(thing.extra, thing.id, rules)
    if rules.updates:
        return
    if thing.logical_id and thing.logical_id != thing.id:
        text = "has a lid that is not its id, as a new version has: metadata is updated by ITI-57"
        yield Finding(rules.metadata_error, f"{thing.id}.lid", text, UPDATE)
    for name, _ in thing.extra:
        if name in OF_UPDATES:
            text = "is a Slot of Metadata Update, ITI-57; it has no meaning here"
            yield Finding(rules.metadata_error, f"{thing.id}.{name}", text, UPDATE)


def _reserved(extra: tuple[tuple[str, tuple[str, ...]], ...], where: str, rules: Rules) -> Iterator[Finding]:
    """Names that begin with urn:ihe: are the book's own; others are the sender's and are kept as they come."""
    for name, _ in extra:
        if name.lower().startswith(RESERVED):
            text = "no attribute of this object has this Slot; names of your own must not begin with urn:ihe:"
            yield Finding(rules.metadata_error, f"{where}.{name}", text, EXTRA)
