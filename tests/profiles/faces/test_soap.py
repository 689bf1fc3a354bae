"""SOAP 1.2 with WS-Addressing, as whole requests to the whole application."""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from html import escape
from pathlib import Path

import pytest
from lxml import etree
from wire.soap_world import OPERATIONS, SERVICE, World, open_world, packaged

from conformance import messages, synthetic
from registry.metadata.urn import Action, Namespace

PATIENT = synthetic.patient_id(1)
QUERY = messages.find_documents(PATIENT)
HEADERS = messages.headers(Action.REGISTRY_STORED_QUERY)
RETRIEVE = messages.retrieve_document_set([("1.2.3", "4.5.6")])
NOT_PLAYED = "urn:ihe:iti:2010:UpdateDocumentSet-x"


def empty(tag: str) -> str:
    namespace, _, name = tag[1:].partition("}")
    return f'<x:{name} xmlns:x="{namespace}"/>'


BODIES = {action: empty(transaction.face.request) for action, transaction in OPERATIONS.items()}
BODIES |= {
    NOT_PLAYED: empty(f"{{{Namespace.LCM}}}UpdateObjectsRequest"),
    Action.REGISTRY_STORED_QUERY.response: empty(f"{{{Namespace.QUERY}}}AdhocQueryResponse"),
    Action.REGISTER_DOCUMENT_SET.response: empty(f"{{{Namespace.RS}}}RegistryResponse"),
}


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("world") / "data")


@pytest.fixture
def canary() -> Iterator[tuple[str, list[object]]]:
    """A listener's URL, and who came."""
    hits: list[object] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(5)

        def wait() -> None:
            with suppress(OSError):
                hits.append(listener.accept()[1])

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", hits
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def with_header(header: str, message: bytes = QUERY) -> bytes:
    return message.replace(b"</soap:Header>", header.encode() + b"</soap:Header>")


# --- which operation ---


@pytest.mark.parametrize("service", sorted(set(SERVICE.values())))
def test_only_the_diagonal_of_actions_and_bodies_works(world: World, service: str) -> None:
    before = world.state()
    for action in BODIES:
        known = SERVICE.get(action) == service  # type: ignore[call-overload]
        for named, body in BODIES.items():
            answer = world.post(service, *packaged(messages.envelope(action, body)))
            if known and BODIES[named] == BODIES[action]:
                assert answer.fault is None, (action, named)
                assert answer.outcome == "Failure"
                assert answer.action == Action(action).response
            else:
                assert answer.fault is not None, (action, named)
                assert answer.fault[:2] == ("Sender", "ActionMismatch" if known else "ActionNotSupported")
    assert world.state() == before


def test_the_first_five_transactions_answer_with_the_actions_of_the_book() -> None:
    book = {
        Action.REGISTRY_STORED_QUERY: "urn:ihe:iti:2007:RegistryStoredQueryResponse",
        Action.REGISTER_DOCUMENT_SET: "urn:ihe:iti:2007:RegisterDocumentSet-bResponse",
        Action.PROVIDE_AND_REGISTER_DOCUMENT_SET: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
        Action.RETRIEVE_DOCUMENT_SET: "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
        Action.RETRIEVE_IMAGING_DOCUMENT_SET: "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
    }
    assert {action: action.response for action in book} == book


@pytest.mark.parametrize("action", [NOT_PLAYED, "", " ", "urn:x", "x" * 5000, "urn:<a>&"])
def test_actions_that_are_not_played_here(world: World, action: str) -> None:
    sent = messages.envelope(escape(action), BODIES[Action.REGISTRY_STORED_QUERY])
    answer = world.post("registry", {"Content-Type": "application/soap+xml"}, sent)
    assert answer.fault is not None
    assert answer.fault[0] == "Sender"
    if action.strip():
        assert answer.fault[1] == "ActionNotSupported"
        assert answer.body.findtext(".//{*}Detail/{*}ProblemAction/{*}Action") == action
    else:
        assert answer.fault[1] == "MessageAddressingHeaderRequired"
        assert answer.body.findtext(".//{*}Detail/{*}ProblemHeaderQName") == "wsa:Action"


def test_the_action_is_needed_once(world: World) -> None:
    action = f'<wsa:Action soap:mustUnderstand="true">{Action.REGISTRY_STORED_QUERY}</wsa:Action>'.encode()
    assert action in QUERY
    missing = world.post("registry", HEADERS, QUERY.replace(action, b""))
    assert missing.fault is not None
    assert missing.fault[:2] == ("Sender", "MessageAddressingHeaderRequired")
    twice = world.post("registry", HEADERS, QUERY.replace(action, action * 2))
    assert twice.fault is not None
    assert twice.fault[:2] == ("Sender", "InvalidCardinality")


@pytest.mark.parametrize("name", ["MessageID", "To", "From", "ReplyTo", "FaultTo"])
def test_no_addressing_header_may_come_twice(world: World, name: str) -> None:
    """WS-Addressing 1.0 Core, 3.2: two readers of such a message could each take another."""
    header = f"<wsa:{name}><wsa:Address>{Namespace.ADDRESSING}/anonymous</wsa:Address></wsa:{name}>"
    answer = world.post("registry", HEADERS, with_header(header * 2))
    assert answer.fault is not None
    assert answer.fault[:2] == ("Sender", "InvalidCardinality")
    assert answer.body.findtext(".//{*}ProblemHeaderQName") == f"wsa:{name}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": f'application/soap+xml; action="{Action.REGISTER_DOCUMENT_SET}"'},
        {"Content-Type": f"application/soap+xml; action={Action.REGISTER_DOCUMENT_SET}; charset=UTF-8"},
        {"Content-Type": "application/soap+xml", "SOAPAction": f'"{Action.REGISTER_DOCUMENT_SET}"'},
    ],
)
def test_http_must_not_name_another_action(world: World, headers: dict[str, str]) -> None:
    answer = world.post("registry", headers, QUERY)
    assert answer.fault is not None
    assert answer.fault[:2] == ("Sender", "ActionMismatch")


ASKED = Action.REGISTRY_STORED_QUERY


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": f'application/soap+xml; charset=UTF-8; action="{ASKED}"'},
        {"Content-Type": f"application/soap+xml;action={ASKED}"},
        {"Content-Type": f'Application/SOAP+XML; Action="{ASKED}"; charset=utf-8'},
        {"Content-Type": "application/soap+xml", "SOAPAction": f'"{ASKED}"'},
        {"Content-Type": "application/soap+xml", "SOAPAction": '""'},
        {"Content-Type": 'application/soap+xml; action=""'},
        {"Content-Type": "application/soap+xml"},
    ],
)
def test_spellings_of_the_http_action(world: World, headers: dict[str, str]) -> None:
    assert world.post("registry", headers, QUERY).outcome == "Success"


@pytest.mark.parametrize(
    "info",
    [
        f'start-info="application/soap+xml"; action="{Action.RETRIEVE_DOCUMENT_SET}"',
        f'action="{Action.RETRIEVE_DOCUMENT_SET}"; start-info="application/soap+xml"',
        f'start-info="application/soap+xml; action=\\"{Action.RETRIEVE_DOCUMENT_SET}\\""',
        'start-info="application/soap+xml"',
    ],
    ids=["behind", "before", "inside start-info, as CXF", "nowhere"],
)
def test_where_packages_carry_their_action(world: World, info: str) -> None:
    headers, body = packaged(RETRIEVE)
    answer = world.post("repository", {"Content-Type": f"{headers['Content-Type']}; {info}"}, body)
    assert answer.fault is None, answer.fault
    assert answer.codes == ["XDSUnknownRepositoryId"]


def test_a_package_must_not_name_another_action_either(world: World) -> None:
    headers, body = packaged(RETRIEVE)
    kind = f'{headers["Content-Type"]}; start-info="application/soap+xml"; action="{ASKED}"'
    answer = world.post("repository", {"Content-Type": kind}, body)
    assert answer.fault is not None
    assert answer.fault[:2] == ("Sender", "ActionMismatch")


# --- headers ---

UNKNOWN = '<x:Trace xmlns:x="urn:x" soap:mustUnderstand="{}"{}>1</x:Trace>'
ROLE = f' soap:role="{Namespace.SOAP}/role/'


@pytest.mark.parametrize(
    "header",
    [
        UNKNOWN.format("true", ""),
        UNKNOWN.format("1", ""),
        UNKNOWN.format(" 1 ", ""),
        UNKNOWN.format("1", f'{ROLE}ultimateReceiver"'),
        UNKNOWN.format("1", f'{ROLE}next"'),
        UNKNOWN.format("1", ' soap:role=""'),
    ],
)
def test_a_header_that_must_be_understood_and_is_not(world: World, header: str) -> None:
    answer = world.post("registry", HEADERS, with_header(header))
    assert answer.fault is not None
    assert answer.fault[0] == "MustUnderstand"
    assert "Trace" in answer.fault[2]
    assert answer.status == 500
    (block,) = (e for e in answer.blocks if e.tag.endswith("NotUnderstood"))
    prefix, _, name = block.get("qname").partition(":")
    assert (block.nsmap[prefix], name) == ("urn:x", "Trace")


def test_all_headers_that_are_not_understood_are_named(world: World) -> None:
    headers = '<a:One xmlns:a="urn:a" soap:mustUnderstand="1"/><Two xmlns="" soap:mustUnderstand="1"/>'
    answer = world.post("registry", HEADERS, with_header(headers + UNKNOWN.format("0", "")))
    named = [e.get("qname").rpartition(":")[2] for e in answer.blocks if e.tag.endswith("NotUnderstood")]
    assert named == ["One", "Two"]


@pytest.mark.parametrize(
    "header",
    [
        UNKNOWN.format("false", ""),
        UNKNOWN.format("0", ""),
        UNKNOWN.format("1", f'{ROLE}none"'),
        UNKNOWN.format("1", ' soap:role="urn:somebody:else"'),
        f'<wsse:Security xmlns:wsse="{Namespace.SECURITY}" soap:mustUnderstand="1"/>',
        '<wsa:From soap:mustUnderstand="1"><wsa:Address>http://a.example.org</wsa:Address></wsa:From>',
        f"<wsa:ReplyTo><wsa:Address>{Namespace.ADDRESSING}/anonymous</wsa:Address></wsa:ReplyTo>",
        f"<wsa:FaultTo><wsa:Address> {Namespace.ADDRESSING}/anonymous\n</wsa:Address></wsa:FaultTo>",
        "<!-- a comment --><?a processing instruction?>",
    ],
)
def test_headers_that_harm_nobody(world: World, header: str) -> None:
    assert world.post("registry", HEADERS, with_header(header)).outcome == "Success"


@pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
@pytest.mark.parametrize("message", ["good", "bad"])
def test_answers_never_go_elsewhere(world: World, name: str, message: str, canary: tuple[str, list[object]]) -> None:
    address, hits = canary
    header = f"<wsa:{name}><wsa:Address>{address}</wsa:Address></wsa:{name}>"
    body = QUERY if message == "good" else QUERY.replace(b"<rim:AdhocQuery ", b"<rim:Other ")
    body = body.replace(b"</rim:AdhocQuery>", b"</rim:Other>") if message == "bad" else body
    answer = world.post("registry", HEADERS, with_header(header, body))
    assert answer.fault is not None
    assert answer.fault[:2] == ("Sender", "OnlyAnonymousAddressSupported")
    assert hits == []


def test_an_answer_tells_what_it_answers(world: World) -> None:
    message_id = "urn:uuid:0a1b2c3d-0000-4000-8000-000000000001"
    asked = etree.fromstring(QUERY)
    asked.find(".//{*}MessageID").text = message_id
    good = etree.tostring(asked)
    assert world.post("registry", HEADERS, good).relates_to == message_id
    refused = good.replace(b"AdhocQuery id", b"AdhocQuery ID")
    assert world.post("registry", HEADERS, refused).relates_to == message_id
    unknown = world.post("repository", {"Content-Type": "application/soap+xml"}, good)
    assert (unknown.fault is not None, unknown.relates_to) == (True, message_id)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (UNKNOWN.format("1", ""), "MustUnderstand"),
        ("<wsa:ReplyTo><wsa:Address>http://a.example.org</wsa:Address></wsa:ReplyTo>", "Sender"),
        ("<wsa:Action>urn:x</wsa:Action>", "Sender"),
    ],
)
def test_a_fault_of_the_headers_tells_what_it_answers(world: World, header: str, code: str) -> None:
    """WS-Addressing 1.0 SOAP Binding, 6.1: a fault relates to the message too."""
    answer = world.post("registry", HEADERS, with_header(header))
    assert answer.fault is not None
    assert answer.fault[0] == code
    assert answer.relates_to == etree.fromstring(QUERY).findtext(".//{*}MessageID")


def test_ids_of_messages_are_escaped_and_may_be_missing(world: World) -> None:
    asked = etree.fromstring(QUERY)
    asked.find(".//{*}MessageID").text = "a<b>&\"' å"
    assert world.post("registry", HEADERS, etree.tostring(asked)).relates_to == "a<b>&\"' å"
    asked.find(".//{*}Header").remove(asked.find(".//{*}MessageID"))
    answer = world.post("registry", HEADERS, etree.tostring(asked))
    assert (answer.outcome, answer.relates_to) == ("Success", None)


# --- envelopes that are none ---

BODY = f'<q:AdhocQueryRequest xmlns:q="{Namespace.QUERY}"/>'
HEAD = f'<s:Envelope xmlns:s="{Namespace.SOAP}" xmlns:a="{Namespace.ADDRESSING}">'
ACTION = f"<s:Header><a:Action>{ASKED}</a:Action></s:Header>"


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        (f"{HEAD}{ACTION}<s:Body>{BODY}</s:Body><s:Body>{BODY}</s:Body></s:Envelope>", "Sender"),
        (f"{HEAD}{ACTION}<s:Body/></s:Envelope>", "Sender"),
        (f"{HEAD}{ACTION}<s:Body> text <!-- --></s:Body></s:Envelope>", "Sender"),
        (f"{HEAD}{ACTION}<s:Body>{BODY}{BODY}</s:Body></s:Envelope>", "Sender"),
        (f"{HEAD}{ACTION}</s:Envelope>", "Sender"),
        (f"{HEAD}<s:Body>{BODY}</s:Body></s:Envelope>", "Sender"),
        (BODY, "Sender"),
        (f"{HEAD}{ACTION}<s:Body>{BODY}</s:Body></s:Envelope>".replace(Namespace.SOAP, "urn:x"), "VersionMismatch"),
        (
            f"{HEAD}{ACTION}<s:Body>{BODY}</s:Body></s:Envelope>".replace(
                Namespace.SOAP, "http://schemas.xmlsoap.org/soap/envelope/"
            ),
            "VersionMismatch",
        ),
        ("", "Sender"),
        ("<", "Sender"),
        (f"<!DOCTYPE a>{HEAD}{ACTION}<s:Body>{BODY}</s:Body></s:Envelope>", "Sender"),
        (HEAD + "<s:Header>" + "<a>" * 150 + "</a>" * 150 + "</s:Header></s:Envelope>", "Sender"),
    ],
)
def test_other_envelopes_are_faults(world: World, envelope: str, code: str) -> None:
    answer = world.post("registry", {"Content-Type": "application/soap+xml"}, envelope.encode())
    assert answer.fault is not None
    assert answer.fault[0] == code


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/xml; charset=utf-8", 415),
        ("application/xml", 415),
        ("application/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=b", 415),
        ("multipart/mixed; boundary=b", 415),
        ("application/soap+xml; charset=iso-8859-1", 415),
        ("multipart/related; boundary=b; type=text/xml", 415),
        ("", 415),
        ("soap", 415),
    ],
)
def test_wrong_content_types(world: World, kind: str, status: int) -> None:
    answer = world.post("registry", {"Content-Type": kind} if kind else {}, QUERY)
    assert answer.fault is not None
    assert answer.status == status
    assert "UTF-8" in answer.fault[2] or "send" in answer.fault[2] or "Content-Type" in answer.fault[2]


def test_a_compressed_message_is_told_to_come_as_it_is(world: World) -> None:
    """A kilobyte could be a megabyte; no bytes are inflated to find out."""
    answer = world.post("registry", {**HEADERS, "Content-Encoding": "gzip"}, gzip.compress(b" " * 10_000_000))
    assert answer.fault is not None
    assert (answer.status, "uncompressed" in answer.fault[2]) == (415, True)
    assert world.post("registry", {**HEADERS, "Content-Encoding": "identity"}, QUERY).outcome == "Success"


@pytest.mark.parametrize(
    ("service", "headers", "body"),
    [
        ("registry", {"Content-Type": "application/soap+xml", "SOAPAction": "a\x01b"}, QUERY),
        ("registry", {"Content-Type": "application/soap+xml; action=a\x85\xff"}, QUERY),
        ("repository", *packaged(RETRIEVE, ("a\ufffe", b""), ("a\ufffe", b""))),
        ("registry", {"Content-Type": "application/soap+xml"}, messages.envelope("urn:&#x85;x", BODY)),
    ],
    ids=["SOAPAction", "action", "Content-ID", "wsa:Action"],
)
def test_what_a_fault_quotes_is_xml(world: World, service: str, headers: dict[str, str], body: bytes) -> None:
    assert world.post(service, headers, body).fault is not None


def test_an_envelope_over_the_cap_is_told_to_send_mtom(world: World) -> None:
    padding = b" " * world.house.settings.limits.envelope_bytes
    answer = world.post("registry", HEADERS, QUERY.replace(b"</soap:Body>", padding + b"</soap:Body>"))
    assert answer.status == 413
    assert answer.fault is not None
    assert "MTOM" in answer.fault[2]


def test_an_internal_error_is_a_coded_answer_and_no_500(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    for service, message, code in (
        ("registry", QUERY, "XDSRegistryError"),
        ("repository", RETRIEVE, "XDSRepositoryError"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(type(world.house.registry), "query", broken)
            patched.setattr(type(world.house.repository), "retrieve", broken)
            status, _, content = world.raw(service, {"Content-Type": "application/soap+xml"}, message)
        assert status == 200
        assert f'errorCode="{code}"'.encode() in content
        assert b"secret" not in content
