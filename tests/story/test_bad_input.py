"""What is wrong is refused at each door by the coded answer of its protocol, and nothing of it is kept."""

import struct
from collections.abc import Callable, Iterator
from typing import Any

import examination
import pytest
import requests
from examination import AXIS2, PDF, PNR, TEXT, Document, Study, multipart, new_uid, slot, soap, sop_uid
from lxml import etree
from region import Region, codes

from registry.metadata.urn import (
    Action,
    ClassificationScheme,
    Namespace,
    ResponseStatus,
    Status,
    StoredQueryId,
)

# Nothing is published behind the back of a test that counts.
SETTINGS = {"XDSI_PUBLISHING__AUTOMATIC": "false", "XDSI_LIMITS__ENVELOPE_BYTES": "200000"}
QUERY_ACTION = Action.REGISTRY_STORED_QUERY
QUERY = (
    f'<q:AdhocQueryRequest xmlns:q="{Namespace.QUERY}" xmlns:r="{Namespace.RIM}">'
    '<q:ResponseOption returnType="ObjectRef"/>'
    f'<r:AdhocQuery id="{StoredQueryId.GET_DOCUMENTS}"><r:Slot name="$XDSDocumentEntryUniqueId"><r:ValueList>'
    "<r:Value>('1.2.3')</r:Value></r:ValueList></r:Slot></r:AdhocQuery></q:AdhocQueryRequest>"
)
GOOD = soap(QUERY_ACTION, QUERY)
SOAP_TYPE = "application/soap+xml; charset=UTF-8"
BOMB = b'<!DOCTYPE a [<!ENTITY b "%s"><!ENTITY c "&b;&b;&b;&b;">]>' % (b"x" * 100)


@pytest.fixture(autouse=True)
def nothing_kept(world: Region, request: pytest.FixtureRequest) -> Iterator[None]:
    """No row and no file more than before; a test that keeps something on purpose is marked by its name."""
    before = world.count()
    yield
    if "kept" not in request.node.name:
        assert world.count() == before


def fault(answer: requests.Response) -> tuple[str, str, str]:
    """(code, subcode, reason) of a SOAP fault."""
    assert "xml" in answer.headers["Content-Type"], answer.text
    found = etree.fromstring(answer.content).find(f".//{{{Namespace.SOAP}}}Fault")
    assert found is not None, answer.text
    values = [e.text.rpartition(":")[2] for e in found.iterfind(f".//{{{Namespace.SOAP}}}Value")]
    reason = found.findtext(f".//{{{Namespace.SOAP}}}Text")
    assert len(reason) > 10
    return values[0], values[1] if len(values) > 1 else "", reason


ENVELOPES = [
    ("cut short", GOOD[:-30], 400, "Sender", ""),
    ("no XML", b"hello", 400, "Sender", ""),
    ("empty", b"", 400, "Sender", ""),
    ("not UTF-8", GOOD.replace(b"1.2.3", b"\xff\xfe"), 400, "Sender", ""),
    ("UTF-16 without its mark", GOOD.decode().encode("utf-16-le"), 400, "Sender", ""),
    ("a DOCTYPE", b"<!DOCTYPE a>" + GOOD, 400, "Sender", ""),
    ("an external entity", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>' + GOOD, 400, "Sender", ""),
    ("an entity bomb", BOMB + GOOD.replace(b"1.2.3", b"&c;"), 400, "Sender", ""),
    ("no SOAP", b"<a/>", 400, "Sender", ""),
    (
        "SOAP 1.1",
        GOOD.replace(Namespace.SOAP.encode(), b"http://schemas.xmlsoap.org/soap/envelope/"),
        500,
        "VersionMismatch",
        "",
    ),
    ("an unknown action", soap("urn:ihe:iti:2007:Nothing", QUERY), 400, "Sender", "ActionNotSupported"),
    ("another service's action", soap(PNR, QUERY), 400, "Sender", "ActionNotSupported"),
    ("another action's body", soap(Action.REGISTER_DOCUMENT_SET, QUERY), 400, "Sender", "ActionMismatch"),
    (
        "no action",
        GOOD.replace(b"a:Action", b"a:Relation"),
        400,
        "Sender",
        "MessageAddressingHeaderRequired",
    ),
    (
        "two actions",
        GOOD.replace(b"<s:Header>", f"<s:Header><a:Action>{QUERY_ACTION}</a:Action>".encode()),
        400,
        "Sender",
        "InvalidAddressingHeader",
    ),
    (
        "a header that must be understood",
        GOOD.replace(b"<s:Header>", b'<s:Header><x:y xmlns:x="urn:x" s:mustUnderstand="true"/>'),
        500,
        "MustUnderstand",
        "",
    ),
    (
        "an answer elsewhere",
        GOOD.replace(b"<s:Header>", b"<s:Header><a:ReplyTo><a:Address>http://e.example</a:Address></a:ReplyTo>"),
        400,
        "Sender",
        "OnlyAnonymousAddressSupported",
    ),
    ("an empty body", soap(QUERY_ACTION, ""), 400, "Sender", ""),
    ("two in the body", soap(QUERY_ACTION, QUERY + QUERY), 400, "Sender", ""),
    ("too large", soap(QUERY_ACTION, QUERY + "<a/>" * 60_000), 413, "Sender", ""),
    ("too deep", soap(QUERY_ACTION, "<a>" * 5000 + "</a>" * 5000), 400, "Sender", ""),
]


@pytest.mark.parametrize(
    ("body", "status", "code", "subcode"), [e[1:] for e in ENVELOPES], ids=[e[0] for e in ENVELOPES]
)
def test_an_envelope_that_cannot_be_dispatched_is_a_fault(
    world: Region, body: bytes, status: int, code: str, subcode: str
) -> None:
    answer = world.post("registry", SOAP_TYPE, body)
    assert (answer.status_code, *fault(answer)[:2]) == (status, code, subcode)
    assert "hostname" not in answer.text


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/xml", 415),
        ("application/json", 415),
        ("", 415),
        (f'application/soap+xml; action="{PNR}"', 400),
    ],
)
def test_a_content_type_that_does_not_fit_is_a_fault(world: Region, content_type: str, status: int) -> None:
    answer = world.post("registry", content_type, GOOD)
    assert answer.status_code == status
    fault(answer)


# --- MTOM ---


MARK = AXIS2.boundary.encode()
BINARY = b"Content-Transfer-Encoding: binary\r\nContent-ID: <urn"


def second_part(body: bytes) -> int:
    return body.index(b"--" + MARK, 10)


Package = tuple[str, bytes]
BROKEN: dict[str, Callable[[str, bytes], Package]] = {
    "cut in the document": lambda kind, body: (kind, body[: -len(MARK) - 30]),
    "cut in the envelope": lambda kind, body: (kind, body[: second_part(body) // 2]),
    "without its end": lambda kind, body: (kind, body[: -len(MARK) - 6]),
    "another boundary": lambda kind, body: (kind.replace(AXIS2.boundary, "other"), body),
    "no boundary": lambda kind, body: (kind.replace(f"boundary={AXIS2.boundary}; ", ""), body),
    "a start that is not there": lambda kind, body: (kind.replace("3D4B@", "XXXX@"), body),
    "an Include of nothing": lambda kind, body: (kind, body.replace(b"cid:urn", b"cid:urm")),
    "an Include of another server": lambda kind, body: (kind, body.replace(b'href="cid:', b'href="http://')),
    "two parts of one name": lambda kind, body: (
        kind,
        body[: -len(MARK) - 6] + b"\r\n" + body[second_part(body) :],
    ),
    "a DOCTYPE": lambda kind, body: (kind, body.replace(b"<?xml", BOMB + b"<?xml", 1)),
    "a header without end": lambda kind, body: (kind, body.replace(BINARY, b"X: " + b"y" * 100_000 + b"\r\n" + BINARY)),
    "a coding nobody knows": lambda kind, body: (kind, body.replace(BINARY, BINARY.replace(b"binary", b"zip"))),
    "no parts": lambda kind, body: (kind, b"--" + MARK + b"--\r\n"),
    "nothing": lambda kind, body: (kind, b""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_package_is_a_fault_and_leaves_no_file(world: Region, name: str) -> None:
    report = Document(examination.person(), PDF * 5000)
    answer = world.post("repository", *BROKEN[name](*world.message(report)))
    code, _, _ = fault(answer)
    assert answer.status_code in (400, 413, 415), answer.text
    assert code == "Sender"


def test_a_sender_that_goes_away_leaves_nothing(world: Region) -> None:
    import socket

    content_type, body = world.message(Document(examination.person(), PDF * 20_000))
    port = int(world.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as raw:
        head = "POST /xds/repository HTTP/1.1\r\nHost: x\r\n"
        head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        raw.sendall(head.encode() + body[: len(body) // 2])
        raw.shutdown(socket.SHUT_WR)
        raw.settimeout(10)
        answer = raw.recv(100_000)
    assert b" 500 " not in answer[:20]


def test_an_oversized_envelope_in_a_package(world: Region) -> None:
    report = Document(examination.person(), said=(("x:pad", "y" * 250_000),))
    answer = world.post("repository", *world.message(report))
    assert answer.status_code == 413
    assert "200000" in fault(answer)[2]


def test_iti_41_without_mtom_is_told_so(world: Region) -> None:
    client = world.soap("repository")
    report = Document(examination.person())
    arguments = examination.provided(report)
    envelope = client.create_message(client.service, "ProvideAndRegisterDocumentSetB", **arguments)
    answer = world.post("repository", SOAP_TYPE, etree.tostring(envelope))
    assert answer.status_code == 415
    assert "MTOM" in fault(answer)[2]


# --- submissions ---


def errors(answer: Any) -> list[tuple[str, str]]:
    """(errorCode, codeContext with location) of each error of a failed submission."""
    assert answer.status == ResponseStatus.FAILURE, answer
    found = answer.RegistryErrorList.RegistryError
    assert all(error.codeContext for error in found)
    return [(error.errorCode, f"{error.location}: {error.codeContext}") for error in found]


def test_several_faults_of_several_documents_are_named_at_once(world: Region) -> None:
    who = examination.person()
    scheme = ClassificationScheme
    one = Document(who, said=(("creationTime", None), ("languageCode", None)), without=(scheme.TYPE_CODE,))
    two = Document(who, said=(("creationTime", "20241350"),), without=(scheme.CLASS_CODE, scheme.FORMAT_CODE))
    for answer, code in (
        (world.provide(one, two), "XDSRepositoryMetadataError"),
        (world.register(one.registered("1.2.3"), two.registered("1.2.3")), "XDSRegistryMetadataError"),
    ):
        found = errors(answer)
        assert {error for error, _ in found} == {code}
        for document, names in (
            (one, ("creationTime", "languageCode", "typeCode")),
            (two, ("creationTime", "classCode", "formatCode")),
        ):
            for name in names:
                assert [text for _, text in found if document.id in text and name in text], (name, found)
        assert all("TF-" in text for _, text in found)


NOBODY = "urn:uuid:00000000-0000-4000-8000-000000000000"


def submissions() -> dict[str, tuple[str, list[Document]]]:
    """Name -> (error code of ITI-41, documents)."""
    who = examination.person()
    good = Document(who)
    stranger = f"{who.number}^^^&1.2.3.4&ISO"
    same = Document(who)
    kos = {
        "mime_type": "application/dicom",
        "format_code": "1.2.840.10008.5.1.4.1.1.88.59",
        "format_scheme": "1.2.840.10008.2.6.1",
    }
    return {
        "unknown authority": ("XDSUnknownPatientId", [good.but(cx=stranger)]),
        "no authority": ("XDSRepositoryMetadataError", [good.but(cx=who.number)]),
        "two patients": ("XDSPatientIdDoesNotMatch", [good, Document(examination.person())]),
        "wrong hash": ("XDSRepositoryMetadataError", [good.but(said=(("hash", "0" * 40),))]),
        "no hash at all": ("XDSRepositoryMetadataError", [good.but(said=(("hash", "hello"),))]),
        "wrong size": ("XDSRepositoryMetadataError", [good.but(said=(("size", "75"),))]),
        "no size at all": ("XDSRepositoryMetadataError", [good.but(said=(("size", "many"),))]),
        "another repository": ("XDSRepositoryMetadataError", [good.but(said=(("repositoryUniqueId", "1.2.3"),))]),
        "one uniqueId twice": ("XDSRepositoryDuplicateUniqueIdInMessage", [same, Document(who, TEXT, uid=same.uid)]),
        "one id twice": ("XDSRepositoryMetadataError", [same, Document(who, TEXT, id=same.id)]),
        "a uniqueId that is none": ("XDSRepositoryMetadataError", [good.but(uid="hello world")]),
        "replaces nothing": ("XDSRegistryMetadataError", [good.but(replaces=NOBODY)]),
        "a manifest that is none": ("InvalidDocumentContent", [Document(who, b"\0" * 128 + b"DICM", **kos)]),
        "a manifest that is an image": ("InvalidDocumentContent", [Document(who, Study(who).object(), **kos)]),
        "one of two is wrong": ("XDSRepositoryMetadataError", [Document(who), good.but(said=(("hash", "0" * 40),))]),
    }  # fmt: skip


@pytest.mark.parametrize("name", submissions())
def test_a_wrong_submission_is_refused_whole(world: Region, name: str) -> None:
    code, documents = submissions()[name]
    found = errors(world.provide(*documents))
    accepted = {code, code.replace("Repository", "Registry"), code.replace("Registry", "Repository")}
    assert {error for error, _ in found} & accepted, found
    assert "internal error" not in str(found)


@pytest.mark.parametrize("name", ["unknown authority", "two patients", "one uniqueId twice", "replaces nothing"])
def test_a_wrong_registration_is_refused_whole(world: Region, name: str) -> None:
    code, documents = submissions()[name]
    found = errors(world.register(*[document.registered("1.2.3") for document in documents]))
    assert {error for error, _ in found} >= {code.replace("XDSRepository", "XDSRegistry")}, found


@pytest.mark.parametrize("name", ["hash", "size", "repositoryUniqueId"])
def test_a_registration_without_what_the_repository_says(world: Region, name: str) -> None:
    report = Document(examination.person()).registered("1.2.3")
    (error,) = errors(world.register(report.but(said=tuple(s for s in report.said if s[0] != name))))
    assert error[0] == "XDSRegistryMetadataError"
    assert name in error[1]


def test_documents_and_entries_that_do_not_pair_up(world: Region) -> None:
    who = examination.person()
    one, two = Document(who), Document(who, TEXT)
    arguments = examination.provided(one, two)
    arguments["Document"] = [arguments["Document"][0], {"id": "stranger", "_value_1": b"x"}]
    found = errors(world.soap("repository").service.ProvideAndRegisterDocumentSetB(**arguments))
    assert sorted(error for error, _ in found) == ["XDSMissingDocument", "XDSMissingDocumentMetadata"]


def test_what_is_kept_already_cannot_be_changed(world: Region) -> None:
    first, set_uid = Document(examination.person()), new_uid()
    assert world.provide(first, set_uid=set_uid).status == ResponseStatus.SUCCESS
    before = world.count()
    other = Document(first.who, TEXT, "text/plain", uid=first.uid)
    assert ("XDSNonIdenticalHash") in [error for error, _ in errors(world.provide(other))]
    assert ("XDSNonIdenticalHash") in [error for error, _ in errors(world.register(other.registered(world.repository)))]
    again = Document(first.who)
    assert [e for e, _ in errors(world.provide(again, set_uid=set_uid))] == ["XDSDuplicateUniqueIdInRegistry"]
    assert errors(world.provide(Document(first.who, id=first.id)))
    assert world.count() == before
    assert world.retrieve((world.repository, first.uid)).DocumentResponse[0].Document == PDF


def test_what_is_kept_and_deprecated_cannot_be_replaced_again(world: Region) -> None:
    first = Document(examination.person())
    world.provide(first)
    world.provide(Document(first.who, replaces=first.id))
    before = world.count()
    found = errors(world.provide(Document(first.who, replaces=first.id)))
    assert "XDSRegistryDeprecatedDocumentError" in [error for error, _ in found]
    stranger = Document(examination.person(), replaces=first.id)
    assert errors(world.provide(stranger))
    assert world.count() == before


def test_a_body_that_is_no_submission(world: Region) -> None:
    for body in (
        f'<l:SubmitObjectsRequest xmlns:l="{Namespace.LCM}"/>',
        f'<l:SubmitObjectsRequest xmlns:l="{Namespace.LCM}"><r:RegistryObjectList xmlns:r="{Namespace.RIM}"/>'
        "</l:SubmitObjectsRequest>",
        f'<l:SubmitObjectsRequest xmlns:l="{Namespace.LCM}"><r:RegistryObjectList xmlns:r="{Namespace.RIM}">'
        "<r:ExtrinsicObject/><r:RegistryPackage/><r:Association/><r:Nothing/></r:RegistryObjectList>"
        "</l:SubmitObjectsRequest>",
    ):
        answer = world.post("registry", SOAP_TYPE, soap(Action.REGISTER_DOCUMENT_SET, body))
        assert answer.status_code == 200, answer.text
        assert ResponseStatus.FAILURE in answer.text
        assert "internal error" not in answer.text


# --- stored queries and retrieval ---

CX = f"'181234567890^^^&{examination.AUTHORITY}&ISO'"
APPROVED = f"('{Status.APPROVED}')"
WHOSE = [("PatientId", [CX]), ("Status", [APPROVED])]
FIND, GET = StoredQueryId.FIND_DOCUMENTS, StoredQueryId.GET_DOCUMENTS
MISSING = "XDSStoredQueryMissingParam"
QUERIES: list[tuple[str, str, list[tuple[str, list[str]]], str]] = [
    ("unknown query", NOBODY, [], "XDSUnknownStoredQuery"),
    ("no query id at all", "hello", [], "XDSUnknownStoredQuery"),
    ("nothing said", FIND, [], MISSING),
    ("no status", FIND, WHOSE[:1], MISSING),
    ("no reference", StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, WHOSE, MISSING),
    ("a list that does not end", FIND, [*WHOSE[:1], ("Status", ["('a'"])], ""),
    ("no quotes", FIND, [("PatientId", ["abc"]), *WHOSE[1:]], ""),
    ("an unknown status", FIND, [*WHOSE[:1], ("Status", ["('Gone')"])], ""),
    ("an empty list", FIND, [*WHOSE[:1], ("Status", ["()"])], ""),
    ("a patient that is none", FIND, [("PatientId", ["'x'"]), *WHOSE[1:]], ""),
    ("two patients", FIND, [("PatientId", [CX, CX]), *WHOSE[1:]], ""),
    ("a patient in a list", FIND, [("PatientId", [f"({CX})"]), *WHOSE[1:]], ""),
    ("no time", FIND, [*WHOSE, ("CreationTimeFrom", ["20241301"])], ""),
    ("a code without scheme", FIND, [*WHOSE, ("TypeCode", ["('x')"])], ""),
    ("two that exclude each other", GET, [("UniqueId", ["('1.2')"]), ("EntryUUID", [f"('{NOBODY}')"])], ""),
    ("none of several", GET, [], MISSING),
    ("no UUID", GET, [("EntryUUID", ["('hello')"])], ""),
]


@pytest.mark.parametrize(("query", "parameters", "code"), [q[1:] for q in QUERIES], ids=[q[0] for q in QUERIES])
def test_a_wrong_question_is_answered_with_a_code(
    world: Region, query: str, parameters: list[tuple[str, list[str]]], code: str
) -> None:
    answer = world.soap("registry").service.RegistryStoredQuery(
        ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
        AdhocQuery={"id": query, "Slot": [slot(f"$XDSDocumentEntry{name}", *values) for name, values in parameters]},
    )
    assert answer.status == ResponseStatus.FAILURE
    assert codes(answer)
    if code:
        assert code in codes(answer)
    assert "internal error" not in str(answer)


def test_what_looks_like_sql_is_a_value(world: Region) -> None:
    for text in ("''); DROP TABLE document_entry; --", "%", "a''b", "\\", "\u0130\U0001f600"):
        answer = world.query(StoredQueryId.GET_DOCUMENTS, _UniqueId=f"('{text}')")
        assert answer.status == ResponseStatus.SUCCESS
        assert not answer.RegistryObjectList or not answer.RegistryObjectList._value_1


@pytest.mark.parametrize("returns", ["Everything", ""])
def test_an_unknown_return_type(world: Region, returns: str) -> None:
    body = QUERY.replace('returnType="ObjectRef"', f'returnType="{returns}"')
    answer = world.post("registry", SOAP_TYPE, soap(QUERY_ACTION, body))
    assert answer.status_code == 200
    assert 'errorCode="XDSRegistryError"' in answer.text


def test_documents_that_cannot_be_given(world: Region) -> None:
    answer = world.retrieve(("1.2.3", "1.2.4"), (world.repository, "1.2.5"))
    assert answer.RegistryResponse.status == ResponseStatus.FAILURE
    assert codes(answer.RegistryResponse) == ["XDSUnknownRepositoryId", "XDSDocumentUniqueIdError"]
    assert not answer.DocumentResponse
    named = [
        error.codeContext + str(error.location) for error in answer.RegistryResponse.RegistryErrorList.RegistryError
    ]
    assert "1.2.4" in named[0]
    assert "1.2.5" in named[1]


RETRIEVALS = [
    ("repository", Action.RETRIEVE_DOCUMENT_SET, f'<x:RetrieveDocumentSetRequest xmlns:x="{Namespace.XDS_B}"/>'),
    (
        "repository",
        Action.RETRIEVE_DOCUMENT_SET,
        f'<x:RetrieveDocumentSetRequest xmlns:x="{Namespace.XDS_B}"><x:DocumentRequest/>'
        "</x:RetrieveDocumentSetRequest>",
    ),
    (
        "imaging",
        Action.RETRIEVE_IMAGING_DOCUMENT_SET,
        f'<x:RetrieveImagingDocumentSetRequest xmlns:x="{Namespace.XDS_I_B}"/>',
    ),
    (
        "imaging",
        Action.RETRIEVE_IMAGING_DOCUMENT_SET,
        f'<x:RetrieveImagingDocumentSetRequest xmlns:x="{Namespace.XDS_I_B}"><x:StudyRequest studyInstanceUID="">'
        "<x:SeriesRequest/></x:StudyRequest></x:RetrieveImagingDocumentSetRequest>",
    ),
]


@pytest.mark.parametrize(("service", "action", "body"), RETRIEVALS)
def test_retrieval_of_nothing_in_particular(world: Region, service: str, action: str, body: str) -> None:
    answer = world.post(service, SOAP_TYPE, soap(action, body))
    assert answer.status_code == 200, answer.text
    assert ResponseStatus.FAILURE in answer.text
    assert "errorCode=" in answer.text
    assert "internal error" not in answer.text


# --- STOW-RS ---


def pixels(length: int) -> bytes:
    return struct.pack("<HH2s2xI", 0x7FE0, 0x10, b"OW", length)


OBJECTS: dict[str, Callable[[Study], bytes]] = {
    "empty": lambda study: b"",
    "text": lambda study: b"hello",
    "preamble alone": lambda study: study.object()[:132],
    "meta alone": lambda study: study.object()[:400],
    "cut in the pixels": lambda study: study.object()[:-1000],
    "a length beyond the end": lambda study: study.object().replace(pixels(32768), pixels(0x7FFFFFF0)),
    "no SOP Instance UID": lambda study: study.object().replace(b"\x08\0\x18\0UI", b"\x08\0\x19\0UI"),
    "no Study Instance UID": lambda study: study.object(StudyInstanceUID=""),
    "a UID that is none": lambda study: study.object(StudyInstanceUID="hello"),
    "a UID that climbs": lambda study: study.object(StudyInstanceUID="../../etc"),
    "an unknown issuer": lambda study: study.object(
        IssuerOfPatientIDQualifiersSequence=[examination.authority("1.2.3")]
    ),
    "a Patient ID with ^": lambda study: study.object(PatientID="1^2"),
    "a transfer syntax that is none": lambda study: study.object().replace(
        b"1.2.840.10008.1.2.1\0", b"hello, how are you?\0"
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_broken_object_is_refused_with_a_reason(world: Region, name: str) -> None:
    answer = world.session.post(
        f"{world.url}/dicomweb/studies", multipart(OBJECTS[name](Study())), headers=examination.STOW, timeout=10
    )
    assert answer.status_code in (400, 409), answer.text
    failed = answer.json()["00081198"]["Value"]
    assert len(failed[0]["00000902"]["Value"][0]) > 10
    assert "00081199" not in answer.json()


def test_values_that_a_database_cannot_hold_are_kept_or_refused(world: Region) -> None:
    for keyword in ("StudyDescription", "PatientName", "AccessionNumber", "SeriesDescription", "InstitutionName"):
        for value in ("a\0b", "a\x1b(Zb", "\\\\", "x" * 70_000 if keyword == "StudyDescription" else "y" * 64):
            study = Study()
            answer = requests.post(
                f"{world.url}/dicomweb/studies",
                multipart(study.object(**{keyword: value})),
                headers=examination.STOW,
                timeout=10,
            )
            assert answer.status_code in (200, 202, 409), (keyword, value[:5], answer.text)
            for url in (f"dicomweb/studies/{study.uid}/metadata", f"fhir/ImagingStudy?identifier={study.uid}"):
                seen = requests.get(f"{world.url}/{url}", timeout=10)
                assert seen.status_code in (200, 404), (keyword, value[:5], seen.text)


def test_an_object_kept_already_is_not_changed_by_another_of_its_name(world: Region) -> None:
    study = Study()
    first = study.object()
    world.stow(first)
    before = world.count()
    name = sop_uid(first)
    for other in (
        study.object(SOPInstanceUID=name, StudyDescription="another"),
        Study(study.who).object(SOPInstanceUID=name),
        Study(examination.person(), study.uid).object(),
    ):
        answer = world.stow(other, status=409)
        assert answer["00081198"]["Value"][0]["00081155"]["Value"]
    assert world.count() == before
    got = world.session.get(
        f"{world.url}/dicomweb/studies/{study.uid}/series/{study.series}/instances/{name}",
        headers={"Accept": "application/dicom"},
        timeout=10,
    )
    assert got.content == first


def test_an_object_sent_to_another_study(world: Region) -> None:
    answer = world.session.post(
        f"{world.url}/dicomweb/studies/{new_uid()}", multipart(Study().object()), headers=examination.STOW, timeout=10
    )
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"x", 415),
        ({"Content-Type": 'multipart/related; type="image/jpeg"; boundary=a'}, b"--a--", 415),
        ({"Content-Type": 'multipart/related; type="application/dicom"'}, b"--a--", 400),
        ({"Content-Type": 'multipart/related; type="application/dicom"; boundary=a'}, b"", 400),
        ({"Content-Type": 'multipart/related; type="application/dicom"; boundary=a'}, b"--a--\r\n", 400),
        ({"Content-Encoding": "gzip"}, b"x", 415),
        ({"Accept": "text/html"}, b"x", 406),
    ],
)
def test_a_store_request_that_cannot_be_read(world: Region, headers: dict[str, str], body: bytes, status: int) -> None:
    answer = requests.post(f"{world.url}/dicomweb/studies", body, headers=examination.STOW | headers, timeout=10)
    assert answer.status_code == status, answer.text
    assert "json" in answer.headers["Content-Type"]


def test_a_truncated_store_request_says_what_was_kept(world: Region) -> None:
    study = Study()
    whole = multipart(study.object(), study.object())
    answer = requests.post(f"{world.url}/dicomweb/studies", whole[:-40_000], headers=examination.STOW, timeout=10)
    assert 400 <= answer.status_code < 500 or answer.status_code == 202
    assert world.fsck("--grace", "0").returncode == 0


# --- reading doors ---

URLS = [
    ("fhir/ImagingStudy?started=yesterday", 400),
    ("fhir/ImagingStudy?started=2024-13-01", 400),
    ("fhir/ImagingStudy?patient.identifier=191212121212", 400),
    ("fhir/ImagingStudy?_count=many", 400),
    ("fhir/ImagingStudy?_count=-1", 400),
    ("fhir/ImagingStudy?_after=x", 400),
    ("fhir/ImagingStudy?patient=Practitioner/1", 400),
    ("fhir/ImagingStudy?identifier=urn:dicom:uid|", 400),
    ("fhir/ImagingStudy?study-instance-uid=hello", 400),
    ("fhir/DocumentReference?status=gone%00", 400),
    ("fhir/DiagnosticReport?category=LAB", 400),
    ("fhir/Nothing", 404),
    ("fhir/ImagingStudy/%00", 404),
    ("fhir/Patient/nobody", 404),
    ("fhir/Binary/nothing", 404),
    ("dicomweb/studies?limit=x", 400),
    ("dicomweb/studies?offset=-1", 400),
    ("dicomweb/studies?StudyDate=hello", 400),
    ("dicomweb/studies?PatientID=%00", 400),
    ("dicomweb/studies?PatientName=%FF%FE", 400),
    ("dicomweb/studies/hello", 400),
    ("dicomweb/studies/1.2.3", 404),
    ("dicomweb/studies/1.2.3/series/1.2.3/instances/1.2.3/frames/1", 404),
    ("dicomweb/studies/1.2.3/series/1.2.3/instances/1.2.3/frames/x", 400),
    ("dicomweb/nothing", 404),
    ("xds/registry", 405),
    ("xds/nothing", 404),
]


@pytest.mark.parametrize(("url", "status"), URLS)
def test_a_question_by_url_that_makes_no_sense(world: Region, url: str, status: int) -> None:
    answer = requests.get(f"{world.url}/{url}", timeout=10)
    assert answer.status_code < 500, answer.text
    if url.endswith(("%00", "%FE")):
        assert answer.status_code in (200, 204, 400, 404)
    else:
        assert answer.status_code == status, answer.text
    if url.startswith("fhir"):
        assert answer.json()["resourceType"] == ("OperationOutcome" if answer.status_code >= 400 else "Bundle")
    if answer.status_code == 400:
        assert len(answer.text) > 40


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_what_cannot_be_written_by_fhir(world: Region, method: str) -> None:
    for path in ("ImagingStudy/1", "ImagingStudy"):
        answer = requests.request(method, f"{world.url}/fhir/{path}", json={"resourceType": "ImagingStudy"}, timeout=10)
        assert answer.status_code in (404, 405)
        assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("path", "accept"),
    [("fhir/ImagingStudy", "text/html"), ("fhir/metadata", "application/fhir+xml"), ("dicomweb/studies", "image/gif")],
)
def test_a_form_that_cannot_be_given(world: Region, path: str, accept: str) -> None:
    assert requests.get(f"{world.url}/{path}", headers={"Accept": accept}, timeout=10).status_code == 406


@pytest.mark.parametrize("study", ["1.2.3.4", "hello"])
def test_a_study_that_cannot_be_published(world: Region, study: str) -> None:
    answer = requests.post(f"{world.url}/xds/imaging/studies/{study}/publish", timeout=10)
    assert answer.status_code == (404 if study != "hello" else 400)


def test_at_the_end_the_stores_are_clean_and_no_fault_was_the_servers_own(world: Region) -> None:
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
    failures = [line for line in world.server.log.read_text().splitlines() if '"failed"' in line or "Traceback" in line]
    assert failures == []
