"""RAD-108, STOW-RS: Store Instances over the Web (RAD TF-2, 4.108; PS3.18, 10.5).

Objects come whole (application/dicom), or as metadata in JSON with their bulk data beside it; nothing in a request can
make the server fetch anything. Bytes decide what an object is, whatever its label says. A body that is cut off is
refused: no more of it is stored, and the answer says that what came before may be. Storing again changes nothing, so
that sending all of it anew is always right.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import orjson
from flask import Request

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Form, accept_of, best
from profiles.faces.dicom_xml import DICOM_XML, native_model
from profiles.faces.dicomweb import DICOM, DICOM_JSON, JSON, checked_uids
from profiles.faces.http import body_of
from profiles.faces.multipart import BLOCK, Limits, Read, parameters, read_parts
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.store_response import Stored, data_set, status
from profiles.wia.stow_metadata import store_apart
from profiles.wia.urls import STUDIES, STUDY
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected

MOST_PARTS = 10_000
"""Objects of one request: a long multi-phase study has some thousands."""

_LIMITS = Limits(parts=MOST_PARTS)
_SOURCE = "PS3.18, 10.5.1"
_MAY_BE_STORED = Finding(
    ErrorCode.InvalidRequest,
    "body",
    "Objects that came before may be stored; send all of them again, which changes nothing for those that are",
    _SOURCE,
    warning=True,
)
_ANSWERS = (Form(DICOM_JSON), Form(JSON), Form(DICOM_XML))


@dataclass(frozen=True, slots=True)
class Store:
    """Objects to be stored: `body` opens their stream, given a limit in bytes; `study` is the only one they may be of.

    `answer` is the media type of the answer; `apart` is set for metadata with bulk data beside it.
    """

    body: Callable[[int], Read]
    content_type: str
    study: str | None
    answer: str
    apart: bool = False


def decode(request: Request, study: str | None = None) -> Store:
    """What a POST asks for; its body is not read yet.

    Raises Rejected: InvalidRequest for what is no UID, NotAcceptable, UnsupportedMediaType.
    """
    checked_uids(study=study)
    answer = best(accept_of(request.headers.get("Accept")), _ANSWERS).media
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise _wrong_type("Content-Encoding", "The body must be sent as it is, without a content encoding")
    content_type = request.headers.get("Content-Type", "")
    mime, given = parameters(content_type)
    inner = given.get("type", DICOM).lower() if mime == "multipart/related" else mime
    apart = mime == "multipart/related" and inner == DICOM_JSON
    if inner != DICOM and not apart:
        raise _wrong_type("Content-Type", f'{inner[:100]} is not taken; send multipart/related; type="{DICOM}"')
    return Store(partial(body_of, request), content_type, study, answer, apart)


def handle(store: Store, house: House, caller: Caller) -> Stored:
    """What became of each object.

    Raises Rejected: InvalidRequest for a broken or empty body, TooLarge, and what the store says when it takes nothing.
    """
    limits = house.settings.limits
    read = store.body(limits.request_bytes)
    keep = partial(house.imaging.store, caller=caller, study_uid=store.study)
    try:
        if store.apart:
            outcomes = store_apart(store.content_type, read, _LIMITS, limits.document_bytes, keep)
        else:
            outcomes = keep(_bounded(each, limits.document_bytes) for each in _objects(store.content_type, read))
    except Rejected as rejected:
        raise Rejected([*rejected.findings, _MAY_BE_STORED]) from rejected
    if not outcomes:
        raise Rejected.because(ErrorCode.InvalidRequest, "body", "There is no object in the body", _SOURCE)
    return Stored(outcomes, house.settings.base_url, store.answer)


def encode(stored: Stored) -> Reply:
    """200 when all is stored, 202 when some is or there are warnings, 409 when nothing is (PS3.18, table 10.5.3-1)."""
    answer = data_set(stored)
    body = native_model(answer) if stored.media == DICOM_XML else orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS)
    return Reply(status(stored), stored.media, body, {"X-Content-Type-Options": "nosniff"})


def _objects(content_type: str, read: Read) -> Iterator[Iterable[bytes]]:
    if parameters(content_type)[0] == DICOM:
        yield iter(lambda: read(BLOCK), b"")
        return
    for part in read_parts(content_type, read, _LIMITS):
        yield part.chunks


def _bounded(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    left = limit
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            text = f"An object has more than {limit} bytes"
            raise Rejected.because(ErrorCode.TooLarge, "body", text, "limit of this server")
        yield chunk


def _wrong_type(where: str, text: str) -> Rejected:
    return Rejected.because(ErrorCode.UnsupportedMediaType, where, text, _SOURCE)


TRANSACTIONS = tuple(
    Transaction(
        id="RAD-108",
        name=name,
        actor="Image Manager/Archive",
        source="RAD TF-2, 4.108; PS3.18, 10.5",
        face=Http("POST", path),
        decode=decode,
        handle=handle,
        encode=encode,
    )
    for name, path in (("STOW-RS Store Instances", STUDIES), ("STOW-RS Store Instances of a Study", STUDY))
)
