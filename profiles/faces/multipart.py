"""multipart/related, read as a stream and written as one (RFC 2046 5.1, RFC 2387).

Strict about structure, because what two readers cut differently an attacker can use: one kind of line end a message
(that of its first boundary line), headers within caps, nothing but blanks after a boundary, no success without the
closing boundary. Lenient about spelling, as senders in the field need: parameters in any order, quoted or not, folded,
blanks at the end of boundary and header lines.
"""

import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from registry.metadata.errors import ErrorCode, Rejected

BLOCK: Final = 64 * 1024
"""Bytes asked for at once: with 256 KiB the same loop is three times slower, it leaves the processor's cache."""

Read = Callable[[int], bytes]
"""`read(n)` gives at most n bytes, b"" at the end of the body and only there."""

_RFC = "RFC 2046, 5.1.1"
_PARAMETERS = "RFC 2045, 5.1"
_OWN_LIMIT = "limit of this server"
_CONTENT_TYPE_LIMIT = 4096
_BLANKS_LIMIT = 256
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"')
_PIECE = re.compile(r'(?:[^;"]++|"(?:[^"\\]++|\\.)*+")*+')
_MIME = re.compile(r"[^\s;/]+/[^\s;/]+")
_FOLD = re.compile(r"\r?\n[ \t]+")
_TOKEN = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")
_EPILOGUE = re.compile(rb"[ \t]*+(?:\r?\n|\Z)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on everything that is not content: counts, and bytes for the rest. One more is refused."""

    parts: int = 1000
    headers: int = 16
    header_bytes: int = 8192
    preamble: int = 1024
    epilogue: int = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `headers` have lower-case names; `chunks` gives the content until the next part is asked for."""

    headers: Mapping[str, str]
    chunks: Iterator[bytes]

    @property
    def content_id(self) -> str:
        """Content-ID without its angle brackets, "" if there is none (RFC 2045, 7)."""
        return bare_id(self.headers.get("content-id", ""))

    @property
    def content_type(self) -> str:
        """Content-Type with its parameters, "" if there is none."""
        return self.headers.get("content-type", "")


@lru_cache(maxsize=256)
# Clients send the same few with every request.
@lru_cache(maxsize=256)
def parameters(content_type: str) -> tuple[str, Mapping[str, str]]:
    """Media type and parameters of a Content-Type, names and media type in lower case.

    A value may be quoted or bare, whatever characters it has (RFC 2045, 5.1, would have most of them quoted).

    Raises Rejected (UnsupportedMediaType) if there is no media type, (InvalidRequest) if a parameter cannot be read or
    is given twice with different values.
    """
    content_type = _FOLD.sub(" ", content_type)
    mime, *given = _pieces(content_type) if len(content_type) <= _CONTENT_TYPE_LIMIT else [""]
    if not _MIME.fullmatch(mime) or _CONTROL.search(content_type):
        raise _wrong_type("The Content-Type is missing, cannot be read, or is too long")
    found: dict[str, str] = {}
    for piece in filter(None, given):
        name, equals, value = (text.strip() for text in piece.partition("="))
        quoted = _QUOTED.fullmatch(value)
        if not name or not equals or (quoted is None and '"' in value):
            raise _invalid("Content-Type", 'A parameter is not of the form name=value or name="value"', _PARAMETERS)
        value = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value
        if found.setdefault(name.lower(), value) != value:
            raise _invalid("Content-Type", f"The parameter {name[:100]} is given twice, differently", _PARAMETERS)
    return mime.lower(), MappingProxyType(found)


def bare_id(content_id: str) -> str:
    """A Content-ID or a `start` parameter without blanks and angle brackets around it."""
    content_id = content_id.strip()
    return content_id[1:-1] if content_id.startswith("<") and content_id.endswith(">") else content_id


def read_parts(content_type: str, read: Read, limits: Limits | None = None) -> Iterator[Part]:
    """The parts of a multipart/related body in their order, without ever holding more than about two blocks.

    The reader drains what the caller left of a part's `chunks`; those of an earlier part then give nothing more. The
    body is only whole when the iterator ended: keep nothing before that. The size of the whole body is for `read` to
    bound, and what it raises passes through.

    Raises Rejected: UnsupportedMediaType at once for another media type, InvalidRequest also while iterating.
    """
    mime, given = parameters(content_type)
    if mime != "multipart/related":
        raise _wrong_type(f"The body is {mime[:100]}; send multipart/related")
    boundary = given.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        text = "The boundary must be 1 to 70 of the characters that RFC 2046 allows, the last no blank"
        raise _invalid("Content-Type", text, _RFC)
    return _parts(_Body(read, boundary.encode("ascii"), limits or Limits()))


def write_parts(boundary: str, parts: Iterable[tuple[Sequence[tuple[str, str]], Iterable[bytes]]]) -> Iterator[bytes]:
    """A multipart body, each part a list of (name, value) headers and its content; chunks pass through uncopied.

    Raises ValueError, while iterating, for a header that would break out of its line.
    """
    opening = f"--{boundary}\r\n"
    for headers, chunks in parts:
        if any(_CONTROL.search(value) or not _TOKEN.issuperset(name) for name, value in headers):
            raise ValueError("a part's header has a control character")
        yield (opening + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n").encode()
        yield from chunks
        opening = f"\r\n--{boundary}\r\n"
    yield f"\r\n--{boundary}--\r\n".encode()


def _parts(body: "_Body") -> Iterator[Part]:
    body.skip_preamble()
    while not body.at_end():
        yield body.open_part()
        body.drain()
    body.skip_epilogue()


class _Body:
    """Where the reader stands: `_buffer[_at:]` is read and not yet given out."""

    def __init__(self, read: Read, boundary: bytes, limits: Limits) -> None:
        self._read, self._limits = read, limits
        self._dashes = b"--" + boundary
        self._newline = b""  # decided by the first boundary line, then binding
        self._delimiter = b""
        self._buffer, self._at = b"", 0
        self._number, self._inside = 0, False

    def skip_preamble(self) -> None:
        """Stand behind the first boundary's name."""
        skipped = 0
        while not self._starts_with(self._dashes):
            skipped += len(self._line(self._limits.preamble - skipped, "the text before the first boundary"))
        line_end = self._find_newline(self._at + len(self._dashes), _BLANKS_LIMIT, "a boundary line")
        self._newline = b"\r\n" if self._buffer[line_end - 1 : line_end] == b"\r" else b"\n"
        self._delimiter = self._newline + self._dashes
        self._at += len(self._dashes)

    def at_end(self) -> bool:
        """Having passed a boundary's name: was it the closing one? If not, stand at the next part's headers."""
        if self._number and self._starts_with(b"--"):
            self._at += 2
            return True
        if self._line(_BLANKS_LIMIT, "a boundary line").removesuffix(self._newline).strip(b" \t"):
            raise _invalid("body", "A boundary is followed by other text; choose one that no content has", _RFC)
        return False

    def open_part(self) -> Part:
        """Read the headers of the part that begins here."""
        self._number += 1
        if self._number > self._limits.parts:
            raise _invalid("body", f"There are more than {self._limits.parts} parts", _OWN_LIMIT)
        headers = self._headers()
        # The line end before a boundary belongs to the boundary, so a part without content may end with its headers.
        self._inside = not self._starts_with(self._dashes)
        if not self._inside:
            self._at += len(self._dashes)
        return Part(headers, self._chunks(self._number))

    def drain(self) -> None:
        """Stand behind the boundary that ends the open part."""
        while self._inside:
            self._next_chunk()

    def skip_epilogue(self) -> None:
        """Read on to the end of the body."""
        limit = self._limits.epilogue
        while len(self._buffer) - self._at <= limit and self._more():
            pass
        rest = self._buffer[self._at :]
        if len(rest) > limit:
            raise _invalid("body", f"More than {limit} bytes follow the closing boundary", _OWN_LIMIT)
        if not _EPILOGUE.match(rest):
            raise _invalid("body", "The closing boundary is followed by other text", _RFC)

    def _chunks(self, number: int) -> Iterator[bytes]:
        while self._inside and self._number == number:
            if chunk := self._next_chunk():
                yield chunk

    def _next_chunk(self) -> bytes:
        """Content up to the boundary or to the last byte that may begin one; b"" if more must be read to know."""
        buffer, begin = self._buffer, self._at
        found = buffer.find(self._delimiter, begin)
        if found >= 0:
            self._at, self._inside = found + len(self._delimiter), False
            return buffer[begin:found]
        safe = self._safe_end(buffer, begin)
        self._buffer, self._at = buffer[safe:], 0
        if safe == begin and not self._more():
            raise self._truncated()
        return buffer[begin:safe]

    def _safe_end(self, buffer: bytes, begin: int) -> int:
        delimiter, newline = self._delimiter, self._newline[:1]
        at = max(begin, len(buffer) - len(delimiter) + 1)
        while (at := buffer.find(newline, at)) >= 0:
            if delimiter.startswith(buffer[at:]):
                return at
            at += 1
        return len(buffer)

    def _headers(self) -> dict[str, str]:
        lines: list[str] = []
        left = self._limits.header_bytes
        while line := self._header_line(left):
            left -= len(line) + len(self._newline)
            folded = line[:1] in b" \t"
            if not line.strip(b" \t") or (folded and not lines):
                raise _invalid("part header", "A header line begins with a blank", "RFC 5322, 2.2.3")
            if folded:
                lines[-1] += " " + _decoded(line)
            elif len(lines) == self._limits.headers:
                raise _invalid("part header", f"A part has more than {self._limits.headers} headers", _OWN_LIMIT)
            else:
                lines.append(_decoded(line))
        return _fields(lines)

    def _header_line(self, left: int) -> bytes:
        line = self._line(left, "the headers of a part")
        if not line.endswith(self._newline):
            raise _invalid("part header", "Lines end with CR LF here and with LF there", _RFC)
        return line.removesuffix(self._newline)

    def _line(self, limit: int, what: str) -> bytes:
        """The next line with its end; at most `limit` bytes."""
        begin = self._at
        end = self._find_newline(begin, limit, what) + 1
        # _find_newline may have moved what is left to the front.
        begin, self._at = self._at, end
        return self._buffer[begin:end]

    def _find_newline(self, begin: int, limit: int, what: str) -> int:
        """Index of the next LF from `begin`, which may be ahead of where the reader stands."""
        ahead = begin - self._at
        while True:
            begin = self._at + ahead
            end = self._buffer.find(b"\n", begin, begin + limit)
            if end >= 0:
                return end
            if len(self._buffer) - begin >= limit:
                raise _invalid("body", f"There are too many bytes in {what}", _OWN_LIMIT)
            if not self._more():
                raise self._truncated()

    def _starts_with(self, prefix: bytes) -> bool:
        while len(self._buffer) - self._at < len(prefix) and self._more():
            pass
        return self._buffer.startswith(prefix, self._at)

    def _more(self) -> bool:
        block = self._read(BLOCK)
        self._buffer = self._buffer[self._at :] + block if self._at < len(self._buffer) else block
        self._at = 0
        return bool(block)

    def _truncated(self) -> Rejected:
        where = f"part {self._number}" if self._number else "body"
        return _invalid(where, "The body is truncated: its closing boundary is missing", _RFC)


def _decoded(line: bytes) -> str:
    try:
        return line.decode().strip(" \t")
    except UnicodeDecodeError:  # file names of old senders
        return line.decode("latin-1").strip(" \t")


def _fields(lines: Iterable[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t").lower()
        if not colon or not name or not _TOKEN.issuperset(name) or _CONTROL.search(value):
            raise _invalid("part header", "A part has a header line that is no header", "RFC 5322, 2.2")
        if name in fields:
            raise _invalid("part header", f"A part has two headers {name[:100]}", "RFC 2045, 3")
        fields[name] = value.strip(" \t")
    encoding = fields.get("content-transfer-encoding", "").lower()
    if encoding not in _PLAIN_ENCODINGS:
        text = f"The Content-Transfer-Encoding {encoding[:100]} is not read here; send binary"
        raise _invalid("part header", text, "RFC 2045, 6; XOP 1.0, 4.1")
    return fields


def _pieces(value: str) -> Iterator[str]:
    """What the semicolons outside quotes part."""
    at = 0
    while at <= len(value):
        piece = _PIECE.match(value, at)
        end = piece.end() if piece else at
        if end < len(value) and value[end] != ";":
            raise _invalid("Content-Type", "A quotation mark is never closed", _PARAMETERS)
        yield value[at:end].strip()
        at = end + 1


def _wrong_type(text: str) -> Rejected:
    return Rejected.because(ErrorCode.UnsupportedMediaType, "Content-Type", text, "RFC 2387, 3")


def _invalid(where: str, text: str, source: str) -> Rejected:
    return Rejected.because(ErrorCode.InvalidRequest, where, text, source)
