"""What holds at the door of every SOAP transaction that is installed, whoever wrote it."""

from pathlib import Path

import pytest
from wire.soap_world import BOOK_CODES, World, open_world, packaged

from conformance import messages
from profiles.catalog import Soap, Transaction
from profiles.faces import soap_codes
from profiles.installed import PROFILES
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Namespace

EVERY = [t for profile in PROFILES for t in profile.transactions if isinstance(t.face, Soap)]
every = pytest.mark.parametrize("transaction", EVERY, ids=lambda t: f"{t.id} {t.face.service} {t.name}")


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("world") / "data")


def body(tag: str, inside: str = "") -> str:
    namespace, _, name = tag[1:].partition("}")
    return f'<x:{name} xmlns:x="{namespace}">{inside}</x:{name}>'


def sent(transaction: Transaction, content: str, *, before: str = "", action: str = "") -> tuple[dict[str, str], bytes]:
    """A message of the transaction in the form that the book has for it."""
    named = action or transaction.face.action
    whole = before.encode() + messages.envelope(named, content)
    return packaged(whole) if transaction.face.mtom else (messages.headers(named), whole)


def test_all_services_are_here() -> None:
    assert {"registry", "repository", "imaging"} <= {t.face.service for t in EVERY}


@every
def test_an_empty_request_is_refused_by_the_transactions_own_answer(world: World, transaction: Transaction) -> None:
    before = world.state()
    answer = world.post(transaction.face.service, *sent(transaction, body(transaction.face.request)))
    assert world.state() == before
    if answer.fault:
        assert answer.fault[0] == "Sender"
        return
    assert answer.body.tag == transaction.face.response
    assert answer.action == transaction.face.action.response
    assert answer.outcome == "Failure"
    assert answer.relates_to
    assert answer.content_type.startswith("multipart/related" if transaction.face.mtom else "application/soap+xml")


@every
def test_the_other_form_is_answered_in_a_form_that_its_sender_reads(world: World, transaction: Transaction) -> None:
    """What the book has plain is answered plain also when it comes as MTOM; what it has as MTOM may come plain."""
    content = messages.envelope(transaction.face.action, body(transaction.face.request))
    other = (messages.headers(transaction.face.action), content) if transaction.face.mtom else packaged(content)
    answer = world.post(transaction.face.service, *other)
    assert answer.content_type.startswith("application/soap+xml")
    if answer.fault:
        assert transaction.face.mtom
        assert "MTOM" in answer.fault[2]


@every
@pytest.mark.parametrize("wrong", ["unknown", "namespace", "none", "case", "answer"])
def test_another_body_is_a_fault(world: World, transaction: Transaction, wrong: str) -> None:
    namespace, _, name = transaction.face.request[1:].partition("}")
    content = {
        "unknown": body("{urn:x}Unknown"),
        "namespace": body(f"{{{namespace}x}}{name}"),
        "none": f"<{name}/>",
        "case": body(f"{{{namespace}}}{name.swapcase()}"),
        "answer": body(transaction.face.response),
    }[wrong]
    answer = world.post(transaction.face.service, *sent(transaction, content))
    assert answer.fault is not None
    assert answer.fault[:2] == ("Sender", "ActionMismatch")
    assert transaction.id in answer.fault[2]


@every
@pytest.mark.parametrize("tail", [" ", "x", "/", "Response"])
def test_another_action_is_a_fault(world: World, transaction: Transaction, tail: str) -> None:
    action = f"{transaction.face.action}{tail}"
    content = body(transaction.face.request)
    service = transaction.face.service
    answer = world.post(service, *packaged(messages.envelope(action, content)))
    if tail == " ":
        assert answer.fault is None or "MTOM" in answer.fault[2]
    else:
        assert answer.fault is not None
        assert answer.fault[:2] == ("Sender", "ActionNotSupported")
        assert answer.body.findtext(".//{*}ProblemAction/{*}Action") == action


@every
def test_no_other_service_takes_it(world: World, transaction: Transaction) -> None:
    taken = {t.face.service for t in EVERY if t.face.action == transaction.face.action}
    for service in {t.face.service for t in EVERY} - taken:
        answer = world.post(service, *sent(transaction, body(transaction.face.request)))
        assert answer.fault is not None, service
        assert answer.fault[1] == "ActionNotSupported"


@every
def test_a_doctype_is_a_fault(world: World, transaction: Transaction) -> None:
    for doctype in ("<!DOCTYPE a>", '<!DOCTYPE a [<!ENTITY b "c">]>', '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">'):
        answer = world.post(
            transaction.face.service, *sent(transaction, body(transaction.face.request, "<a/>"), before=doctype)
        )
        assert answer.fault is not None
        assert answer.fault[0] == "Sender"
        assert "DOCTYPE" in answer.fault[2]


@every
@pytest.mark.parametrize("depth", [101, 300, 20_000])
def test_deep_nesting_is_a_fault(world: World, transaction: Transaction, depth: int) -> None:
    deep = body(transaction.face.request, "<a>" * depth + "</a>" * depth)
    answer = world.post(transaction.face.service, *sent(transaction, deep))
    assert answer.fault is not None
    assert (answer.fault[0], answer.status) == ("Sender", 400)


@every
def test_what_is_foreign_within_it_does_no_harm(world: World, transaction: Transaction) -> None:
    inside = '<a b="c">text</a><!-- comment --><x:Slot/> text <y:b xmlns:y="urn:y"><y:c/></y:b>'
    answer = world.post(transaction.face.service, *sent(transaction, body(transaction.face.request, inside)))
    assert answer.fault is not None or answer.outcome == "Failure"


@every
def test_a_header_of_another_version_of_addressing_is_no_action(world: World, transaction: Transaction) -> None:
    headers, whole = sent(transaction, body(transaction.face.request))
    answer = world.post(
        transaction.face.service,
        headers,
        whole.replace(Namespace.ADDRESSING.encode(), b"http://schemas.xmlsoap.org/ws/2004/08/addressing"),
    )
    assert answer.fault is not None
    assert answer.fault[1] == "MessageAddressingHeaderRequired"


@every
def test_a_failure_of_the_server_is_coded_by_its_side(transaction: Transaction) -> None:
    """ITI TF-3, table 4.2.4.1-2: the registry's error for the registry's transactions, else the repository's."""
    found = soap_codes.of(transaction.face.action).failed
    assert found in {ErrorCode.XDSRegistryError, ErrorCode.XDSRepositoryError}
    if transaction.face.service in {"registry", "repository", "imaging"}:
        of_registry = transaction.face.service == "registry"
        assert (found is ErrorCode.XDSRegistryError) == of_registry


@every
def test_no_code_of_this_servers_own_goes_out(transaction: Transaction) -> None:
    own = Rejected([Finding(code, "where", "text", "book") for code in soap_codes.OF_THIS_SERVER])
    said = soap_codes.in_the_book(own, transaction.face.action)
    assert not {f.code for f in said.findings} & soap_codes.OF_THIS_SERVER
    assert [(f.where, f.text) for f in said.findings] == [("where", "text")] * len(own.findings)


def test_every_code_is_of_the_book_or_known_to_be_our_own() -> None:
    assert {code for code in ErrorCode if code.wire not in BOOK_CODES} == soap_codes.OF_THIS_SERVER


def test_a_retrieve_blames_the_repository_for_a_busy_database() -> None:
    busy = Rejected.because(ErrorCode.XDSRegistryBusy, "", "later", "book")
    by_action = {t.face.action: soap_codes.in_the_book(busy, t.face.action).findings[0].code.name for t in EVERY}
    assert {name for action, name in by_action.items() if "Retrieve" in action} == {"XDSRepositoryBusy"}
    assert {name for action, name in by_action.items() if "Query" in action} == {"XDSRegistryBusy"}
