"""A plain file made a DICOM object and stored: our own service beside STOW-RS, for whoever may store images.

A form (RFC 7578) with the file as `file` and its context as fields, so that an HTML page or one line of curl can send
it, and so that no patient stands in a URL, where every proxy would log it.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import BinaryIO

import orjson
from flask import Request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from profiles.catalog import Http, Transaction
from profiles.faces.dicomweb import JSON
from profiles.faces.multipart import BLOCK
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.urls import ROOT, url
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.imaging.wrapping import MOST_BYTES, Context, Wrapped

FORM = "multipart/form-data"
FORM_BYTES = 64 << 10
FILE = "file"
FIELDS = tuple(field.name for field in fields(Context))
BOOK = "RFC 7578"

Form = tuple[dict[str, str], BinaryIO]


@dataclass(frozen=True, slots=True)
class Posted:
    """`form` reads the request: its fields, and its file."""

    form: Callable[[], Form]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, and the instance's URL."""

    wrapped: Wrapped
    url: str


def decode(request: Request) -> Posted:
    """What a POST sends; its body is not read yet. Raises Rejected: UnsupportedMediaType."""
    if request.mimetype != FORM:
        text = f"{request.mimetype[:100] or 'nothing'} is not taken; send {FORM}"
        raise Rejected.because(ErrorCode.UnsupportedMediaType, "Content-Type", text, BOOK)
    return Posted(partial(_form, request))


def handle(posted: Posted, house: House, caller: Caller) -> Made:
    """Wrap and store.

    Raises Rejected: InvalidRequest or Incomplete for the form, and as `repository.imaging.wrapping.wrap`.
    """
    given, file = posted.form()
    wrapped = house.imaging.wrap(iter(lambda: file.read(BLOCK), b""), Context(**{"patient": ""} | given), caller)
    where = url(house.settings.base_url, wrapped.study_uid, wrapped.series_uid, wrapped.sop_instance_uid)
    return Made(wrapped, where)


def encode(made: Made) -> Reply:
    """201, also when the same was there already: it is the same object at the same place."""
    wrapped = made.wrapped
    body = {
        "kind": wrapped.kind,
        "sopClassUID": wrapped.sop_class_uid,
        "transferSyntaxUID": wrapped.transfer_syntax_uid,
        "studyInstanceUID": wrapped.study_uid,
        "seriesInstanceUID": wrapped.series_uid,
        "sopInstanceUID": wrapped.sop_instance_uid,
        "url": made.url,
    }
    return Reply(201, JSON, orjson.dumps(body), {"Location": made.url, "X-Content-Type-Options": "nosniff"})


def _form(request: Request) -> Form:
    request.max_content_length = MOST_BYTES + FORM_BYTES
    request.max_form_memory_size = FORM_BYTES
    request.max_form_parts = len(FIELDS) + 1
    try:
        given, files = request.form, request.files
    except RequestEntityTooLarge:
        text = f"the form has more than {MOST_BYTES} bytes, a field of more than {FORM_BYTES}, or too many parts"
        raise Rejected.because(ErrorCode.TooLarge, "body", text, "limit of this server") from None
    except HTTPException:
        raise Rejected.because(ErrorCode.InvalidRequest, "body", "the form cannot be read", BOOK) from None
    problems = [
        _wrong(name, f"this is no field; there are {', '.join(FIELDS)}") for name in given if name not in FIELDS
    ]
    problems += [_wrong(name, "it is given more than once") for name in given if len(given.getlist(name)) > 1]
    if [*files] != [FILE] or len(files.getlist(FILE)) != 1:
        problems.append(_wrong(FILE, "there must be one file, in the part of this name"))
    if problems:
        raise Rejected(problems)
    return given.to_dict(), files[FILE].stream  # type: ignore[return-value]


def _wrong(where: str, text: str) -> Finding:
    return Finding(ErrorCode.InvalidRequest, where[:50], text, BOOK)


TRANSACTION = Transaction(
    id="wrap",
    name="Wrap a plain file as a DICOM object",
    actor="Image Manager/Archive",
    source="OpenXDS-I; PS3.3 A.32.4, A.45, A.85",
    face=Http("POST", f"{ROOT}/wrap"),
    decode=decode,
    handle=handle,
    encode=encode,
)
