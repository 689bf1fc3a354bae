"""ITI-68, Retrieve Document (MHD, 2:3.68): the bytes that an attachment's url leads to.

The answer is the document itself with its registered media type; who asks for application/fhir+json gets a small one
as a Binary resource. Documents come from anybody, so a browser may show only plain kinds, and may run none.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson
from flask import Request

from profiles.catalog import Fhir, Transaction
from profiles.faces import fhir
from profiles.faces.accept import Accept, Form, accept_of, not_acceptable, quality
from profiles.faces.reply import Reply
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected

LARGEST_BINARY: Final = 16 * 2**20
"""Bytes of a document that is given inside a Binary resource, which is made in memory."""

EXTENSIONS: Final = {
    "application/pdf": ".pdf",
    "application/dicom": ".dcm",
    "application/fhir+json": ".json",
    "application/json": ".json",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "text/plain": ".txt",
    "text/html": ".html",
    "image/jpeg": ".jpg",
    "image/png": ".png",
}
# A sandboxed PDF stays blank in some browsers: it is saved, and opens in a viewer of its own.
SHOWN: Final = frozenset({"text/plain", "image/jpeg", "image/png"})

_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}", re.IGNORECASE)
_BINARY = Form(fhir.MEDIA_TYPE)
_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-cache",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document, by the id of its DocumentReference, and the forms and versions (ETags) that the client takes."""

    id: str
    accept: Accept
    held: frozenset[str]


@dataclass(frozen=True, slots=True)
class Document:
    """A document on its way out; `as_binary` inside a Binary resource."""

    id: str
    mime_type: str
    size: int
    sha1: str
    chunks: Callable[[], Iterable[bytes]]
    as_binary: bool = False
    not_modified: bool = False


def decode(request: Request, id: str) -> Wanted:
    """The document that is asked for.

    Raises:
        Rejected: NotFound for what cannot be an id; NotAcceptable for an Accept header beyond all measure.
    """
    if not fhir.is_id(id):
        raise _unknown("No document has such an id")
    return Wanted(
        id, accept_of(request.headers.get("Accept")), frozenset(request.if_none_match.as_set(include_weak=True))
    )


def handle(wanted: Wanted, house: House, caller: Caller) -> Document:
    """Ask the repository.

    Raises:
        Rejected: NotFound, Gone, or NotAcceptable.
    """
    entries = house.registry.entries([wanted.id], caller)
    if not entries:
        raise _unknown("No document has such an id")
    if entries[0].repository_unique_id != house.repository.repository_unique_id:
        raise _unknown(f"The document lies in the repository {entries[0].repository_unique_id}, not in this one")
    found = house.repository.document(entries[0].unique_id, caller)
    as_binary = _as_binary(wanted.accept, found.mime_type)
    if as_binary and found.size > LARGEST_BINARY:
        text = f"The document has {found.size} bytes, too many for a Binary resource: ask for {found.mime_type}"
        raise Rejected.because(ErrorCode.NotAcceptable, "Accept", text, "limit of this server")
    held = _tag(found.sha1, as_binary) in wanted.held
    return Document(wanted.id, found.mime_type, found.size, found.sha1, found.chunks, as_binary, held)


def _unknown(text: str) -> Rejected:
    return Rejected.because(ErrorCode.NotFound, "id", text, "MHD, 2:3.68.4.1.3")


def _as_binary(accept: Accept, mime_type: str) -> bool:
    """Whether the client would rather have a Binary resource; it must name it, a wildcard means the document itself."""
    raw = quality(accept, Form(mime_type.lower()))
    named = max((each.quality for each in accept if each.media == fhir.MEDIA_TYPE), default=0.0)
    if named and named >= raw and mime_type.lower() != fhir.MEDIA_TYPE:
        return True
    if not raw:
        raise not_acceptable((Form(mime_type), _BINARY))
    return False


def _tag(sha1: str, as_binary: bool) -> str:
    return f"{sha1}-json" if as_binary else sha1


def encode(document: Document) -> Reply:
    """The bytes, streamed; a Binary resource; or 304."""
    tag = {"ETag": f'"{_tag(document.sha1, document.as_binary)}"'}
    if document.not_modified:
        return Reply(304, headers=tag)
    if document.as_binary:
        return Reply(200, fhir.CONTENT_TYPE, _binary(document), tag)
    media = document.mime_type if _MEDIA_TYPE.fullmatch(document.mime_type) else "application/octet-stream"
    how = "inline" if media in SHOWN else "attachment"
    headers = tag | _SAFE_HEADERS | {
        "Content-Length": str(document.size),
        "Content-Disposition": f'{how}; filename="{document.id}{EXTENSIONS.get(media, "")}"',
    }  # fmt: skip
    return Reply(200, media, document.chunks(), headers)


def _binary(document: Document) -> bytes:
    head = {"resourceType": "Binary", "id": document.id, "contentType": document.mime_type}
    data = b"".join(_base64(document.chunks()))
    return orjson.dumps(head)[:-1] + b',"data":"' + data + b'"}'


def _base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Base64 of a stream, in pieces that join: every piece but the last is of a multiple of three bytes."""
    left = b""
    for chunk in chunks:
        block = left + chunk
        cut = len(block) - len(block) % 3
        yield base64.b64encode(block[:cut])
        left = block[cut:]
    yield base64.b64encode(left)


TRANSACTION = Transaction(
    id="ITI-68",
    name="Retrieve Document",
    actor="Document Responder",
    source="MHD, 2:3.68",
    face=Fhir("Binary", "read"),
    decode=decode,
    handle=handle,
    encode=encode,
)
