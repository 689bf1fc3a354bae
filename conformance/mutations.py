"""Messages damaged on purpose: the same seed and message give the same mutants, on every machine.

A valid message is damaged in one of four ways: its bytes, its XML tree, its package of parts, or its HTTP headers. Each
kind of damage is a small function in a table; one to three of them befall a mutant.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from random import Random
from typing import Final
from uuid import UUID

from lxml import etree

from profiles.faces import xml
from registry.metadata.urn import Namespace

Message = tuple[Mapping[str, str], bytes]
"""HTTP headers and body."""

MOST_CHANGES: Final = 3
TOKENS: Final = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"&#0;", b"&amp;", b"&x;", b"<", b">", b"'", b"''", b'"', b"()", b"((", b"%",
    b"_", b"]]>", b"<!-- x -->", b"<?x?>", b"<![CDATA[", b"<!DOCTYPE a>", b"\r\n\r\n", b"--", b"cid:a", b"cid:",
    b"^^^", b"99999999999999999999", b"-1", b"urn:uuid:", b"\xc2\xb2", b"\xf0\x9f\x98\x80", b"\xe2\x80\xae",
    b"A" * 5000, b"",
)  # fmt: skip
TEXTS: Final = (
    "", " ", "'", "()", "('')", "''", "('a','b')", "²", "1e5", "-1", "0" * 300, "^^^^^", "^^^&1.2&ISO", "urn:uuid:",
    "%", "\u202e", f"urn:uuid:{UUID(int=0)}", "20269999", "2026", "\ufffd", "x" * 3000, "🤯",
    "None", "1.2.3", "..", "NaN", "'; --", "${x}", "1" * 65, "Approved",
)  # fmt: skip
NAMESPACES: Final = ("", "urn:x", *(n.value for n in Namespace))
LENGTHS: Final = (1, 1, 1, 2, 10, 100, 1000)
ENVELOPE = re.compile(rb"<(\w+):Envelope.*</\1:Envelope>", re.DOTALL)
PARAMETER = re.compile(r";\s*([\w-]+)=(\"[^\"]*\"|[^;]*)")


def mutants(seed: str, fresh: Callable[[], Message], count: int) -> Iterator[Message]:
    """`count` damaged messages, each made of a valid one that `fresh` gives."""
    rng = Random(seed)  # noqa: S311
    kinds = (of_bytes, of_tree, of_tree, of_package, of_headers)
    for _ in range(count):
        yield rng.choice(kinds)(rng, fresh())


# --- bytes ---


def of_bytes(rng: Random, message: Message) -> Message:
    """Bytes changed, gone, doubled, put in, or the rest cut off."""
    headers, body = message
    for _ in range(rng.randint(1, MOST_CHANGES)):
        body = _bytes(rng, body)
    return headers, body


def _bytes(rng: Random, body: bytes) -> bytes:
    at, length = rng.randrange(len(body) or 1), rng.choice(LENGTHS)
    before, piece, after = body[:at], body[at : at + length], body[at + length :]
    match rng.randrange(6):
        case 0:
            return before + bytes([rng.randrange(256)]) + body[at + 1 :]
        case 1:
            return before + after
        case 2:
            return before + piece * rng.randint(2, 4) + after
        case 3:
            return before + rng.choice(TOKENS) + piece + after
        case 4:
            return before
        case _:
            other = rng.randrange(len(body) or 1)
            return before + body[other : other + length] + after


# --- the tree ---


def of_tree(rng: Random, message: Message) -> Message:
    """Elements, attributes and values of the envelope changed; it stays well-formed."""
    headers, body = message
    found = ENVELOPE.search(body)
    if found is None:
        return of_bytes(rng, message)
    root = xml.parse(found[0], limit=len(body))
    for _ in range(rng.randint(1, MOST_CHANGES)):
        elements = [e for e in root.iter("*") if e.getparent() is not None]
        if elements:
            rng.choice(TREE)(rng, rng.choice(elements), elements)
    return headers, body[: found.start()] + etree.tostring(root) + body[found.end() :]


def _drop(_: Random, one: xml.Element, __: Sequence[xml.Element]) -> None:
    parent = one.getparent()
    assert parent is not None
    parent.remove(one)


def _double(_: Random, one: xml.Element, __: Sequence[xml.Element]) -> None:
    one.addnext(deepcopy(one))


def _move(rng: Random, one: xml.Element, elements: Sequence[xml.Element]) -> None:
    within = set(one.iter())
    outside = [e for e in elements if e not in within]
    if outside:
        rng.choice(outside).append(one)


def _empty(_: Random, one: xml.Element, __: Sequence[xml.Element]) -> None:
    one[:], one.text = [], None
    one.attrib.clear()


def _rename(rng: Random, one: xml.Element, elements: Sequence[xml.Element]) -> None:
    one.tag = rng.choice((f"{one.tag}x", str(one.tag).lower(), str(rng.choice(elements).tag), "x"))


def _other_namespace(rng: Random, one: xml.Element, _: Sequence[xml.Element]) -> None:
    namespace = rng.choice(NAMESPACES)
    local = etree.QName(one).localname
    one.tag = f"{{{namespace}}}{local}" if namespace else local


def _wrap(rng: Random, one: xml.Element, _: Sequence[xml.Element]) -> None:
    for _depth in range(rng.choice((1, 2, 120))):
        outer = etree.Element(one.tag)
        one.addnext(outer)
        outer.append(one)


def _reverse(_: Random, one: xml.Element, __: Sequence[xml.Element]) -> None:
    one[:] = list(reversed(one))


def _many(rng: Random, one: xml.Element, _: Sequence[xml.Element]) -> None:
    if sum(1 for _inside in one.iter()) < 20:
        for _number in range(rng.choice((5, 200))):
            one.addnext(deepcopy(one))


def _text(rng: Random, one: xml.Element, _: Sequence[xml.Element]) -> None:
    one.text = rng.choice(TEXTS)


def _part_of_text(rng: Random, one: xml.Element, _: Sequence[xml.Element]) -> None:
    text = one.text or ""
    at = rng.randint(0, len(text))
    one.text = rng.choice((text[:at], text[at:], text * 2, text[:at] + rng.choice(TEXTS) + text[at:], text.swapcase()))


def _text_of_another(rng: Random, one: xml.Element, elements: Sequence[xml.Element]) -> None:
    one.text, one.tail = rng.choice(elements).text, rng.choice(TEXTS)


def _attribute(rng: Random, one: xml.Element, elements: Sequence[xml.Element]) -> None:
    if not one.attrib:
        one.set(rng.choice(("id", "status", "x", "home")), rng.choice(TEXTS))
        return
    name = rng.choice(sorted(map(str, one.attrib)))
    value = one.attrib[name]
    match rng.randrange(4):
        case 0:
            one.set(name, rng.choice(TEXTS))
        case 1:
            del one.attrib[name]
        case 2:
            del one.attrib[name]
            one.set(f"{name}x", value)
        case _:
            others = [str(v) for e in elements for v in e.attrib.values()]
            one.set(name, rng.choice(others))


TREE: Final = (
    _drop, _double, _move, _empty, _rename, _other_namespace, _wrap, _reverse, _many, _text, _text, _part_of_text,
    _text_of_another, _attribute, _attribute,
)  # fmt: skip


# --- the package ---


def of_package(rng: Random, message: Message) -> Message:
    """Parts of a multipart body gone, doubled, in another order, or with other headers; else the tree."""
    headers, body = message
    boundary = re.search(r'boundary="?([^";]+)', headers.get("Content-Type", ""))
    if boundary is None:
        return of_tree(rng, message)
    mark = b"--" + boundary[1].encode()
    parts = body.split(mark)
    for _ in range(rng.randint(1, MOST_CHANGES)):
        at = rng.randrange(len(parts))
        match rng.randrange(8):
            case 0:
                del parts[at]
            case 1:
                parts.insert(at, parts[at])
            case 2:
                rng.shuffle(parts)
            case 3:
                parts[at] = parts[at].replace(b"\r\n", b"\n")
            case 4:
                parts[at] = re.sub(rb"(?i)content-id: *<[^>]*>", b"Content-ID: <a@b>", parts[at])
            case 5:
                parts[at] = re.sub(rb"(?i)(content-[a-z-]+): *[^\r\n]*", rb"\1: " + rng.choice(TOKENS), parts[at])
            case 6:
                parts[at] = parts[at].replace(b"\r\n\r\n", b"\r\n", 1)
            case _:
                parts[at] = _bytes(rng, parts[at])
        if not parts:
            break
    return headers, mark.join(parts)


# --- HTTP ---


def of_headers(rng: Random, message: Message) -> Message:
    """The Content-Type damaged, or another parameter's value in it; at times the tree as well."""
    headers, body = message
    kind = headers.get("Content-Type", "")
    names = [found[1] for found in PARAMETER.finditer(kind)]
    if names and rng.randrange(3):
        name = rng.choice(names)
        kind = re.sub(
            rf"({re.escape(name)})=(\"[^\"]*\"|[^;]*)", rf'\1="{rng.choice(("", "x", "<a@b>", "urn:x"))}"', kind
        )
    else:
        damaged = _bytes(rng, kind.encode()).decode("latin-1")
        kind = re.sub(r"[\x00-\x1f\x7f]", "", damaged)
    changed = ({**headers, "Content-Type": kind}, body)
    return changed if rng.randrange(2) else of_tree(rng, changed)
