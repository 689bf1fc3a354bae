"""Exchanges of the wire log as people read them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from profiles.faces import xml
from profiles.trace.findings import OK
from registry.metadata.errors import Rejected

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
MOST = 16 * 2**20  # bytes of a text that is laid out anew


def selected(exchanges: Iterable[Mapping[str, Any]], transaction: str, failed: bool) -> Iterator[Mapping[str, Any]]:
    """Those of a transaction (its number in the book, or empty for all), and only what went wrong if `failed`."""
    for one in exchanges:
        if (not transaction or one["transaction"].lower() == transaction.lower()) and (
            not failed or one["outcome"] != OK
        ):
            yield one


def when(exchange: Mapping[str, Any]) -> str:
    """When it began, in the time of this machine."""
    begun = datetime.fromtimestamp(exchange["begun"], UTC).astimezone()
    return begun.isoformat(" ", timespec="milliseconds").partition("+")[0]


def first_words(exchange: Mapping[str, Any]) -> str:
    """Its first finding in a line, and how many more there are."""
    found = exchange["findings"]
    if not found:
        return ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    where = f"{found[0]['where']}: " if found[0]["where"] else ""
    return plain(f"{found[0]['code']} {where}{found[0]['text']}{more}")


def size(count: int) -> str:
    """Bytes in words."""
    amount, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def described(part: Mapping[str, Any]) -> str:
    """What a part is, in a line."""
    cut = ", cut off here" if part.get("cut") else ""
    return plain(f"{part['type'] or 'no type'}, {size(part['size'])}, SHA-256 {part['sha256']}{cut}")


def plain(text: str) -> str:
    """`text` without what steers a terminal or turns the direction of writing; the codes are shown instead."""
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))


def pretty(part: Mapping[str, Any]) -> str:
    """A part's text, XML and JSON laid out; what cannot be read, or was cut off, as it came."""
    return plain(_laid_out(part))


def _laid_out(part: Mapping[str, Any]) -> str:
    text: str = part.get("text") or ""
    if part.get("cut"):
        return text
    if "json" in part["type"]:
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            return text
    if "xml" in part["type"]:
        try:
            root = xml.parse(text.encode(), limit=MOST)
        except (Rejected, UnicodeEncodeError):
            return text
        etree.indent(root)
        return etree.tostring(root, encoding="unicode")
    return text
