"""Which addresses outside may be called: only those at or below a listed one, compared as parsed."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

PORTS: Final = {"http": 80, "https": 443}


def is_listed(address: str, listed: Iterable[str]) -> bool:
    """True if `address` is one of `listed` or below it: same scheme, host and port, and the same path segments first.

    Parsed origins are compared, never the beginnings of texts; what two parsers could read differently is not listed.
    """
    wanted = _parsed(address)
    return wanted is not None and any(
        found is not None and found[0] == wanted[0] and wanted[1][: len(found[1])] == found[1]
        for found in map(_parsed, listed)
    )


def _parsed(address: str) -> tuple[tuple[str, str, int], list[str]] | None:
    """Origin and path segments of a plain http(s) URL; None for any other."""
    if not address.isascii() or not address.isprintable() or set(address) & set(' \\"<>#@%'):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    segments = [segment for segment in parts.path.split("/")[1:] if segment]
    if not parts.hostname or {".", ".."} & set(segments):
        return None
    return (parts.scheme, parts.hostname, port), segments
