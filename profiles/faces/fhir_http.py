"""The FHIR side as Flask routes: read and search of what is installed, and nothing else (FHIR R4, 3.1.0)."""

import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from profiles.catalog import Fhir, Profile, Transaction
from profiles.faces.caller import caller_of
from profiles.faces.fhir import CONTENT_TYPE, ROOT, outcome, require_json
from profiles.faces.fhir_capability import capability_statement
from profiles.faces.http import current, response_of
from profiles.faces.reply import Reply
from registry.metadata.errors import ErrorCode, Finding, Rejected

_BOOK = "FHIR R4, 3.1.0"
_EVERY_METHOD: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
DOORS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "read": (("GET", "/<id>"),),
    "search-type": (("GET", ""), ("POST", "/_search")),
}
"""(method, path below the type) of each interaction."""

View = Callable[..., Response]


def register(app: Flask, profiles: Iterable[Profile], house: Any, base_url: str, version: str) -> None:
    """Make every FHIR transaction of `profiles` a route of `app`, with /fhir/metadata and a refusal of all else.

    Args:
        app: the application.
        profiles: what is installed.
        house: what the transactions' `handle` is given.
        base_url: this server's public address.
        version: the product's version, for the CapabilityStatement.

    Raises:
        ValueError: a transaction has an interaction that no route is known for.
    """
    profiles = tuple(profiles)
    doors: dict[tuple[str, ...], set[str]] = {("metadata",): {"GET"}}
    for transaction in (t for profile in profiles for t in profile.transactions):
        if isinstance(transaction.face, Fhir):
            _open(app, transaction, transaction.face, house, doors)
    started = datetime.now(UTC)

    @lru_cache(maxsize=1)
    def statement() -> bytes:
        return capability_statement(profiles, base_url, version, started)

    def metadata() -> Reply:
        require_json(request)
        return Reply(200, CONTENT_TYPE, statement())

    def elsewhere(rest: str = "") -> Reply:
        raise _Refused(doors.get(_shape(rest), set()))

    app.add_url_rule(f"{ROOT}/metadata", "fhir metadata", _view(metadata), methods=["GET"])
    for number, rule in enumerate((ROOT, f"{ROOT}/", f"{ROOT}/<path:rest>")):
        app.add_url_rule(rule, f"fhir elsewhere {number}", _view(elsewhere), methods=_EVERY_METHOD)


def _open(app: Flask, transaction: Transaction, face: Fhir, house: Any, doors: dict[tuple[str, ...], set[str]]) -> None:
    decode, handle, encode = transaction.decode, transaction.handle, transaction.encode
    if face.interaction not in DOORS or decode is None or handle is None or encode is None:
        raise ValueError(f"{transaction.id}: there is no route for {face.interaction!r}")

    def work(**variables: str) -> Reply:
        asked = current()
        value = decode(asked, **variables)
        reply: Reply = encode(handle(value, house, caller_of(asked, transaction.id)))
        return reply

    for method, below in DOORS[face.interaction]:
        path = f"{ROOT}/{face.resource}{below}"
        app.add_url_rule(path, f"{method} {path}", _view(work), methods=[method])
        doors.setdefault(_shape(path.removeprefix(f"{ROOT}/")), set()).add(method)


def _shape(path: str) -> tuple[str, ...]:
    """A path with any id replaced by `*`, so that it tells which methods are known there."""
    parts = path.split("/")
    return tuple("*" if number == 1 and part != "_search" else part for number, part in enumerate(parts))


class _Refused(Exception):
    """Nothing is done at this address by this method; `allowed` are those that something is done by."""

    def __init__(self, allowed: set[str]) -> None:
        self.allowed = allowed


def _view(work: Callable[..., Reply]) -> View:
    """`work` as Flask calls it, with whatever goes wrong as an OperationOutcome."""

    def view(**variables: str) -> Response:
        try:
            reply = work(**variables)
        except Rejected as rejected:
            reply = outcome(rejected)
        except _Refused as refused:
            reply = _refusal(refused.allowed)
        except HTTPException as error:
            reply = _http_error(error)
        except Exception as error:
            reply = _failure(error)
        return response_of(reply)

    return view


def _refusal(allowed: set[str]) -> Reply:
    if not allowed:
        return outcome(Rejected.because(ErrorCode.NotFound, "", "There is nothing at this address", _BOOK))
    methods = ", ".join(sorted(allowed))
    text = f"{request.method} is not possible here; what is: {methods}"
    rejected = Rejected.because(ErrorCode.InvalidRequest, "", text, _BOOK)
    reply = outcome(rejected)
    return Reply(405, reply.content_type, reply.body, {"Allow": methods})


def _http_error(error: HTTPException) -> Reply:
    """What Flask itself found wrong with the request, such as a form beyond its limit."""
    code = ErrorCode.TooLarge if error.code == 413 else ErrorCode.InvalidRequest
    return outcome(Rejected.because(code, "", error.description or "The request cannot be read", _BOOK))


def _failure(error: Exception) -> Reply:
    """A fault of the server's own. The log has where, never the message, which may hold what was searched for."""
    where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    structlog.get_logger("fhir").error("failed", kind=type(error).__name__, where=where)
    finding = Finding(ErrorCode.XDSRegistryError, "", "The server failed; its log tells where", _BOOK)
    return outcome(Rejected([finding]))
