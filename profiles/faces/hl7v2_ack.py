"""HL7 v2 acknowledgements: AA when it is done, AE or AR with what is wrong and where (ITI TF-2, 3.8.4.1.3 and C.2.3).

AE is for content that its sender must mend; AR for what cannot be read or is not spoken here, and for a server that is
too busy or fails, where the same message may be sent again (HL7 v2.5.1, 2.9.2.2).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from profiles.faces.hl7v2 import Header
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.identify import fresh_uuid

VERSIONS = ("2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9")
"""Versions that are read: v2.3.1, and those after it that keep to its segments; v2.3 senders send the same."""

OLD_ERR = ("2.3", "2.3.1", "2.4")
"""Versions whose ERR has but one field, a list of places (HL7 v2.4, 2.16.5)."""

LONGEST_TEXT = 80  # characters of MSA-3; the whole is in ERR

# HL7 table 0357: (number, text) of what is wrong in one field of the header, and of each error code.
HEADER_CONDITIONS: Mapping[str, tuple[int, str]] = {
    "MSH-9": (200, "Unsupported message type"),
    "MSH-9.2": (201, "Unsupported event code"),
    "MSH-11": (202, "Unsupported processing id"),
    "MSH-12": (203, "Unsupported version id"),
}
CONDITIONS: Mapping[ErrorCode, tuple[int, str]] = {
    ErrorCode.Incomplete: (101, "Required field missing"),
    ErrorCode.InvalidRequest: (102, "Data type error"),
    ErrorCode.TooLarge: (102, "Data type error"),
    ErrorCode.XDSUnknownPatientId: (204, "Unknown key identifier"),
    ErrorCode.PatientLinkConflict: (205, "Duplicate key identifier"),
    ErrorCode.Forbidden: (207, "Application internal error"),
    ErrorCode.XDSRegistryBusy: (206, "Application record locked"),
}
INTERNAL = (207, "Application internal error")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:-([0-9]+)(?:\.([0-9]+))?)?")


def accepted(header: Header, ours: tuple[str, str] = ("", "")) -> bytes:
    """The answer when all is done and committed. `ours` are application and facility where the sender names none."""
    return _message(header, ours, [f"MSA{header.raw(1)}AA{header.raw(1)}{header.raw(10)}"])


def refused(header: Header, rejected: Rejected, ours: tuple[str, str] = ("", "")) -> bytes:
    """The answer that says what is wrong: code, place and words of each finding."""
    findings = [f for f in rejected.findings if not f.warning] or list(rejected.findings)
    sign = header.raw(1)
    text = _escaped("; ".join(f.text for f in findings)[:LONGEST_TEXT], header)
    msa = sign.join(("MSA", code_of(findings), header.raw(10), text))
    if header.part(12, 1) in OLD_ERR:
        repetition = header.raw(2)[1]
        return _message(
            header, ours, [msa, f"ERR{sign}{repetition.join(_place_and_code(f, header) for f in findings)}"]
        )
    return _message(header, ours, [msa, *(_error(f, header) for f in findings)])


def code_of(findings: Sequence[Finding]) -> str:
    """AE or AR."""
    unread = any(f.where in HEADER_CONDITIONS or f.where.startswith("MSH") or not f.where for f in findings)
    failed = any(f.code.status >= 500 or f.code in (ErrorCode.Forbidden, ErrorCode.TooLarge) for f in findings)
    return "AR" if unread or failed else "AE"


def _message(header: Header, ours: tuple[str, str], segments: Iterable[str]) -> bytes:
    sign, component = header.raw(1), header.raw(2)[0]
    application, facility = header.raw(5) or ours[0], header.raw(6) or ours[1]
    event = header.part(9, 2)
    fields = (
        f"MSH{sign}{header.raw(2)}",
        # Who was meant answers whom it came from.
        application,
        facility,
        header.raw(3),
        header.raw(4),
        datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000"),
        "",
        component.join(("ACK", event, "ACK")) if event else "ACK",
        fresh_uuid()[:20],
        header.raw(11) or "P",
        header.raw(12) or "2.5",
        *([""] * 5),
        header.raw(18),
    )
    message = "\r".join((sign.join(fields).rstrip(sign), *segments)) + "\r"
    return message.encode(header.charset or "ascii", "replace")


def _place_and_code(finding: Finding, header: Header) -> str:
    """ERR-1: segment, sequence, field and code, with the words for people in the code's text (HL7 v2.4, 2.16.5.1)."""
    component, subcomponent = header.raw(2)[0], header.raw(2)[3]
    segment, field, _ = _place(finding.where)
    number, text = _condition(finding)
    words = _escaped(f"{text}: {finding.text}", header)
    return component.join((segment, "1", field, subcomponent.join((str(number), words, "HL70357"))))


def _error(finding: Finding, header: Header) -> str:
    """ERR of v2.5 and later (HL7 v2.5.1, 2.14.5)."""
    sign, component = header.raw(1), header.raw(2)[0]
    segment, field, part = _place(finding.where)
    number, text = _condition(finding)
    place = component.join((segment, "1", field, "1" if part else "", part)).rstrip(component)
    code = component.join((str(number), text, "HL70357"))
    severity = "W" if finding.warning else "E"
    detail = _escaped(f"{finding.code.wire}: {finding.source}", header)
    return sign.join(("ERR", "", place, code, severity, "", "", detail, _escaped(finding.text, header)))


def _condition(finding: Finding) -> tuple[int, str]:
    if finding.code is ErrorCode.InvalidRequest and finding.where in HEADER_CONDITIONS:
        return HEADER_CONDITIONS[finding.where]
    return CONDITIONS.get(finding.code, INTERNAL)


def _place(where: str) -> tuple[str, str, str]:
    """Segment, field and component that a finding is about; MSH when it is about the message."""
    found = _PLACE.fullmatch(where)
    return (found[1], found[2] or "", found[3] or "") if found else ("MSH", "", "")


def _escaped(text: str, header: Header) -> str:
    """Our own words, with the sender's delimiters as escapes (HL7 v2.5.1, 2.7)."""
    escape = header.raw(2)[2]
    meanings = {header.raw(1): "F", **dict(zip(header.raw(2), "SRET", strict=False))}
    return "".join(f"{escape}{meanings[c]}{escape}" if c in meanings else c for c in text if c.isprintable())
