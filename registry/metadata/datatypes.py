"""HL7 v2 data types as XDS metadata writes them (ITI TF-3, table 4.2.3.1.7-2).

Metadata keeps its values as the text that was sent, so that nothing is lost; these types read that text. `parse`
raises ValueError with a reason that a sender can act upon; `str()` gives the canonical text back.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Self

OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
# Any dotted numbers: IHE's own test data has authorities below a first arc 3, which no OID has.
DOTTED = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
UUID_URN = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
DTM_DIGITS = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,5}")


def is_oid(text: str) -> bool:
    """True for an OID of at most 64 characters (ITI TF-3, table 4.2.3.1.7-2; first arcs 0, 1 and 2 are all allowed)."""
    return len(text) <= 64 and OID.fullmatch(text) is not None


def is_authority(text: str) -> bool:
    """True for what an assigning authority may be called: an OID, or dotted numbers that a sender takes for one."""
    return len(text) <= 64 and DOTTED.fullmatch(text) is not None


def uuid_urn(text: str) -> str | None:
    """`urn:uuid:...` in lower case, or None when `text` is a symbolic id (ITI TF-3, 4.2.3.1.6)."""
    lowered = text.lower()
    return lowered if UUID_URN.fullmatch(lowered) else None


@dataclass(frozen=True, slots=True)
class Cx:
    """An identifier and the authority that assigned it: `id^^^&oid&ISO`. Never a bare number."""

    value: str
    authority: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From CX text.

        Raises:
            ValueError: no id, no universal authority id, authority type not ISO, or other components used.
        """
        components = text.split("^")
        if not components[0].strip():
            raise ValueError("the identifier before the first ^ is empty")
        authority = components[3] if len(components) > 3 else ""
        if any(components[i] for i in range(len(components)) if i not in (0, 3, 4)):
            raise ValueError("components other than 1, 4 and 5 must be empty")
        namespace, _, rest = authority.partition("&")
        oid, _, kind = rest.partition("&")
        if not is_authority(oid):
            raise ValueError("the assigning authority must be written ^^^&OID&ISO")
        if kind != "ISO":
            raise ValueError("the assigning authority's type must be ISO")
        if namespace:
            raise ValueError("the assigning authority's namespace must be empty")
        return cls(components[0], oid)

    def __str__(self) -> str:
        return f"{self.value}^^^&{self.authority}&ISO"


@dataclass(frozen=True, slots=True)
class Cxi:
    """An identifier of a named kind, as referenceIdList holds it: `id^^^&oid&ISO^kind` (ITI TF-3, 4.2.3.2.28).

    `authority` is an OID, another universal id, a namespace, or empty: real senders leave it out.
    """

    value: str
    authority: str
    kind: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From CXi text.

        Raises:
            ValueError: no id, or no kind in component 5.
        """
        components = text.split("^")
        if not components[0]:
            raise ValueError("the identifier before the first ^ is empty")
        kind = components[4] if len(components) > 4 else ""
        if not kind:
            raise ValueError("component 5, the kind of identifier, is required")
        parts = (components[3] + "&&").split("&")
        return cls(components[0], parts[1] or parts[0], kind)

    def __str__(self) -> str:
        authority = f"&{self.authority}&ISO" if is_oid(self.authority) else self.authority
        return f"{self.value}^^^{authority}^{self.kind}"


@dataclass(frozen=True, slots=True)
class Xcn:
    """A person: id, family and given names, and the id's authority (ITI TF-3, table 4.2.3.1.7-2)."""

    id: str
    family: str
    given: str
    authority: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From XCN text.

        Raises:
            ValueError: neither id nor family name.
        """
        parts = (text + "^" * 9).split("^")
        if not parts[0] and not parts[1]:
            raise ValueError("a person needs an id or a family name")
        return cls(parts[0], parts[1], parts[2], (parts[8] + "&&").split("&")[1])


@dataclass(frozen=True, slots=True)
class Xon:
    """An organisation: its name, and its id (component 10), which is an OID or is assigned by one (component 6)."""

    name: str
    id: str
    authority: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From XON text.

        Raises:
            ValueError: no name.
        """
        parts = (text + "^" * 10).split("^")
        if not parts[0]:
            raise ValueError("an organisation needs a name")
        return cls(parts[0], parts[9], (parts[5] + "&&").split("&")[1])


@dataclass(frozen=True, slots=True)
class Xtn:
    """A telecommunication address: what it is used for, by what equipment, and the address or number.

    `use` and `equipment` are of HL7 tables 0201 and 0202; `email` is component 4, `number` component 7 or 12.
    """

    use: str
    equipment: str
    email: str
    number: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From XTN text.

        Raises:
            ValueError: no equipment type, or parts that contradict it.
        """
        parts = (text + "^" * 12).split("^")
        one = cls(parts[1], parts[2], parts[3], parts[6] or parts[11])
        if not one.equipment:
            raise ValueError("component 3, the equipment type (such as PH, CP or Internet), is required")
        if one.equipment == "Internet":
            one._internet(any(parts[i] for i in range(len(parts)) if i not in (1, 2, 3)))
        elif one.equipment in TELEPHONES:
            if one.use == "NET" or one.email:
                raise ValueError("a telephone has neither the use NET nor an e-mail address in component 4")
            if not one.number:
                raise ValueError("a telephone needs a local number in component 7 or a whole number in component 12")
        else:
            raise ValueError(f"the equipment type must be Internet or one of {', '.join(TELEPHONES)}")
        return one

    def _internet(self, more: bool) -> None:
        if self.use not in ("", "NET"):
            raise ValueError("the use of an Internet address must be NET or empty")
        if not self.email or more:
            raise ValueError("an Internet address is written ^NET^Internet^name@example.org, and nothing after it")


TELEPHONES = ("PH", "FX", "MD", "CP", "SAT", "X.400", "TDD", "TTY", "BP")
"""Equipment types of HL7 table 0202 other than Internet."""


DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _days(year: int, month: int) -> int:
    """Days of a month of the proleptic Gregorian calendar, in which the year 0 is a leap year."""
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return DAYS[month - 1] + leap


@dataclass(frozen=True, slots=True)
class Dtm:
    """A UTC time of stated precision, `YYYY[MM[DD[hh[mm[ss]]]]]` (ITI TF-3, table 4.2.3.1.7-2)."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From DTM text.

        Raises:
            ValueError: not 4 to 14 digits in pairs, or no such date.
        """
        if DTM_DIGITS.fullmatch(text) is None:
            raise ValueError("a time is written YYYY[MM[DD[hh[mm[ss]]]]], digits alone, in UTC")
        month, day = int(text[4:6] or 1), int(text[6:8] or 1)
        hour, minute, second = int(text[8:10] or 0), int(text[10:12] or 0), int(text[12:14] or 0)
        no_day = not 1 <= month <= 12 or not 1 <= day <= _days(int(text[:4]), month)
        if no_day or hour > 23 or minute > 59 or second > 59:
            raise ValueError("there is no such date or time")
        return cls(text)

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """To the second, from an aware datetime."""
        return cls(moment.astimezone(UTC).strftime("%Y%m%d%H%M%S"))

    @property
    def first(self) -> str:
        """The earliest second it can mean, 14 digits."""
        return self.text + "00000101000000"[len(self.text) :]

    @property
    def last(self) -> str:
        """The latest second it can mean, 14 digits."""
        padded = self.text
        if len(padded) < 6:
            padded += "12"
        if len(padded) < 8:
            padded += f"{_days(int(padded[:4]), int(padded[4:6])):02d}"
        return padded + "235959"[len(padded) - 8 :]

    def fhir(self) -> str:
        """FHIR date or dateTime of the same precision; FHIR needs minutes where there are hours."""
        t = self.text
        if len(t) <= 8:
            return "-".join(p for p in (t[:4], t[4:6], t[6:8]) if p)
        return f"{t[:4]}-{t[4:6]}-{t[6:8]}T{t[8:10]}:{t[10:12] or '00'}:{t[12:14] or '00'}Z"

    def __str__(self) -> str:
        return self.text


def offset_of(text: str) -> timezone:
    """A DICOM Timezone Offset From UTC, `+0100` (PS3.3 C.12.1.1.8).

    Raises:
        ValueError: not sign, hours and minutes.
    """
    if re.fullmatch(r"[+-](0[0-9]|1[0-4])[0-5][0-9]", text) is None:
        raise ValueError("a time zone offset is written +hhmm or -hhmm")
    minutes = int(text[1:3]) * 60 + int(text[3:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
