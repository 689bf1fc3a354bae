"""SOAP 1.2 with WS-Addressing: envelopes in, envelopes and faults out (ITI TF-2, Appendix V).

An operation is chosen by wsa:Action; the body must be that action's, and an action that HTTP names must be the same.
Answers go back on the same connection, but for what `soap_async` allows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from lxml import etree

from profiles.faces import mtom, soap_faults, xml
from profiles.faces.mtom import Attachment, Message
from profiles.faces.multipart import parameters
from profiles.faces.reply import Reply
from profiles.faces.soap_faults import Fault as Fault
from registry.metadata.errors import Rejected
from registry.metadata.identify import fresh_uuid
from registry.metadata.urn import Namespace

log = structlog.get_logger(__name__)
T = TypeVar("T")

ENVELOPE, HEADER, BODY = (xml.tag(Namespace.SOAP, name) for name in ("Envelope", "Header", "Body"))
OLD_ENVELOPE = xml.tag(Namespace.SOAP_1_1, "Envelope")
MUST_UNDERSTAND = xml.tag(Namespace.SOAP, "mustUnderstand")
ROLE = xml.tag(Namespace.SOAP, "role")
OF_ADDRESSING = "{" + Namespace.ADDRESSING
ADDRESSING = OF_ADDRESSING + "}"
ANONYMOUS = f"{Namespace.ADDRESSING}/anonymous"
NO_OTHER_CONNECTION = (ANONYMOUS, f"{Namespace.ADDRESSING}/none")
ONCE = ("Action", "MessageID", "To", "From", "ReplyTo", "FaultTo")
SECURITY = xml.tag(Namespace.SECURITY, "Security")
OWN_ROLES = (None, "", f"{Namespace.SOAP}/role/ultimateReceiver", f"{Namespace.SOAP}/role/next")
START_OF_ENVELOPE = (
    f'<soap:Envelope xmlns:soap="{Namespace.SOAP}" xmlns:wsa="{Namespace.ADDRESSING}"><soap:Header>'
    '<wsa:Action soap:mustUnderstand="true">'
)
SOAP_TYPE = "application/soap+xml; charset=UTF-8"
LONGEST_PARAMETERS = 4096  # bytes of an endpoint's reference parameters


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that a sender wants to be answered at, and the header blocks that must come with the answer."""

    address: str
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A dispatchable message: its action, its id, the one element of its body, and its attachments.

    `reply_to` and `fault_to` are None where the answer goes back on the connection.
    """

    action: str
    message_id: str
    body: xml.Element
    message: Message[T]
    reply_to: Endpoint | None = None
    fault_to: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes into an answer's body, and documents beside it."""

    body: Iterable[bytes]
    attachments: tuple[Attachment, ...] = ()


def open_envelope(message: Message[T], content_type: str, soap_action: str = "") -> Request[T]:
    """The request in an envelope.

    Raises:
        Fault: not SOAP 1.2, no or several actions, actions that disagree, a header that must be understood and is not,
            no or several body elements.
    """
    headers, content = _parts(message.root)
    addressing = _addressing(headers)
    action = _action(addressing, content_type, soap_action)
    _check_understood(headers)
    missing = [name for name in ("MessageID", "To") if not _text(addressing, name)]
    if missing:
        # ITI TF-2, V.3.2 wants them; the answer can be given without.
        log.info("addressing headers are missing", missing=missing)
    reply_to, fault_to = _endpoint(addressing, "ReplyTo"), _endpoint(addressing, "FaultTo")
    return Request(action, _text(addressing, "MessageID"), content, message, reply_to, fault_to)


def _addressing(headers: list[xml.Element]) -> dict[str, xml.Element]:
    """The WS-Addressing headers by their local names."""
    found: dict[str, xml.Element] = {}
    for header in headers:
        namespace, _, name = str(header.tag).rpartition("}")
        if namespace != OF_ADDRESSING:
            continue
        if name in found and name in ONCE:
            count = sum(each.tag == header.tag for each in headers)
            raise soap_faults.wrong_header(name, f"there are {count} wsa:{name} headers, send one")
        found.setdefault(name, header)
    return found


def _parts(root: xml.Element) -> tuple[list[xml.Element], xml.Element]:
    """The header blocks and the one element of the body."""
    if root.tag != ENVELOPE:
        if str(root.tag).endswith("}Envelope"):
            text = f"the envelope must be SOAP 1.2's, of the namespace {Namespace.SOAP} (ITI TF-2, V.3.2)"
            raise Fault("VersionMismatch", text, old=root.tag == OLD_ENVELOPE)
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
    return headers, content[0]


def _action(addressing: Mapping[str, xml.Element], content_type: str, soap_action: str) -> str:
    action = _text(addressing, "Action")
    if not action:
        text = "the wsa:Action header is missing (ITI TF-2, V.3.2)"
        raise soap_faults.wrong_header("Action", text, "MessageAddressingHeaderRequired")
    by_http = (parameters(content_type)[1].get("action") or soap_action).strip('" ')
    if by_http and by_http != action:
        text = f"wsa:Action is {action}, the HTTP action is {by_http}"
        raise soap_faults.wrong_header("Action", text, "ActionMismatch")
    return action


def _check_understood(headers: list[xml.Element]) -> None:
    """Refuse what must be understood and is not, all of it at once."""
    unknown = [
        str(header.tag)
        for header in headers
        if not str(header.tag).startswith(ADDRESSING) and header.tag != SECURITY and _must_be_understood(header)
    ]
    if unknown:
        named = ", ".join(unknown)
        raise Fault("MustUnderstand", f"these headers are not understood: {named}", not_understood=unknown)


def _must_be_understood(header: xml.Element) -> bool:
    """Only what is addressed to this node concerns it: the ultimate receiver, and the next (SOAP 1.2 Part 1, 2.2)."""
    return header.get(MUST_UNDERSTAND, "").strip() in ("1", "true") and header.get(ROLE) in OWN_ROLES


def _text(addressing: Mapping[str, xml.Element], name: str) -> str:
    header = addressing.get(name)
    return "" if header is None else (header.text or "").strip()


def _endpoint(addressing: Mapping[str, xml.Element], name: str) -> Endpoint | None:
    """Where else than on the connection the sender wants its answer."""
    header = addressing.get(name)
    if header is None:
        return None
    address = (header.findtext(ADDRESSING + "Address") or "").strip()
    if not address or address in NO_OTHER_CONNECTION:
        return None
    given = header.find(ADDRESSING + "ReferenceParameters")
    blocks = []
    for block in given if given is not None else ():
        # WS-Addressing 1.0 SOAP Binding, 2.3: they come back as headers that say what they are.
        block.set(ADDRESSING + "IsReferenceParameter", "true")
        blocks.append(etree.tostring(block, encoding="unicode", with_tail=False))
    inside = "".join(blocks)
    if len(inside) > LONGEST_PARAMETERS:
        raise soap_faults.wrong_header(name, f"its ReferenceParameters exceed {LONGEST_PARAMETERS} bytes", "")
    return Endpoint(address, inside)


def message_id(root: xml.Element) -> str:
    """The message's wsa:MessageID, for the answer to relate to; empty when it has none or is no envelope."""
    return (root.findtext(f"{HEADER}/{ADDRESSING}MessageID") or "").strip()


def envelope(
    action: str, relates_to: str, body: Iterable[bytes], *, headers: str = "", to: str = ANONYMOUS, id_: str = ""
) -> Iterator[bytes]:
    """An answer's envelope around `body`; `headers` is XML of more header blocks, `id_` a bare UUID for its id."""
    related = f"<wsa:RelatesTo>{xml.escaped(relates_to)}</wsa:RelatesTo>" if relates_to else ""
    head = (
        f"{START_OF_ENVELOPE}{action}</wsa:Action>"
        f"<wsa:MessageID>urn:uuid:{id_ or fresh_uuid()}</wsa:MessageID>{related}"
        f"<wsa:To>{xml.escaped(to)}</wsa:To>{headers}</soap:Header><soap:Body>"
    )
    yield head.encode()
    yield from body
    yield b"</soap:Body></soap:Envelope>"


def reply(action: str, relates_to: str, answer: Answer, *, packaged: bool) -> Reply:
    """The HTTP answer: MTOM when the operation is (`packaged`), else a plain envelope."""
    return packed(action, envelope(action, relates_to, answer.body), answer.attachments, packaged=packaged)


def packed(action: str, message: Iterable[bytes], attachments: tuple[Attachment, ...] = (), *, packaged: bool) -> Reply:
    """A whole envelope as HTTP carries it."""
    if packaged:
        parts = list(message)
        content_type, chunks = mtom.write_message(parts, attachments, action=action)
        length = mtom.length_of(parts, content_type, attachments)
        return Reply(200, content_type, chunks, {} if length is None else {"Content-Length": str(length)})
    return Reply(200, f'{SOAP_TYPE}; action="{action}"', b"".join(message))


def fault_reply(
    fault: Fault, relates_to: str = "", *, to: str = ANONYMOUS, header_blocks: str = "", id_: str = ""
) -> Reply:
    """A fault for people: the reason says what to mend. See `envelope` for what it takes."""
    if fault.old:
        return soap_faults.of_soap_1_1(fault.reason)
    headers = soap_faults.headers(fault) + header_blocks
    message = envelope(fault.action, relates_to, [soap_faults.body(fault)], headers=headers, to=to, id_=id_)
    return Reply(fault.status, SOAP_TYPE, b"".join(message))


def fault_of(rejected: Rejected) -> Fault:
    """The fault for a message that could not even be read."""
    status = rejected.status
    return Fault("Receiver" if status >= 500 else "Sender", "; ".join(map(str, rejected.findings)), status)
