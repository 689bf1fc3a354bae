"""What another system, as a rule a community's gateway, says went wrong, and what is wrong with what it says."""

from collections.abc import Iterable

from profiles.faces import soap_codes, xml
from profiles.faces.soap_client import NoAnswer
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.urn import Namespace, ResponseStatus

RS = "{" + Namespace.RS + "}"
ERROR_LIST, ERROR, RESPONSE = RS + "RegistryErrorList", RS + "RegistryError", RS + "RegistryResponse"
CODES = {code.wire: code for code in ErrorCode if code not in soap_codes.OF_THIS_SERVER}
# Some products write the bare word; they have no other with this ending.
STATUS_OF = {status.rpartition(":")[2]: status for status in ResponseStatus}
TOLD = "told by the system that was asked"
MOST_TOLD = 1000  # characters of one error's text
MOST_NAMED = 10  # elements that one finding names


def errors_of(response: xml.Element, home: str | None, unknown: ErrorCode) -> list[Finding]:
    """The errors in a response; a code that the book does not have becomes `unknown`.

    They are located in the community `home`; None leaves each where its sender locates it.
    """
    findings = []
    for listed in response.iterchildren(ERROR_LIST):
        for error in listed.iterchildren(ERROR):
            name = error.get("errorCode", "").strip()
            text = (error.get("codeContext") or error.get("location") or "without a word").strip()[:MOST_TOLD]
            code = CODES.get(name)
            if code is None:
                code, text = unknown, f"{name[:MOST_TOLD]}: {text}"
            is_warning = error.get("severity", "").strip().endswith(":Warning")
            where = (error.get("location") or "").strip()[:MOST_TOLD] if home is None else home
            findings.append(Finding(code, where, text, TOLD, warning=is_warning))
    return findings


def status_of(response: xml.Element, findings: Iterable[Finding]) -> ResponseStatus:
    """The status that the response has.

    Raises:
        NoAnswer: none of the book's, or a failure that nothing explains.
    """
    status = STATUS_OF.get(response.get("status", "").strip().rpartition(":")[2])
    if status is None:
        raise NoAnswer("its answer has no status of the book")
    if status is ResponseStatus.FAILURE and all(f.warning for f in findings):
        raise NoAnswer("it answered Failure without an error that says why")
    return status


def unavailable(home: str, reason: NoAnswer, source: str) -> Finding:
    """That a community gave no answer, and why."""
    return Finding(ErrorCode.XDSUnavailableCommunity, home, str(reason), source)


def misattributed(missing: list[str], strange: list[str], home: str, source: str) -> list[Finding]:
    """That elements of a gateway's answer (each in words, with its id) lack its `home`, or have another.

    ITI TF-2, 3.38.4.1.3: the gateway and the elements are named.
    """
    findings = []
    if missing:
        text = f"the gateway of {home} left the homeCommunityId out of {_named(missing)}, which is not shown"
        findings.append(Finding(ErrorCode.XDSMissingHomeCommunityId, home, text, source))
    if strange:
        text = f"the gateway of {home} gave another homeCommunityId than its own to {_named(strange)}: not shown"
        findings.append(Finding(ErrorCode.XDSUnknownCommunity, home, text, source))
    return findings


def _named(elements: list[str]) -> str:
    more = f" and {len(elements) - MOST_NAMED} more" if len(elements) > MOST_NAMED else ""
    return ", ".join(element[:MOST_TOLD] for element in elements[:MOST_NAMED]) + more
