"""SOAP services as Flask routes: `/xds/<service>`, its WSDL at `?wsdl`, its operations by wsa:Action."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Request, Response, request
from lxml.etree import QName, tostring

from profiles.catalog import Soap, Transaction
from profiles.faces import mtom, soap, soap_async, soap_codes, soap_faults
from profiles.faces.caller import caller_of
from profiles.faces.http import body_of, current, response_of
from profiles.faces.reply import Reply
from profiles.faces.soap import Fault
from profiles.faces.wsdl import Operation, wsdl
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import Action

log = structlog.get_logger(__name__)


def register(app: Flask, service: str, transactions: Sequence[Transaction], house: Any) -> None:
    """Make the SOAP transactions of `service` routes of `app`."""
    by_action = {t.face.action: t for t in transactions if isinstance(t.face, Soap)}
    path = f"/xds/{service}"

    def post() -> Response:
        return response_of(_answer(current(), by_action, house))

    def get() -> Response:
        if "wsdl" not in {name.lower() for name in request.args}:
            text = f"This is a SOAP service: POST to it, or read its WSDL at {path}?wsdl\n"
            return Response(text, 405, {"Allow": "POST", "Content-Type": "text/plain; charset=utf-8"})
        document = wsdl(service, f"{house.settings.base_url}{path}", [_operation(t) for t in transactions])
        return Response(document, content_type="text/xml; charset=utf-8")

    app.add_url_rule(path, f"soap {service}", post, methods=["POST"])
    app.add_url_rule(path, f"wsdl {service}", get, methods=["GET"])


def _operation(transaction: Transaction) -> Operation:
    face = transaction.face
    assert isinstance(face, Soap)
    words = "".join(word[:1].upper() + word[1:] for word in transaction.name.replace("-", " ").split())
    return Operation(words, face.action, face.action.response, QName(face.request), QName(face.response))


def _answer(request: Request, by_action: Mapping[Action, Transaction], house: Any) -> Reply:
    limits = house.settings.limits
    repository = house.repository
    content_type = request.headers.get("Content-Type", "")
    try:
        _require_as_it_is(request.headers.get("Content-Encoding", ""))
        message = mtom.read_message(
            content_type,
            body_of(request, limits.request_bytes),
            repository.receive,
            discard=repository.discard,
            limit=limits.envelope_bytes,
        )
    except Rejected as rejected:
        return soap.fault_reply(soap.fault_of(rejected))
    try:
        asked = soap.open_envelope(message, content_type, request.headers.get("SOAPAction", ""))
        transaction = chosen(by_action, asked)
        return _run(transaction, asked, house, caller_of(request, transaction.id))
    except Fault as fault:
        return soap.fault_reply(fault, soap.message_id(message.root))
    finally:
        # What no transaction kept is forgotten; for what was kept this does nothing.
        for incoming in message.attachments.values():
            repository.discard(incoming)


def _require_as_it_is(encoding: str) -> None:
    if encoding.strip().lower() not in ("", "identity"):
        text = f"The Content-Encoding {encoding[:100]} is not read here; send the message uncompressed"
        raise Rejected.because(ErrorCode.UnsupportedMediaType, "Content-Encoding", text, "RFC 9110, 8.4")


def chosen(by_action: Mapping[Action, Transaction], asked: soap.Request[Any]) -> Transaction:
    """The transaction that `asked` asks for.

    Raises:
        Fault: there is none, or the body is not its own.
    """
    transaction = by_action.get(asked.action)  # type: ignore[call-overload]
    if transaction is None:
        known = ", ".join(by_action)
        text = f"the action {asked.action!r} is not one of this service, which knows {known}"
        raise soap_faults.unknown_action(asked.action, text)
    wanted = transaction.face.request
    if asked.body.tag != wanted:
        text = f"the body of {transaction.id} is {wanted}, not {asked.body.tag}"
        raise soap_faults.wrong_header("Action", text, "ActionMismatch")
    return transaction  # type: ignore[no-any-return]


def _run(transaction: Transaction, asked: soap.Request[Any], house: Any, caller: Caller) -> Reply:
    face = transaction.face
    assert isinstance(face, Soap)
    elsewhere = soap_async.destination(asked, house.settings.soap.reply_to)
    packaged = face.mtom and asked.message.packaged
    if elsewhere is not None:
        return _accept(transaction, face, asked, house, caller, packaged=packaged)
    answer = perform(transaction, asked, house, caller)
    # The book has these transactions packaged or plain; one that comes in the other form is answered in its own.
    return soap.reply(face.action.response, asked.message_id, answer, packaged=packaged or bool(answer.attachments))


def _accept(
    transaction: Transaction, face: Soap, asked: soap.Request[Any], house: Any, caller: Caller, *, packaged: bool
) -> Reply:
    """Accept a message whose answer goes elsewhere, see `soap_async`."""
    done = soap_async.ASYNCHRONOUS[asked.action] is soap_async.Letter.ANSWER
    if done:
        content = b"".join(perform(transaction, asked, house, caller).body).decode()
    else:
        content = tostring(asked.message.root, encoding="unicode")
    letter = soap_async.letter(asked, face.service, transaction.id, content, caller.address, packaged=packaged)
    try:
        house.post.post(letter)
    except Rejected as rejected:
        if not done:
            raise soap.fault_of(rejected) from None
        # What is done must be told, and the sender still waits.
        answer = soap.Answer([content.encode()])
        return soap.reply(face.action.response, asked.message_id, answer, packaged=packaged)
    return Reply(202)


def perform(transaction: Transaction, asked: soap.Request[Any], house: Any, caller: Caller) -> soap.Answer:
    """What the transaction answers, a refusal too.

    Raises:
        Fault: the message cannot be this transaction's.
    """
    decode, handle, encode, refuse = transaction.decode, transaction.handle, transaction.encode, transaction.refuse
    if decode is None or handle is None or encode is None or refuse is None:
        raise TypeError(f"{transaction.id} is no SOAP transaction")
    answer: soap.Answer
    try:
        answer = encode(handle(decode(asked), house, caller))
    except Rejected as rejected:
        log.info("refused", transaction=transaction.id, codes=sorted({f.code.name for f in rejected.findings}))
        answer = refuse(soap_codes.in_the_book(rejected, asked.action))
    except Fault:
        raise
    except Exception:
        # The sender gets a coded answer of its own transaction, never a bare 500; the operator gets the traceback.
        log.exception("failed", transaction=transaction.id, request=caller.request_id)
        text = f"an internal error, logged under {caller.request_id}"
        code = soap_codes.of(asked.action).failed
        answer = refuse(Rejected.because(code, "", text, "ITI TF-3, 4.2.4.1"))
    return answer
