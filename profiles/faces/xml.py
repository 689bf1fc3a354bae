"""The one XML parser: every document that comes from outside passes here, whatever door it came through.

No DOCTYPE (and so no entities and no outside fetches), UTF-8 or UTF-16 with a byte order mark, bounded bytes and depth.
Messages are XML 1.0 (ITI TF-2, Appendix V.3). SOAP 1.2 Part 1, section 5, forbids the DOCTYPE in messages; this server
forbids it in every document that it reads.
"""

import re
from functools import cache
from typing import Final, TypeAlias

from lxml import etree

from registry.metadata.errors import ErrorCode, Rejected

Element: TypeAlias = etree._Element

LIMIT: Final = 2 * 1024 * 1024
"""Bytes of a document unless the caller says otherwise."""

DEPTH: Final = 100
"""Elements within each other; the deepest message of the book has about 20."""

_BOOK = "XML 1.0"
_OWN_LIMIT = "limit of this server"
_TEXT_LIMIT = 200
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_NAMES = frozenset({"utf-8", "utf8"})
_UTF16_NAMES = frozenset({"utf-16", "utf-16le", "utf-16be"}) | _UTF8_NAMES
_RESOURCE_LIMIT = 114  # libxml2's XML_ERR_RESOURCE_LIMIT
_TOO_DEEP_AT_256 = "Excessive depth"
_EXPANDING = "amplification"

_SPECIAL = re.compile('[&<>"\t\n\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


def parse(data: bytes, *, limit: int = LIMIT, what: str = "message") -> Element:
    """The root element of `data`, at most `limit` bytes; `what` names the document in the findings.

    Safe to call from any thread. Comments and processing instructions are left out, so that a value's text is whole;
    entities of XML itself (`&amp;`) are resolved, no others can exist.

    Raises Rejected: TooLarge over `limit` or over libxml2's 10 MB a text; InvalidRequest if it is not well-formed, has
    a DOCTYPE, is in another encoding (XML 1.0, 4.3.3) or is nested more than `DEPTH` deep.
    """
    if len(data) > limit:
        raise _too_large(what, f"The {what} has {len(data)} bytes; at most {limit} are read")
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        raise _unreadable(error, what) from None
    # After the parse: a prefix of the bytes proves nothing, a comment may push the DOCTYPE as far as it likes.
    info = root.getroottree().docinfo
    if info.internalDTD is not None:
        raise _has_doctype(what)
    is_utf16 = data.startswith(_UTF16_MARKS)
    if (info.encoding or "utf-8").lower() not in (_UTF16_NAMES if is_utf16 else _UTF8_NAMES):
        text = f"The {what} is in {info.encoding}; send UTF-8, or UTF-16 with a byte order mark"
        raise _invalid(what, text, f"{_BOOK}, 4.3.3")
    # Nesting needs end tags: a small message is proven shallow by counting them, only the others are walked.
    if (is_utf16 or data.count(b"</") >= DEPTH) and _below_depth()(root):
        raise _too_deep(what)
    return root


def tag(namespace: str, local: str) -> str:
    """The name of an element as lxml spells it: `{namespace}local`."""
    return f"{{{namespace}}}{local}"


def escaped(value: str) -> str:
    """See `text`, as a string."""
    return _SPECIAL.sub(lambda found: _ESCAPES.get(found[0], "\ufffd"), value)


def text(value: str) -> bytes:
    """`value` as UTF-8 for an element's content or a double-quoted attribute; a parser gives exactly `value` back.

    Characters that XML 1.0 (2.2) cannot carry become U+FFFD.
    """
    return escaped(value).encode()


def _parser() -> etree.XMLParser:
    # One a call: costs 3 µs, needs no lock, and no message sees another's error log.
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        # A comment within a value would split its text in the tree, and half of it would be read.
        remove_comments=True,
        remove_pis=True,
        # Not collect_ids=False: libxml2 keeps that in the same word as load_dtd, and then opens what a DOCTYPE names.
        collect_ids=True,
    )


@cache
def _below_depth() -> etree.XPath:
    return etree.XPath(f"boolean({'/*' * (DEPTH + 1)})")


def _unreadable(error: etree.XMLSyntaxError, what: str) -> Rejected:
    if error.code == _RESOURCE_LIMIT:  # type: ignore[attr-defined]  # unknown to the stubs
        if _TOO_DEEP_AT_256 in error.msg:
            return _too_deep(what)
        if _EXPANDING in error.msg:  # entities, which only a DOCTYPE can define
            return _has_doctype(what)
        return _too_large(what, f"A text or an attribute of the {what} is over 10 MB")
    detail = " ".join(error.msg.split())[:_TEXT_LIMIT]
    return _invalid(what, f"The {what} is not well-formed XML: {detail}", f"{_BOOK}, 2.1")


def _has_doctype(what: str) -> Rejected:
    return _invalid(what, f"The {what} has a DOCTYPE; remove it", f"{_BOOK}, 2.8; SOAP 1.2 Part 1, 5")


def _too_deep(what: str) -> Rejected:
    return _invalid(what, f"The {what} nests elements more than {DEPTH} deep", _OWN_LIMIT)


def _too_large(what: str, text: str) -> Rejected:
    advice = "send documents as MTOM attachments, and large submissions in several"
    return Rejected.because(ErrorCode.TooLarge, what, f"{text}; {advice}", _OWN_LIMIT)


def _invalid(what: str, text: str, source: str) -> Rejected:
    return Rejected.because(ErrorCode.InvalidRequest, what, text, source)
