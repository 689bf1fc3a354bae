"""The Initiating Gateway when another community hangs, fails, or says what no gateway should."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stubs import Behaviour, answering, stub
from wire import submissions as s
from wire.soap_world import Answer, World, open_world, packaged, served
from xca_messages import ELSEWHERE, HOME, NORTH, community, find, query, retrieve, urn

from conformance import messages
from profiles.document_sharing import spool
from profiles.faces import mtom
from registry.metadata.model import Submission
from registry.metadata.urn import Action, Namespace, ResponseStatus, StoredQueryId

THEIRS = urn(ELSEWHERE)
SUCCESS, FAILURE, PARTIAL = ResponseStatus.SUCCESS, ResponseStatus.FAILURE, ResponseStatus.PARTIAL_SUCCESS
QUERY, RETRIEVE = Action.REGISTRY_STORED_QUERY, Action.RETRIEVE_DOCUMENT_SET


def asked(world: World, body: bytes) -> Answer:
    return world.post("initiating-gateway", messages.headers(QUERY), body)


def fetched(world: World, *wanted: tuple[str | None, str, str]) -> Answer:
    return world.post("initiating-gateway", *packaged(retrieve(*wanted)))


def hanging(connection: socket.socket, _: bytes) -> None:
    connection.recv(1)


def error(code: str, text: str = "no", severity: str = "Error", location: str = "") -> str:
    urn_ = f"urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:{severity}"
    return f'<rs:RegistryError errorCode="{code}" codeContext="{text}" location="{location}" severity="{urn_}"/>'


def errors(*each: str) -> str:
    return f"<rs:RegistryErrorList>{''.join(each)}</rs:RegistryErrorList>" if each else ""


def answer_of(status: str, objects: str = "", *told: str) -> bytes:
    """An AdhocQueryResponse."""
    body = (
        f'<q:AdhocQueryResponse xmlns:q="{Namespace.QUERY}" xmlns:rim="{Namespace.RIM}" xmlns:rs="{Namespace.RS}"'
        f' status="{status}">{errors(*told)}<rim:RegistryObjectList>{objects}</rim:RegistryObjectList>'
        "</q:AdhocQueryResponse>"
    )
    return messages.envelope("answer", body)


def ref(number: int, home: str | None = THEIRS) -> str:
    said = "" if home is None else f' home="{home}"'
    return f'<rim:ObjectRef id="urn:uuid:00000000-0000-4000-8000-{number:012}"{said}/>'


def outcome(gateway_to: Callable[..., World], behaviour: Behaviour, **more: Any) -> tuple[Answer, World, Submission]:
    """What a consumer gets when ELSEWHERE behaves so, and one document is here."""
    with stub(behaviour) as found:
        world = gateway_to(found.url, **more)
        made = s.new()
        assert world.register(made).outcome == "Success"
        return asked(world, find(made.entries[0].patient_id)), world, made


# --- communities that give no answer ---


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (hanging, "did not answer within 0.3 s"),
        (lambda connection, _: None, "closed the connection"),
        (answering(b"\0\1\2 rubbish"), "cannot be read"),
        (answering(b"<html><body>Welcome</body></html>", "text/html"), "cannot be read"),
        (answering(b"", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"), "HTTP 302"),
        (answering(messages.envelope("a", "<b/>")), "not {urn:oasis"),
        (answering(answer_of("")), "no status of the book"),
        (answering(answer_of("urn:x:Splendid")), "no status of the book"),
        (answering(answer_of(FAILURE)), "Failure without an error"),
        (answering(answer_of(SUCCESS, "<rim:Service id='a'/>")), "no registry object"),
        (answering(answer_of(SUCCESS, "<script xmlns='http://www.w3.org/1999/xhtml'/>")), "no registry object"),
    ],
)
def test_the_others_documents_are_shown_and_the_failure_is_told(
    gateway_to: Callable[..., World], behaviour: Behaviour, reason: str
) -> None:
    answer, _, made = outcome(gateway_to, behaviour, query_seconds=0.3)
    assert answer.outcome == "PartialSuccess"
    assert [e.get("id") for e in answer.objects] == [made.entries[0].id]
    assert [(e.code, e.location) for e in answer.errors] == [("XDSUnavailableCommunity", THEIRS)]
    assert reason in answer.text


def test_nobody_listens_there(gateway_to: Callable[..., World]) -> None:
    with stub(hanging) as found:
        pass
    world = gateway_to(found.url)
    answer = asked(
        world,
        query(StoredQueryId.GET_ASSOCIATIONS, [("$uuid", "('urn:uuid:00000000-0000-4000-8000-000000000000')")], THEIRS),
    )
    assert (answer.outcome, answer.codes) == ("Failure", ["XDSUnavailableCommunity"])
    assert "Connection refused" in answer.text
    answer = fetched(world, (THEIRS, "1.2", "1.3"), (THEIRS, "1.2", "1.4"))
    assert (answer.outcome, answer.codes) == ("Failure", ["XDSUnavailableCommunity"])


def test_too_large_an_answer(sqlite_template: Path, tmp_path: Path) -> None:
    with stub(answering(answer_of(SUCCESS, "".join(map(ref, range(1000)))))) as found:
        limits = {"peer_envelope_bytes": 10_000}
        communities = [community(ELSEWHERE, found.url)]
        world = open_world(sqlite_template, tmp_path / "data", communities=communities, limits=limits)
        answer = asked(world, find("1^^^&1.2.752.129.2.1.3.1&ISO"))
    assert (answer.outcome, answer.codes) == ("PartialSuccess", ["XDSUnavailableCommunity"])
    assert "10000 bytes" in answer.text


def test_one_that_hangs_holds_up_nobody_who_asks_another(sqlite_template: Path, tmp_path: Path, north: World) -> None:
    """More consumers wait for it than it has threads; those who ask the north are answered meanwhile."""
    with stub(hanging) as found, served(north) as url:
        communities = [
            community(ELSEWHERE, found.url, query_seconds=1.5),
            community(NORTH, f"{url}/xds/gateway"),
        ]
        world = open_world(sqlite_template, tmp_path / "data", communities=communities)
        patient = "1^^^&1.2.752.129.2.1.3.1&ISO"
        answers: list[tuple[Answer, float]] = []

        def wait() -> None:
            begin = time.monotonic()
            answer = asked(world, find(patient, THEIRS))
            answers.append((answer, time.monotonic() - begin))

        waiting = [threading.Thread(target=wait) for _ in range(30)]
        for thread in waiting:
            thread.start()
        begin = time.monotonic()
        assert asked(world, find(patient, urn(NORTH))).outcome == "Success"
        assert time.monotonic() - begin < 1.5
        for thread in waiting:
            thread.join()
    assert len(answers) == 30
    assert {code for answer, _ in answers for code in answer.codes} == {"XDSUnavailableCommunity"}
    assert max(seconds for _, seconds in answers) < 1.5 + 2


# --- communities that answer, but not as they should ---


def test_objects_without_home_are_named_and_not_shown(gateway_to: Callable[..., World]) -> None:
    answer, *_ = outcome(gateway_to, answering(answer_of(SUCCESS, ref(1) + ref(2, None) + ref(3, ""))))
    assert answer.outcome == "PartialSuccess"
    assert [(e.code, e.location) for e in answer.errors] == [("XDSMissingHomeCommunityId", THEIRS)]
    assert "ObjectRef urn:uuid:00000000-0000-4000-8000-000000000002" in answer.text
    assert f"gateway of {THEIRS}" in answer.text
    assert [e.get("home") for e in answer.objects] == [urn(HOME), THEIRS]


@pytest.mark.parametrize("home", [urn(HOME), urn(NORTH), ELSEWHERE])
def test_objects_with_anothers_home_are_not_shown(gateway_to: Callable[..., World], home: str) -> None:
    answer, *_ = outcome(gateway_to, answering(answer_of(SUCCESS, ref(1, home) + ref(2))))
    assert [(e.code, e.location) for e in answer.errors] == [("XDSUnknownCommunity", THEIRS)]
    assert [e.get("home") for e in answer.objects] == [urn(HOME), THEIRS]


def test_a_thousand_faults_make_one_short_error(gateway_to: Callable[..., World]) -> None:
    objects = "".join(ref(number, None) for number in range(1000))
    answer, *_ = outcome(gateway_to, answering(answer_of(SUCCESS, objects)))
    assert len(answer.errors) == 1
    assert "and 990 more" in answer.text
    assert len(answer.text) < 2000


def test_a_patient_unknown_there_is_no_error(gateway_to: Callable[..., World]) -> None:
    told = answer_of(FAILURE, "", error("XDSUnknownPatientId", "who?"))
    answer, _, made = outcome(gateway_to, answering(told))
    assert (answer.outcome, answer.errors) == ("Success", [])
    assert [e.get("id") for e in answer.objects] == [made.entries[0].id]


def test_errors_and_warnings_are_passed_on_located(gateway_to: Callable[..., World]) -> None:
    told = [
        error("XDSTooManyResults", "4711 documents", location="their registry"),
        error("XDSRegistryBusy", "soon", "Warning"),
        error("urn:test:OutOfCoffee", "come back"),
    ]
    answer, *_ = outcome(gateway_to, answering(answer_of(PARTIAL, ref(1), *told)))
    assert answer.outcome == "PartialSuccess"
    found = [(e.code, e.severity.rpartition(":")[2], e.location) for e in answer.errors]
    assert found == [
        ("XDSTooManyResults", "Error", THEIRS),
        ("XDSRegistryBusy", "Warning", THEIRS),
        ("XDSRegistryError", "Error", THEIRS),
    ]
    for text in ("4711 documents", "soon", "urn:test:OutOfCoffee: come back"):
        assert text in answer.text


def test_warnings_alone_leave_success(gateway_to: Callable[..., World]) -> None:
    told = answer_of("Success", ref(1), error("XDSRegistryBusy", "soon", "Warning"))
    answer, *_ = outcome(gateway_to, answering(told))
    assert (answer.outcome, answer.codes) == ("Success", ["XDSRegistryBusy"])


def test_an_answer_to_a_query_with_documents(gateway_to: Callable[..., World]) -> None:
    inside = f"<rim:ObjectRef id='a'>{mtom.include('a@b').decode()}</rim:ObjectRef>"
    content_type, chunks = mtom.write_message([answer_of(SUCCESS, inside)], [mtom.Attachment("a@b", [b"x"])])
    answer, *_ = outcome(gateway_to, answering(b"".join(chunks), content_type))
    assert answer.codes == ["XDSUnavailableCommunity"]
    assert "documents attached" in answer.text


# --- documents ---


def given(
    content: str, unique_id: str = "1.3", home: str | None = THEIRS, mime: str = "text/plain", more: str = ""
) -> str:
    named = "" if home is None else f"<x:HomeCommunityId>{home}</x:HomeCommunityId>"
    return (
        f"<x:DocumentResponse>{named}<x:RepositoryUniqueId>1.2</x:RepositoryUniqueId><x:DocumentUniqueId>{unique_id}"
        f"</x:DocumentUniqueId>{more}<x:mimeType>{mime}</x:mimeType><x:Document>{content}</x:Document>"
        "</x:DocumentResponse>"
    )


def documents_of(status: str, responses: str, *told: str) -> bytes:
    """A RetrieveDocumentSetResponse."""
    body = (
        f'<x:RetrieveDocumentSetResponse xmlns:x="{Namespace.XDS_B}" xmlns:rs="{Namespace.RS}">'
        f'<rs:RegistryResponse status="{status}">{errors(*told)}</rs:RegistryResponse>{responses}'
        "</x:RetrieveDocumentSetResponse>"
    )
    return messages.envelope("answer", body)


def got(gateway_to: Callable[..., World], message: bytes, *more: str, **settings: Any) -> Answer:
    """What a consumer gets who asks ELSEWHERE for 1.3 (and `more`)."""
    with stub(answering(message)) as found:
        world = gateway_to(found.url, **settings)
        return fetched(world, *((THEIRS, "1.2", one) for one in ("1.3", *more)))


def test_a_document_within_the_envelope(gateway_to: Callable[..., World]) -> None:
    answer = got(gateway_to, documents_of(SUCCESS, given("aGVq")))
    assert (answer.outcome, answer.documents) == ("Success", [("1.2", "1.3", "text/plain")])
    assert answer.body.findtext(".//{*}Document") == "aGVq"


def test_an_empty_document(gateway_to: Callable[..., World]) -> None:
    assert got(gateway_to, documents_of(SUCCESS, given(""))).outcome == "Success"


def test_a_document_of_an_on_demand_entry_keeps_its_new_names(gateway_to: Callable[..., World]) -> None:
    new = "<x:NewRepositoryUniqueId>1.7</x:NewRepositoryUniqueId><x:NewDocumentUniqueId>1.8</x:NewDocumentUniqueId>"
    answer = got(gateway_to, documents_of(SUCCESS, given("aGVq", more=new)))
    names = ("NewRepositoryUniqueId", "NewDocumentUniqueId")
    assert [answer.body.findtext(f".//{{*}}{name}") for name in names] == ["1.7", "1.8"]


@pytest.mark.parametrize("mime", ["", "text/plain\nX-Evil: 1", "a/b" * 100, "text/pläin"])
def test_a_media_type_cannot_break_the_answer(gateway_to: Callable[..., World], mime: str) -> None:
    answer = got(gateway_to, documents_of(SUCCESS, given("aGVq", mime=mime)))
    assert (answer.outcome, answer.documents) == ("Success", [("1.2", "1.3", "application/octet-stream")])


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (documents_of(SUCCESS, given("aGVq", home=None)), "XDSMissingHomeCommunityId", "DocumentResponse 1.3"),
        (documents_of(SUCCESS, given("aGVq", home=urn(NORTH))), "XDSUnknownCommunity", "DocumentResponse 1.3"),
        (documents_of(SUCCESS, given("not base64!")), "XDSRepositoryError", "1.3"),
        (documents_of(SUCCESS, given("<x:b/>")), "XDSRepositoryError", "1.3"),
        (documents_of(SUCCESS, given("aGVq").replace("x:Document>", "x:Other>")), "XDSRepositoryError", "1.3"),
        (documents_of(SUCCESS, ""), "XDSDocumentUniqueIdError", "1.3: its gateway neither gave"),
        (documents_of(FAILURE, ""), "XDSUnavailableCommunity", "Failure without an error"),
        (documents_of("", given("aGVq")), "XDSUnavailableCommunity", "no status"),
        (documents_of(FAILURE, "", error("XDSDocumentUniqueIdError", "1.3")), "XDSDocumentUniqueIdError", "1.3"),
        (documents_of(FAILURE, "", error("Broken", "x")), "XDSRepositoryError", "Broken: x"),
        (
            messages.envelope("a", f'<x:RetrieveDocumentSetResponse xmlns:x="{Namespace.XDS_B}"/>'),
            "XDSUnavailableCommunity",
            "no RegistryResponse",
        ),
    ],
)
def test_documents_that_cannot_be_shown(gateway_to: Callable[..., World], message: bytes, code: str, text: str) -> None:
    answer = got(gateway_to, message)
    assert (answer.outcome, answer.documents) == ("Failure", [])
    assert [(e.code, e.location) for e in answer.errors] == [(code, THEIRS)]
    assert text in answer.text


def test_a_document_that_nobody_asked_for_is_not_shown(gateway_to: Callable[..., World]) -> None:
    answer = got(gateway_to, documents_of(SUCCESS, given("aGVq") + given("aGVq") + given("aGVq", "1.9")))
    assert (answer.outcome, answer.documents) == ("PartialSuccess", [("1.2", "1.3", "text/plain")])
    assert answer.codes == ["XDSRepositoryError"] * 2
    assert "1.9: its gateway gave a document that was not asked for" in answer.text


def test_one_of_two_is_forgotten(gateway_to: Callable[..., World]) -> None:
    answer = got(gateway_to, documents_of(SUCCESS, given("aGVq")), "1.4")
    assert (answer.outcome, answer.codes) == ("PartialSuccess", ["XDSDocumentUniqueIdError"])


def test_too_many_bytes_of_documents(sqlite_template: Path, tmp_path: Path) -> None:
    attachment = mtom.Attachment("a@b", [bytes(200_000)])
    message = documents_of(SUCCESS, given(mtom.include("a@b").decode()))
    content_type, chunks = mtom.write_message([message], [attachment])
    with stub(answering(b"".join(chunks), content_type)) as found:
        communities = [community(ELSEWHERE, found.url)]
        data = tmp_path / "data"
        world = open_world(sqlite_template, data, communities=communities, limits={"peer_answer_bytes": 100_000})
        answer = fetched(world, (THEIRS, "1.2", "1.3"))
    assert answer.codes == ["XDSUnavailableCommunity"]
    assert "100000 bytes" in answer.text


def test_no_room_for_documents(gateway_to: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full is a disk that is."""
    monkeypatch.setattr(spool, "TemporaryFile", lambda dir: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
    message = documents_of(SUCCESS, given(mtom.include("a@b").decode()))
    content_type, chunks = mtom.write_message([message], [mtom.Attachment("a@b", [b"x"])])
    with stub(answering(b"".join(chunks), content_type)) as found:
        answer = fetched(gateway_to(found.url), (THEIRS, "1.2", "1.3"))
    assert answer.codes == ["XDSUnavailableCommunity"]
    assert "no room here for its documents" in answer.text


def test_the_logs_name_the_community_and_no_patient(
    gateway_to: Callable[..., World], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    told = answer_of(FAILURE, "", error("XDSRegistryError", "patient 4711"))
    _, _, made = outcome(gateway_to, answering(told))
    printed = "".join(capsys.readouterr()) + caplog.text
    assert "4711" not in printed
    assert str(made.entries[0].patient_id).partition("^")[0] not in printed
