"""Plain HTTP transactions as Flask routes, and their request bodies."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from profiles.catalog import Http, Transaction
from profiles.faces.caller import caller_of
from profiles.faces.multipart import Read
from profiles.faces.reply import Reply
from registry.metadata.errors import ErrorCode, Rejected


def register(app: Flask, transaction: Transaction, house: Any, problem: Callable[[Rejected], Reply]) -> None:
    """Make `transaction` a route of `app`: decode, handle, encode; `problem` says what a rejection looks like.

    Flask adds HEAD to a GET route, and OPTIONS to each.

    Raises ValueError if the transaction is none of plain HTTP.
    """
    face, decode, handle, encode = transaction.face, transaction.decode, transaction.handle, transaction.encode
    if not isinstance(face, Http) or decode is None or handle is None or encode is None:
        raise ValueError(f"{transaction.id} is no transaction of plain HTTP")

    def view(**variables: str) -> Response:
        try:
            asked = current()
            value = decode(asked, **variables)
            reply = encode(handle(value, house, caller_of(asked, transaction.id)))
        except Rejected as rejected:
            reply = problem(rejected)
        return response_of(reply)

    app.add_url_rule(face.path, f"{face.method} {face.path}", view, methods=[face.method])


def current() -> Request:
    """The request under way itself; Flask's `request` looks for it anew at every attribute, which adds up."""
    return request._get_current_object()  # type: ignore[attr-defined, no-any-return]


def response_of(reply: Reply) -> Response:
    """The answer as Flask sends it; an iterable body is streamed, and closed when the client leaves."""
    headers = [*reply.headers.items()]
    if reply.content_type:
        headers.append(("Content-Type", reply.content_type))
    response = Response(reply.body, reply.status, headers)
    if not reply.content_type:
        # Flask would call an answer without content HTML.
        del response.headers["Content-Type"]
    return response


def body_of(request: Request, limit: int) -> Read:
    """The request's body, read as it comes, at most `limit` bytes of it.

    What it gives raises Rejected: TooLarge beyond the limit, InvalidRequest when the body ends before its
    Content-Length or its last chunk.
    """
    left = limit
    missing = request.content_length
    try:
        stream = request.stream
    except RequestEntityTooLarge:
        raise _too_large(limit) from None

    def read(size: int) -> bytes:
        nonlocal left, missing
        try:
            block = stream.read(size)
        except RequestEntityTooLarge:
            raise _too_large(limit) from None
        except (ClientDisconnected, OSError):
            raise _cut_off() from None
        if not block and missing:
            raise _cut_off()
        left -= len(block)
        if missing is not None:
            missing -= len(block)
        if left < 0:
            raise _too_large(limit)
        return block

    return read


def _cut_off() -> Rejected:
    text = "The body ended before the length that was announced for it"
    return Rejected.because(ErrorCode.InvalidRequest, "body", text, "RFC 9112, 8")


def _too_large(limit: int) -> Rejected:
    text = f"The body has more than {limit} bytes; send it in several requests"
    return Rejected.because(ErrorCode.TooLarge, "body", text, "limit of this server")
