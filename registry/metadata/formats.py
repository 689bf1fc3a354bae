"""Formats of metadata values, as functions: None when right, else what is wrong in words for the sender.

ITI TF-3, table 4.2.3.1.7-2, and the attribute's own section.
"""

import re
from collections.abc import Callable

from registry.metadata.datatypes import Cx, Cxi, Dtm, Xcn, is_oid

Format = Callable[[str], str | None]

LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
MIME_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+", re.ASCII)
UNIQUE_ID = re.compile(r"[\x21-\x7E]{1,128}")
SHA1_HEX = re.compile(r"[0-9a-fA-F]{40}")
DIGITS = re.compile(r"[0-9]{1,18}")
PATIENT_INFO = re.compile(r"PID-([1-9]|[12][0-9]|3[0-9])\|")
HOME = re.compile(r"urn:oid:(.+)")
CONTROL = re.compile(r"[\x00-\x08\x0B\x0C\x0E-\x1F]")
NOT_IN_PATIENT_INFO = {"2", "4", "12", "19"}


def _parsed(parse: Callable[[str], object]) -> Format:
    def check(text: str) -> str | None:
        try:
            parse(text)
        except ValueError as error:
            return str(error)
        return None

    return check


dtm = _parsed(Dtm.parse)
cx = _parsed(Cx.parse)
cxi = _parsed(Cxi.parse)
xcn = _parsed(Xcn.parse)


def oid(text: str) -> str | None:
    """An OID of at most 64 characters."""
    return None if is_oid(text) else "must be an OID of at most 64 characters"


def language(text: str) -> str | None:
    """An RFC 5646 tag (ITI TF-3, 4.2.3.2.13)."""
    return None if LANGUAGE.fullmatch(text) else "must be a language tag such as sv-SE"


def mime_type(text: str) -> str | None:
    """type/subtype (ITI TF-3, 4.2.3.2.16)."""
    return None if MIME_TYPE.fullmatch(text) else "must be a media type such as application/pdf"


def unique_id(text: str) -> str | None:
    """A document's uniqueId: printable ASCII without blanks; an OID before `^` (ITI TF-3, 4.2.3.2.29)."""
    return None if UNIQUE_ID.fullmatch(text) else "must be at most 128 printable ASCII characters without blanks"


def sha1(text: str) -> str | None:
    """40 hexadecimal digits (ITI TF-3, 4.2.3.2.10)."""
    return None if SHA1_HEX.fullmatch(text) else "must be a SHA-1 of 40 hexadecimal digits"


def digits(text: str) -> str | None:
    """A whole number of bytes (ITI TF-3, 4.2.3.2.24)."""
    return None if DIGITS.fullmatch(text) else "must be a number of bytes in digits"


def patient_info(text: str) -> str | None:
    """`PID-n|value`, without the fields that the book leaves out (ITI TF-3, 4.2.3.2.26); dates inside are not read."""
    found = PATIENT_INFO.match(text)
    if found is None:
        return "must begin with PID- and the number of a field, then |"
    return f"PID-{found[1]} is not allowed here" if found[1] in NOT_IN_PATIENT_INFO else None


def home(text: str) -> str | None:
    """`urn:oid:` and an OID (ITI TF-3, 4.2.3.2.12)."""
    found = HOME.fullmatch(text)
    return None if found and is_oid(found[1]) else "must be written urn:oid: and an OID"


def title(text: str) -> str | None:
    """At most 128 characters (ITI TF-3, 4.2.3.2.27)."""
    return None if len(text) <= 128 else "must be at most 128 characters"


def folder_time(text: str) -> str | None:
    """A time to the second (ITI TF-3, 4.2.3.4.5)."""
    return dtm(text) or (None if len(text) == 14 else "must be given to the second")


def recipient(text: str) -> str | None:
    """`organisation|person|telecommunication`, not all empty (ITI TF-3, 4.2.3.3.7)."""
    parts = text.split("|")
    return None if len(parts) <= 3 and any(parts) else "must be at most three parts, XON|XCN|XTN, not all empty"


def text(value: str) -> str | None:
    """No control characters."""
    return "must not hold control characters" if CONTROL.search(value) else None
