"""The DIMSE status of a rejection (PS3.7 C; PS3.4 B.2.3, C.4): error codes as rows, here with the code of this wire."""

import re
from collections.abc import Sequence

from profiles.faces.dimse import Status
from registry.metadata.errors import ErrorCode, Finding

DUPLICATE = 0x0111
PROCESSING_FAILURE = 0x0110
NOT_AUTHORIZED = 0x0124
UNKNOWN_CLASS = 0x0122
NO_SUCH_INSTANCE = 0x0112
OUT_OF_RESOURCES = 0xA700
DESTINATION_UNKNOWN = 0xA801
OTHER_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000
FAILED = 0xC001
CONTRADICTED = 0xC002
COMMENT = 64  # characters of an LO
SAME_UID = "PS3.5 9"
TAG = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)")

_OUT = (
    ErrorCode.XDSRepositoryOutOfResources,
    ErrorCode.XDSRegistryOutOfResources,
    ErrorCode.XDSRepositoryBusy,
    ErrorCode.XDSRegistryBusy,
    ErrorCode.XDSRegistryNotAvailable,
    ErrorCode.TooLarge,
)
CODES = {
    **dict.fromkeys(_OUT, OUT_OF_RESOURCES),
    ErrorCode.DicomMismatch: OTHER_CLASS,
    ErrorCode.DicomConflict: DUPLICATE,
    ErrorCode.DicomRejected: NOT_AUTHORIZED,
    ErrorCode.DicomUnreadable: CANNOT_UNDERSTAND,
    ErrorCode.InvalidRequest: OTHER_CLASS,
    ErrorCode.Incomplete: OTHER_CLASS,
    ErrorCode.Forbidden: NOT_AUTHORIZED,
    ErrorCode.NotFound: NO_SUCH_INSTANCE,
}


def of_findings(findings: Sequence[Finding]) -> Status:
    """The status of the first finding that has a row of its own, with what is wrong in words."""
    chosen = next((f for f in findings if f.code in CODES), findings[0])
    code = CODES.get(chosen.code, FAILED)
    if code == DUPLICATE and not chosen.source.startswith(SAME_UID):
        # Of another patient than its study: a sender must not take that for an object that is held.
        code = CONTRADICTED
    named = f"{chosen.where} {chosen.text}" if len(findings) == 1 else chosen.text
    elements = tuple(dict.fromkeys(group + element for group, element in TAG.findall(named)))
    return Status(code, comment_of(chosen.text), elements)


def comment_of(text: str) -> str:
    """An Error Comment: ASCII without backslash, at most 64 characters."""
    plain = text.encode("ascii", "replace").decode().replace("\\", "/")
    return plain if len(plain) <= COMMENT else plain[: COMMENT - 3].rstrip() + "..."
