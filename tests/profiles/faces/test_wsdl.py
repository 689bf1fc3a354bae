"""The published WSDL, read by zeep and by lxml's schema validator."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep
from lxml import etree
from requests.adapters import BaseAdapter
from soap_client import client, pack, unpack

from profiles.faces.wsdl import SCHEMAS, Operation, wsdl
from registry.metadata.urn import (
    Action,
    AssociationType,
    ClassificationScheme,
    IdentificationScheme,
    Namespace,
    ObjectType,
    ResponseStatus,
    Severity,
    Status,
    StoredQueryId,
)

XS = f"{{{Namespace.XML_SCHEMA}}}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def operation(name: str, action: Action, request: tuple[str, str], response: tuple[str, str]) -> Operation:
    return Operation(name, action, action.response, etree.QName(*request), etree.QName(*response))


ACKNOWLEDGED = (Namespace.RS, "RegistryResponse")
RETRIEVED = (Namespace.XDS_B, "RetrieveDocumentSetResponse")
STORED_QUERY = operation(
    "RegistryStoredQuery",
    Action.REGISTRY_STORED_QUERY,
    (Namespace.QUERY, "AdhocQueryRequest"),
    (Namespace.QUERY, "AdhocQueryResponse"),
)
REGISTER = operation(
    "RegisterDocumentSet", Action.REGISTER_DOCUMENT_SET, (Namespace.LCM, "SubmitObjectsRequest"), ACKNOWLEDGED
)
PROVIDE = operation(
    "ProvideAndRegisterDocumentSet",
    Action.PROVIDE_AND_REGISTER_DOCUMENT_SET,
    (Namespace.XDS_B, "ProvideAndRegisterDocumentSetRequest"),
    ACKNOWLEDGED,
)
RETRIEVE = operation(
    "RetrieveDocumentSet", Action.RETRIEVE_DOCUMENT_SET, (Namespace.XDS_B, "RetrieveDocumentSetRequest"), RETRIEVED
)
RETRIEVE_IMAGING = operation(
    "RetrieveImagingDocumentSet",
    Action.RETRIEVE_IMAGING_DOCUMENT_SET,
    (Namespace.XDS_I_B, "RetrieveImagingDocumentSetRequest"),
    RETRIEVED,
)
SERVICES = {
    "DocumentRegistry": [STORED_QUERY, REGISTER],
    "DocumentRepository": [PROVIDE, RETRIEVE],
    "ImagingDocumentSource": [RETRIEVE_IMAGING],
}
SERVICE_OF = {op.name: service for service, operations in SERVICES.items() for op in operations}


def slot(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "ValueList": {"Value": list(values)}}


AUTHOR = {
    "id": "author",
    "classifiedObject": "Document01",
    "classificationScheme": ClassificationScheme.DOCUMENT_AUTHOR,
    "nodeRepresentation": "",
    "Slot": [slot("authorPerson", "^Alm^Eva"), slot("authorRole", "radiologist", "head of clinic")],
}
SUBMISSION = {
    "RegistryObjectList": {
        "_value_1": [
            {
                "ExtrinsicObject": {
                    "id": "Document01",
                    "mimeType": "application/dicom",
                    "objectType": ObjectType.STABLE_DOCUMENT,
                    "Slot": [slot("creationTime", "20240229")],
                    "Name": {"LocalizedString": [{"value": "Röntgen höft", "_attr_1": {LANG: "sv"}}]},
                    "Classification": [AUTHOR],
                    "ExternalIdentifier": [
                        {
                            "id": "uid",
                            "registryObject": "Document01",
                            "identificationScheme": IdentificationScheme.DOCUMENT_UNIQUE_ID,
                            "value": "1.2.3",
                        }
                    ],
                }
            },
            {"RegistryPackage": {"id": "Set01", "Slot": [slot("submissionTime", "20240301")]}},
            {
                "Classification": {
                    "id": "k",
                    "classifiedObject": "Set01",
                    "classificationNode": ObjectType.SUBMISSION_SET,
                }
            },
            {
                "Association": {
                    "id": "member",
                    "associationType": AssociationType.HAS_MEMBER,
                    "sourceObject": "Set01",
                    "targetObject": "Document01",
                    "Slot": [slot("SubmissionSetStatus", "Original")],
                }
            },
        ]
    }
}
ONE_DOCUMENT = [{"RepositoryUniqueId": "1.2.9", "DocumentUniqueId": "1.2.3"}]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "RegistryStoredQuery": {
        "ResponseOption": {"returnType": "LeafClass", "returnComposedObjects": True},
        "AdhocQuery": {
            "id": StoredQueryId.FIND_DOCUMENTS,
            "Slot": [slot("$XDSDocumentEntryPatientId", "'1^^^&1.2.3&ISO'")],
        },
    },
    "RegisterDocumentSet": SUBMISSION,
    "ProvideAndRegisterDocumentSet": {
        "SubmitObjectsRequest": SUBMISSION,
        "Document": [{"id": "Document01", "_value_1": b"\x00DICM\r\n"}],
    },
    "RetrieveDocumentSet": {"DocumentRequest": ONE_DOCUMENT},
    "RetrieveImagingDocumentSet": {
        "StudyRequest": [
            {
                "studyInstanceUID": "1.2.5",
                "SeriesRequest": [{"seriesInstanceUID": "1.2.5.1", "DocumentRequest": ONE_DOCUMENT}],
            }
        ],
        "TransferSyntaxUIDList": {"TransferSyntaxUID": ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70"]},
    },
}

NAMESPACES = " ".join(f'xmlns:{prefix.name.lower()}="{prefix.value}"' for prefix in SCHEMAS)
QUERY_ANSWER = f"""<query:AdhocQueryResponse {NAMESPACES} status="{ResponseStatus.PARTIAL_SUCCESS}">
  <rs:RegistryErrorList highestSeverity="{Severity.ERROR}">
    <rs:RegistryError errorCode="XDSRegistryError" codeContext="an index is missing" location="urn:oid:1.2.9"/>
  </rs:RegistryErrorList>
  <rim:RegistryObjectList>
    <rim:ObjectRef id="urn:uuid:00000000-0000-4000-8000-000000000001" home="urn:oid:1.2.9"/>
    <rim:ExtrinsicObject id="urn:uuid:00000000-0000-4000-8000-000000000002" home="urn:oid:1.2.9" mimeType="text/plain"
        lid="urn:uuid:00000000-0000-4000-8000-000000000002" status="{Status.APPROVED}">
      <rim:Slot name="size"><rim:ValueList><rim:Value>12</rim:Value></rim:ValueList></rim:Slot>
      <rim:Name><rim:LocalizedString xml:lang="sv-SE" charset="UTF-8" value="Svar"/></rim:Name>
      <rim:VersionInfo versionName="1"/>
      <rim:Classification id="c" classifiedObject="urn:uuid:00000000-0000-4000-8000-000000000002"
          classificationScheme="{ClassificationScheme.CLASS_CODE}" nodeRepresentation="18748-4">
        <rim:Slot name="codingScheme"><rim:ValueList><rim:Value>1.2.6</rim:Value></rim:ValueList></rim:Slot>
        <rim:VersionInfo versionName="1"/>
      </rim:Classification>
    </rim:ExtrinsicObject>
  </rim:RegistryObjectList>
</query:AdhocQueryResponse>"""
QUERY = f"""<query:AdhocQueryRequest {NAMESPACES}>
  <query:ResponseOption returnComposedObjects="true" returnType="ObjectRef"/>
  <rim:AdhocQuery id="{StoredQueryId.GET_DOCUMENTS}">
    <rim:Slot name="$XDSDocumentEntryUniqueId">
      <rim:ValueList><rim:Value>('1.2.3')</rim:Value></rim:ValueList>
    </rim:Slot>
  </rim:AdhocQuery>
</query:AdhocQueryRequest>"""
RETRIEVAL_ANSWER = f"""<xds_b:RetrieveDocumentSetResponse {NAMESPACES}>
  <rs:RegistryResponse status="{ResponseStatus.SUCCESS}"/>
  <xds_b:DocumentResponse>
    <xds_b:RepositoryUniqueId>1.2.9</xds_b:RepositoryUniqueId>
    <xds_b:DocumentUniqueId>1.2.3</xds_b:DocumentUniqueId>
    <xds_b:mimeType>text/plain</xds_b:mimeType>
    <xds_b:Document>SGVq</xds_b:Document>
  </xds_b:DocumentResponse>
</xds_b:RetrieveDocumentSetResponse>"""


class Server(BaseAdapter):
    """Gives the WSDL to GET; keeps what is posted and gives it the answer that the test has set."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[requests.PreparedRequest] = []
        self.answer = ("application/soap+xml", envelope(f'<rs:RegistryResponse {NAMESPACES} status="s"/>'))

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        if request.method == "GET":
            service = request.url.rpartition("/")[2].removesuffix("?wsdl")
            media_type, content = "text/xml", wsdl(service, request.url.removesuffix("?wsdl"), SERVICES[service])
        else:
            self.posted.append(request)
            media_type, content = self.answer
        response.headers["Content-Type"] = media_type
        response._content = content
        return response

    def close(self) -> None:
        pass


def envelope(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{Namespace.SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def client_of(server: Server) -> Callable[[str], zeep.Client]:
    session = requests.Session()
    session.mount("http://server.test/", server)
    return lambda service: client(f"http://server.test/{service}?wsdl", session)


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    """All schemas as a client gets them: out of a WSDL."""
    folder = tmp_path_factory.mktemp("schemas")
    document = etree.fromstring(wsdl("All", "http://server.test/", [op for ops in SERVICES.values() for op in ops]))
    driver = etree.Element(f"{XS}schema")
    for schema in document.iterfind(f".//{XS}schema"):
        path = folder / f"{len(driver)}.xsd"
        path.write_bytes(etree.tostring(schema))
        etree.SubElement(driver, f"{XS}import", namespace=schema.get("targetNamespace"), schemaLocation=str(path))
    return etree.XMLSchema(driver)


def faults(validator: etree.XMLSchema, message: etree._Element) -> str:
    validator.validate(message)
    return "\n".join(entry.message for entry in validator.error_log)


@pytest.mark.parametrize("service", SERVICES)
def test_zeep_offers_each_operation_with_both_actions(service: str, client_of: Callable[[str], zeep.Client]) -> None:
    described = client_of(service)
    binding = described.service._binding
    abstract = {op.name: op.abstract for op in binding.all().values()}
    assert set(abstract) == {op.name for op in SERVICES[service]}
    for op in SERVICES[service]:
        assert abstract[op.name].wsa_action == op.action
    assert described.service._binding_options["address"] == f"http://server.test/{service}"


@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_zeep_builds_is_valid_and_addressed_once(
    name: str, client_of: Callable[[str], zeep.Client], validator: etree.XMLSchema
) -> None:
    described = client_of(SERVICE_OF[name])
    message = described.create_message(described.service, name, **ARGUMENTS[name])
    body = message.find(f"{{{Namespace.SOAP}}}Body")
    assert faults(validator, body[0]) == ""
    headers = [etree.QName(header).localname for header in message.find(f"{{{Namespace.SOAP}}}Header")]
    assert sorted(headers) == ["Action", "MessageID", "To"]


def test_zeep_keeps_id_and_slots_of_a_classification(client_of: Callable[[str], zeep.Client]) -> None:
    described = client_of("DocumentRegistry")
    message = described.create_message(described.service, "RegisterDocumentSet", **SUBMISSION)
    author = message.find(f".//{{{Namespace.RIM}}}ExtrinsicObject/{{{Namespace.RIM}}}Classification")
    assert author.get("id") == "author"
    assert [value.text for value in author.iterfind(".//{*}Value")] == ["^Alm^Eva", "radiologist", "head of clinic"]


def test_zeep_reads_objects_and_errors_of_a_query_answer(
    server: Server, client_of: Callable[[str], zeep.Client]
) -> None:
    server.answer = ("application/soap+xml; charset=UTF-8", envelope(QUERY_ANSWER))
    answer = client_of("DocumentRegistry").service.RegistryStoredQuery(**ARGUMENTS["RegistryStoredQuery"])
    assert answer.status == ResponseStatus.PARTIAL_SUCCESS
    assert answer.RegistryErrorList.RegistryError[0].errorCode == "XDSRegistryError"
    reference, entry = answer.RegistryObjectList._value_1
    assert reference["ObjectRef"].home == "urn:oid:1.2.9"
    assert entry["ExtrinsicObject"].Classification[0].Slot[0].ValueList.Value == ["1.2.6"]
    assert server.posted[0].headers["Content-Type"].startswith("application/soap+xml")


@pytest.mark.parametrize("message", [QUERY, QUERY_ANSWER, RETRIEVAL_ANSWER], ids=["ask", "found", "retrieved"])
def test_messages_of_the_book_are_valid(message: str, validator: etree.XMLSchema) -> None:
    assert faults(validator, etree.fromstring(message)) == ""


@pytest.mark.parametrize(
    ("message", "good", "bad", "fault"),
    [
        (QUERY, 'returnType="ObjectRef"', 'returnType="Everything"', "returnType"),
        (QUERY, f'<rim:AdhocQuery id="{StoredQueryId.GET_DOCUMENTS}">', "<rim:AdhocQuery>", "'id' is required"),
        (QUERY, "<rim:ValueList><rim:Value>('1.2.3')</rim:Value></rim:ValueList>", "", "ValueList"),
        (QUERY_ANSWER, "rim:ObjectRef ", "rim:Organization ", "Organization"),
        (QUERY_ANSWER, ' codeContext="an index is missing"', "", "'codeContext' is required"),
        (QUERY_ANSWER, ' name="size"', ' name="size" nmae="x"', "nmae"),
        (QUERY_ANSWER, ' value="Svar"', "", "'value' is required"),
        (QUERY_ANSWER, 'nodeRepresentation="18748-4"', f'nodeRepresentation="{"8" * 257}"', "maximum length of '256'"),
        (RETRIEVAL_ANSWER, "SGVq", "SGV!", "base64Binary"),
        (RETRIEVAL_ANSWER, "<xds_b:mimeType>text/plain</xds_b:mimeType>", "", "mimeType"),
    ],
)
def test_one_fault_is_found(message: str, good: str, bad: str, fault: str, validator: etree.XMLSchema) -> None:
    assert good in message
    assert fault in faults(validator, etree.fromstring(message.replace(good, bad, 1)))


def test_attributes_of_other_namespaces_are_let_through(validator: etree.XMLSchema) -> None:
    vendor = QUERY.replace("<rim:AdhocQuery ", '<rim:AdhocQuery xmlns:v="urn:vendor" v:trace="7" ')
    assert faults(validator, etree.fromstring(vendor)) == ""


@pytest.mark.parametrize(
    ("service", "inlined"),
    [
        ("DocumentRegistry", {Namespace.RIM, Namespace.RS, Namespace.LCM, Namespace.QUERY}),
        ("DocumentRepository", {Namespace.RIM, Namespace.RS, Namespace.LCM, Namespace.XDS_B}),
        ("ImagingDocumentSource", {Namespace.RIM, Namespace.RS, Namespace.LCM, Namespace.XDS_B, Namespace.XDS_I_B}),
    ],
)
def test_a_document_holds_what_its_operations_need_and_refers_to_nothing_outside(
    service: str, inlined: set[Namespace]
) -> None:
    document = etree.fromstring(wsdl(service, "http://server.test/", SERVICES[service]))
    schemas = [schema.get("targetNamespace") for schema in document.iterfind(f".//{XS}schema")]
    assert len(schemas) == len(inlined)
    assert set(schemas) == inlined
    for imported in document.iterfind(f".//{XS}import"):
        assert dict(imported.attrib).keys() == {"namespace"}
        own = imported.getparent().get("targetNamespace")
        assert schemas.index(imported.get("namespace")) < schemas.index(own)


def test_the_address_may_hold_any_character(tmp_path: Path) -> None:
    address = 'http://server.test/xds?a=1&b="<Å>"'
    path = tmp_path / "service.wsdl"
    path.write_bytes(wsdl("DocumentRegistry", address, [REGISTER]))
    assert client(str(path)).service._binding_options["address"] == address


def test_an_element_without_a_packaged_schema_is_refused() -> None:
    stranger = operation("Fault", Action.REGISTER_DOCUMENT_SET, (Namespace.SOAP, "Fault"), ACKNOWLEDGED)
    with pytest.raises(ValueError, match="soap-envelope"):
        wsdl("DocumentRegistry", "http://server.test/", [stranger])


def test_every_packaged_schema_is_in_the_table_and_names_its_book() -> None:
    packaged = {path.name: path for path in files("profiles.faces").joinpath("schemas").iterdir()}
    assert set(packaged) == set(SCHEMAS.values())
    for namespace, name in SCHEMAS.items():
        schema = etree.fromstring(packaged[name].read_bytes())
        assert schema.get("targetNamespace") == namespace
        assert " TF-" in schema.findtext(f"{XS}annotation/{XS}documentation"), name


@pytest.mark.parametrize(
    "content", [b"", b"\r", b"\n", b"a\r\n", b"\r\n--boundary_\r\n\r\n", bytes(range(256)) * 9, "å\\u00e5".encode()]
)
def test_documents_go_out_and_come_back_byte_for_byte_by_mtom(
    content: bytes, server: Server, client_of: Callable[[str], zeep.Client]
) -> None:
    # The answer is prepared by the client's own writer, read back by the email parser.
    plain = etree.fromstring(envelope(RETRIEVAL_ANSWER))
    document = plain.find(".//{*}Document")
    repository = client_of("DocumentRepository")
    arguments = {**ARGUMENTS["ProvideAndRegisterDocumentSet"], "Document": [{"id": "Document01", "_value_1": content}]}

    assert repository.service.ProvideAndRegisterDocumentSet(**arguments).status == "s"
    sent = server.posted[0]
    assert sent.headers["Content-Type"].startswith("multipart/related;")
    assert f'action="{Action.PROVIDE_AND_REGISTER_DOCUMENT_SET}"' in sent.headers["Content-Type"]
    assert b"\r\n\r\n" + content + b"\r\n--boundary_" in sent.body
    whole = etree.fromstring(unpack(sent.headers["Content-Type"], sent.body))
    document.text = whole.findtext(f".//{{{Namespace.XDS_B}}}Document")

    server.answer = pack(plain, "urn:x")
    answer = repository.service.RetrieveDocumentSet(**ARGUMENTS["RetrieveDocumentSet"])
    assert server.posted[1].headers["Content-Type"].startswith("multipart/related;")
    assert (answer.DocumentResponse[0].Document or b"") == content


def test_a_damaged_mtom_answer_is_noticed(server: Server, client_of: Callable[[str], zeep.Client]) -> None:
    media_type, whole = pack(etree.fromstring(envelope(RETRIEVAL_ANSWER)), "urn:x")
    retrieve = client_of("DocumentRepository").service.RetrieveDocumentSet
    server.answer = (media_type, whole[:-20])
    with pytest.raises(ValueError, match="not a whole multipart"):
        retrieve(**ARGUMENTS["RetrieveDocumentSet"])
    server.answer = (media_type, whole.replace(b'href="cid:', b'href="cid:x', 1))
    with pytest.raises(ValueError, match="no part is called x"):
        retrieve(**ARGUMENTS["RetrieveDocumentSet"])
