"""Answers to another address: which are allowed, how they look when they arrive, and that none is lost."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import running
from lxml import etree
from region import eventually
from wire import submissions as s
from wire.soap_world import REPOSITORY, Answer, World, judged, open_world, packaged

from conformance import messages
from database.engine import Database
from database.outbox import Outbox
from profiles.faces import soap_async
from profiles.faces.listed import is_listed
from profiles.faces.reply import Reply
from profiles.faces.soap_async import Undelivered
from profiles.post_office import TOPIC, OutboxPost, Postman
from profiles.settings import Settings
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import Action, Namespace

ID = "urn:uuid:0a1b2c3d-0000-4000-8000-000000000001"


@dataclass
class Receiver:
    """A peer's reply address: what came, and the statuses that it gives, one an answer, the last for ever."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [202])
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def answers(self) -> list[Answer]:
        return [judged(200, headers["Content-Type"], body) for _, headers, body in self.came]


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    peer = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            peer.came.append((self.path, dict(self.headers), body))
            status = peer.statuses.pop(0) if len(peer.statuses) > 1 else peer.statuses[0]
            self.send_response(status)
            self.send_header("Location", f"{peer.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    peer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield peer
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    listening.came.clear()
    listening.statuses[:] = [202]
    return listening


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, listening: Receiver) -> World:
    data = tmp_path_factory.mktemp("world") / "data"
    return open_world(sqlite_template, data, soap={"reply_to": [f"{listening.url}/answers"]})


@pytest.fixture
def postman(world: World) -> Postman:
    return Postman(world.house, Database(world.house.settings.database))


def asking(message: bytes, address: str, *, fault_to: str = "", message_id: str = ID, inside: str = "") -> bytes:
    headers = f"<wsa:ReplyTo><wsa:Address>{address}</wsa:Address>{inside}</wsa:ReplyTo>" if address else ""
    if fault_to:
        headers += f"<wsa:FaultTo><wsa:Address>{fault_to}</wsa:Address></wsa:FaultTo>"
    tree = etree.fromstring(message.replace(b"</soap:Header>", headers.encode() + b"</soap:Header>"))
    found = tree.find(".//{*}MessageID")
    found.text = message_id
    if not message_id:
        found.getparent().remove(found)
    return etree.tostring(tree)


def send(world: World, service: str, action: str, body: bytes) -> tuple[int, bytes]:
    status, _, content = world.raw(service, messages.headers(action), body)
    return status, content


def letters(world: World) -> int:
    return len(Outbox(Database(world.house.settings.database), now=lambda: 1e12).overdue(0.0))


def test_a_query_is_answered_at_its_reply_address(world: World, receiver: Receiver, postman: Postman) -> None:
    known = s.new()
    assert world.register(known).outcome == "Success"
    query = messages.find_documents(str(known.entries[0].patient_id))
    accepted = send(world, "registry", Action.REGISTRY_STORED_QUERY, asking(query, f"{receiver.url}/answers/7"))
    assert accepted == (202, b"")
    assert receiver.came == []
    assert postman.work_once()
    ((path, headers, _),) = receiver.came
    assert path == "/answers/7"
    assert f'action="{Action.REGISTRY_STORED_QUERY.response}"' in headers["Content-Type"]
    (answer,) = receiver.answers()
    assert (answer.outcome, answer.relates_to, len(answer.objects)) == ("Success", ID, 1)
    assert answer.envelope.findtext(".//{*}Header/{*}To") == f"{receiver.url}/answers/7"
    assert not postman.work_once()


def test_a_submission_is_done_when_it_is_accepted_and_once(world: World, receiver: Receiver, postman: Postman) -> None:
    made = s.new()
    before = world.rows()["document_entry"]
    message = asking(messages.register_document_set(made), f"{receiver.url}/answers")
    assert send(world, "registry", Action.REGISTER_DOCUMENT_SET, message) == (202, b"")
    assert world.rows()["document_entry"] == before + 1
    receiver.statuses[:] = [503, 202]
    assert postman.work_once()
    Outbox(Database(world.house.settings.database)).hurry(TOPIC, first_key(world))
    assert postman.work_once()
    first, second = receiver.answers()
    assert (first.outcome, second.outcome) == ("Success", "Success")
    assert first.envelope.findtext(".//{*}MessageID") == second.envelope.findtext(".//{*}MessageID")
    assert world.rows()["document_entry"] == before + 1
    assert letters(world) == 0


def first_key(world: World) -> str:
    ((_, key, *_),) = Outbox(Database(world.house.settings.database), now=lambda: 1e12).overdue(0.0)
    return str(key)


def test_documents_go_out_and_come_back_as_mtom(world: World, receiver: Receiver, postman: Postman) -> None:
    made = messages.provided(s.new())
    content_type, chunks = messages.provide_and_register(made, {made.entries[0].id: [b"a document"]})
    header = f"<wsa:ReplyTo><wsa:Address>{receiver.url}/answers</wsa:Address></wsa:ReplyTo></soap:Header>"
    body = b"".join(chunks).replace(b"</soap:Header>", header.encode())
    assert world.raw("repository", {"Content-Type": content_type}, body)[0] == 202
    assert postman.work_once()
    assert receiver.came[0][1]["Content-Type"].startswith("multipart/related")
    assert receiver.answers()[0].outcome == "Success"
    asked = messages.retrieve_document_set([(REPOSITORY, str(made.entries[0].unique_id)), (REPOSITORY, "1.2")])
    headers, body = packaged(asking(asked, f"{receiver.url}/answers"))
    assert world.raw("repository", headers, body)[0] == 202
    assert postman.work_once()
    answer = receiver.answers()[1]
    assert (answer.outcome, answer.relates_to) == ("PartialSuccess", ID)
    assert answer.body.findtext(".//{*}Document") == "YSBkb2N1bWVudA=="


def test_a_refusal_is_an_answer_too(world: World, receiver: Receiver, postman: Postman) -> None:
    wrong = s.new(creation_time="yesterday")
    message = asking(messages.register_document_set(wrong), f"{receiver.url}/answers")
    assert send(world, "registry", Action.REGISTER_DOCUMENT_SET, message)[0] == 202
    assert postman.work_once()
    assert receiver.answers()[0].codes == ["XDSRegistryMetadataError"]


def test_reference_parameters_come_back_as_headers(world: World, receiver: Receiver, postman: Postman) -> None:
    inside = '<wsa:ReferenceParameters><c:Case xmlns:c="urn:c">7 &amp; 8</c:Case></wsa:ReferenceParameters>'
    message = asking(messages.find_documents("1^^^&1.2.3&ISO"), f"{receiver.url}/answers", inside=inside)
    assert send(world, "registry", Action.REGISTRY_STORED_QUERY, message)[0] == 202
    assert postman.work_once()
    case = receiver.answers()[0].envelope.find(".//{*}Header/{urn:c}Case")
    assert case.text == "7 & 8"
    assert case.get(f"{{{Namespace.ADDRESSING}}}IsReferenceParameter") == "true"


def test_reference_parameters_have_a_limit(world: World, receiver: Receiver) -> None:
    inside = f'<wsa:ReferenceParameters><c xmlns="">{"x" * 5000}</c></wsa:ReferenceParameters>'
    message = asking(messages.find_documents("1^^^&1.2.3&ISO"), f"{receiver.url}/answers", inside=inside)
    assert send(world, "registry", Action.REGISTRY_STORED_QUERY, message)[0] == 400


# --- what is not accepted ---


@pytest.mark.parametrize("fault_to", [False, True])
def test_an_address_that_is_not_listed_is_never_called(world: World, receiver: Receiver, fault_to: bool) -> None:
    good, bad = f"{receiver.url}/answers", f"{receiver.url}/other"
    message = messages.find_documents("1^^^&1.2.3&ISO")
    sent = asking(message, good, fault_to=bad) if fault_to else asking(message, bad)
    answer = world.post("registry", messages.headers(Action.REGISTRY_STORED_QUERY), sent)
    assert answer.fault is not None
    assert answer.fault[:2] == ("Sender", "OnlyAnonymousAddressSupported")
    assert ("FaultTo" if fault_to else "ReplyTo") in answer.fault[2]
    assert (receiver.came, letters(world)) == ([], 0)


def test_a_fault_address_alone_is_refused(world: World, receiver: Receiver) -> None:
    sent = asking(messages.find_documents("1^^^&1.2.3&ISO"), "", fault_to=f"{receiver.url}/answers")
    answer = world.post("registry", messages.headers(Action.REGISTRY_STORED_QUERY), sent)
    assert answer.fault is not None
    assert answer.fault[1] == "OnlyAnonymousAddressSupported"


def test_an_answer_elsewhere_needs_a_message_id(world: World, receiver: Receiver) -> None:
    sent = asking(messages.find_documents("1^^^&1.2.3&ISO"), f"{receiver.url}/answers", message_id="")
    answer = world.post("registry", messages.headers(Action.REGISTRY_STORED_QUERY), sent)
    assert answer.fault is not None
    assert answer.fault[1] == "MessageAddressingHeaderRequired"
    assert letters(world) == 0


def test_a_message_that_cannot_be_dispatched_is_not_accepted(world: World, receiver: Receiver) -> None:
    sent = asking(messages.envelope("urn:x", "<a/>"), f"{receiver.url}/answers")
    answer = world.post("registry", {"Content-Type": "application/soap+xml"}, sent)
    assert answer.fault is not None
    assert answer.fault[1] == "ActionNotSupported"


def test_a_letter_that_cannot_be_kept_is_no_acceptance(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is told on the connection; what was only asked is refused."""

    def busy(*_: object) -> None:
        raise Rejected.because(ErrorCode.XDSRegistryBusy, "", "the database is too busy", "ITI TF-3, 4.2.4.1")

    monkeypatch.setattr(OutboxPost, "post", busy)
    made = s.new()
    message = asking(messages.register_document_set(made), f"{receiver.url}/answers")
    answer = world.post("registry", messages.headers(Action.REGISTER_DOCUMENT_SET), message)
    assert (answer.outcome, answer.relates_to) == ("Success", ID)
    query = asking(messages.find_documents("1^^^&1.2.3&ISO"), f"{receiver.url}/answers")
    status, content = send(world, "registry", Action.REGISTRY_STORED_QUERY, query)
    assert (status, b"soap:Receiver" in content, b"too busy" in content) == (503, True, True)


LISTED = ("https://a.example.org/soap/answers", "http://b.example.org:8080")


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example.org/soap/answers",
        "https://A.example.org:443/soap/answers/",
        "https://a.example.org/soap/answers/7?id=1",
        "http://b.example.org:8080",
        "http://b.example.org:8080/x",
    ],
)
def test_addresses_at_or_below_a_listed_one(address: str) -> None:
    assert is_listed(address, LISTED)


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example.org/soap/answers",
        "https://a.example.org/soap/answersx",
        "https://a.example.org/soap",
        "https://a.example.org:8443/soap/answers",
        "https://a.example.org.evil.org/soap/answers",
        "https://a.example.org@evil.org/soap/answers",
        "https://evil.org#https://a.example.org/soap/answers",
        "https://a.example.org\\@evil.org/soap/answers",
        "https://a.example.org/soap/answers/../../admin",
        "https://a.example.org/soap/answers/%2e%2e/admin",
        "https://a.example.org/soap/./answers",
        "https://a.example.org/other?/soap/answers",
        "https://user:secret@a.example.org/soap/answers",
        "https://a.example.org/soap/answers\n",
        "https://ä.example.org/soap/answers",
        "ftp://a.example.org/soap/answers",
        "file:///soap/answers",
        "http://b.example.org:99999/",
        "http://b.example.org",
        "//b.example.org:8080/",
        "urn:a",
        "",
    ],
)
def test_addresses_that_only_look_listed(address: str) -> None:
    assert not is_listed(address, LISTED)


@pytest.mark.parametrize("address", ["a.example.org", "https://u@a.example.org/", "https://a.example.org/a b"])
def test_settings_name_plain_urls(address: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain http"):
        Settings.load(data=tmp_path, soap={"reply_to": [address]})


# --- receivers that are not there, or send elsewhere ---


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses[:] = [307]
    with pytest.raises(Undelivered, match="307"):
        soap_async.deliver(f"{receiver.url}/answers", Reply(200, "application/soap+xml", b"x"))
    assert [path for path, _, _ in receiver.came] == ["/answers"]


def test_nobody_there_is_undelivered_and_says_no_more_than_that() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Undelivered, match="^ConnectionError$"):
        soap_async.deliver(f"http://127.0.0.1:{port}/", Reply(200, "application/soap+xml", b"x"))


def test_no_proxy_of_the_environment_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(requests.RequestException):
        requests.post("http://192.0.2.1/", timeout=1)
    soap_async.deliver(f"{receiver.url}/answers", Reply(200, "application/soap+xml", b"x"))


def test_an_accepted_answer_survives_a_new_start(world: World, receiver: Receiver, postman: Postman) -> None:
    """Whoever takes the letter next has its own house and its own connections."""
    message = asking(messages.find_documents("1^^^&1.2.3&ISO"), f"{receiver.url}/answers")
    assert send(world, "registry", Action.REGISTRY_STORED_QUERY, message)[0] == 202

    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    doomed = Postman(world.house, Database(world.house.settings.database), dies)
    with pytest.raises(Killed):
        doomed.work_once()
    assert letters(world) == 1
    assert not postman.work_once(), "the lease of the worker that died still runs"
    later = Postman(world.house, Database(world.house.settings.database))
    later._outbox = Outbox(Database(world.house.settings.database), now=lambda: 1e11)
    assert later.work_once()
    assert receiver.answers()[0].relates_to == ID


def test_a_fault_of_the_worker_goes_to_the_fault_address(world: World, receiver: Receiver, postman: Postman) -> None:
    message = asking(
        messages.find_documents("1^^^&1.2.3&ISO"), f"{receiver.url}/answers", fault_to=f"{receiver.url}/answers/faults"
    )
    assert send(world, "registry", Action.REGISTRY_STORED_QUERY, message)[0] == 202
    postman._services.clear()
    assert postman.work_once()
    ((path, headers, body),) = receiver.came
    assert path == "/answers/faults"
    answer = judged(400, headers["Content-Type"], body)
    assert answer.fault is not None
    assert (answer.fault[1], answer.relates_to) == ("ActionNotSupported", ID)


def test_a_letter_is_json_and_comes_back_as_it_was() -> None:
    letter = soap_async.Posted(
        soap_async.Letter.ANSWER,
        "registry",
        "ITI-42",
        Action.REGISTER_DOCUMENT_SET,
        *("a", "b", "c", "d", "e", True, "f", "g", "h"),
    )
    assert soap_async.Posted.from_dict(json.loads(json.dumps(letter.as_dict()))) == letter


def test_the_worker_of_a_real_server_delivers_also_after_a_kill(
    receiver: Receiver, server: running.StartServer, tmp_path: Path
) -> None:
    receiver.statuses[:] = [503, 202]
    allowed = {"XDSI_SOAP__REPLY_TO": json.dumps([f"{receiver.url}/answers"])}
    first = server(data=tmp_path / "data", **allowed)
    body = asking(messages.register_document_set(s.new()), f"{receiver.url}/answers")
    headers = messages.headers(Action.REGISTER_DOCUMENT_SET)
    accepted = requests.post(f"{first.base_url}/xds/registry", data=body, headers=headers, timeout=30)
    assert (accepted.status_code, accepted.content) == (202, b"")
    eventually(lambda: len(receiver.came) == 1, "the answer is tried")
    first.process.kill()
    first.process.wait(30)
    server(data=tmp_path / "data", **allowed)
    eventually(lambda: len(receiver.came) > 1, "the answer is delivered")
    assert {(answer.outcome, answer.relates_to) for answer in receiver.answers()} == {("Success", ID)}
    assert len({answer.envelope.findtext(".//{*}MessageID") for answer in receiver.answers()}) == 1
