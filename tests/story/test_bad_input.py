"""What is wrong with what is sent by SOAP is refused by the coded answer of its protocol, and nothing is kept."""

from collections.abc import Callable
from typing import Any

import examination
import pytest
import requests
from examination import AXIS2, PDF, PNR, TEXT, Document, Study, new_uid, soap
from lxml import etree
from refusing import BOMB, GOOD, NOBODY, QUERY, QUERY_ACTION, SOAP_TYPE, STILL, nothing_kept  # noqa: F401
from region import Region

from registry.metadata.urn import (
    Action,
    ClassificationScheme,
    Namespace,
    ResponseStatus,
)

SETTINGS = STILL


def fault(answer: requests.Response) -> tuple[str, str, str]:
    """(code, the most exact subcode, reason) of a SOAP fault; SOAP 1.1 is answered in SOAP 1.1."""
    assert "xml" in answer.headers["Content-Type"], answer.text
    old = etree.fromstring(answer.content).find(f".//{{{Namespace.SOAP_1_1}}}Fault")
    if old is not None:
        return old.findtext("faultcode").rpartition(":")[2], "", old.findtext("faultstring")
    found = etree.fromstring(answer.content).find(f".//{{{Namespace.SOAP}}}Fault")
    assert found is not None, answer.text
    values = [e.text.rpartition(":")[2] for e in found.iterfind(f".//{{{Namespace.SOAP}}}Value")]
    reason = found.findtext(f".//{{{Namespace.SOAP}}}Text")
    assert len(reason) > 10
    return values[0], values[-1] if len(values) > 1 else "", reason


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
        "InvalidCardinality",
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


def plain_envelope(world: Region) -> bytes:
    """An ITI-41 message outside any package, with its document as base64 inside."""
    client = world.soap("repository")
    arguments = examination.provided(Document(examination.person()))
    return bytes(etree.tostring(client.create_message(client.service, "ProvideAndRegisterDocumentSetB", **arguments)))


def test_iti_41_without_mtom_is_kept_when_its_document_is_inside(world: Region) -> None:
    assert ResponseStatus.SUCCESS in world.post("repository", SOAP_TYPE, plain_envelope(world)).text


def test_iti_41_without_mtom_and_without_its_document_is_told_so(world: Region) -> None:
    root = etree.fromstring(plain_envelope(world))
    for document in root.iter(f"{{{Namespace.XDS_B}}}Document"):
        document.text = None
        etree.SubElement(document, f"{{{Namespace.XOP}}}Include", href="cid:elsewhere@example.org")
    answer = world.post("repository", SOAP_TYPE, etree.tostring(root))
    assert 400 <= answer.status_code < 500
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


def test_at_the_end_the_stores_are_clean_and_no_fault_was_the_servers_own(world: Region) -> None:
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
    failures = [line for line in world.server.log.read_text().splitlines() if '"failed"' in line or "Traceback" in line]
    assert failures == []
