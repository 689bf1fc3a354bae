"""Documents and models in a DICOM object: Encapsulated PDF, CDA and STL (PS3.3 A.45 and A.85)."""

import re
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import (
    EncapsulatedCDAStorage,
    EncapsulatedPDFStorage,
    EncapsulatedSTLStorage,
    ExplicitVRLittleEndian,
)

from registry.metadata.urn import Namespace

HEADER = 64 << 10
XML = re.compile(rb"\s*<")
ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?ClinicalDocument[\s>]")
ID = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?id\s([^>]*)>")
EFFECTIVE = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?effectiveTime\s[^>]*value\s*=\s*[\"'](\d{8}(?:\d{6})?)")
ATTRIBUTE = re.compile(rb"(root|extension)\s*=\s*[\"']([^\"'<&]{1,64})[\"']")
TRIANGLES, TRIANGLE = 84, 50
ASCII_STL = re.compile(rb"solid\b[^\n]*\n\s*facet\s+normal\s")


@dataclass(frozen=True, slots=True)
class Made:
    """A data set that lacks its patient, its study and its identity; `kind` says in words what the file is."""

    kind: str
    transfer_syntax: str
    dataset: Dataset


def document_of(content: bytes, title: str) -> Made | None:
    """The object around a document or model; None for a file of another kind. The document itself stays as it came."""
    head = content[:HEADER]
    if head.startswith(b"%PDF-"):
        return _made("PDF", EncapsulatedPDFStorage, "DOC", "application/pdf", content, title)
    if _is_cda(content):
        made = _made("CDA", EncapsulatedCDAStorage, "DOC", "text/XML", content, title)
        made.dataset.HL7InstanceIdentifier = _identifier(head)
        if found := EFFECTIVE.search(head):
            moment = found[1].decode()
            made.dataset.ContentDate, made.dataset.ContentTime = moment[:8], moment[8:]
        return made
    if _is_stl(content):
        made = _made("STL", EncapsulatedSTLStorage, "M3D", "model/stl", content, title)
        made.dataset.MeasurementUnitsCodeSequence = [_code("mm", "UCUM", "mm")]
        made.dataset.ModelModification, made.dataset.ModelMirroring = "NO", "NO"
        made.dataset.FrameOfReferenceUID = ""
        return made
    return None


def _made(kind: str, sop_class: str, modality: str, mime: str, content: bytes, title: str) -> Made:
    data = Dataset()
    data.SOPClassUID, data.Modality = sop_class, modality
    data.ConversionType = "WSD"
    data.BurnedInAnnotation = "YES"
    data.DocumentTitle = title
    data.ConceptNameCodeSequence = []
    data.MIMETypeOfEncapsulatedDocument = mime
    data.EncapsulatedDocumentLength = len(content)
    data.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return Made(kind, ExplicitVRLittleEndian, data)


def _is_cda(content: bytes) -> bool:
    """By its root element; a document type could hold entities for whoever reads it later, so there may be none."""
    head = content[:HEADER].removeprefix(b"\xef\xbb\xbf")
    return bool(
        XML.match(head)
        and b"<!DOCTYPE" not in content
        and b"<!ENTITY" not in content
        and ROOT.search(head)
        and Namespace.HL7_V3.encode() in head
    )


def _identifier(head: bytes) -> str:
    """The CDA's own id as PS3.3 C.24.2 writes it: root^extension."""
    found = ID.search(head)
    parts = dict(ATTRIBUTE.findall(found[1])) if found else {}
    values = [parts.get(name, b"").decode("utf-8", "replace") for name in (b"root", b"extension")]
    return "^".join(filter(None, values))


def _is_stl(content: bytes) -> bool:
    if ASCII_STL.match(content[:HEADER]):
        return True
    if len(content) <= TRIANGLES:
        return False
    count = int.from_bytes(content[TRIANGLES - 4 : TRIANGLES], "little")
    return len(content) == TRIANGLES + count * TRIANGLE


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
