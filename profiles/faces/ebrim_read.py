"""ebRIM 3.0 in: a SubmitObjectsRequest becomes a `Submission`, with what is structurally wrong as findings.

ITI TF-3, 4.2.1.4 and 4.2.5. Reading never stops at the first fault: a value that cannot stand is left out and named.
"""

from collections.abc import Iterator
from typing import Any

import structlog
from lxml.etree import _Element

from profiles.faces.ebrim_tables import (
    ASSOCIATION,
    AUTHOR_SLOTS,
    BARE_ASSOCIATION_TYPES,
    DOCUMENT_ENTRY,
    FOLDER,
    SUBMISSION_SET,
    Card,
    Shape,
)
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import Association, Author, Code, DocumentEntry, Folder, Slots, Submission, SubmissionSet
from registry.metadata.urn import AssociationType, Namespace, ObjectType

log = structlog.get_logger(__name__)

RIM = "{" + Namespace.RIM + "}"
SLOT, VALUE_LIST, VALUE = RIM + "Slot", RIM + "ValueList", RIM + "Value"
NAME, DESCRIPTION, VERSION_INFO = RIM + "Name", RIM + "Description", RIM + "VersionInfo"
CLASSIFICATION, EXTERNAL_IDENTIFIER = RIM + "Classification", RIM + "ExternalIdentifier"
EXTRINSIC_OBJECT, REGISTRY_PACKAGE, ASSOCIATION_TAG = (
    RIM + "ExtrinsicObject",
    RIM + "RegistryPackage",
    RIM + "Association",
)

SOURCE = "ITI TF-3, 4.2.1.4"
EBRIM = "ebRIM 3.0, 1.7 and ITI TF-3, 4.2.3.1.1"
LONGEST, LONGEST_COMMENT = 256, 1024  # characters: ebRIM's LongName and FreeFormText
MOST_SLOTS, MOST_VALUES = 100, 256
TYPE_OF_BARE = {urn.value.rsplit(":", 1)[-1]: urn for urn in AssociationType}


def read_submission(objects: _Element | None, code: ErrorCode) -> tuple[Submission, list[Finding]]:
    """The submission in a rim:RegistryObjectList; findings carry `code`."""
    findings: list[Finding] = []
    if objects is None:
        return Submission(), [Finding(code, "", "there is no RegistryObjectList", SOURCE)]
    packages = _package_kinds(objects)
    sets: list[SubmissionSet] = []
    entries: list[DocumentEntry] = []
    folders: list[Folder] = []
    associations: list[Association] = []
    for element in objects:
        reader = _Reader(element, code, findings)
        if element.tag == EXTRINSIC_OBJECT:
            entries.append(_entry(element, reader))
        elif element.tag == ASSOCIATION_TAG:
            associations.append(_association(element, reader))
        elif element.tag == REGISTRY_PACKAGE:
            kind = packages.get(element.get("id", ""))
            if kind == ObjectType.SUBMISSION_SET:
                sets.append(SubmissionSet(**reader.read(SUBMISSION_SET)))
            elif kind == ObjectType.FOLDER:
                folders.append(Folder(**reader.read(FOLDER)))
            else:
                reader.fault("", "a RegistryPackage must be classified as SubmissionSet or Folder", "ITI TF-3, 4.2.5.1")
    return Submission(tuple(sets), tuple(entries), tuple(folders), tuple(associations)), findings


def _package_kinds(objects: _Element) -> dict[str, str]:
    """RegistryPackage id -> its classificationNode; the Classification stands in the package or beside it."""
    kinds: dict[str, str] = {}
    for classification in objects.iter(CLASSIFICATION):
        node = classification.get("classificationNode")
        if node in (ObjectType.SUBMISSION_SET, ObjectType.FOLDER):
            kinds[classification.get("classifiedObject", "")] = node
    return kinds


def _entry(element: _Element, reader: "_Reader") -> DocumentEntry:
    return DocumentEntry(
        mime_type=element.get("mimeType", ""), object_type=element.get("objectType", ""), **reader.read(DOCUMENT_ENTRY)
    )


def _association(element: _Element, reader: "_Reader") -> Association:
    kind = element.get("associationType", "")
    if kind in BARE_ASSOCIATION_TYPES:
        log.warning("association type without its URN", type=kind)
        kind = TYPE_OF_BARE[kind]
    values = reader.read(ASSOCIATION)
    for absent in ("title", "comments"):
        values.pop(absent, None)
    return Association(
        type=kind, source=element.get("sourceObject", ""), target=element.get("targetObject", ""), **values
    )


class _Reader:
    """One registry object being read, and the findings it adds to."""

    def __init__(self, element: _Element, code: ErrorCode, findings: list[Finding]) -> None:
        self.element = element
        self.id = element.get("id", "") if isinstance(element.tag, str) else ""
        self.code = code
        self.findings = findings

    def fault(self, attribute: str, text: str, source: str = SOURCE) -> None:
        where = ".".join(part for part in (self.id, attribute) if part)
        self.findings.append(Finding(self.code, where, text, source))

    def read(self, shape: Shape) -> dict[str, Any]:
        """The constructor arguments of the object's model class."""
        values: dict[str, Any] = {"id": self.id}
        if not self.id:
            self.fault("", f"a {shape.name} has no id", "ITI TF-3, 4.2.1.4")
        for attribute, name in (("status", "status"), ("home", "home"), ("logical_id", "lid")):
            values[attribute] = self.element.get(name) or None
        if len(self.element) > MOST_SLOTS + MOST_VALUES:
            self.fault("", f"holds more than {MOST_SLOTS + MOST_VALUES} elements", "limit of this server")
        extra: list[tuple[str, tuple[str, ...]]] = []
        seen: set[str] = set()
        for child in self.element:
            tag = child.tag
            if tag == SLOT:
                self._slot(child, shape, values, extra, seen)
            elif tag == CLASSIFICATION:
                self._classification(child, shape, values)
            elif tag == EXTERNAL_IDENTIFIER:
                self._identifier(child, shape, values)
            elif tag == NAME:
                values["title"] = _localized(child)
            elif tag == DESCRIPTION:
                values["comments"] = self._length("comments", _localized(child), LONGEST_COMMENT)
            elif tag == VERSION_INFO:
                values["version"] = child.get("versionName")
        values["extra"] = tuple(extra)
        return values

    def _slot(
        self,
        slot: _Element,
        shape: Shape,
        values: dict[str, Any],
        extra: list[tuple[str, tuple[str, ...]]],
        seen: set[str],
    ) -> None:
        name, texts = slot.get("name", ""), tuple(_values(slot))
        if not name:
            return self.fault("Slot", "a Slot has no name")
        self._limits(name, texts, len(seen))
        if name in seen:
            return self.fault(name, "the Slot occurs twice in one object", "ITI TF-3, 4.2.3.1.1")
        seen.add(name)
        known = shape.slots.get(name)
        if known is None:
            extra.append((name, texts))
            return None
        attribute, card = known
        if card is Card.MANY:
            values[attribute] = texts
        elif len(texts) > 1:
            self.fault(name, f"takes one value, {len(texts)} were sent", "ITI TF-3, 4.2.3.2")
        elif texts:
            values[attribute] = texts[0]
        return None

    def _limits(self, name: str, texts: tuple[str, ...], before: int) -> None:
        """ebRIM's own lengths, and caps of this server that no real submission comes near (ITI TF-3, 4.2.3.1.1)."""
        longest = max((len(text) for text in (name, *texts)), default=0)
        if longest > LONGEST:
            self.fault(name[:LONGEST], f"holds {longest} characters; a name or value has at most {LONGEST}", EBRIM)
        if len(texts) > MOST_VALUES:
            self.fault(name, f"holds {len(texts)} values; at most {MOST_VALUES} are taken", "limit of this server")
        if before == MOST_SLOTS:
            self.fault("", f"has more than {MOST_SLOTS} Slots", "limit of this server")

    def _length(self, attribute: str, text: str | None, most: int = LONGEST) -> str | None:
        if text and len(text) > most:
            self.fault(attribute, f"has {len(text)} characters; at most {most} are allowed", EBRIM)
        return text

    def _classification(self, element: _Element, shape: Shape, values: dict[str, Any]) -> None:
        scheme = element.get("classificationScheme")
        if scheme is None:
            return
        owner = element.get("classifiedObject")
        if owner != self.id:
            self.fault(
                "Classification", f"classifiedObject is {owner!r}, not the object it stands in", "ITI TF-3, 4.2.3.1.2"
            )
        if scheme == shape.author and scheme:
            values["authors"] = (*values.get("authors", ()), self._author(element))
        elif scheme == shape.limited_metadata and scheme:
            values["limited_metadata"] = True
        elif scheme in shape.codes:
            attribute, card = shape.codes[scheme]
            code = self._code(element, attribute)
            if card is Card.MANY:
                values[attribute] = (*values.get(attribute, ()), code)
            elif attribute in values:
                self.fault(attribute, "occurs twice; one value is allowed", "ITI TF-3, 4.2.3.2")
            else:
                values[attribute] = code

    def _author(self, element: _Element) -> Author:
        parts: dict[str, tuple[str, ...]] = {}
        for slot in element.iterchildren(SLOT):
            name = slot.get("name", "")
            field = AUTHOR_SLOTS.get(name)
            if field:
                parts[field] = tuple(_values(slot))
                self._limits(name, parts[field], 0)
        if not any(parts.values()):
            self.fault(
                "author",
                "an author needs at least a person, an institution or a telecommunication",
                "ITI TF-3, 4.2.3.1.4",
            )
        return Author(**parts)

    def _code(self, element: _Element, attribute: str) -> Code:
        code = element.get("nodeRepresentation", "")
        schemes = [
            v for slot in element.iterchildren(SLOT) if slot.get("name") == "codingScheme" for v in _values(slot)
        ]
        if not code:
            self.fault(
                attribute, "the Classification has no nodeRepresentation: it names no code", "ITI TF-3, 4.2.3.1.2"
            )
        if len(schemes) != 1:
            self.fault(attribute, f"needs one codingScheme, {len(schemes)} were sent", "ITI TF-3, 4.2.3.1.2")
        name = element.find(NAME)
        display = (_localized(name) or "") if name is not None else ""
        scheme = schemes[0] if schemes else ""
        for text in (code, scheme, display):
            self._length(attribute, text)
        return Code(code, scheme, display)

    def _identifier(self, element: _Element, shape: Shape, values: dict[str, Any]) -> None:
        known = shape.identifiers.get(element.get("identificationScheme", ""))
        if known is None:
            return
        attribute, name = known
        if attribute in values:
            self.fault(attribute, f"{name} occurs twice", "ITI TF-3, 4.2.3.1.3")
        values[attribute] = self._length(attribute, element.get("value", "").strip() or None)


def _values(slot: _Element) -> Iterator[str]:
    for values in slot:
        if values.tag != VALUE_LIST:
            continue
        for value in values:
            text = (value.text or "").strip() if value.tag == VALUE else ""
            if text:
                yield text


def _localized(element: _Element) -> str | None:
    for child in element:
        value = child.get("value")
        if value:
            return str(value)
    return None


def slots_of(element: _Element) -> Slots:
    """The Slots of any element, as (name, values)."""
    return tuple((slot.get("name", ""), tuple(_values(slot))) for slot in element if slot.tag == SLOT)
