"""SOAP messages with documents beside the envelope: MTOM/XOP (ITI TF-2, Appendix V.3 and V.8; W3C XOP 1.0).

Attachments are streamed to whoever keeps them while the message is read; the envelope alone is held in memory. Dialects
met in the field are accepted: no `start`, percent-encoded `cid:` addresses, parts before the root, inline base64.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar
from urllib.parse import quote, unquote
from uuid import uuid4

from profiles.faces import xml
from profiles.faces.multipart import BLOCK, Limits, Part, Read, bare_id, parameters, read_parts, write_parts
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Namespace

INLINE_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of a document that is written into the envelope; larger ones must be attachments.

The parser stops a single text at 10 MB of base64, which a document of 7.5 MB fills, and gives the same advice."""

_SOAP12: Final = "application/soap+xml"
_XOP: Final = "application/xop+xml"
_SOAP11: Final = "text/xml"
_OLD_ENVELOPE = xml.tag(Namespace.SOAP_1_1, "Envelope")
_ROOT_TYPES = frozenset({_SOAP12, _XOP})
_CHARSETS = frozenset({"utf-8", "utf8", "utf-16", "us-ascii"})
_INCLUDE = xml.tag(Namespace.XOP, "Include")
_HEADER = xml.tag(Namespace.SOAP, "Header")
_BOOK = "XOP 1.0, 2.1; RFC 2392"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message(Generic[T]):
    """An envelope and the handles of its attachments by Content-ID; `packaged` if it came as multipart.

    Every attachment is named by exactly one xop:Include of the body, and every xop:Include names one.
    """

    root: xml.Element
    attachments: Mapping[str, T]
    packaged: bool


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document to be sent beside the envelope, under the Content-ID that the envelope's `include` names."""

    content_id: str
    chunks: Iterable[bytes]
    content_type: str = "application/octet-stream"
    size: int | None = None
    """Bytes of `chunks`, when known: an answer whose length is known is sent without being copied into HTTP chunks."""


def read_message(
    content_type: str,
    read: Read,
    receive: Callable[[Iterator[bytes]], T],
    *,
    discard: Callable[[T], None],
    limit: int = xml.LIMIT,
    limits: Limits | None = None,
) -> Message[T]:
    """The SOAP 1.2 message in a body, packaged or plain.

    `receive` takes each attachment's content and gives a handle. `discard` is called for the handle of every attachment
    that the envelope does not name, and for every handle when anything fails, so that a refused message leaves nothing.
    `limit` is the bytes of the envelope. A SOAP 1.1 envelope in its own media type is read too, so that its sender can
    be told in its own terms that another version is spoken here.

    Raises Rejected: UnsupportedMediaType, TooLarge or InvalidRequest, and whatever `read` and `receive` raise.
    """
    mime, given = parameters(content_type)
    if mime == _SOAP11:
        return Message(_old_envelope(read, limit), {}, packaged=False)
    if mime == _SOAP12:
        _check_charset(given)
        root = xml.parse(_joined(iter(lambda: read(BLOCK), b""), limit), limit=limit, what="envelope")
        if _references(root):
            text = f"The envelope came alone; send MTOM, multipart/related of type {_XOP}, with the documents beside it"
            raise _invalid("xop:Include", text, "ITI TF-2, V.3.6; XOP 1.0, 2.1")
        return Message(root, {}, packaged=False)
    if given.get("type", _XOP).lower() not in _ROOT_TYPES:
        raise _wrong_type(f'The type of the package is {given["type"][:100]}; send type="{_XOP}"')
    start = bare_id(given.get("start", ""))
    return _Reading(start, receive, discard, limit).run(read_parts(content_type, read, limits))


def included(element: xml.Element, message: Message[T]) -> T | None:
    """The attachment that `element` holds by an xop:Include, None if it holds none.

    Raises Rejected (InvalidRequest) if there is anything beside the one Include.
    """
    if element.find(_INCLUDE) is None:
        return None
    beside = "".join([element.text or "", *(child.tail or "" for child in element)])
    if len(element) != 1 or beside.strip():
        raise _invalid(_local(element), "An xop:Include must be all that its element holds")
    name = _resolved(element[0].get("href", ""), message.attachments)
    if name is None:
        raise _invalid(_local(element), "The xop:Include names no attachment of this message")
    return message.attachments[name]


def inline(element: xml.Element) -> bytes:
    """The document that `element` holds as base64 text (XML Schema Part 2, 3.2.16).

    Raises Rejected: TooLarge over `INLINE_LIMIT` bytes; InvalidRequest if the text is not base64.
    """
    where, source = _local(element), "XML Schema Part 2, 3.2.16"
    if len(element):
        raise Rejected.because(ErrorCode.InvalidRequest, where, "The document must be base64 text alone", source)
    encoded = "".join((element.text or "").split())
    if len(encoded) * 3 // 4 - encoded[-2:].count("=") > INLINE_LIMIT:
        text = f"The document has more than {INLINE_LIMIT} bytes; send it as an MTOM attachment"
        raise Rejected.because(ErrorCode.TooLarge, where, text, "ITI TF-2, 3.41.4.1.2")
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Rejected.because(ErrorCode.InvalidRequest, where, "The document is not base64", source) from None


def write_message(
    envelope: Iterable[bytes], attachments: Iterable[Attachment], *, action: str = ""
) -> tuple[str, Iterator[bytes]]:
    """Content-Type and body of a SOAP 1.2 message with attachments; chunks pass through uncopied.

    The attachments are taken one by one as the body is sent, so they may be opened late.
    """
    boundary, start = f"MIMEBoundary_{uuid4().hex}", new_content_id()
    content_type = f'multipart/related; type="{_XOP}"; boundary="{boundary}"; start="<{start}>"; start-info="{_SOAP12}"'
    if action:
        content_type += f'; action="{action}"'
    root = Attachment(start, envelope, f'{_XOP}; charset=UTF-8; type="{_SOAP12}"')
    return content_type, write_parts(boundary, _written(root, attachments))


def length_of(envelope: Sequence[bytes], content_type: str, attachments: Sequence[Attachment]) -> int | None:
    """Bytes of the message that `write_message` makes under this Content-Type; None if a size is not known."""
    if any(one.size is None for one in attachments):
        return None
    given = parameters(content_type)[1]
    root = Attachment(bare_id(given["start"]), envelope, f'{_XOP}; charset=UTF-8; type="{_SOAP12}"')
    empty = [replace(one, chunks=()) for one in attachments]
    frame = sum(map(len, write_parts(given["boundary"], _written(root, empty))))
    return frame + sum(one.size or 0 for one in attachments)


def new_content_id() -> str:
    """A Content-ID, without angle brackets, that no other part ever had."""
    return f"{uuid4()}@openxds-i"


def include(content_id: str) -> bytes:
    """The xop:Include element that stands for an attachment."""
    return f'<xop:Include xmlns:xop="{Namespace.XOP}" href="cid:{quote(content_id, safe="@")}"/>'.encode()


class _Reading(Generic[T]):
    """One packaged message while it comes in."""

    def __init__(
        self, start: str, receive: Callable[[Iterator[bytes]], T], discard: Callable[[T], None], limit: int
    ) -> None:
        self._start, self._receive, self._discard, self._limit = start, receive, discard, limit
        self._root: xml.Element | None = None
        self._hrefs: Sequence[str] = ()
        self._ids: set[str] = set()
        self._received: dict[str, T] = {}

    def run(self, parts: Iterable[Part]) -> Message[T]:
        """Read all parts, or leave nothing behind."""
        with ExitStack() as undo:
            for part in parts:
                self._take(part, undo)
            if self._root is None:
                raise _invalid("Content-Type", "The start parameter names no part of this message", "RFC 2387, 3.2")
            named = _named(self._hrefs, self._received)
            undo.pop_all()
        with ExitStack() as unnamed:
            for name in self._received.keys() - named:
                unnamed.callback(self._discard, self._received[name])
        return Message(self._root, {name: self._received[name] for name in named}, packaged=True)

    def _take(self, part: Part, undo: ExitStack) -> None:
        name = part.content_id
        if name and name in self._ids:
            raise _invalid("body", f"Two parts have the Content-ID {name[:200]}", "RFC 2045, 7")
        self._ids.add(name)
        if self._root is None and (name == self._start or not self._start):
            # Parsed before the next part is taken: a bad envelope stops its documents from being stored.
            self._root = _envelope(part, self._limit)
            self._hrefs = _references(self._root)
        elif not name:
            raise _invalid("body", "A part beside the root has no Content-ID", "RFC 2387, 3.2; XOP 1.0, 3.1")
        else:
            handle = self._received[name] = self._receive(part.chunks)
            undo.callback(self._discard, handle)


def _envelope(part: Part, limit: int) -> xml.Element:
    mime, given = parameters(part.content_type or _XOP)
    if mime not in _ROOT_TYPES:
        raise _wrong_type(f"The root part is {mime[:100]}; send {_XOP}")
    _check_charset(given)
    return xml.parse(_joined(part.chunks, limit), limit=limit, what="envelope")


def _old_envelope(read: Read, limit: int) -> xml.Element:
    with suppress(Rejected):
        root = xml.parse(_joined(iter(lambda: read(BLOCK), b""), limit), limit=limit, what="envelope")
        if root.tag == _OLD_ENVELOPE:
            return root
    raise _wrong_type(f"The message is {_SOAP11}; send {_SOAP12}, or {_XOP} in multipart/related")


def _joined(chunks: Iterable[bytes], limit: int) -> bytes:
    """At most a chunk more than `limit` bytes: the parser refuses what is over it."""
    taken, size = [], 0
    for chunk in chunks:
        taken.append(chunk)
        size += len(chunk)
        if size > limit:
            break
    return b"".join(taken)


def _check_charset(given: Mapping[str, str]) -> None:
    charset = given.get("charset", "utf-8")
    if charset.lower() not in _CHARSETS:
        raise _wrong_type(f"The envelope is in {charset[:100]}; send UTF-8")


def _references(root: xml.Element) -> Sequence[str]:
    """The address of each xop:Include."""
    findings, hrefs = [], []
    for element in root.iter(_INCLUDE):
        href = element.get("href", "")
        if href[:4].lower() != "cid:":
            findings.append(_finding("xop:Include", "The href must be a cid: address; no other is ever fetched"))
        if next(element.iterancestors(_HEADER), None) is not None:
            findings.append(_finding("xop:Include", "An xop:Include may only stand in the Body"))
        hrefs.append(href)
    if findings:
        raise Rejected(findings)
    return hrefs


def _named(hrefs: Iterable[str], received: Mapping[str, T]) -> Sequence[str]:
    """The attachments that the Includes name, each once; the root is never among them."""
    findings: list[Finding] = []
    named: dict[str, None] = {}
    for href in hrefs:
        name = _resolved(href, received)
        if name is None:
            findings.append(_finding(href[:200], "The xop:Include names no attachment of this message"))
        elif name in named:
            findings.append(_finding(href[:200], "Two xop:Include name the same attachment; send it once for each"))
        else:
            named[name] = None
    if findings:
        raise Rejected(findings)
    return tuple(named)


def _resolved(href: str, attachments: Mapping[str, T]) -> str | None:
    # RFC 2392 has the Content-ID percent-encoded in the address; some senders copy it unencoded.
    written = href[4:]
    return next((name for name in (unquote(written), written) if name in attachments), None)


def _written(
    root: Attachment, attachments: Iterable[Attachment]
) -> Iterator[tuple[Sequence[tuple[str, str]], Iterable[bytes]]]:
    yield _headed(root)
    for attachment in attachments:
        yield _headed(attachment)


def _headed(part: Attachment) -> tuple[Sequence[tuple[str, str]], Iterable[bytes]]:
    headers = (
        ("Content-Type", part.content_type),
        ("Content-Transfer-Encoding", "binary"),
        ("Content-ID", f"<{part.content_id}>"),
    )
    return headers, part.chunks


def _local(element: xml.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _finding(where: str, text: str, source: str = _BOOK) -> Finding:
    return Finding(ErrorCode.InvalidRequest, where, text, source)


def _invalid(where: str, text: str, source: str = _BOOK) -> Rejected:
    return Rejected([_finding(where, text, source)])


def _wrong_type(text: str) -> Rejected:
    return Rejected.because(ErrorCode.UnsupportedMediaType, "Content-Type", text, "ITI TF-2, V.3")
