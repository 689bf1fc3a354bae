"""ebRIM 3.0 out: an object's ready body when it is registered, and the element around it when it is sent.

ITI TF-3, 4.2.3 and 4.2.5. A body is everything inside the element; logicalID, version, status, home and a Folder's
lastUpdateTime are printed around it, since they change (`registry.renderers`).
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from profiles.faces import xml
from profiles.faces.ebrim_tables import (
    ASSOCIATION,
    AUTHOR_SLOTS,
    DOCUMENT_ENTRY,
    FOLDER,
    SUBMISSION_SET,
    Card,
)
from registry.answers import Kind, ObjectRef, StoredObject
from registry.metadata.errors import Finding
from registry.metadata.identify import fresh_uuid
from registry.metadata.model import Association, Author, Code, DocumentEntry, Folder, SubmissionSet
from registry.metadata.urn import IdentificationScheme, Namespace, ObjectType, Severity, Status
from registry.renderers import VERSION

STATUS = {status.name.title(): status.value for status in Status}
SHAPES = {DocumentEntry: DOCUMENT_ENTRY, SubmissionSet: SUBMISSION_SET, Folder: FOLDER, Association: ASSOCIATION}
_PATIENT_SCHEMES = (
    IdentificationScheme.DOCUMENT_PATIENT_ID,
    IdentificationScheme.SUBMISSION_SET_PATIENT_ID,
    IdentificationScheme.FOLDER_PATIENT_ID,
)
_PATIENT_ID = re.compile(rf'(identificationScheme="(?:{"|".join(_PATIENT_SCHEMES)})" value=")[^"]*'.encode())
NODES = {SubmissionSet: ObjectType.SUBMISSION_SET, Folder: ObjectType.FOLDER}
LAST_UPDATE_TIME = "lastUpdateTime"


def body(thing: DocumentEntry | SubmissionSet | Folder | Association) -> bytes:
    """The inside of a registry object's element, with `VERSION` where VersionInfo goes. UTF-8; the prefix is `rim`."""
    shape = SHAPES[type(thing)]
    urn = f"urn:uuid:{thing.id}"
    parts: list[str] = []
    for name, (attribute, card) in shape.slots.items():
        value = getattr(thing, attribute)
        if value and name != LAST_UPDATE_TIME:
            parts.append(_slot(name, value if card is Card.MANY else (value,)))
    parts.extend(_slot(name, values) for name, values in thing.extra)
    if not isinstance(thing, Association):
        parts += (_localized("Name", thing.title), _localized("Description", thing.comments))
    parts.append("\0")
    if type(thing) in NODES:
        parts.append(_node(NODES[type(thing)], urn))
    if not isinstance(thing, Folder | Association):
        parts.extend(_author(shape.author, urn, author) for author in thing.authors)
    for scheme, (attribute, card) in shape.codes.items():
        value = getattr(thing, attribute)
        codes = value if card is Card.MANY else (value,) if value else ()
        parts.extend(_code(scheme, urn, code) for code in codes)
    for scheme, (attribute, name) in shape.identifiers.items():
        parts.append(_identifier(scheme, urn, getattr(thing, attribute) or "", name))
    return "".join(parts).encode()


def element(thing: StoredObject) -> bytes:
    """A stored object's whole element."""
    inside = thing.body.replace(VERSION, b'<rim:VersionInfo versionName="%d"/>' % thing.version, 1)
    home = f' home="{xml.escaped(thing.home)}"' if thing.home else ""
    common = f'id="urn:uuid:{thing.id}" lid="urn:uuid:{thing.logical_id}" status="{STATUS[thing.status]}"{home}'
    if thing.kind is Kind.DOCUMENT_ENTRY:
        head = (
            f'<rim:ExtrinsicObject {common} objectType="{thing.object_type}"'
            f' mimeType="{_attribute(thing.mime_type)}" isOpaque="false">'
        )
        return b"%b%b</rim:ExtrinsicObject>" % (head.encode(), inside)
    if thing.kind is Kind.ASSOCIATION:
        head = (
            f'<rim:Association {common} objectType="{ObjectType.ASSOCIATION}" associationType="{thing.type}"'
            f' sourceObject="urn:uuid:{thing.source}" targetObject="urn:uuid:{thing.target}">'
        )
        return b"%b%b</rim:Association>" % (head.encode(), inside)
    head = f'<rim:RegistryPackage {common} objectType="{ObjectType.REGISTRY_PACKAGE}">'
    time = _slot(LAST_UPDATE_TIME, (thing.last_update_time,)) if thing.last_update_time else ""
    return b"%b%b%b</rim:RegistryPackage>" % (head.encode(), time.encode(), inside)


def for_patient(inside: bytes, patient_id: str) -> bytes:
    """The inside of an element, with another patientId (canonical CX text) than it was registered with."""
    value = xml.escaped(patient_id).encode()
    return _PATIENT_ID.sub(lambda found: b"%b%b" % (found[1], value), inside)


@lru_cache(maxsize=256)
def _attribute(text: str) -> str:
    """A value of which there are few, such as a media type, escaped once."""
    return xml.escaped(text)


def object_refs(refs: Iterable[ObjectRef]) -> bytes:
    """ObjectRef elements."""
    return "".join(
        f'<rim:ObjectRef id="urn:uuid:{id}"' + (f' home="{_attribute(home)}"/>' if home else "/>") for id, home in refs
    ).encode()


def error_list(findings: Iterable[Finding]) -> bytes:
    """An rs:RegistryErrorList: the text for people is in codeContext, since that is all that many products log."""
    rows = list(findings)
    worst = Severity.WARNING if all(f.warning for f in rows) else Severity.ERROR
    errors = "".join(
        f'<rs:RegistryError errorCode="{f.code.wire}" codeContext="{xml.escaped(str(f))}"'
        f' location="{xml.escaped(f.where)}" severity="{Severity.WARNING if f.warning else Severity.ERROR}"/>'
        for f in rows
    )
    return f'<rs:RegistryErrorList highestSeverity="{worst}">{errors}</rs:RegistryErrorList>'.encode()


def registry_response(status: str, findings: Iterable[Finding] = ()) -> bytes:
    """An rs:RegistryResponse (ITI TF-3, 4.2.4)."""
    rows = list(findings)
    inside = error_list(rows) if rows else b""
    return b'<rs:RegistryResponse xmlns:rs="%b" status="%b">%b</rs:RegistryResponse>' % (
        Namespace.RS.encode(),
        status.encode(),
        inside,
    )


def _slot(name: str, values: Iterable[str]) -> str:
    inside = "".join(f"<rim:Value>{xml.escaped(v)}</rim:Value>" for v in values)
    return f'<rim:Slot name="{xml.escaped(name)}"><rim:ValueList>{inside}</rim:ValueList></rim:Slot>'


def _localized(tag: str, text: str | None) -> str:
    return f'<rim:{tag}><rim:LocalizedString charset="UTF-8" value="{xml.escaped(text)}"/></rim:{tag}>' if text else ""


def _classification(scheme: str, owner: str, node: str, inside: str) -> str:
    return (
        f'<rim:Classification id="urn:uuid:{fresh_uuid()}" objectType="{ObjectType.CLASSIFICATION}"'
        f' classificationScheme="{scheme}" classifiedObject="{owner}" nodeRepresentation="{xml.escaped(node)}">'
        f"{inside}</rim:Classification>"
    )


def _code(scheme: str, owner: str, code: Code) -> str:
    inside = _slot("codingScheme", (code.scheme,)) + _localized("Name", code.display)
    return _classification(scheme, owner, code.code, inside)


def _author(scheme: str, owner: str, author: Author) -> str:
    slots = [(name, getattr(author, field)) for name, (field, _) in AUTHOR_SLOTS.items()]
    inside = "".join(_slot(name, values) for name, values in slots if values)
    return _classification(scheme, owner, "", inside + "".join(_slot(name, values) for name, values in author.extra))


def _identifier(scheme: str, owner: str, value: str, name: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="urn:uuid:{fresh_uuid()}" objectType="{ObjectType.EXTERNAL_IDENTIFIER}"'
        f' registryObject="{owner}" identificationScheme="{scheme}" value="{xml.escaped(value)}">'
        f'<rim:Name><rim:LocalizedString charset="UTF-8" value="{name}"/></rim:Name></rim:ExternalIdentifier>'
    )


def _node(kind: ObjectType, owner: str) -> str:
    return (
        f'<rim:Classification id="urn:uuid:{fresh_uuid()}" objectType="{ObjectType.CLASSIFICATION}"'
        f' classifiedObject="{owner}" classificationNode="{kind}"/>'
    )
