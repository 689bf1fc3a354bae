"""Answers to another address than the connection's: asynchronous web services (ITI TF-2, V.5; WS-Addressing 1.0).

A sender that names a ReplyTo gets HTTP 202 and an empty body, and later the answer by a POST to that address, which
relates to its message. Only addresses that the configuration lists are ever called, and no redirect is followed.

What is durable when: 202 is sent only after a letter is in the outbox. The letter of a submission holds its answer: the
work is done before, so that a submission is never done twice. If the server dies between the two, no 202 was sent and
nothing was accepted; if the letter cannot be kept, the answer goes back on the connection. The letter of a question
holds the question, which the worker asks anew at each try, because its answer may be far too large to be kept. A letter
is delivered at least once; the answer keeps its MessageID.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final, Protocol, Self

import requests

from profiles.faces import soap
from profiles.faces.listed import is_listed
from profiles.faces.reply import Reply
from profiles.faces.soap_faults import Fault
from registry.metadata.identify import fresh_uuid
from registry.metadata.urn import Action

CONNECT_WITHIN, ANSWER_WITHIN = 3.0, 20.0  # seconds
SOURCE = "ITI TF-2, V.5"


class Letter(Enum):
    """What is kept until the answer is delivered."""

    ANSWER = "answer"
    QUESTION = "question"


ASYNCHRONOUS: Final[Mapping[str, Letter]] = {
    Action.REGISTRY_STORED_QUERY: Letter.QUESTION,  # ITI TF-2, 3.18
    Action.PROVIDE_AND_REGISTER_DOCUMENT_SET: Letter.ANSWER,  # ITI TF-2, 3.41
    Action.REGISTER_DOCUMENT_SET: Letter.ANSWER,  # ITI TF-2, 3.42
    Action.RETRIEVE_DOCUMENT_SET: Letter.QUESTION,  # ITI TF-2, 3.43
    Action.REGISTER_ON_DEMAND_DOCUMENT_ENTRY: Letter.ANSWER,  # ITI TF-2, 3.61
    Action.CROSS_GATEWAY_QUERY: Letter.QUESTION,  # ITI TF-2, 3.38
    Action.CROSS_GATEWAY_RETRIEVE: Letter.QUESTION,  # ITI TF-2, 3.39
    Action.RETRIEVE_IMAGING_DOCUMENT_SET: Letter.QUESTION,  # RAD TF-2, 4.69
}
"""The transactions of which the book allows it, by wsa:Action."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A letter: whose answer it is, where it goes, and its content, an answer's body or a question's whole envelope."""

    letter: Letter
    service: str
    transaction: str
    action: str
    message_id: str
    to: str
    parameters: str
    fault_to: str
    fault_parameters: str
    packaged: bool
    content: str
    address: str
    answer_id: str

    def as_dict(self) -> dict[str, Any]:
        """The letter as JSON can hold it."""
        return asdict(self) | {"letter": self.letter.value}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_dict` gave."""
        return cls(**{**kept, "letter": Letter(kept["letter"])})


class PostOffice(Protocol):
    """Where letters are kept until they are delivered."""

    def post(self, letter: Posted) -> None:
        """Return when the letter is durable."""


def destination(asked: soap.Request[Any], listed: Iterable[str]) -> soap.Endpoint | None:
    """Where the answer to `asked` goes; None for the connection that it came by.

    Raises:
        Fault: another address is asked for, and this transaction or the configuration does not allow it.
    """
    if asked.reply_to is None and asked.fault_to is None:
        return None
    allowed = tuple(listed)
    for name, endpoint in (("ReplyTo", asked.reply_to), ("FaultTo", asked.fault_to)):
        if endpoint is not None and (
            asked.reply_to is None or asked.action not in ASYNCHRONOUS or not is_listed(endpoint.address, allowed)
        ):
            text = (
                f"{name} must be anonymous: answers go back on the same connection, but for transactions that the book"
                f" allows asynchronously and addresses that this server's settings list ({SOURCE})"
            )
            raise Fault("Sender", text, subcode="OnlyAnonymousAddressSupported")
    if not asked.message_id:
        text = f"an answer to another address needs a wsa:MessageID to relate to ({SOURCE})"
        raise Fault("Sender", text, subcode="MessageAddressingHeaderRequired")
    return asked.reply_to


def letter(
    asked: soap.Request[Any], service: str, transaction: str, content: str, address: str, *, packaged: bool
) -> Posted:
    """The letter for `asked`, whose `reply_to` is a listed address; `address` is the peer's, for the audit."""
    reply_to = asked.reply_to or soap.Endpoint(soap.ANONYMOUS)
    fault_to = asked.fault_to or reply_to
    return Posted(
        ASYNCHRONOUS[asked.action],
        service,
        transaction,
        asked.action,
        asked.message_id,
        reply_to.address,
        reply_to.parameters,
        fault_to.address,
        fault_to.parameters,
        packaged,
        content,
        address,
        fresh_uuid(),
    )


def answer_to(posted: Posted, answer: soap.Answer) -> Reply:
    """The answer as it is posted to `posted.to`."""
    action = Action(posted.action).response
    message = soap.envelope(
        action, posted.message_id, answer.body, headers=posted.parameters, to=posted.to, id_=posted.answer_id
    )
    return soap.packed(action, message, answer.attachments, packaged=posted.packaged or bool(answer.attachments))


def fault_to(posted: Posted, fault: Fault) -> Reply:
    """The fault as it is posted to `posted.fault_to`."""
    return soap.fault_reply(
        fault, posted.message_id, to=posted.fault_to, header_blocks=posted.fault_parameters, id_=posted.answer_id
    )


class Undelivered(Exception):
    """The receiver did not take the answer; the text names no more than a status or a kind of error."""


@dataclass(frozen=True, slots=True)
class _Sized:
    """A stream whose length is known: the client announces it, where it would cut a bare iterable into HTTP chunks."""

    chunks: Iterable[bytes]
    size: int

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def __len__(self) -> int:
        return self.size


def _body(message: Reply) -> bytes | Iterable[bytes]:
    length = message.headers.get("Content-Length")
    return message.body if length is None or isinstance(message.body, bytes) else _Sized(message.body, int(length))


def deliver(address: str, message: Reply) -> None:
    """POST `message` to `address`.

    Raises:
        Undelivered: it cannot be reached, or answers anything but success.
    """
    with requests.Session() as session:
        session.trust_env = False  # no proxy or credentials of this machine's user
        try:
            answer = session.post(
                address,
                data=_body(message),
                headers={"Content-Type": message.content_type},
                timeout=(CONNECT_WITHIN, ANSWER_WITHIN),
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            raise Undelivered(type(error).__name__) from None
        with closing(answer):
            if not 200 <= answer.status_code < 300:
                raise Undelivered(f"HTTP status {answer.status_code}")
