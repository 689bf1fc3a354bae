"""FHIR R4 on the wire: resources spliced from their ready bodies, reads, and OperationOutcome (FHIR R4, 3.1 and 3.2).

JSON only. A stored body goes out as it is; what may change later (id, version, time, status) is printed before it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import orjson
from flask import Request
from werkzeug.http import http_date

from profiles.faces.accept import Form, accept_of, not_acceptable, quality
from profiles.faces.reply import Reply
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import FhirSystem
from registry.queries import ResourceType
from registry.renderers import BASE_IN_JSON
from registry.resources import StoredResource

MEDIA_TYPE = "application/fhir+json"
CONTENT_TYPE = "application/fhir+json; charset=utf-8"
ROOT = "/fhir"
"""Where the FHIR side lies under the server's base URL."""

_JSON_FORMATS = frozenset({"json", "application/json", MEDIA_TYPE, "text/json"})
_JSON_FORMS = tuple(Form(media) for media in (MEDIA_TYPE, "application/json", "text/json"))
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Read:
    """A read: the resource's id, and the versions that the client holds (If-None-Match, without quotes)."""

    id: str
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Shown:
    """The answer to a read; `stored` may be a version that the client holds."""

    stored: StoredResource
    held: frozenset[str]
    base_url: str


def require_json(request: Request) -> None:
    """Pass a request that takes JSON; `_format` goes before Accept (FHIR R4, 3.1.0.1.11).

    Raises:
        Rejected: NotAcceptable, when only XML or another form is asked for.
    """
    wanted = request.args.get("_format") or (request.form.get("_format") if request.method == "POST" else None)
    if wanted:
        # In a URL "+" is a space: clients that forget to escape application/fhir+json mean the plus.
        media = wanted.partition(";")[0].strip().lower().replace(" ", "+")
        if media in _JSON_FORMATS or media == "*/*":
            return
        raise not_acceptable(_JSON_FORMS[:1])
    if not _takes_json(request.headers.get("Accept")):
        raise not_acceptable(_JSON_FORMS[:1])


# Clients send the same few headers with every request.
@lru_cache(maxsize=256)
def _takes_json(header: str | None) -> bool:
    accept = accept_of(header)
    return any(quality(accept, form) for form in _JSON_FORMS)


def is_id(text: str) -> bool:
    """True for what FHIR allows as a logical id (FHIR R4, 2.24.0.1)."""
    return _ID.fullmatch(text) is not None


def read_of(request: Request, id: str) -> Read:
    """The read that a request asks for.

    Raises:
        Rejected: NotAcceptable, or NotFound for what cannot be an id.
    """
    require_json(request)
    if not is_id(id):
        raise Rejected.because(ErrorCode.NotFound, "id", "No resource has such an id", "FHIR R4, 3.1.0.2")
    return Read(id, frozenset(request.if_none_match.as_set(include_weak=True)))


def shown(answer: Shown) -> Reply:
    """The resource, or 304 when the client holds this version (FHIR R4, 3.1.0.5.1)."""
    stored = answer.stored
    version = str(stored.version)
    headers = {"ETag": f'W/"{version}"', "Last-Modified": http_date(stored.updated)}
    if version in answer.held or f'"{version}"' in answer.held:
        return Reply(304, headers=headers)
    return Reply(200, CONTENT_TYPE, resource(stored, answer.base_url), headers)


def resource(stored: StoredResource, base_url: str) -> bytes:
    """One resource as JSON (UTF-8)."""
    start, end = frame(stored.type)
    return (head(start, stored, end).encode() + stored.body[1:]).replace(BASE_IN_JSON, base_url.encode())


def about(body: bytes, patient: str, other: str) -> bytes:
    """A stored body whose references to one Patient (FHIR id) are to another; both as the renderers write them."""
    return body.replace(b'"Patient/%b"' % patient.encode(), b'"Patient/%b"' % other.encode())


def frame(type: ResourceType) -> tuple[str, str]:
    """A resource's JSON up to its id, and from its status on to where the body goes on; a Patient has no status."""
    return f'{{"resourceType":"{type}","id":"', "" if type is ResourceType.PATIENT else '"status":"%s",'


def head(start: str, stored: StoredResource, end: str) -> str:
    """The resource's JSON from its brace to where the body, without its own brace, goes on.

    `start` and `end` are the `frame` of its type: a page has many resources of one type.
    """
    _, id, version, updated, status, _ = stored
    end = end % status if end else end
    return f'{start}{id}","meta":{{"versionId":"{version}","lastUpdated":"{instant(updated)}"}},{end}'


# A page is shown again more often than a resource changes, and formatting a time costs more than the rest of its head.
@lru_cache(maxsize=16384)
def instant(seconds: float) -> str:
    """Seconds since 1970 as a FHIR instant, in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome(rejected: Rejected) -> Reply:
    """A rejection as OperationOutcome, an issue for each finding (FHIR R4, 3.1.0.1.5; MHD leaves the codes open)."""
    return Reply(rejected.status, CONTENT_TYPE, outcome_body(rejected.findings))


def outcome_body(findings: Iterable[Finding]) -> bytes:
    """OperationOutcome as JSON (UTF-8)."""
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": [_issue(finding) for finding in findings]})


def _issue(finding: Finding) -> dict[str, object]:
    issue: dict[str, object] = {
        "severity": "warning" if finding.warning else "error",
        "code": finding.code.issue,
        "details": {
            "coding": [
                {"system": FhirSystem.ERROR_CODE, "code": finding.code.name, "display": finding.code.value.text}
            ],
            "text": finding.text,
        },
        "diagnostics": str(finding),
    }
    if finding.where:
        issue["expression"] = [finding.where]
    return issue
