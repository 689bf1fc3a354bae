"""HL7 v2 messages as received: their header, character set and limits, and the segments that somebody asks for.

The `hl7` library splits; what it is given is bounded first, and escapes are read here: a sender chooses how often the
library would repeat a formatting command, and it logs what it cannot read. Book: HL7 v2.5.1, chapter 2; ITI TF-2, C.2.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import hl7

from registry.metadata.errors import ErrorCode, Finding, Rejected

Components = tuple[tuple[str, ...], ...]
"""One repetition of a field: its components, each of its subcomponents."""

MOST_SEGMENTS = 10_000
LONGEST_HEADER = 4096  # bytes of MSH
LONGEST_SEGMENT = 64 * 1024  # bytes of a segment that is read; others may be as long as the message
LONGEST_VALUE = 1024  # characters
NULL = '""'
"""What a sender writes to say that a value is known no longer (HL7 v2.5.1, 2.5.3)."""

# HL7 table 0211, of MSH-18. No alternates by escape sequences; UTF-16 and UTF-32 cannot go over MLLP.
CHARSETS: Mapping[str, str] = {
    "": "utf-8",  # the book's default is ASCII, of which this is the superset that senders mean
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "8859/1": "iso-8859-1",
    "8859/2": "iso-8859-2",
    "8859/3": "iso-8859-3",
    "8859/4": "iso-8859-4",
    "8859/5": "iso-8859-5",
    "8859/6": "iso-8859-6",
    "8859/7": "iso-8859-7",
    "8859/8": "iso-8859-8",
    "8859/9": "iso-8859-9",
    "8859/15": "iso-8859-15",
}
_DELIMITERS = re.compile(r"[!-/:-@\[-`{-~]{5,6}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Header:
    """MSH as sent: `fields` are the raw texts, MSH-n at n, delimiters and escapes as the sender has them."""

    fields: tuple[str, ...]

    def raw(self, number: int) -> str:
        """The text of MSH-`number`, empty when it is not there."""
        return self.fields[number] if number < len(self.fields) else ""

    def part(self, number: int, component: int) -> str:
        """A component of a field, counted from 1."""
        parts = self.raw(number).split(self.raw(2)[:1] or "^")
        return parts[component - 1] if component <= len(parts) else ""

    @property
    def charset(self) -> str | None:
        """Python's name of the character set; None when MSH-18 names one that is not known."""
        repetition = self.raw(2)[1:2] or "~"
        return CHARSETS.get(self.raw(18).split(repetition)[0].strip().upper())


NO_HEADER = Header(("MSH", "|", "^~\\&"))
"""What an answer is made of when the message has no header that can be read."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: `fields[n]` are the repetitions of field n, with escapes read."""

    name: str
    fields: tuple[tuple[Components, ...], ...]

    def repetitions(self, number: int) -> tuple[Components, ...]:
        """The repetitions of a field that say something."""
        found = self.fields[number] if number < len(self.fields) else ()
        return tuple(one for one in found if any(any(parts) for parts in one))

    def text(self, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """A value of the first repetition, counted from 1; empty when it is not there."""
        found = self.repetitions(number)
        return part(found[0], component, subcomponent) if found else ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its header, and those of its segments that were asked for, in their order."""

    header: Header
    segments: tuple[Segment, ...]

    @property
    def event(self) -> str:
        """The trigger event, as in ADT^A01."""
        return self.header.part(9, 2)

    def all(self, name: str) -> tuple[Segment, ...]:
        """The segments of one name."""
        return tuple(one for one in self.segments if one.name == name)


def part(repetition: Components, component: int, subcomponent: int = 1) -> str:
    """A value of a repetition, counted from 1; empty when it is not there."""
    parts = repetition[component - 1] if component <= len(repetition) else ()
    return parts[subcomponent - 1].strip() if subcomponent <= len(parts) else ""


def header_of(raw: bytes) -> Header:
    """The header of a message, whatever else is wrong with it: an answer must name what it answers.

    Raises:
        Rejected: InvalidRequest, there is none, or its delimiters are unusable.
    """
    line = _lines(raw[: LONGEST_HEADER + 1])[0]
    if not line.startswith(b"MSH") or len(line) > LONGEST_HEADER:
        raise _refused("MSH", "a message begins with an MSH segment of at most 4096 bytes", "2.14.9")
    text = line.decode(_charset_in(line), "replace")
    delimiter = text[3:4]
    delimiters = text[4:].split(delimiter)[0] if delimiter else ""
    whole = delimiter + delimiters
    if _DELIMITERS.fullmatch(whole) is None:
        raise _refused("MSH-2", "MSH-1 and MSH-2 are five or six different marks of punctuation, |^~\\&", "2.14.9.2")
    if len(set(whole)) != len(whole):
        raise _refused("MSH-2", "each delimiter in MSH-1 and MSH-2 must be another character", "2.14.9.2")
    return Header(("MSH", delimiter, *text[4:].split(delimiter)))


def read(raw: bytes, header: Header, names: Collection[str]) -> Message:
    """The message, with the segments that `names` name; the others are passed over.

    Raises:
        Rejected: InvalidRequest and TooLarge, with everything that is wrong.
    """
    charset = header.charset
    if charset is None:
        known = ", ".join(name for name in CHARSETS if name)
        raise _refused("MSH-18", f"this character set is not read here; these are: {known}", "2.14.9.18")
    try:
        raw.decode(charset)
    except UnicodeDecodeError:
        declared = header.raw(18) or "nothing, so that UTF-8 was tried"
        text = f"the message is not in the character set that MSH-18 declares: {declared}"
        raise _refused("MSH-18", text, "2.14.9.18") from None
    lines = _lines(raw)
    if len(lines) > MOST_SEGMENTS:
        raise _too_large("MSH", f"at most {MOST_SEGMENTS} segments are read")
    wanted = [line for line in lines[1:] if line[:3].decode("latin-1") in names]
    for line in wanted:
        if len(line) > LONGEST_SEGMENT:
            raise _too_large(line[:3].decode("latin-1"), f"a segment of at most {LONGEST_SEGMENT} bytes is read")
    # The library sees the header's delimiters and the wanted segments alone.
    delimiters = header.raw(1) + header.raw(2)[:4] + header.raw(1)
    parsed = hl7.parse("\r".join([f"MSH{delimiters}", *(line.decode(charset) for line in wanted)]))
    return Message(header, tuple(_segment(one, header, charset) for one in list(parsed)[1:]))


def _segment(parsed: "hl7.Segment", header: Header, charset: str) -> Segment:
    name = str(parsed[0])
    fields: list[tuple[Components, ...]] = []
    findings: list[Finding] = []
    for number, field in enumerate(parsed):
        try:
            fields.append(tuple(_repetition(one, header, charset) for one in field))
        except ValueError as error:
            fields.append(())
            findings.append(Finding(ErrorCode.InvalidRequest, f"{name}-{number}", str(error), "HL7 v2.5.1, 2.7"))
    if findings:
        raise Rejected(findings)
    return Segment(name, tuple(fields))


def _repetition(parsed: object, header: Header, charset: str) -> Components:
    if isinstance(parsed, str):
        return ((_value(parsed, header, charset),),)
    return tuple(tuple(_value(str(text), header, charset) for text in component) for component in parsed)  # type: ignore[attr-defined]


def _value(text: str, header: Header, charset: str) -> str:
    """A value with its escapes read (HL7 v2.5.1, 2.7)."""
    escape = header.raw(2)[2]
    if escape in text:
        pieces = text.split(escape)
        if len(pieces) % 2 == 0:
            raise ValueError("an escape sequence is not ended")
        meanings = _meanings(header)
        pieces[1::2] = [_escaped(one, meanings, charset) for one in pieces[1::2]]
        text = "".join(pieces)
    if len(text) > LONGEST_VALUE:
        raise ValueError(f"a value has at most {LONGEST_VALUE} characters here")
    if _CONTROL.search(text):
        raise ValueError("the value holds a control character")
    return text


def _meanings(header: Header) -> Mapping[str, str]:
    delimiters = dict(zip("SRET", header.raw(2), strict=False))
    return {"F": header.raw(1), "H": "", "N": "", **delimiters}


def _escaped(sequence: str, meanings: Mapping[str, str], charset: str) -> str:
    if sequence in meanings:
        return meanings[sequence]
    if sequence.startswith("."):
        return " "  # a formatting command: one space, however often it is to be repeated
    if sequence.startswith("X"):
        try:
            return bytes.fromhex(sequence[1:]).decode(charset)
        except ValueError:
            raise ValueError("a hexadecimal escape sequence is not of the message's character set") from None
    raise ValueError("the escape sequence is not one that is read here: F, S, T, R, E, H, N, X and formatting are")


def _charset_in(line: bytes) -> str:
    """The character set that a header line declares, which is ASCII up to there; ISO 8859-1 when it is not known."""
    fields = line.split(line[3:4]) if len(line) > 3 else []
    declared = fields[17].decode("latin-1").split("~")[0] if len(fields) > 17 else ""
    return CHARSETS.get(declared.strip().upper(), "iso-8859-1")


def _lines(raw: bytes) -> list[bytes]:
    """Segments; line feeds, which the book does not have and senders write, end one too."""
    return raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r").strip(b"\r\t ").split(b"\r")


def _refused(where: str, text: str, section: str) -> Rejected:
    return Rejected.because(ErrorCode.InvalidRequest, where, text, f"HL7 v2.5.1, {section}")


def _too_large(where: str, text: str) -> Rejected:
    return Rejected.because(ErrorCode.TooLarge, where, text, "limit of this server")
