"""SOAP services as Flask routes: `/xds/<service>`, its WSDL at `?wsdl`, its operations by wsa:Action."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, request
from lxml.etree import QName

from profiles.catalog import Soap, Transaction
from profiles.faces import mtom, soap
from profiles.faces.caller import caller_of
from profiles.faces.http import body_of, response_of
from profiles.faces.reply import Reply
from profiles.faces.soap import Fault
from profiles.faces.wsdl import Operation, wsdl
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import Action

log = structlog.get_logger(__name__)
XOP_TYPES = ("multipart/related",)


def register(app: Flask, service: str, transactions: Sequence[Transaction], house: Any) -> None:
    """Make the SOAP transactions of `service` routes of `app`."""
    by_action = {t.face.action: t for t in transactions if isinstance(t.face, Soap)}
    path = f"/xds/{service}"

    def post() -> Response:
        return response_of(_answer(by_action, house))

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


def _answer(by_action: Mapping[Action, Transaction], house: Any) -> Reply:
    limits = house.settings.limits
    repository = house.repository
    content_type = request.headers.get("Content-Type", "")
    try:
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
        return _run(_transaction(by_action, asked), asked, house)
    except Fault as fault:
        return soap.fault_reply(fault, soap.message_id(message.root))
    finally:
        # What no transaction kept is forgotten; for what was kept this does nothing.
        for incoming in message.attachments.values():
            repository.discard(incoming)


def _transaction(by_action: Mapping[Action, Transaction], asked: soap.Request[Any]) -> Transaction:
    transaction = by_action.get(asked.action)  # type: ignore[call-overload]
    if transaction is None:
        raise Fault("Sender", f"the action {asked.action!r} is not one of this service", subcode="ActionNotSupported")
    wanted = transaction.face.request
    if asked.body.tag != wanted:
        text = f"the body of {transaction.id} is {wanted}, not {asked.body.tag}"
        raise Fault("Sender", text, subcode="ActionMismatch")
    return transaction  # type: ignore[no-any-return]


def _run(transaction: Transaction, asked: soap.Request[Any], house: Any) -> Reply:
    face = transaction.face
    decode, handle, encode, refuse = transaction.decode, transaction.handle, transaction.encode, transaction.refuse
    if not isinstance(face, Soap) or decode is None or handle is None or encode is None or refuse is None:
        raise TypeError(f"{transaction.id} is no SOAP transaction")
    caller = caller_of(request, transaction.id)
    try:
        answer = encode(handle(decode(asked), house, caller))
    except Rejected as rejected:
        log.info("refused", transaction=transaction.id, codes=sorted({f.code.name for f in rejected.findings}))
        answer = refuse(rejected)
    except Fault:
        raise
    except Exception:
        # The sender gets a coded answer of its own transaction, never a bare 500; the operator gets the traceback.
        log.exception("failed", transaction=transaction.id, request=caller.request_id)
        code = ErrorCode.XDSRegistryError if face.service == "registry" else ErrorCode.XDSRepositoryError
        text = f"an internal error, logged under {caller.request_id}"
        answer = refuse(Rejected.because(code, "", text, "ITI TF-3, 4.2.4.1"))
    return soap.reply(
        face.action.response,
        asked.message_id,
        answer,
        packaged=(face.mtom and asked.message.packaged) or bool(answer.attachments),
    )
