"""What the tests of a whole server send to it: people who do not exist, DICOM objects, and submissions of documents.

Nothing here is made by the server's own code: objects are pydicom's, submissions are dictionaries for zeep, and MTOM
messages are written by hand in the dialects of the products that send them.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha1
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pydicom
from lxml import etree
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from registry.metadata.urn import (
    AssociationType,
    ClassificationScheme,
    IdentificationScheme,
    Namespace,
    ObjectType,
    ReferenceIdType,
)

AUTHORITY = "1.2.752.129.2.1.3.1"
ORDERS = "1.2.752.129.2.9.101.7"
SOURCE = "1.2.3.4.5.6.700"
"""sourceId of what the tests submit."""
PUBLISHED = {"code": "85430-7", "scheme": "2.16.840.1.113883.6.1", "display": "Diagnostic imaging report"}
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n\r\n--\x00\xff%%EOF"
TEXT = "Utlåtande: ingen säker patologi.\r\n".encode()
CDA = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"><component><nonXMLBody>'
    '<text mediaType="text/plain">Utlåtande</text></nonXMLBody></component></ClinicalDocument>'
).encode()


def new_uid() -> str:
    return f"2.25.{uuid4().int}"


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist: the century of the number is one that nobody living was born in."""

    number: str
    family: str
    given: str

    @property
    def cx(self) -> str:
        return f"{self.number}^^^&{AUTHORITY}&ISO"

    @property
    def token(self) -> str:
        """As FHIR's patient.identifier has it."""
        return f"urn:oid:{AUTHORITY}|{self.number}"


def person() -> Person:
    letters = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=10))
    return Person(f"18{random.randrange(10**10):010d}", f"Zq{letters}", f"Xw{letters[::-1]}")


@dataclass(frozen=True)
class Study:
    """An examination to be made objects of."""

    who: Person = field(default_factory=person)
    uid: str = field(default_factory=new_uid)
    accession: str = field(default_factory=lambda: f"ACC{random.randrange(10**10)}")
    date: str = "20240704"
    time: str = "083000"
    series: str = field(default_factory=new_uid)

    def object(self, name: str = "CT_small.dcm", **attributes: Any) -> bytes:
        """A real file of pydicom as an object of this study, in its own transfer syntax."""
        path = get_testdata_file(name, download=False)
        assert isinstance(path, str)
        data = pydicom.dcmread(path)
        data.PatientID, data.PatientName = self.who.number, f"{self.who.family}^{self.who.given}"
        data.PatientBirthDate, data.PatientSex = "18120304", "F"
        data.IssuerOfPatientIDQualifiersSequence = [authority(AUTHORITY)]
        data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID = self.uid, self.series, new_uid()
        data.StudyDate, data.StudyTime, data.AccessionNumber = self.date, self.time, self.accession
        data.IssuerOfAccessionNumberSequence = [authority(ORDERS)]
        data.TimezoneOffsetFromUTC = "+0200"
        for keyword, value in attributes.items():
            setattr(data, keyword, value)
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        out = BytesIO()
        data.save_as(out, enforce_file_format=True)
        return out.getvalue()

    def small(self, size: int = 4000) -> bytes:
        """A small object whose bytes nobody else has."""
        return self.object(
            Rows=1,
            Columns=2,
            PixelData=b"\0\1\2\3",
            ImageComments=uuid4().hex * (size // 32),
            SeriesInstanceUID=new_uid(),
        )


def authority(oid: str) -> Dataset:
    item = Dataset()
    item.UniversalEntityID, item.UniversalEntityIDType = oid, "ISO"
    return item


def sop_uid(data: bytes) -> str:
    return str(pydicom.dcmread(BytesIO(data), stop_before_pixels=True).SOPInstanceUID)


def multipart(*parts: bytes, boundary: str = "cut-here") -> bytes:
    """The body of a STOW-RS request."""
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


STOW = {
    "Content-Type": 'multipart/related; type="application/dicom"; boundary=cut-here',
    "Accept": "application/dicom+json",
}


def slot(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "ValueList": {"Value": list(values)}}


def _named(text: str) -> dict[str, Any]:
    return {"LocalizedString": [{"value": text}]}


def _code(owner: str, scheme: ClassificationScheme, code: str, system: str, display: str) -> dict[str, Any]:
    return {
        "id": f"urn:uuid:{uuid4()}",
        "classifiedObject": owner,
        "classificationScheme": scheme,
        "nodeRepresentation": code,
        "Slot": [slot("codingScheme", system)],
        "Name": _named(display),
    }


def _identifier(owner: str, scheme: IdentificationScheme, name: str, value: str) -> dict[str, Any]:
    return {
        "id": f"urn:uuid:{uuid4()}",
        "registryObject": owner,
        "identificationScheme": scheme,
        "value": value,
        "Name": _named(name),
    }


@dataclass(frozen=True)
class Document:
    """A document and what is said of it. `content` is what is sent; `said` adds or overrides slots (None removes)."""

    who: Person
    content: bytes = PDF
    mime_type: str = "application/pdf"
    format_code: str = "urn:ihe:rad:PDF"
    format_scheme: str = "1.3.6.1.4.1.19376.1.2.3"
    study_uid: str = ""
    accession: str = ""
    uid: str = field(default_factory=new_uid)
    id: str = field(default_factory=lambda: f"urn:uuid:{uuid4()}")
    cx: str = ""
    service_start: str = "20240704063000"
    title: str = "DT buk, utlåtande"
    replaces: str = ""
    said: tuple[tuple[str, str | None], ...] = ()
    without: tuple[ClassificationScheme, ...] = ()

    def but(self, **changes: Any) -> "Document":
        return replace(self, **changes)

    @property
    def patient_id(self) -> str:
        return self.cx or self.who.cx

    def reference_ids(self) -> list[str]:
        found = []
        if self.accession:
            found.append(f"{self.accession}^^^&{ORDERS}&ISO^{ReferenceIdType.ACCESSION}")
        if self.study_uid:
            found.append(f"{self.study_uid}^^^^{ReferenceIdType.STUDY_INSTANCE_UID}")
        return found

    def _slots(self) -> list[dict[str, Any]]:
        values: dict[str, list[str]] = {
            "creationTime": ["20240704101500"],
            "languageCode": ["sv-SE"],
            "serviceStartTime": [self.service_start],
            "sourcePatientId": [f"L{self.who.number}^^^&1.2.752.129.2.9.100.1&ISO"],
            "sourcePatientInfo": [f"PID-5|{self.who.family}^{self.who.given}", "PID-7|18120304", "PID-8|F"],
            "urn:ihe:iti:xds:2013:referenceIdList": self.reference_ids(),
        }
        for name, value in self.said:
            values[name] = [] if value is None else [value]
        return [slot(name, *found) for name, found in values.items() if found]

    def entry(self) -> dict[str, Any]:
        """The ExtrinsicObject."""
        scheme, own = ClassificationScheme, self.id
        codes = [
            (scheme.CLASS_CODE, "IMG", "1.2.752.129.2.9.6.1", "Bilddiagnostik"),
            (scheme.CONFIDENTIALITY_CODE, "N", "2.16.840.1.113883.5.25", "normal"),
            (scheme.FORMAT_CODE, self.format_code, self.format_scheme, "a report"),
            (scheme.HEALTHCARE_FACILITY_TYPE_CODE, "22232009", "2.16.840.1.113883.6.96", "Hospital"),
            (scheme.PRACTICE_SETTING_CODE, "394914008", "2.16.840.1.113883.6.96", "Radiology"),
            (scheme.TYPE_CODE, PUBLISHED["code"], PUBLISHED["scheme"], PUBLISHED["display"]),
        ]
        author = {
            "id": f"urn:uuid:{uuid4()}",
            "classifiedObject": own,
            "classificationScheme": scheme.DOCUMENT_AUTHOR,
            "nodeRepresentation": "",
            "Slot": [slot("authorPerson", "^Alm^Eva"), slot("authorInstitution", "Sjukhus 1")],
        }
        return {
            "id": own,
            "mimeType": self.mime_type,
            "objectType": ObjectType.STABLE_DOCUMENT,
            "Slot": self._slots(),
            "Name": _named(self.title),
            "Classification": [author, *(_code(own, *code) for code in codes if code[0] not in self.without)],
            "ExternalIdentifier": [
                _identifier(
                    own, IdentificationScheme.DOCUMENT_PATIENT_ID, "XDSDocumentEntry.patientId", self.patient_id
                ),
                _identifier(own, IdentificationScheme.DOCUMENT_UNIQUE_ID, "XDSDocumentEntry.uniqueId", self.uid),
            ],
        }

    def registered(self, repository: str) -> "Document":
        """With what a Document Source of ITI-42 must say of bytes that lie in `repository`."""
        said = (
            ("hash", sha1(self.content).hexdigest()),
            ("size", str(len(self.content))),
            ("repositoryUniqueId", repository),
        )
        return self.but(said=(*said, *self.said))


def submission(*documents: Document, set_uid: str = "") -> dict[str, Any]:
    """The SubmitObjectsRequest of `documents`, as zeep takes it."""
    set_id, scheme = f"urn:uuid:{uuid4()}", IdentificationScheme
    package = {
        "id": set_id,
        "objectType": ObjectType.REGISTRY_PACKAGE,
        "Slot": [slot("submissionTime", "20240704101600")],
        "Name": _named("Utlåtande"),
        "Classification": [
            _code(set_id, ClassificationScheme.CONTENT_TYPE_CODE, "18748-4", PUBLISHED["scheme"], "Imaging study")
        ],
        "ExternalIdentifier": [
            _identifier(
                set_id, scheme.SUBMISSION_SET_PATIENT_ID, "XDSSubmissionSet.patientId", documents[0].patient_id
            ),
            _identifier(set_id, scheme.SUBMISSION_SET_SOURCE_ID, "XDSSubmissionSet.sourceId", SOURCE),
            _identifier(set_id, scheme.SUBMISSION_SET_UNIQUE_ID, "XDSSubmissionSet.uniqueId", set_uid or new_uid()),
        ],
    }
    node = {"id": f"urn:uuid:{uuid4()}", "classifiedObject": set_id, "classificationNode": ObjectType.SUBMISSION_SET}
    objects: list[dict[str, Any]] = [{"ExtrinsicObject": document.entry()} for document in documents]
    objects += [{"RegistryPackage": package}, {"Classification": node}]
    for document in documents:
        member = _association(AssociationType.HAS_MEMBER, set_id, document.id)
        objects.append({"Association": member | {"Slot": [slot("SubmissionSetStatus", "Original")]}})
        if document.replaces:
            objects.append({"Association": _association(AssociationType.RPLC, document.id, document.replaces)})
    return {"RegistryObjectList": {"_value_1": objects}}


def _association(kind: AssociationType, source: str, target: str) -> dict[str, Any]:
    return {
        "id": f"urn:uuid:{uuid4()}",
        "associationType": kind,
        "sourceObject": source,
        "targetObject": target,
        "objectType": ObjectType.ASSOCIATION,
    }


def provided(*documents: Document, set_uid: str = "") -> dict[str, Any]:
    """The arguments of ITI-41, as zeep takes them."""
    return {
        "SubmitObjectsRequest": submission(*documents, set_uid=set_uid),
        "Document": [{"id": document.id, "_value_1": document.content} for document in documents],
    }


@dataclass(frozen=True)
class Dialect:
    """How a product writes an MTOM message: what differs is what parsers stumble over."""

    name: str
    boundary: str
    content_type: str
    root_head: str
    part_head: str
    percent: bool = False
    preamble: bytes = b""


XOP = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
PNR = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
AXIS2 = Dialect(
    "Axis2",
    "MIMEBoundaryurn_uuid_3D4B161591CD1DEC0C12",
    'multipart/related; boundary={boundary}; type="application/xop+xml"; '
    f'start="<0.urn:uuid:3D4B@apache.org>"; start-info="application/soap+xml"; action="{PNR}"',
    f"Content-Type: {XOP}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <0.urn:uuid:3D4B@apache.org>",
    "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{id}>",
)
CXF = Dialect(
    "CXF",
    "uuid:4b2c7f0e-75cf-4c84-9a35-5f2e1f6f0a5a",
    'multipart/related; type="application/xop+xml"; boundary="{boundary}"; '
    f'start="<root.message@cxf.apache.org>"; start-info="application/soap+xml; action=\\"{PNR}\\""',
    f'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml; action=\\"{PNR}\\""\r\n'
    "Content-Transfer-Encoding: binary\r\nContent-ID: <root.message@cxf.apache.org>",
    "Content-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{id}>",
    percent=True,
    preamble=b"\r\n",
)
WCF = Dialect(
    ".NET WCF",
    "uuid:376733a6-6a2d-4583-a687-04c08acf6a49+id=17",
    'multipart/related; type="application/xop+xml";start="<http://tempuri.org/0>";boundary="{boundary}";'
    f'start-info="application/soap+xml"; action="{PNR}"',
    "Content-ID: <http://tempuri.org/0>\r\nContent-Transfer-Encoding: 8bit\r\n"
    'Content-Type: application/xop+xml;charset=utf-8;type="application/soap+xml"',
    "Content-ID: <{id}>\r\nContent-Transfer-Encoding: binary\r\nContent-Type: application/octet-stream",
    preamble=b"\r\n",
)
PLAIN = Dialect(
    "no start, bare boundary, lower-case headers",
    "_MIME_MTOM_Boundary_",
    "Multipart/Related; boundary={boundary}; type=application/xop+xml; start-info=application/soap+xml",
    f"content-type: {XOP}\r\ncontent-transfer-encoding: 8bit\r\ncontent-id: <Start@Request>",
    "content-type: text/plain\r\ncontent-transfer-encoding: binary\r\ncontent-id: <{id}>",
)
DIALECTS = (AXIS2, CXF, WCF, PLAIN)


def packed(envelope: etree._Element, documents: Iterable[bytes], dialect: Dialect = AXIS2) -> tuple[str, bytes]:
    """Content-Type and body of an ITI-41 whose Document elements are taken out into parts of their own."""
    parts = []
    for element, content in zip(envelope.findall(f".//{{{Namespace.XDS_B}}}Document"), documents, strict=True):
        content_id = f"urn:uuid:{uuid4()}@client.example"
        href = "cid:" + (quote(content_id, safe="@") if dialect.percent else content_id)
        element.text = None
        etree.SubElement(element, f"{{{Namespace.XOP}}}Include", href=href)
        parts.append((dialect.part_head.format(id=content_id), content))
    parts.insert(0, (dialect.root_head, etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)))
    mark = f"--{dialect.boundary}".encode()
    body = dialect.preamble + b"".join(
        mark + b"\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts
    )
    return dialect.content_type.format(boundary=dialect.boundary), body + mark + b"--\r\n"


def soap(action: str, body: str) -> bytes:
    """A plain SOAP 1.2 request."""
    return (
        f'<s:Envelope xmlns:s="{Namespace.SOAP}" xmlns:a="{Namespace.ADDRESSING}"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{action}</a:Action><a:MessageID>urn:uuid:{uuid4()}</a:MessageID>'
        f"<a:To>http://server.example</a:To></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def manifest_document(who: Person, manifest: bytes, study_uid: str, accession: str = "", **changes: Any) -> Document:
    """The submission of a KOS that some other product made."""
    return Document(
        who,
        manifest,
        "application/dicom",
        "1.2.840.10008.5.1.4.1.1.88.59",
        "1.2.840.10008.2.6.1",
        study_uid=study_uid,
        accession=accession,
        uid=sop_uid(manifest),
        **changes,
    )


def files_under(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())
