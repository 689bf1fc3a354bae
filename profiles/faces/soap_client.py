"""SOAP 1.2 out: one request to an address of the settings, one answer, which is read as if it were hostile.

ITI TF-2, Appendix V.3. Sockets of the standard library rather than an HTTP client: nothing is followed, decompressed,
remembered or taken from the environment, and the whole call has one deadline, however slowly the peer sends its bytes.
A connection serves one call, so that none can fail because the peer has closed it meanwhile.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected
from typing import Generic, TypeVar, cast
from urllib.parse import urlsplit

from profiles.faces import mtom, xml
from profiles.faces.soap import ADDRESSING, ANONYMOUS, BODY, ENVELOPE, HEADER, SOAP_TYPE
from registry.metadata.errors import Rejected
from registry.metadata.identify import fresh_uuid
from registry.metadata.urn import Action, Namespace

T = TypeVar("T")
FAULT = xml.tag(Namespace.SOAP, "Fault")
REASON = f"{xml.tag(Namespace.SOAP, 'Reason')}/{xml.tag(Namespace.SOAP, 'Text')}"
OK, SAYS_FAULT = 200, (400, 500)
MOST_TOLD = 300  # characters of a peer's own words that are passed on


class NoAnswer(Exception):
    """The peer gave no answer that can be used; the text says why, in words for the person who asked."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A service of another system. `seconds` are those of a whole call; `tls` is None for plain HTTP.

    An answer may have `envelope_bytes` without its documents, and `answer_bytes` in all.
    """

    url: str
    seconds: float
    tls: ssl.SSLContext | None
    envelope_bytes: int
    answer_bytes: int


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """A peer's answer: the one element of its Body, and the message that it came in."""

    body: xml.Element
    message: mtom.Message[T]


def call(
    peer: Peer,
    action: Action,
    body: bytes,
    expected: str,
    receive: Callable[[Iterator[bytes]], T],
    discard: Callable[[T], None],
    *,
    packaged: bool = False,
) -> Answered[T]:
    """What `peer` answers to `body`, an `expected` element ({namespace}local); as MTOM when `packaged`.

    `receive` and `discard` take the answer's documents as for `mtom.read_message`; of a call that fails nothing is
    kept.

    Raises:
        NoAnswer: not reached, no answer in time, or one that is no SOAP, another message's, a fault or too large.
    """
    message_id = f"urn:uuid:{fresh_uuid()}"
    envelope = _envelope(peer.url, action, message_id, body)
    content_type, sent = f'{SOAP_TYPE}; action="{action}"', envelope
    if packaged:
        content_type, chunks = mtom.write_message([envelope], (), action=action)
        sent = b"".join(chunks)
    try:
        with _answered(peer, content_type, sent) as response:
            message = _message(peer, response, receive, discard)
    except (OSError, HTTPException) as error:
        raise NoAnswer(_why(error, peer.seconds)) from error
    except Rejected as rejected:
        raise NoAnswer(f"its answer cannot be read: {rejected.findings[0].text[:MOST_TOLD]}") from rejected
    try:
        return Answered(_content(message.root, response.status, message_id, expected), message)
    except NoAnswer:
        for received in message.attachments.values():
            discard(received)
        raise


def _envelope(url: str, action: Action, message_id: str, body: bytes) -> bytes:
    head = (
        f'<soap:Envelope xmlns:soap="{Namespace.SOAP}" xmlns:wsa="{Namespace.ADDRESSING}"><soap:Header>'
        f'<wsa:Action soap:mustUnderstand="true">{action}</wsa:Action><wsa:MessageID>{message_id}</wsa:MessageID>'
        f"<wsa:ReplyTo><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>"
        f'<wsa:To soap:mustUnderstand="true">{xml.escaped(url)}</wsa:To></soap:Header><soap:Body>'
    )
    return head.encode() + body + b"</soap:Body></soap:Envelope>"


def _message(
    peer: Peer, response: HTTPResponse, receive: Callable[[Iterator[bytes]], T], discard: Callable[[T], None]
) -> mtom.Message[T]:
    if response.status != OK and response.status not in SAYS_FAULT:
        raise NoAnswer(f"it answered with HTTP {response.status}")
    if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
        raise NoAnswer("its answer is compressed, which was not asked for")
    return mtom.read_message(
        response.getheader("Content-Type", ""),
        _reader(response, peer.answer_bytes),
        receive,
        discard=discard,
        limit=peer.envelope_bytes,
    )


def _reader(response: HTTPResponse, limit: int) -> Callable[[int], bytes]:
    left = limit

    def read(size: int) -> bytes:
        nonlocal left
        block = response.read1(size)
        left -= len(block)
        if left < 0:
            raise NoAnswer(f"its answer has more than {limit} bytes")
        if not block and response.length:
            raise NoAnswer("its answer was cut off")
        return block

    return read


def _content(root: xml.Element, status: int, message_id: str, expected: str) -> xml.Element:
    """The one element of the Body, when it is what was expected."""
    bodies = root.findall(BODY) if root.tag == ENVELOPE else []
    content = list(bodies[0]) if len(bodies) == 1 else []
    if len(content) != 1:
        raise NoAnswer("its answer is no SOAP 1.2 envelope with one element in its Body")
    related = {(e.text or "").strip() for e in root.iterfind(f"{HEADER}/{ADDRESSING}RelatesTo")}
    # Some products leave it out. One that names another message would show one patient's documents as another's.
    if related and message_id not in related:
        raise NoAnswer("its answer relates to another message")
    if content[0].tag == FAULT:
        reason = " ".join((content[0].findtext(REASON) or "without a reason").split())
        raise NoAnswer(f"it answered with a fault: {reason[:MOST_TOLD]}")
    if status != OK:
        raise NoAnswer(f"it answered with HTTP {status}")
    if content[0].tag != expected:
        raise NoAnswer(f"it answered with {str(content[0].tag)[:MOST_TOLD]}, not {expected}")
    return content[0]


def _why(error: OSError | HTTPException, seconds: float) -> str:
    match error:
        case TimeoutError():
            return f"it did not answer within {seconds:g} s"
        case RemoteDisconnected() | ConnectionResetError() | BrokenPipeError():
            return "it closed the connection without an answer"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason}"
        case socket.gaierror():
            return "its name cannot be resolved"
        case OSError():
            return f"it cannot be reached: {error.strerror or type(error).__name__}"
    return f"it does not answer in HTTP: {type(error).__name__}"


@contextmanager
def _answered(peer: Peer, content_type: str, body: bytes) -> Iterator[HTTPResponse]:
    """The response to a POST, its body not read yet; the connection ends with the block."""
    parts = urlsplit(peer.url)
    host, port = parts.hostname or "", parts.port or (443 if peer.tls else 80)
    ends = time.monotonic() + peer.seconds

    def left() -> float:
        seconds = ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    headers = {
        "Content-Type": content_type,
        "Accept": "application/soap+xml, multipart/related, application/xop+xml",
        "Connection": "close",
    }
    with closing(_connected(host, port, peer.tls, left)) as connected:
        http = HTTPConnection(host, port)
        http.sock = cast(socket.socket, _Wire(connected, left))
        http.request("POST", parts._replace(scheme="", netloc="", fragment="").geturl() or "/", body, headers)
        yield http.getresponse()


def _connected(host: str, port: int, tls: ssl.SSLContext | None, left: Callable[[], float]) -> socket.socket:
    failed: OSError = socket.gaierror()
    for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            connected = socket.create_connection((str(address[0]), port), left())
        except OSError as error:
            failed = error
            continue
        if tls is None:
            return connected
        try:
            connected.settimeout(left())
            return tls.wrap_socket(connected, server_hostname=host)
        except BaseException:
            connected.close()
            raise
    raise failed


class _Wire:
    """A socket as far as http.client uses one, on which no wait is longer than what is `left`, in seconds."""

    def __init__(self, connected: socket.socket, left: Callable[[], float]) -> None:
        self._socket, self._left = connected, left

    def sendall(self, data: bytes) -> None:
        """As a socket's, whose time-out is that of all the data."""
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What the answer is read from."""
        return io.BufferedReader(_Received(self._socket, self._left))

    def close(self) -> None:
        """Nothing: http.client closes as soon as the headers are read, when the body is still to come."""


class _Received(io.RawIOBase):
    """The bytes that a `_Wire` takes in."""

    def __init__(self, connected: socket.socket, left: Callable[[], float]) -> None:
        self._socket, self._left = connected, left

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """As a socket's recv_into."""
        self._socket.settimeout(self._left())
        return self._socket.recv_into(buffer)
