"""The answers of DICOMweb: multipart/related of DICOM parts, lists of DICOM JSON, and problems (DICOM PS3.18, 8).

Objects from outside may begin with bytes that a browser would run (the preamble of PS3.10 7.1 is free), so every answer
that carries them is a download that no browser guesses about.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, Final
from uuid import uuid4

from profiles.faces.accept import Form
from profiles.faces.multipart import write_parts
from profiles.faces.reply import Reply
from registry.metadata.errors import ErrorCode, Rejected

DICOM: Final = "application/dicom"
DICOM_JSON: Final = "application/dicom+json"
JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"

BLOCK: Final = 256 * 1024
"""Bytes of an object that are held at a time while it is sent."""

WORTH_COMPRESSING: Final = 1024
"""Bytes below which a body goes out as it is."""

DOWNLOAD: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private",
}
"""Headers of every answer that carries bytes from outside."""

_PRIVATE_JSON: Mapping[str, str] = {
    "Vary": "Accept, Accept-Encoding",
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
}
_UID = re.compile(r"[0-9.]{1,64}")
_JSON_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """Content to be sent. `location` is its URL, `transfer_syntax` a UID or "", `size` in bytes, None if not known."""

    location: str
    transfer_syntax: str
    size: int | None
    chunks: Iterable[bytes]


def checked_uids(**variables: str | None) -> None:
    """Refuse path variables that cannot be UIDs; None is one that the path does not have.

    Raises Rejected (InvalidRequest) with a finding for each.
    """
    wrong = [name for name, value in variables.items() if value is not None and not _UID.fullmatch(value)]
    if wrong:
        text = "A UID is 1 to 64 digits and dots"
        findings = (Rejected.because(ErrorCode.InvalidRequest, name, text, "PS3.5, 9.1").findings for name in wrong)
        raise Rejected(chain.from_iterable(findings))


def content(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of `file` in blocks; it is closed at their end, or when nobody takes them any more."""
    with file:
        while block := file.read(BLOCK):
            yield block


def parts_reply(form: Form, parts: Iterable[Part]) -> Reply:
    """The parts in the form that was chosen: multipart/related (PS3.18, 8.6.1.2), or the only one bare.

    Content-Length is sent when `parts` is a sequence and all sizes are known, so that a client sees an answer that was
    cut off.
    """
    if not form.multipart:
        (part,) = parts
        sizes = {} if part.size is None else {"Content-Length": str(part.size)}
        return Reply(200, _content_type(form.media, part), part.chunks, {**DOWNLOAD, **sizes})
    boundary = uuid4().hex
    sizes = {}
    if isinstance(parts, Sequence) and all(part.size is not None for part in parts):
        frame = sum(map(len, write_parts(boundary, ((_part_headers(form.media, part), ()) for part in parts))))
        sizes = {"Content-Length": str(frame + sum(part.size or 0 for part in parts))}
    body = write_parts(boundary, ((_part_headers(form.media, part), part.chunks) for part in parts))
    return Reply(200, f'multipart/related; type="{form.media}"; boundary={boundary}', body, {**DOWNLOAD, **sizes})


def json_list(items: Iterable[bytes]) -> Iterator[bytes]:
    """A JSON array of items that are JSON already, in blocks; none of them is parsed."""
    held, size = [b"["], 1
    separator = b""
    for item in items:
        held += (separator, item)
        size += len(item)
        separator = b","
        if size >= _JSON_BLOCK:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join((*held, b"]"))


def json_reply(media: str, body: Iterable[bytes], gzip: bool, headers: Mapping[str, str]) -> Reply:
    """Status 200 with a JSON body, compressed when the client can read that (`gzip`) and it is worth it."""
    extra = {**_PRIVATE_JSON, **headers}
    blocks = iter(body)
    first = next(blocks, b"")
    second = next(blocks, None)
    if gzip and (second is not None or len(first) > WORTH_COMPRESSING):
        whole = chain((first,), () if second is None else (second,), blocks)
        return Reply(200, media, _compressed(whole), extra | {"Content-Encoding": "gzip"})
    return Reply(200, media, first if second is None else chain((first, second), blocks), extra)


def problem(rejected: Rejected) -> Reply:
    """A rejection as JSON: `error`, the code of the gravest finding, and all `findings`, for programs and people."""
    findings = rejected.findings
    gravest = max((f for f in findings if not f.warning), key=lambda f: f.code.status, default=None)
    body = {
        "error": gravest.code.name if gravest else ErrorCode.XDSRepositoryError.name,
        "findings": [{"code": f.code.name, "where": f.where, "text": f.text, "source": f.source} for f in findings],
    }
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Reply(rejected.status, JSON, json.dumps(body, ensure_ascii=False).encode(), headers)


def _content_type(media: str, part: Part) -> str:
    return f"{media}; transfer-syntax={part.transfer_syntax}" if part.transfer_syntax else media


def _part_headers(media: str, part: Part) -> list[tuple[str, str]]:
    headers = [("Content-Type", _content_type(media, part))]
    if part.size is not None:
        headers.append(("Content-Length", str(part.size)))
    if part.location:
        headers.append(("Content-Location", part.location))
    return headers


def _compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    # Level 1: metadata shrinks to a tenth already, and a higher level would cost more than the network it saves.
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for block in blocks:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()
