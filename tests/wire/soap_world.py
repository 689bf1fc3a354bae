"""The whole application on stores of its own, and a SOAP client that judges every answer it gets.

The client shares no code with the server: lxml reads, the email parser takes MTOM apart (`soap_client.unpack`).
"""

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from importlib.resources import files
from pathlib import Path
from typing import Any

from flask import Flask
from lxml import etree
from soap_client import unpack
from werkzeug.serving import WSGIRequestHandler, make_server

from conformance import messages
from profiles.app import create_app
from profiles.catalog import Soap
from profiles.faces.wsdl import SCHEMAS
from profiles.house import House
from profiles.installed import PROFILES
from profiles.settings import Settings
from registry.metadata.model import Submission
from registry.metadata.urn import Action, Namespace, ResponseStatus, Severity

OPERATIONS = {
    transaction.face.action: transaction
    for profile in PROFILES
    for transaction in profile.transactions
    if isinstance(transaction.face, Soap) and transaction.face.service != "initiating-gateway"
}
"""Every SOAP transaction that is installed, by its action; the Initiating Gateway answers to actions of others."""
SERVICE = {action: transaction.face.service for action, transaction in OPERATIONS.items()}
REPOSITORY = "1.2.752.129.2.9.2"
IMAGING_SOURCE = "1.2.752.129.2.9.3"
SOAP, WSA, RS, XDSB, RIM = (
    f"{{{ns}}}" for ns in (Namespace.SOAP, Namespace.ADDRESSING, Namespace.RS, Namespace.XDS_B, Namespace.RIM)
)
SOAP11, HL7 = f"{{{Namespace.SOAP_1_1}}}", f"{{{Namespace.HL7_V3}}}"
ACCEPTED = {"AA", "CA"}
FAULT_CODES = {"Sender", "Receiver", "MustUnderstand", "VersionMismatch"}
# ITI TF-3, table 4.2.4.1-2, as far as this server's transactions may answer with it; RAD-69 has DICOM's code besides.
BOOK_CODES = {
    "XDSMissingDocument", "XDSMissingDocumentMetadata", "XDSRegistryNotAvailable", "XDSRegistryError",
    "XDSRepositoryError", "XDSRegistryDuplicateUniqueIdInMessage", "XDSRepositoryDuplicateUniqueIdInMessage",
    "XDSDuplicateUniqueIdInRegistry", "XDSNonIdenticalHash", "XDSNonIdenticalSize", "XDSRegistryBusy",
    "XDSRepositoryBusy", "XDSRegistryOutOfResources", "XDSRepositoryOutOfResources", "XDSRegistryMetadataError",
    "XDSRepositoryMetadataError", "XDSTooManyResults", "XDSExtraMetadataNotSaved", "XDSUnknownPatientId",
    "XDSPatientIdDoesNotMatch", "XDSUnknownStoredQuery", "XDSStoredQueryMissingParam", "XDSStoredQueryParamNumber",
    "XDSResultNotSinglePatient", "XDSRegistryDeprecatedDocumentError", "XDSUnknownRepositoryId",
    "XDSDocumentUniqueIdError", "XDSUnknownCommunity", "XDSMissingHomeCommunityId", "InvalidDocumentContent",
    "XDSUnavailableCommunity", "XDSMetadataUpdateError", "XDSMetadataUpdateOperationError", "XDSMetadataVersionError",
    "XDSPatientIDReconciliationError", "XDSMetadataAnnotationError", "XDSMetadataIdentifierError", "XDSObjectTypeError",
    "XDSInvalidRequestException", "UnmodifiableMetadataError", "LocalPolicyRestrictionError",
    "UnresolvedReferenceException", "ReferencesExistException", "XDSUnreferencedObjectException",
    "XDSMetadataModelException", "XDSRemoveDocumentsError", "urn:dicom:wado:0007",
}  # fmt: skip
INTERNAL = "an internal error"
# ITI TF-3, 4.2.4.2: a part of an answer is of use to who asks, never to who submits.
PARTLY = {
    Action.REGISTRY_STORED_QUERY, Action.MULTI_PATIENT_STORED_QUERY, Action.RETRIEVE_DOCUMENT_SET,
    Action.RETRIEVE_IMAGING_DOCUMENT_SET, Action.CROSS_GATEWAY_QUERY, Action.CROSS_GATEWAY_RETRIEVE,
    Action.CROSS_GATEWAY_RETRIEVE_IMAGING_DOCUMENT_SET,
}  # fmt: skip
# WS-Addressing 1.0 SOAP Binding, 6.4.1.
WITHIN_INVALID = {"ActionMismatch", "InvalidCardinality", "OnlyAnonymousAddressSupported"}


@dataclass(frozen=True)
class Error:
    """One rs:RegistryError."""

    code: str
    context: str
    location: str
    severity: str


@dataclass(frozen=True)
class Answer:
    """A judged answer: `body` is the one element of the Body, with base64 where documents were attached."""

    status: int
    content_type: str
    envelope: Any
    body: Any

    @property
    def action(self) -> str:
        return str(self.envelope.findtext(f"{SOAP}Header/{WSA}Action"))

    @property
    def relates_to(self) -> str | None:
        found = self.envelope.findtext(f"{SOAP}Header/{WSA}RelatesTo")
        return None if found is None else str(found)

    @property
    def fault(self) -> tuple[str, str, str] | None:
        """Code, innermost subcode and reason of a fault, prefixes off."""
        if self.body.tag == f"{SOAP11}Fault":
            return self.body.findtext("faultcode").partition(":")[2], "", self.body.findtext("faultstring")
        if self.body.tag != f"{SOAP}Fault":
            return None
        code = self.body.findtext(f"{SOAP}Code/{SOAP}Value").partition(":")[2]
        subcodes = self.subcodes
        return code, subcodes[-1] if subcodes else "", self.body.findtext(f"{SOAP}Reason/{SOAP}Text")

    @property
    def subcodes(self) -> list[str]:
        """The subcodes of a fault, the outer first, prefixes off."""
        return [e.findtext(f"{SOAP}Value").partition(":")[2] for e in self.body.iter(f"{SOAP}Subcode")]

    @property
    def blocks(self) -> list[Any]:
        """The header blocks."""
        return list(self.envelope.find(f"{SOAP}Header"))

    @property
    def outcome(self) -> str:
        """The registry status: its last word, `Success`."""
        for element in self.body.iter():
            if element.get("status", "") in set(ResponseStatus):
                return str(element.get("status")).rpartition(":")[2]
            if element.tag == f"{HL7}typeCode" and element.getparent().tag == f"{HL7}acknowledgement":
                return "Success" if element.get("code") in ACCEPTED else "Failure"
        return ""

    @property
    def errors(self) -> list[Error]:
        return [
            Error(*(e.get(name, "") for name in ("errorCode", "codeContext", "location", "severity")))
            for e in self.body.iter(f"{RS}RegistryError")
        ]

    @property
    def codes(self) -> list[str]:
        return [e.code for e in self.errors]

    @property
    def text(self) -> str:
        return "\n".join(e.context for e in self.errors) or str(self.fault)

    @property
    def objects(self) -> list[Any]:
        found = self.body.find(f"{RIM}RegistryObjectList")
        return [] if found is None else list(found)

    @property
    def documents(self) -> list[tuple[str, str, str]]:
        """(repositoryUniqueId, documentUniqueId, mimeType) of each DocumentResponse."""
        names = ("RepositoryUniqueId", "DocumentUniqueId", "mimeType")
        return [
            tuple(str(d.findtext(XDSB + name)) for name in names)  # type: ignore[misc]
            for d in self.body.iter(f"{XDSB}DocumentResponse")
        ]


def schemas() -> etree.XMLSchema:
    """The packaged schemas of all messages, together."""
    folder = files("profiles.faces").joinpath("schemas")
    xs = Namespace.XML_SCHEMA
    driver = etree.Element(f"{{{xs}}}schema")
    for name in SCHEMAS.values():
        path = str(folder.joinpath(name))
        namespace = etree.parse(path).getroot().get("targetNamespace")
        etree.SubElement(driver, f"{{{xs}}}import", namespace=namespace, schemaLocation=path)
    return etree.XMLSchema(driver)


_VALID: list[etree.XMLSchema] = []


def judged(status: int, content_type: str, content: bytes) -> Answer:
    """The answer, having checked all that holds for every one of them."""
    assert status in {200, 400, 406, 413, 415, 500, 507}, status
    envelope = etree.fromstring(unpack(content_type, content) if content_type.startswith("multipart/") else content)
    if content_type.startswith("text/xml"):
        return _judged_old(status, content_type, envelope)
    assert envelope.tag == f"{SOAP}Envelope"
    (body,) = envelope.find(f"{SOAP}Body")
    answer = Answer(status, content_type, envelope, body)
    assert len(envelope.findall(f"{SOAP}Header/{WSA}Action")) == 1
    assert (envelope.findtext(f"{SOAP}Header/{WSA}MessageID") or "").startswith("urn:uuid:")
    if answer.fault:
        _judge_fault(answer)
        return answer
    assert status == 200
    if not _VALID:
        _VALID.append(schemas())
    _VALID[0].validate(body)
    assert [e.message for e in _VALID[0].error_log] == []
    wrong = [e for e in answer.errors if e.severity != Severity.WARNING]
    assert {e.severity for e in answer.errors} <= set(Severity)
    if body.tag.startswith(HL7):
        return answer
    assert (answer.outcome == "Success") == (not wrong)
    assert answer.outcome in {"Success", "Failure", "PartialSuccess"}
    assert answer.outcome != "PartialSuccess" or answer.action in {a.response for a in PARTLY}
    for error in answer.errors:
        assert error.code in BOOK_CODES, error
        assert error.context
    assert INTERNAL not in answer.text, answer.text
    return answer


def _judge_fault(answer: Answer) -> None:
    assert answer.fault is not None
    code, subcode, reason = answer.fault
    assert code in FAULT_CODES
    assert len(reason) > 10
    # SOAP 1.2 part 2, table 20: Sender is the client's fault, the others are answered with 500 or more.
    assert answer.status in ({400, 406, 413, 415} if code == "Sender" else {500, 507}), (answer.status, code)
    by_soap = code in {"MustUnderstand", "VersionMismatch"}
    assert answer.action == f"{Namespace.ADDRESSING}/{'soap/' if by_soap else ''}fault"
    if subcode in WITHIN_INVALID:
        assert answer.subcodes == ["InvalidAddressingHeader", subcode]
    assert (code == "MustUnderstand") == any(e.tag == f"{SOAP}NotUnderstood" for e in answer.blocks)
    assert (code == "VersionMismatch") == any(e.tag == f"{SOAP}Upgrade" for e in answer.blocks)


def _judged_old(status: int, content_type: str, envelope: Any) -> Answer:
    """A fault in SOAP 1.1, for a sender of SOAP 1.1."""
    assert (status, envelope.tag) == (500, f"{SOAP11}Envelope")
    (body,) = envelope.find(f"{SOAP11}Body")
    assert body.findtext("faultcode") == f"{envelope.prefix}:VersionMismatch"
    (supported,) = envelope.find(f"{SOAP11}Header/{SOAP}Upgrade")
    prefix, _, name = supported.get("qname").partition(":")
    assert (supported.nsmap[prefix], name) == (Namespace.SOAP, "Envelope")
    return Answer(status, content_type, envelope, body)


class World:
    """One application; `post` takes what goes over the wire."""

    def __init__(self, app: Flask, house: House, data: Path) -> None:
        self.app, self.house, self.data = app, house, data
        self.client = app.test_client()
        self._count = ""

    def raw(self, service: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        with self.client.post(f"/xds/{service}", data=body, headers=dict(headers)) as response:
            return response.status_code, response.headers.get("Content-Type", ""), response.data

    def post(self, service: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return judged(*self.raw(service, headers, body))

    def send(self, action: Action, body: bytes) -> Answer:
        """A whole plain envelope to its own service."""
        return self.post(SERVICE[action], messages.headers(action), body)

    def query(self, body: bytes) -> Answer:
        return self.send(Action.REGISTRY_STORED_QUERY, body)

    def register(self, submission: Submission) -> Answer:
        return self.send(Action.REGISTER_DOCUMENT_SET, messages.register_document_set(submission))

    def provide(self, submission: Submission, documents: Mapping[str, bytes]) -> Answer:
        content_type, chunks = messages.provide_and_register(submission, {k: [v] for k, v in documents.items()})
        return self.post("repository", {"Content-Type": content_type}, b"".join(chunks))

    def retrieve(self, *wanted: tuple[str, str]) -> Answer:
        return self.send(Action.RETRIEVE_DOCUMENT_SET, messages.retrieve_document_set(wanted))

    def rows(self) -> dict[str, int]:
        """Rows of each table but the audit's: a read leaves a record there."""
        with closing(sqlite3.connect(self.data / "registry.sqlite")) as db:
            if not self._count:
                names = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
                counts = (f"select '{name}', count(*) from {name}" for name in names if name != "audit")
                self._count = " union all ".join(counts)
            return dict(db.execute(self._count).fetchall())

    def blobs(self) -> list[str]:
        """All files below the blob store, temporary ones too."""
        return sorted(f"{folder}/{name}" for folder, _, names in os.walk(self.data / "blobs") for name in names)

    def temporaries(self) -> list[str]:
        return [t.name for t in self.house.repository._blobs.temporaries()]

    def state(self) -> tuple[dict[str, int], list[str]]:
        return self.rows(), self.blobs()


def open_world(template: Path, data: Path, **settings: Any) -> World:
    data.mkdir(parents=True, exist_ok=True)
    for file in template.parent.glob(f"{template.name}*"):
        shutil.copy(file, data / file.name.replace(template.name, "registry.sqlite"))
    houses: list[House] = []
    app = create_app(Settings.load(data=data, **settings), [lambda _, house: houses.append(house)])
    return World(app, houses[0], data)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        pass


@contextmanager
def served(world: World) -> Iterator[str]:
    """The application behind a socket: its base URL."""
    server = make_server("127.0.0.1", 0, world.app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def packaged(envelope: bytes, *parts: tuple[str, bytes], boundary: str = "cut-here") -> tuple[dict[str, str], bytes]:
    """Headers and body of an MTOM message written by hand; `parts` are (Content-ID, content)."""
    head = f'--{boundary}\r\nContent-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
    body = f"{head}Content-ID: <root@test>\r\n\r\n".encode() + envelope
    for name, content in parts:
        body += f"\r\n--{boundary}\r\nContent-Type: application/pdf\r\nContent-ID: <{name}>\r\n\r\n".encode() + content
    kind = f'multipart/related; type="application/xop+xml"; start="<root@test>"; boundary="{boundary}"'
    return {"Content-Type": kind}, body + f"\r\n--{boundary}--\r\n".encode()


def include(name: str) -> str:
    return f'<xop:Include xmlns:xop="{Namespace.XOP}" href="cid:{name}"/>'


def parts_of(content_type: str, content: bytes) -> list[Any]:
    """The parts of an MTOM answer, by the email parser."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + content)
    assert message.is_multipart()
    return list(message.get_payload())
