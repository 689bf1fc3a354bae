"""The parts of ebRIM that every registry object is made of, read: Slots, Classifications, ExternalIdentifiers, names.

ITI TF-3, 4.2.3.1. Each fault is a finding with the object and attribute that it concerns; what cannot be kept is told
as a warning, XDSExtraMetadataNotSaved (4.2.3.1.6), so that nothing is dropped in silence.
"""

from collections.abc import Iterator
from typing import Any

from lxml.etree import _Element

from profiles.faces.ebrim_tables import AUTHOR_SLOTS, Card, Shape
from registry.metadata.datatypes import uuid_urn
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import Author, Code, Slots
from registry.metadata.rules import shown
from registry.metadata.urn import Namespace

RIM = "{" + Namespace.RIM + "}"
SLOT, VALUE_LIST, VALUE = RIM + "Slot", RIM + "ValueList", RIM + "Value"
NAME, DESCRIPTION, VERSION_INFO = RIM + "Name", RIM + "Description", RIM + "VersionInfo"
CLASSIFICATION, EXTERNAL_IDENTIFIER = RIM + "Classification", RIM + "ExternalIdentifier"

SLOTS = "ITI TF-3, 4.2.3.1.1"
CODES = "ITI TF-3, 4.2.3.1.2"
IDENTIFIERS = "ITI TF-3, 4.2.3.1.3"
AUTHORS = "ITI TF-3, 4.2.3.1.4"
EXTRA = "ITI TF-3, 4.2.3.1.6"
EBRIM = "ebRIM 3.0, 1.7 and ITI TF-3, 4.2.3.1.1"
LOCAL = "limit of this server"
LONGEST, LONGEST_COMMENT = 256, 1024  # characters: ebRIM's LongName and FreeFormText
MOST_SLOTS, MOST_VALUES = 100, 256


def canonical_id(text: str) -> str:
    """A UUID in lower case, so that both spellings are one id; a symbolic id as it is (ITI TF-3, 4.2.3.1.5)."""
    return uuid_urn(text) or text


def values_of(slot: _Element) -> Iterator[str]:
    """The values of a Slot that hold anything."""
    for values in slot:
        if values.tag != VALUE_LIST:
            continue
        for value in values:
            text = (value.text or "").strip() if value.tag == VALUE else ""
            if text:
                yield text


class Reader:
    """One registry object being read, and the findings it adds to; `undisplayed` counts codes without a name."""

    def __init__(self, element: _Element, code: ErrorCode, findings: list[Finding]) -> None:
        self.element = element
        self.id = canonical_id(element.get("id", "")) if isinstance(element.tag, str) else ""
        self.code = code
        self.findings = findings
        self.undisplayed = 0

    def fault(self, attribute: str, text: str, source: str) -> None:
        """Add a finding about `attribute`, or about the whole object."""
        self.findings.append(Finding(self.code, self._where(attribute), text, source))

    def dropped(self, attribute: str, text: str) -> None:
        """Add a warning about what the registry will not keep."""
        code = ErrorCode.XDSExtraMetadataNotSaved
        self.findings.append(Finding(code, self._where(attribute), text, EXTRA, warning=True))

    def _where(self, attribute: str) -> str:
        return ".".join(part for part in (self.id, attribute) if part)

    def read(self, shape: Shape) -> dict[str, Any]:
        """The constructor arguments of the object's model class."""
        values: dict[str, Any] = {"id": self.id}
        for attribute, name in (("status", "status"), ("home", "home"), ("logical_id", "lid")):
            values[attribute] = self.element.get(name) or None
        if values["logical_id"]:
            values["logical_id"] = canonical_id(values["logical_id"])
        if len(self.element) > MOST_SLOTS + MOST_VALUES:
            self.fault("", f"holds more than {MOST_SLOTS + MOST_VALUES} elements", LOCAL)
        for child in self.element:
            if child.tag == CLASSIFICATION:
                self._classification(child, shape, values)
            elif child.tag == EXTERNAL_IDENTIFIER:
                self._identifier(child, shape, values)
            elif child.tag == NAME:
                values["title"] = self._localized(child, "title")
            elif child.tag == DESCRIPTION:
                values["comments"] = self._length("comments", self._localized(child, "comments"), LONGEST_COMMENT)
            elif child.tag == VERSION_INFO:
                values["version"] = child.get("versionName")
            elif isinstance(child.tag, str) and child.tag != SLOT:
                self.dropped(child.tag.removeprefix(RIM), "this element of ebRIM is not part of XDS and is not kept")
        values["extra"] = self._slots(self.element, shape.slots, values)
        return values

    def _slots(
        self, element: _Element, known: dict[str, tuple[str, Card]], values: dict[str, Any], within: str = ""
    ) -> Slots:
        """Put the Slots that the book names into `values`; the others, losslessly."""
        extra: list[tuple[str, tuple[str, ...]]] = []
        seen: set[str] = set()
        for slot in element.iterchildren(SLOT):
            name, texts = slot.get("name", "").strip(), tuple(values_of(slot))
            if not name:
                self.fault(f"{within}Slot", "a Slot has no name", SLOTS)
                continue
            self._limits(within + name, texts, len(seen))
            if name in seen:
                text = "the Slot occurs twice in one object or classification: put all its values into one"
                self.fault(within + name, text, SLOTS)
                continue
            seen.add(name)
            if name not in known:
                extra.append((name, texts))
                continue
            attribute, card = known[name]
            if card is Card.MANY:
                values[attribute] = texts
            elif texts:
                values[attribute] = texts[0]
                if len(texts) > 1:
                    self.fault(within + name, f"takes one value, {len(texts)} were sent", "ITI TF-3, 4.2.3")
        return tuple(extra)

    def _limits(self, name: str, texts: tuple[str, ...], before: int) -> None:
        """ebRIM's own lengths, and caps of this server that no real submission comes near (ITI TF-3, 4.2.3.1.1)."""
        longest = max((len(text) for text in (name, *texts)), default=0)
        if longest > LONGEST:
            self.fault(name[:LONGEST], f"holds {longest} characters; a name or value has at most {LONGEST}", EBRIM)
        if len(texts) > MOST_VALUES:
            self.fault(name, f"holds {len(texts)} values; at most {MOST_VALUES} are taken", LOCAL)
        if before == MOST_SLOTS:
            self.fault("", f"has more than {MOST_SLOTS} Slots", LOCAL)

    def _length(self, attribute: str, text: str | None, most: int = LONGEST) -> str | None:
        if text and len(text) > most:
            self.fault(attribute, f"has {len(text)} characters; at most {most} are allowed", EBRIM)
        return text

    def _localized(self, element: _Element, attribute: str) -> str | None:
        """The first text of a Name or Description: the book knows one language a text.

        A charset attribute is not looked at: the envelope's encoding has been undone already.
        """
        texts = [str(child.get("value")) for child in element if child.get("value")]
        if len(set(texts)) > 1:
            self.dropped(attribute, f"has {len(texts)} LocalizedStrings; the first alone is kept")
        return texts[0] if texts else None

    def _owned(self, element: _Element, attribute: str, by: str, source: str) -> None:
        owner = element.get(by)
        if owner == self.id:
            return
        if owner is None:
            self.fault(attribute, f"has no {by}; it must be the id of the object it stands in", source)
        elif canonical_id(owner) != self.id:
            self.fault(attribute, f"{by} is {shown(owner)}, not the id of the object it stands in", source)

    def _classification(self, element: _Element, shape: Shape, values: dict[str, Any]) -> None:
        scheme = element.get("classificationScheme")
        if scheme is None:
            if element.get("classificationNode") is None:
                text = "has neither a classificationScheme (for a code) nor a classificationNode (for a kind of object)"
                self.fault("Classification", text, CODES)
            return
        attribute = shape.classifications.get(scheme.lower())
        if attribute is None:
            self.dropped("Classification", f"the classificationScheme {shown(scheme)} is none of a {shape.name}'s")
            return
        self._owned(element, attribute, "classifiedObject", CODES)
        if attribute == "author":
            values["authors"] = (*values.get("authors", ()), self._author(element))
        elif attribute == "limitedMetadata":
            values["limited_metadata"] = True
        else:
            self._coded(element, attribute, shape.codes[scheme.lower()], values)

    def _coded(self, element: _Element, name: str, known: tuple[str, Card], values: dict[str, Any]) -> None:
        attribute, card = known
        code = self._code(element, name)
        if card is Card.MANY:
            values[attribute] = (*values.get(attribute, ()), code)
        elif attribute in values:
            self.fault(name, "occurs twice; one value is allowed", "ITI TF-3, 4.2.3")
        else:
            values[attribute] = code

    def _author(self, element: _Element) -> Author:
        # Its nodeRepresentation means nothing; senders write "", "author" or leave it out (ITI TF-3, 4.2.3.1.4).
        parts: dict[str, Any] = {}
        parts["extra"] = self._slots(element, AUTHOR_SLOTS, parts, "author.")
        if "person" in parts:
            parts["person"] = (parts["person"],)
        if not any(parts.get(name) for name in ("person", "institutions", "telecommunications")):
            self.fault(
                "author", "an author needs an authorPerson, authorInstitution or authorTelecommunication", AUTHORS
            )
        return Author(**parts)

    def _code(self, element: _Element, attribute: str) -> Code:
        code = element.get("nodeRepresentation", "").strip()
        if not code:
            self.fault(attribute, "the Classification has no nodeRepresentation: it names no code", CODES)
        found: dict[str, Any] = {"codingScheme": ()}
        known = {"codingScheme": ("codingScheme", Card.MANY)}
        for name, _ in self._slots(element, known, found, f"{attribute}."):
            self.dropped(f"{attribute}.{name}", "a code has no Slot but codingScheme; this one is not kept")
        schemes = found["codingScheme"]
        if len(schemes) != 1:
            text = f"needs exactly one Slot codingScheme with one value, {len(schemes)} values were sent"
            self.fault(f"{attribute}.codingScheme", text, CODES)
        named = element.find(NAME)
        display = (self._localized(named, f"{attribute}.Name") or "") if named is not None else ""
        # The book asks for a display name and many senders have none: taken, and left to the log.
        self.undisplayed += not display
        scheme = schemes[0] if schemes else ""
        for text in (code, scheme, display):
            self._length(attribute, text)
        return Code(code, scheme, display)

    def _identifier(self, element: _Element, shape: Shape, values: dict[str, Any]) -> None:
        scheme = element.get("identificationScheme", "")
        known = shape.identifiers.get(scheme.lower())
        if known is None:
            self.dropped("ExternalIdentifier", f"the identificationScheme {shown(scheme)} is none of a {shape.name}'s")
            return
        attribute, name = known
        label = name.rpartition(".")[2]
        self._owned(element, label, "registryObject", IDENTIFIERS)
        if attribute in values:
            self.fault(label, f"{name} occurs twice; an object has one", IDENTIFIERS)
        values[attribute] = self._length(label, element.get("value", "").strip() or None)
