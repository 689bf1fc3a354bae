"""Formats of metadata values, as functions: None when right, else what is wrong in words for the sender.

ITI TF-3, table 4.2.3.1.7-2, and the attribute's own section.
"""

import re
from collections.abc import Callable

from registry.metadata.datatypes import Cx, Cxi, Dtm, Xcn, Xon, Xtn, is_authority, is_oid, uuid_urn
from registry.metadata.urn import DocumentAvailability

Format = Callable[[str], str | None]

LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
MIME_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+", re.ASCII)
UNIQUE_ID = re.compile(r"[\x21-\x7E]{1,128}")
ENTRY_UUID = "urn:uuid:"
NO_BLANKS = re.compile(r"[^\s\x00-\x1F\x7F]+")
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
xtn = _parsed(Xtn.parse)


def cxi(text: str) -> str | None:
    """An identifier and its kind (ITI TF-3, 4.2.3.2.28). The authority may be left out or be a name: senders do so."""
    try:
        Cxi.parse(text)
    except ValueError as error:
        return str(error)
    parts = text.split("^")
    if parts[1] or parts[2] or len(parts) > 6:
        return "must be written id^^^authority^kind, with nothing in components 2 and 3"
    _, universal, kind = [*parts[3].split("&"), "", "", ""][:3]
    if bool(universal) != bool(kind):
        return "must write an authority as &OID&ISO: a universal id and its type belong together"
    return None


def hd(text: str) -> str | None:
    """An assigning authority, `&OID&ISO` (ITI TF-3, table 4.2.3.1.7-2, HD)."""
    namespace, _, rest = text.partition("&")
    oid, _, kind = rest.partition("&")
    right = not namespace and is_authority(oid) and kind == "ISO"
    return None if right else "must name its assigning authority as &OID&ISO"


def xcn(text: str) -> str | None:
    """A person with an id or a family name; an authority only with an id (ITI TF-3, table 4.2.3.1.7-2, XCN)."""
    try:
        person = Xcn.parse(text)
    except ValueError as error:
        return str(error)
    authority = (text + "^" * 9).split("^")[8]
    if authority and not person.id:
        return "has an assigning authority in component 9 and no id in component 1"
    return hd(authority) if authority else None


# The components of an organisation that the book leaves empty, counted from 1.
EMPTY_IN_XON = (2, 3, 4, 5, 7, 8, 9)


def xon(text: str) -> str | None:
    """An organisation: its name, perhaps its id, which is an OID or has an authority (ITI TF-3, 4.2.3.1.7-2, XON)."""
    parts = text.split("^")
    if not parts[0].strip():
        return "needs the organisation's name in component 1"
    if len(parts) > 10:
        return "has more than the 10 components of an organisation"
    used = [str(n) for n in EMPTY_IN_XON if n <= len(parts) and parts[n - 1]]
    if used:
        return f"uses component {', '.join(used)}; an organisation has only 1, 6 and 10"
    organization = Xon.parse(text)
    if len(parts) > 5 and parts[5]:
        return hd(parts[5])
    if organization.id and not is_oid(organization.id):
        return "has an id in component 10 that is no OID, and no assigning authority in component 6"
    return None


def oid(text: str) -> str | None:
    """An OID of at most 64 characters."""
    return None if is_oid(text) else "must be an OID of at most 64 characters"


def language(text: str) -> str | None:
    """An RFC 5646 tag (ITI TF-3, 4.2.3.2.13)."""
    return None if LANGUAGE.fullmatch(text) else "must be a language tag such as sv-SE"


def mime_type(text: str) -> str | None:
    """type/subtype (ITI TF-3, 4.2.3.2.15)."""
    return None if MIME_TYPE.fullmatch(text) else "must be a media type such as application/pdf"


def unique_id(text: str) -> str | None:
    """A document's uniqueId: printable ASCII without blanks, or an OID, `^` and an extension (ITI TF-3, 4.2.3.2.26)."""
    if UNIQUE_ID.fullmatch(text) is None:
        return "must be 1 to 128 printable ASCII characters without blanks"
    root, caret, extension = text.partition("^")
    if caret and not (is_oid(root) and 1 <= len(extension) <= 16):
        return "must have an OID of at most 64 characters before the ^, and 1 to 16 characters after it"
    return None


def entry_uuid(text: str) -> str | None:
    """An id: `urn:uuid:` and a UUID, or else a symbol of the sender's own (ITI TF-3, 4.2.3.2.7)."""
    wrong = text.lower().startswith(ENTRY_UUID) and uuid_urn(text) is None
    return "must be urn:uuid: and 8-4-4-4-12 hexadecimal digits; a symbolic id has no urn:uuid:" if wrong else None


def sha1(text: str) -> str | None:
    """40 hexadecimal digits (ITI TF-3, 4.2.3.2.10)."""
    return None if SHA1_HEX.fullmatch(text) else "must be a SHA-1 of 40 hexadecimal digits"


def digits(text: str) -> str | None:
    """A whole number of bytes (ITI TF-3, 4.2.3.2.21)."""
    return None if DIGITS.fullmatch(text) else "must be a number of bytes in digits"


def patient_info(text: str) -> str | None:
    """`PID-n|value`, without the fields that the book leaves out (ITI TF-3, 4.2.3.2.23); dates inside are not read."""
    found = PATIENT_INFO.match(text)
    if found is None:
        return "must begin with PID- and the number of a field, then |"
    return f"PID-{found[1]} is not allowed here" if found[1] in NOT_IN_PATIENT_INFO else None


def home(text: str) -> str | None:
    """`urn:oid:` and an OID (ITI TF-3, 4.2.3.2.12)."""
    found = HOME.fullmatch(text)
    return None if found and is_oid(found[1]) else "must be written urn:oid: and an OID"


def title(text: str) -> str | None:
    """At most 128 characters (ITI TF-3, 4.2.3.2.24)."""
    return None if len(text) <= 128 else "must be at most 128 characters"


def folder_time(text: str) -> str | None:
    """A time to the second (ITI TF-3, 4.2.3.4.6)."""
    return dtm(text) or (None if len(text) == 14 else "must be given to the second")


def recipient(text: str) -> str | None:
    """`organisation|person|telecommunication`, not all empty (ITI TF-3, 4.2.3.3.7)."""
    parts = text.split("|")
    if len(parts) > 3 or not any(parts):
        return "must be at most three parts, organisation|person|telecommunication (XON|XCN|XTN), not all empty"
    for part, format_ in zip(parts, (xon, xcn, xtn), strict=False):
        wrong = format_(part) if part else None
        if wrong:
            return f"holds {part!r}: {wrong}"
    return None


def uri(text: str) -> str | None:
    """A URI (ITI TF-3, 4.2.3.2.27). Letters beyond ASCII are taken: senders write file names as they are."""
    return None if NO_BLANKS.fullmatch(text) else "must be a URI, without blanks and control characters"


def availability(text: str) -> str | None:
    """documentAvailability: Online or Offline, as URN (ITI TF-3, 4.2.3.2)."""
    known = tuple(DocumentAvailability)
    return None if text in known else f"must be {' or '.join(known)}"


def text(value: str) -> str | None:
    """No control characters."""
    return "must not hold control characters" if CONTROL.search(value) else None
