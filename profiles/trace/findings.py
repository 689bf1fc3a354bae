"""What an answer says went wrong, read from the answer itself: so the log shows what the sender was told.

SOAP faults, RegistryErrors (ITI TF-3, 4.2.4.1), acknowledgements of HL7 V3, OperationOutcome (FHIR R4) and problems of
DICOMweb. A finding's text ends with its source, the book and the section, because that is how this server writes it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from html import unescape
from typing import Any

OK, REFUSED, FAILED = "ok", "refused", "failed"
# Answers may be cut at a cap, so they are not parsed: all of this is this server's own writing.
ERROR = re.compile(r"<(?:[\w.-]+:)?RegistryError\s[^>]*>")
ATTRIBUTE = re.compile(r'([\w.-]+)="([^"]*)"')
FAULT = re.compile(
    r"<soap:Code><soap:Value>soap:(\w+)</soap:Value>(.*?)</soap:Code>"
    r"<soap:Reason><soap:Text[^>]*>(.*?)</soap:Text>",
    re.DOTALL,
)
OLD_FAULT = re.compile(r"<faultcode>\w+:(\w+)</faultcode><faultstring>(.*?)</faultstring>", re.DOTALL)
SUBCODE = re.compile(r"<soap:Value>wsa:(\w+)</soap:Value>")
DETAIL = re.compile(
    r"<acknowledgementDetail[^>]*>.*?<text>([\w:]+): (.*?)</text>(?:<location>(.*?)</location>)?", re.DOTALL
)
SOURCE = re.compile(r"^(.*) \(([^()]*(?:\([^()]*\)[^()]*)*)\)$", re.DOTALL)
WARNING = "warning"
ERROR_WORDS = frozenset({"error", "fatal"})


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a sender was told: its code, what is wrong, where, and which book says so."""

    code: str
    text: str
    where: str = ""
    source: str = ""
    severity: str = "error"

    def as_dict(self) -> dict[str, str]:
        """As JSON has it."""
        return asdict(self)


def told(status: int, body: Mapping[str, Any]) -> list[Told]:
    """The findings in an answer that `bodies.Watched` saw."""
    texts = [(part["type"], part["text"]) for part in body.get("parts", ()) if part.get("text")]
    if not texts:
        return []
    content_type, text = texts[0]
    found = [*_of_soap(text)] if "xml" in content_type and "json" not in content_type else [*_of_json(text)]
    if not found and status >= 400:
        found = [Told(str(status), " ".join(text.split())[:500])]
    return found


def outcome(status: int, findings: list[Told]) -> str:
    """`ok`, `refused` by a rule, or `failed` here."""
    if status >= 500 or any("an internal error" in f.text for f in findings):
        return FAILED
    return REFUSED if status >= 400 or any(f.severity != WARNING for f in findings) else OK


def _of_soap(text: str) -> Iterator[Told]:
    for element in ERROR.findall(text):
        given = {name: unescape(value) for name, value in ATTRIBUTE.findall(element)}
        severity = given.get("severity", "").rpartition(":")[2].lower() or "error"
        where, context = given.get("location", ""), given.get("codeContext", "")
        yield _told(given.get("errorCode", ""), context.removeprefix(f"{where}: "), where, severity)
    for code, subcodes, reason in FAULT.findall(text):
        named = [code, *SUBCODE.findall(subcodes)]
        yield _told(" / ".join(named), unescape(reason), "", "error")
    for code, reason in OLD_FAULT.findall(text):
        yield _told(code, unescape(reason), "", "error")
    for code, words, place in DETAIL.findall(text):
        yield _told(code, unescape(words).removeprefix(f"{unescape(place)}: "), unescape(place), "error")


def _of_json(text: str) -> Iterator[Told]:
    try:
        body = json.loads(text)
    except ValueError:
        return
    if not isinstance(body, dict):
        return
    if body.get("resourceType") == "OperationOutcome":
        for issue in body.get("issue", ()):
            coding = issue.get("details", {}).get("coding") or [{}]
            words = issue.get("diagnostics") or issue.get("details", {}).get("text") or ""
            where = ", ".join(issue.get("expression") or issue.get("location") or ())
            severity = "error" if issue.get("severity") in ERROR_WORDS else WARNING
            code = coding[0].get("code") or issue.get("code", "")
            yield _told(code, words.removeprefix(f"{where}: "), where, severity)
    elif "findings" in body or "error" in body:
        for one in body.get("findings") or [body]:
            if isinstance(one, dict):
                words = str(one.get("text") or one.get("error") or "")
                yield Told(str(one.get("code", "")), words, str(one.get("where", "")), str(one.get("source", "")))


def _told(code: str, text: str, where: str, severity: str) -> Told:
    split = SOURCE.match(text)
    return Told(code, split[1], where, split[2], severity) if split else Told(code, text, where, "", severity)
