"""Searchset Bundles, joined from ready-made resources (FHIR R4, 3.1.1.5)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from profiles.faces.fhir import CONTENT_TYPE, ROOT, frame, head, outcome_body
from profiles.faces.fhir_search import Options
from profiles.faces.reply import Reply
from registry.metadata.errors import ErrorCode, Finding
from registry.renderers import BASE_IN_JSON
from registry.resources import Found, StoredResource

_MATCH = b'},"search":{"mode":"match"}}'
_INCLUDE = b'},"search":{"mode":"include"}}'
_OUTCOME = b',"search":{"mode":"outcome"}}'
# As the renderers write a reference; the first Patient that a resource refers to is its subject.
_SUBJECT = re.compile(rb'"reference":"Patient/([A-Za-z0-9.-]{1,64})"')
_MORE = "More were found than fit this page, and a link to the next would show who was searched for; raise _count"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search's answer; `includes` are resources that matches refer to."""

    options: Options
    found: Found
    base_url: str
    includes: Sequence[StoredResource] = ()


def referred(found: Found, type: str) -> tuple[str, ...]:
    """Ids of all resources of `type` that the page refers to by literal reference, each once."""
    pattern = re.compile(rb'"reference":"' + type.encode() + rb'/([A-Za-z0-9.-]{1,64})"')
    ids = (id.decode() for item in found.items for id in pattern.findall(item.body))
    return tuple(dict.fromkeys(ids))


def reply(page: Page) -> Reply:
    """The Bundle as an answer."""
    options, found = page.options, page.found
    patient = None
    if options.by_patient and found.items and (subject := _SUBJECT.search(found.items[0].body)):
        patient = subject[1].decode()
    after, warnings = None if options.count_only else found.next, []
    if after is not None and options.hidden:
        after = None
        warnings.append(Finding(ErrorCode.XDSTooManyResults, "_count", _MORE, "FHIR R4, 3.1.1.5", warning=True))
    self_url = options.url(page.base_url, patient)
    next_url = options.url(page.base_url, patient, after) if after is not None else None
    items = [] if options.count_only else found.items
    return Reply(
        200, CONTENT_TYPE, searchset(items, page.includes, found.total, page.base_url, self_url, next_url, warnings)
    )


def searchset(
    items: Sequence[StoredResource],
    includes: Sequence[StoredResource],
    total: int,
    base_url: str,
    self_url: str,
    next_url: str | None = None,
    warnings: Sequence[Finding] = (),
) -> bytes:
    """A Bundle as JSON (UTF-8)."""
    links = [{"relation": "self", "url": self_url}]
    if next_url is not None:
        links.append({"relation": "next", "url": next_url})
    entries: list[bytes] = []
    _add(entries, items, _MATCH, base_url)
    _add(entries, includes, _INCLUDE, base_url)
    if warnings:
        entries += (b',{"resource":', outcome_body(warnings), _OUTCOME)
    start = b'{"resourceType":"Bundle","type":"searchset","total":%d,"link":%b' % (total, orjson.dumps(links))
    if not entries:  # an empty array is not allowed (FHIR R4, 2.6.2)
        return start + b"}"
    entries[0] = entries[0][1:]  # the comma before the first
    return b"".join((start, b',"entry":[', *entries, b"]}"))


def _add(entries: list[bytes], resources: Iterable[StoredResource], end: bytes, base_url: str) -> None:
    """Add the pieces of each resource's entry, a comma in front, to `entries`."""
    type, base = None, base_url.encode()
    for stored in resources:
        if stored.type is not type:
            type = stored.type
            full_url = f',{{"fullUrl":"{base_url}{ROOT}/{type}/'
            start, status = frame(type)
        body = stored.body
        # To look for one byte is much faster than to look for the mark, and few bodies have a backslash at all.
        if b"\\" in body:
            body = body.replace(BASE_IN_JSON, base)
        front = f'{full_url}{stored.id}","resource":{head(start, stored, status)}'
        entries += (front.encode(), body[1:-1], end)  # without the body's own braces
