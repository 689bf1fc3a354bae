"""SOAP 1.2 with WS-Addressing: envelopes in, envelopes and faults out (ITI TF-2, Appendix V).

An operation is chosen by wsa:Action; the body must be that action's, and an action that HTTP names must be the same.
Answers go back on the same connection only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from profiles.faces import mtom, xml
from profiles.faces.mtom import Attachment, Message
from profiles.faces.multipart import parameters
from profiles.faces.reply import Reply
from registry.metadata.errors import Rejected
from registry.metadata.identify import fresh_uuid
from registry.metadata.urn import Namespace

log = structlog.get_logger(__name__)
T = TypeVar("T")

ENVELOPE, HEADER, BODY = (xml.tag(Namespace.SOAP, name) for name in ("Envelope", "Header", "Body"))
MUST_UNDERSTAND = xml.tag(Namespace.SOAP, "mustUnderstand")
ROLE = xml.tag(Namespace.SOAP, "role")
ADDRESSING = "{" + Namespace.ADDRESSING + "}"
ANONYMOUS = f"{Namespace.ADDRESSING}/anonymous"
REPLIES = (ADDRESSING + "ReplyTo", ADDRESSING + "FaultTo")
ADDRESS = ADDRESSING + "Address"
NO_OTHER_CONNECTION = (ANONYMOUS, f"{Namespace.ADDRESSING}/none")
FAULT_ACTION = f"{Namespace.ADDRESSING}/fault"
SECURITY = xml.tag(Namespace.SECURITY, "Security")
OWN_ROLES = (None, "", f"{Namespace.SOAP}/role/ultimateReceiver", f"{Namespace.SOAP}/role/next")
SOAP_TYPE = "application/soap+xml; charset=UTF-8"


class Fault(Exception):
    """A message that cannot be dispatched at all: `code` is Sender, Receiver, MustUnderstand or VersionMismatch."""

    def __init__(self, code: str, reason: str, status: int = 400, subcode: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.status, self.subcode = code, reason, status, subcode


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A dispatchable message: its action, its id, the one element of its body, and its attachments."""

    action: str
    message_id: str
    body: xml.Element
    message: Message[T]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes into an answer's body, and documents beside it."""

    body: Iterable[bytes]
    attachments: tuple[Attachment, ...] = ()


def open_envelope(message: Message[T], content_type: str, soap_action: str = "") -> Request[T]:
    """The request in an envelope.

    Raises:
        Fault: not SOAP 1.2, no or several actions, actions that disagree, a header that must be understood and is not,
            an answer wanted elsewhere, no or several body elements.
    """
    root = message.root
    if root.tag != ENVELOPE:
        if str(root.tag).endswith("}Envelope"):
            raise Fault("VersionMismatch", "the envelope is not SOAP 1.2's", 500)
        raise Fault("Sender", "the message is not a SOAP 1.2 envelope (ITI TF-2, V.3)")
    headers: list[xml.Element] = []
    bodies: list[xml.Element] = []
    for part in root:
        if part.tag == HEADER:
            headers += [e for e in part if isinstance(e.tag, str)]
        elif part.tag == BODY:
            bodies.append(part)
    if len(bodies) != 1:
        raise Fault("Sender", f"there must be one Body, {len(bodies)} were sent")
    content = [e for e in bodies[0] if isinstance(e.tag, str)]
    if len(content) != 1:
        raise Fault("Sender", f"the Body must hold one element, {len(content)} were sent")
    action = _action(headers, content_type, soap_action)
    _check_headers(headers)
    return Request(action, _single(headers, "MessageID") or "", content[0], message)


def _action(headers: list[xml.Element], content_type: str, soap_action: str) -> str:
    actions = [(e.text or "").strip() for e in headers if e.tag == ADDRESSING + "Action"]
    if len(actions) > 1:
        raise Fault("Sender", "there are two wsa:Action headers", subcode="InvalidAddressingHeader")
    by_http = (parameters(content_type)[1].get("action") or soap_action).strip('" ')
    if not actions or not actions[0]:
        raise Fault(
            "Sender", "the wsa:Action header is missing (ITI TF-2, V.3.2)", subcode="MessageAddressingHeaderRequired"
        )
    if by_http and by_http != actions[0]:
        text = f"wsa:Action is {actions[0]}, the HTTP action is {by_http}"
        raise Fault("Sender", text, subcode="ActionMismatch")
    return actions[0]


def _check_headers(headers: list[xml.Element]) -> None:
    for header in headers:
        tag = str(header.tag)
        if tag in REPLIES:
            address = (header.findtext(ADDRESS) or ANONYMOUS).strip()
            if address not in NO_OTHER_CONNECTION:
                text = f"{tag.removeprefix(ADDRESSING)} must be anonymous: answers go back on the same connection"
                raise Fault("Sender", text, subcode="OnlyAnonymousAddressSupported")
        elif not tag.startswith(ADDRESSING) and tag != SECURITY and _must_be_understood(header):
            raise Fault("MustUnderstand", f"the header {tag} is not understood", 500)


def _must_be_understood(header: xml.Element) -> bool:
    """Only what is addressed to this node concerns it: the ultimate receiver, and the next (SOAP 1.2 Part 1, 2.2)."""
    return header.get(MUST_UNDERSTAND, "").strip() in ("1", "true") and header.get(ROLE) in OWN_ROLES


def _single(headers: list[xml.Element], name: str) -> str | None:
    return next(((e.text or "").strip() for e in headers if e.tag == ADDRESSING + name), None)


def message_id(root: xml.Element) -> str:
    """The message's wsa:MessageID, for the answer to relate to; empty when it has none or is no envelope."""
    return (root.findtext(f"{HEADER}/{ADDRESSING}MessageID") or "").strip()


def envelope(action: str, relates_to: str, body: Iterable[bytes]) -> Iterator[bytes]:
    """An answer's envelope around `body`."""
    related = f"<wsa:RelatesTo>{xml.escaped(relates_to)}</wsa:RelatesTo>" if relates_to else ""
    head = (
        f'<soap:Envelope xmlns:soap="{Namespace.SOAP}" xmlns:wsa="{Namespace.ADDRESSING}"><soap:Header>'
        f'<wsa:Action soap:mustUnderstand="true">{action}</wsa:Action>'
        f"<wsa:MessageID>urn:uuid:{fresh_uuid()}</wsa:MessageID>{related}"
        f"<wsa:To>{ANONYMOUS}</wsa:To></soap:Header><soap:Body>"
    )
    yield head.encode()
    yield from body
    yield b"</soap:Body></soap:Envelope>"


def reply(action: str, relates_to: str, answer: Answer, *, packaged: bool) -> Reply:
    """The HTTP answer: MTOM when the operation is (`packaged`), else a plain envelope."""
    if packaged:
        message = list(envelope(action, relates_to, answer.body))
        content_type, chunks = mtom.write_message(message, answer.attachments, action=action)
        length = mtom.length_of(message, content_type, answer.attachments)
        return Reply(200, content_type, chunks, {} if length is None else {"Content-Length": str(length)})
    return Reply(200, f'{SOAP_TYPE}; action="{action}"', b"".join(envelope(action, relates_to, answer.body)))


def fault_reply(fault: Fault, relates_to: str = "") -> Reply:
    """A fault for people: the reason says what to mend."""
    subcode = f"<soap:Subcode><soap:Value>wsa:{fault.subcode}</soap:Value></soap:Subcode>" if fault.subcode else ""
    body = (
        f"<soap:Fault><soap:Code><soap:Value>soap:{fault.code}</soap:Value>{subcode}</soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{xml.escaped(fault.reason)}</soap:Text></soap:Reason></soap:Fault>'
    )
    return Reply(fault.status, SOAP_TYPE, b"".join(envelope(FAULT_ACTION, relates_to, [body.encode()])))


def fault_of(rejected: Rejected) -> Fault:
    """The fault for a message that could not even be read."""
    status = rejected.status
    return Fault("Receiver" if status >= 500 else "Sender", "; ".join(map(str, rejected.findings)), status)
