"""SOAP out: whatever a peer does, the caller gets its answer or is told why not, in time and with nothing kept."""

import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from stubs import Behaviour, Stub, answering, stub

from profiles.faces import mtom, soap_client
from profiles.faces.soap_client import NoAnswer, Peer
from registry.metadata.urn import Action, Namespace

ACTION = Action.CROSS_GATEWAY_QUERY
EXPECTED = "{urn:test}Answer"
SOAP_TYPE = "application/soap+xml; charset=UTF-8"


def peer_of(found: Stub, **changes: object) -> Peer:
    return replace(Peer(found.url, 1.0, None, 100_000, 1_000_000), **changes)  # type: ignore[arg-type]


def envelope(body: str = '<t:Answer xmlns:t="urn:test"/>', headers: str = "") -> bytes:
    return (
        f'<s:Envelope xmlns:s="{Namespace.SOAP}" xmlns:wsa="{Namespace.ADDRESSING}"><s:Header>{headers}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


class Kept:
    """What documents of an answer are received into."""

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def receive(self, chunks: Iterator[bytes]) -> bytes:
        self.held.append(b"".join(chunks))
        return self.held[-1]

    def discard(self, one: bytes) -> None:
        self.held.remove(one)


def call(peer: Peer, kept: Kept | None = None, packaged: bool = False) -> soap_client.Answered[bytes]:
    kept = kept or Kept()
    asked = b'<t:Ask xmlns:t="urn:test"/>'
    return soap_client.call(peer, ACTION, asked, EXPECTED, kept.receive, kept.discard, packaged=packaged)


def echoing(make: Callable[[str], bytes]) -> Behaviour:
    """An answer that may name the request's MessageID."""

    def behave(connection: socket.socket, request: bytes) -> None:
        message_id = re.search(rb"MessageID>([^<]*)<", request)
        assert message_id
        answering(make(message_id[1].decode()))(connection, request)

    return behave


# --- what is sent and what is taken ---


def test_a_request_is_soap_12_with_addressing() -> None:
    with stub(answering(envelope())) as found:
        assert call(peer_of(found, url=found.url + "?a=b")).body.tag == EXPECTED
    head, _, body = found.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /service?a=b HTTP/1.1"
    assert f'Content-Type: {SOAP_TYPE}; action="{ACTION}"' in lines
    assert "Accept-Encoding: identity" in lines
    message = (
        mtom.read_message(SOAP_TYPE, lambda _: taken.pop(), bytes, discard=lambda _: None)
        if (taken := [b"", body])
        else None
    )
    assert message is not None
    texts = {str(e.tag).rpartition("}")[2]: e.text for e in message.root[0].iter() if e.text}
    assert texts["Action"] == ACTION
    assert texts["MessageID"].startswith("urn:uuid:")
    assert texts["To"] == found.url + "?a=b"
    assert texts["Address"].endswith("/anonymous")


def test_a_request_goes_as_mtom_where_the_transaction_is() -> None:
    with stub(answering(envelope())) as found:
        call(peer_of(found), packaged=True)
    assert b"Content-Type: multipart/related" in found.requests[0]


def test_documents_are_received_and_belong_to_the_caller() -> None:
    document = mtom.Attachment("a@b", [b"x" * 1000, b"y"])
    body = f'<t:Answer xmlns:t="urn:test">{mtom.include("a@b").decode()}</t:Answer>'
    content_type, chunks = mtom.write_message([envelope(body)], [document])
    kept = Kept()
    with stub(answering(b"".join(chunks), content_type)) as found:
        answered = call(peer_of(found), kept)
    assert mtom.included(answered.body, answered.message) == b"x" * 1000 + b"y"
    assert len(kept.held) == 1


def test_an_answer_in_http_chunks() -> None:
    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for piece in (envelope()[:50], envelope()[50:]):
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")

    with stub(behave) as found:
        assert call(peer_of(found)).body.tag == EXPECTED


def test_an_answer_that_ends_with_the_connection() -> None:
    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: {SOAP_TYPE}\r\n\r\n".encode() + envelope())

    with stub(behave) as found:
        assert call(peer_of(found)).body.tag == EXPECTED


@pytest.mark.parametrize("relates", [True, False])
def test_an_answer_may_say_what_it_relates_to(relates: bool) -> None:
    def made(message_id: str) -> bytes:
        return envelope(headers=f"<wsa:RelatesTo>\n {message_id} </wsa:RelatesTo>" if relates else "")

    with stub(echoing(made)) as found:
        assert call(peer_of(found)).body.tag == EXPECTED


# --- answers that are none ---

FAULT = (
    "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang='en'>the  cellar\nis flooded"
    "</s:Text></s:Reason></s:Fault>"
)
BOMB = b'<!DOCTYPE a [<!ENTITY b "c">]>' + envelope()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (answering(envelope(FAULT), status="500 Oops"), "fault: the cellar is flooded"),
        (answering(envelope(FAULT)), "fault: the cellar is flooded"),
        (answering(envelope(), status="500 Oops"), "HTTP 500"),
        (answering(b"", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"), "HTTP 302"),
        (answering(b"", status="202 Accepted"), "HTTP 202"),
        (answering(b"no", "text/html", "404 Not Found"), "HTTP 404"),
        (answering(b"<html/>", "text/html"), "cannot be read"),
        (answering(b"\0\xff rubbish"), "cannot be read"),
        (answering(b""), "cannot be read"),
        (answering(BOMB), "DOCTYPE"),
        (answering(envelope("<a/>" * 2)), "one element"),
        (answering(b"<a/>"), "no SOAP 1.2 envelope"),
        (answering(envelope("<a/>")), "not {urn:test}Answer"),
        (answering(envelope(headers="<wsa:RelatesTo>urn:uuid:another</wsa:RelatesTo>")), "another message"),
        (answering(envelope(), headers="Content-Encoding: gzip\r\n"), "compressed"),
        (answering(envelope("<a>" + "x" * 100_000 + "</a>")), "bytes"),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<s"), "cannot be read"),
        (lambda connection, _: connection.sendall(b"220 mail.test ESMTP\r\n"), "does not answer in HTTP: BadStatusLine"),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n"), "does not answer in HTTP"),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\na: " + b"x" * 99_999), "does not answer in HTTP"),
        (lambda connection, _: None, "closed the connection"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_says_why(behaviour: Behaviour, reason: str) -> None:
    with stub(behaviour) as found, pytest.raises(NoAnswer, match=re.escape(reason)):
        call(peer_of(found))


def test_an_answer_that_is_cut_off() -> None:
    def behave(connection: socket.socket, _: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\nContent-Length: 5000\r\n\r\n"
        connection.sendall(head.encode() + envelope())

    with stub(behave) as found, pytest.raises(NoAnswer, match="cut off"):
        call(peer_of(found))


@pytest.mark.parametrize("fault", ["not expected", "too large", "cut off"])
def test_of_a_call_that_fails_no_document_is_kept(fault: str) -> None:
    attachments = [mtom.Attachment(name, [b"x" * 1000]) for name in ("a@b", "c@d")]
    inside = "".join(f"<t:d>{mtom.include(one.content_id).decode()}</t:d>" for one in attachments)
    name = "Other" if fault == "not expected" else "Answer"
    content_type, chunks = mtom.write_message(
        [envelope(f'<t:{name} xmlns:t="urn:test">{inside}</t:{name}>')], attachments
    )
    content = b"".join(chunks)
    kept = Kept()
    sent = content[:-40] if fault == "cut off" else content
    with stub(answering(sent, content_type)) as found, pytest.raises(NoAnswer):
        call(peer_of(found, answer_bytes=2000 if fault == "too large" else 9000), kept)
    assert kept.held == []


def test_nobody_listens() -> None:
    with stub(answering(b"")) as found:
        pass
    with pytest.raises(NoAnswer, match="cannot be reached: Connection refused"):
        call(peer_of(found))


# --- peers that take their time ---


def trickling(first: bytes) -> Behaviour:
    """Sends `first`, and then a byte from time to time, for ever."""

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(first)
        connection.settimeout(0.05)
        while True:
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                connection.sendall(b"a")

    return behave


def hanging(connection: socket.socket, _: bytes) -> None:
    connection.recv(1)


@pytest.mark.parametrize(
    "behaviour",
    [
        hanging,
        trickling(b"HTTP"),
        trickling(b"HTTP/1.1 200 OK\r\nA: "),
        trickling(f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\nContent-Length: 9999\r\n\r\n".encode()),
        trickling(f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()),
        trickling(f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\n\r\n".encode()),
    ],
    ids=["silence", "status", "headers", "body", "chunk size", "no length"],
)
def test_a_call_has_one_deadline_whatever_comes_in_meanwhile(behaviour: Behaviour) -> None:
    with stub(behaviour) as found:
        begin = time.monotonic()
        with pytest.raises(NoAnswer, match="within 0.3 s"):
            call(peer_of(found, seconds=0.3))
        assert time.monotonic() - begin < 2


# --- TLS ---


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, one for another name, and one of a client, each its own authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("pems")
    for name, subject in (("here", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.test"), ("client", "DNS:us.test")):
        arguments = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}"
        made = [
            *arguments.split(),
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-addext",
            f"subjectAltName={subject}",
        ]
        subprocess.run([openssl, *made], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [
        ("here", "here", ""),
        ("here", "elsewhere", "certificate is not trusted: self-signed"),
        ("elsewhere", "elsewhere", "certificate is not trusted: IP address mismatch"),
    ],
)
def test_a_peer_shows_a_certificate_that_is_trusted_and_sees_ours(
    pems: Path, name: str, trusted: str, reason: str
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pems / f"{name}.pem", pems / f"{name}.key")
    server.load_verify_locations(pems / "client.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    ours = ssl.create_default_context(cafile=pems / f"{trusted}.pem")
    ours.load_cert_chain(pems / "client.pem", pems / "client.key")
    with stub(answering(envelope()), lambda plain: server.wrap_socket(plain, server_side=True)) as found:
        peer = peer_of(found, tls=ours, url=found.url.replace("http:", "https:"))
        if not reason:
            assert call(peer).body.tag == EXPECTED
            return
        with pytest.raises(NoAnswer, match=reason):
            call(peer)
        assert found.requests == []


def test_a_peer_that_speaks_no_tls() -> None:
    with stub(answering(envelope())) as found:
        with pytest.raises(NoAnswer, match=r"TLS failed|within|reached"):
            call(peer_of(found, tls=ssl.create_default_context(), seconds=0.5))
        assert found.requests == []
