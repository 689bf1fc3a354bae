"""ebRIM 3.0 in: a SubmitObjectsRequest becomes a `Submission`, with what is structurally wrong as findings.

ITI TF-3, 4.2.1.4 and 4.2.5. Reading never stops at the first fault: a value that cannot stand is left out and named.
"""

from dataclasses import dataclass, field

import structlog
from lxml.etree import _Element

from profiles.faces import xml
from profiles.faces.ebrim_parts import CLASSIFICATION, NAME, RIM, SLOT, Reader, canonical_id, values_of
from profiles.faces.ebrim_tables import ASSOCIATION, DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import Association, DocumentEntry, Folder, Slots, Submission, SubmissionSet
from registry.metadata.urn import AssociationType, Namespace, ObjectType
from registry.renderers import VERSION

__all__ = ["NAME", "RIM", "read_submission", "slots_of"]

log = structlog.get_logger(__name__)

EXTRINSIC_OBJECT, REGISTRY_PACKAGE, ASSOCIATION_TAG = (
    RIM + "ExtrinsicObject",
    RIM + "RegistryPackage",
    RIM + "Association",
)
# ObjectRefs may declare what is referred to, and a package's kind may stand beside it: nothing else belongs here.
BESIDE = (CLASSIFICATION, RIM + "ObjectRef")
# Senders in the field write the types without their URN: taken, with a line in the log, and never written.
TYPE_OF_BARE = {urn.value.rsplit(":", 1)[-1]: urn for urn in AssociationType}
KINDS = (ObjectType.SUBMISSION_SET, ObjectType.FOLDER)


@dataclass(slots=True)
class _Contents:
    """What was read so far."""

    sets: list[SubmissionSet] = field(default_factory=list)
    entries: list[DocumentEntry] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)


def read_submission(objects: _Element | None, code: ErrorCode) -> tuple[Submission, list[Finding]]:
    """The submission in a rim:RegistryObjectList; findings carry `code`."""
    findings: list[Finding] = []
    if objects is None:
        return Submission(), [
            Finding(code, "", "there is no rim:RegistryObjectList in the request", "ITI TF-3, 4.2.1.4")
        ]
    packages = _package_kinds(objects)
    read = _Contents()
    undisplayed = 0
    for element in objects:
        reader = Reader(element, code, findings)
        if element.tag == EXTRINSIC_OBJECT:
            read.entries.append(_entry(element, reader))
        elif element.tag == ASSOCIATION_TAG:
            read.associations.append(_association(element, reader))
        elif element.tag == REGISTRY_PACKAGE:
            _package(reader, packages.get(reader.id, set()), read)
        elif isinstance(element.tag, str) and element.tag not in BESIDE:
            reader.dropped(element.tag.removeprefix(RIM), "objects of this kind are not part of XDS and are not kept")
        undisplayed += reader.undisplayed
    if undisplayed:
        log.info("codes without a display name", count=undisplayed)
    return Submission(tuple(read.sets), tuple(read.entries), tuple(read.folders), tuple(read.associations)), findings


def _package_kinds(objects: _Element) -> dict[str, set[str]]:
    """RegistryPackage id -> its classificationNodes; the Classification stands in the package or beside it."""
    kinds: dict[str, set[str]] = {}
    for classification in objects.iter(CLASSIFICATION):
        node = (classification.get("classificationNode") or "").lower()
        if node in KINDS:
            kinds.setdefault(canonical_id(classification.get("classifiedObject", "")), set()).add(node)
    return kinds


def _package(reader: Reader, kinds: set[str], read: _Contents) -> None:
    if kinds == {ObjectType.SUBMISSION_SET}:
        read.sets.append(SubmissionSet(**reader.read(SUBMISSION_SET)))
    elif kinds == {ObjectType.FOLDER}:
        read.folders.append(Folder(**reader.read(FOLDER)))
    else:
        text = (
            "a RegistryPackage needs one Classification whose classifiedObject is its id and whose classificationNode"
            f" is {ObjectType.SUBMISSION_SET} (SubmissionSet) or {ObjectType.FOLDER} (Folder)"
        )
        reader.fault("classificationNode", text, "ITI TF-3, 4.2.5.1")


def _entry(element: _Element, reader: Reader) -> DocumentEntry:
    return DocumentEntry(
        mime_type=element.get("mimeType", ""),
        object_type=canonical_id(element.get("objectType", "")),
        **reader.read(DOCUMENT_ENTRY),
    )


def _association(element: _Element, reader: Reader) -> Association:
    kind = element.get("associationType", "")
    if kind in TYPE_OF_BARE:
        log.warning("association type without its URN", type=kind)
        kind = TYPE_OF_BARE[kind]
    values = reader.read(ASSOCIATION)
    for absent in ("title", "comments"):
        if values.pop(absent, None):
            reader.dropped(absent, "an Association has no Name or Description in XDS; it is not kept")
    source, target = (canonical_id(element.get(name, "")) for name in ("sourceObject", "targetObject"))
    return Association(type=kind, source=source, target=target, **values)


def slots_of(element: _Element) -> Slots:
    """The Slots of any element, as (name, values)."""
    return tuple((slot.get("name", ""), tuple(values_of(slot))) for slot in element if slot.tag == SLOT)


def slots_of_body(body: bytes) -> Slots:
    """The Slots in a body that `ebrim_write.body` made."""
    whole = b'<rim:ExtrinsicObject xmlns:rim="%b">%b</rim:ExtrinsicObject>'
    return slots_of(xml.parse(whole % (Namespace.RIM.encode(), body.replace(VERSION, b"")), what="stored body"))
