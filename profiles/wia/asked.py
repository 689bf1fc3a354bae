"""What requests of all these services may say in their URL instead of their headers (PS3.18, 8.3.3)."""

import re

from flask import Request

from profiles.faces.accept import Accept, accept_of
from registry.metadata.errors import ErrorCode, Rejected

# Who writes `application/dicom+json` into a URL without escaping it has written a blank.
_PLUS = re.compile(r"(?<=[a-z]) (?=(?:json|xml)\b)")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def accept_from(request: Request) -> Accept:
    """The forms that the client takes: those of the parameter `accept` if it is there, else of the header.

    Raises Rejected (NotAcceptable) for more than can be read.
    """
    given = request.args.getlist("accept")
    return accept_of(_PLUS.sub("+", ",".join(given)) if given else request.headers.get("Accept"))


def range_from(request: Request) -> tuple[int | None, int | None] | None:
    """First and last byte of a Range header, one of them None; None for no range, or several (RFC 9110, 14.2)."""
    found = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if found is None or not any(found.groups()):
        return None
    first, last = (int(text) if text else None for text in found.groups())
    return None if first is not None and last is not None and last < first else (first, last)


def bounds(wanted: tuple[int | None, int | None], size: int) -> tuple[int, int]:
    """The bytes of a value of `size` that a range names, from the first up to, not including, the second.

    Raises Rejected (RangeNotSatisfiable) when it has none of them.
    """
    first, last = wanted
    if first is None:
        start, stop = max(size - (last or 0), 0), size
    else:
        start, stop = first, size if last is None else min(last + 1, size)
    if start >= stop:
        text = f"The value has {size} bytes, and none of those that the Range names"
        raise Rejected.because(ErrorCode.RangeNotSatisfiable, "Range", text, "RFC 9110, 15.5.17")
    return start, stop
