"""The answer of STOW-RS: a data set that names each instance, stored or not (PS3.18, 10.5.3 and annex I)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

from profiles.wia.urls import url
from registry.metadata.errors import ErrorCode, Finding
from repository.imaging.service import Outcome
from repository.imaging.tags import Tag

CANNOT_UNDERSTAND: Final = 0xC000
PROCESSING_FAILURE: Final = 0x0110
WARNING: Final = 0xB000

# Failure Reason (0008,1197), PS3.18 table I.2-2 with PS3.7 annex C for what it leaves out.
FAILURE_REASONS: Mapping[ErrorCode, int] = {
    ErrorCode.DicomUnreadable: CANNOT_UNDERSTAND,
    ErrorCode.DicomMismatch: 0xA900,
    ErrorCode.DicomConflict: 0x0111,
    ErrorCode.DicomRejected: 0x0124,
    ErrorCode.InvalidRequest: 0xA900,
    ErrorCode.Forbidden: 0x0124,
    ErrorCode.TooLarge: 0xA700,
    ErrorCode.XDSRepositoryOutOfResources: 0xA700,
    ErrorCode.XDSRegistryOutOfResources: 0xA700,
    ErrorCode.XDSRepositoryBusy: 0xA700,
    ErrorCode.XDSRegistryBusy: 0xA700,
}


@unique
class AnswerTag(StrEnum):
    """Attributes that occur in this answer alone (PS3.18, table 10.5.3-2; PS3.7, annex E)."""

    ERROR_COMMENT = "00000902"
    WARNING_REASON = "00081196"
    FAILURE_REASON = "00081197"
    FAILED_SOP_SEQUENCE = "00081198"
    OTHER_FAILURES_SEQUENCE = "0008119A"


DataSet = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the objects of one request, in their order; `base` is the server's URL."""

    outcomes: Sequence[Outcome]
    base: str
    media: str


def status(stored: Stored) -> int:
    """The HTTP status (PS3.18, table 10.5.3-1): all well 200, none stored 409, else 202."""
    if not any(each.finding for each in stored.outcomes):
        return 200
    return 409 if all(_failed(each) for each in stored.outcomes) else 202


def data_set(stored: Stored) -> DataSet:
    """The answer in DICOM JSON. Error Comment carries the whole reason, though LO would end it at 64 characters."""
    kept = [_kept(each, stored.base) for each in stored.outcomes if not _failed(each)]
    failed = [_refused(each) for each in stored.outcomes if _failed(each) and each.sop_instance_uid]
    unnamed = [_refused(each) for each in stored.outcomes if _failed(each) and not each.sop_instance_uid]
    studies = {each.study_uid for each in stored.outcomes if not _failed(each)}
    answer: DataSet = {}
    if len(studies) == 1:
        answer[Tag.RETRIEVE_URL] = _value("UR", url(stored.base, *studies))
    if failed:
        answer[AnswerTag.FAILED_SOP_SEQUENCE] = {"vr": "SQ", "Value": failed}
    if unnamed:
        answer[AnswerTag.OTHER_FAILURES_SEQUENCE] = {"vr": "SQ", "Value": unnamed}
    if kept:
        answer[Tag.REFERENCED_SOP_SEQUENCE] = {"vr": "SQ", "Value": kept}
    return answer


def _failed(outcome: Outcome) -> bool:
    return outcome.finding is not None and not outcome.finding.warning


def _kept(outcome: Outcome, base: str) -> DataSet:
    item = _named(outcome)
    item[Tag.RETRIEVE_URL] = _value("UR", url(base, outcome.study_uid, outcome.series_uid, outcome.sop_instance_uid))
    if outcome.finding:
        item[AnswerTag.WARNING_REASON] = _value("US", WARNING)
        item[AnswerTag.ERROR_COMMENT] = _value("LO", str(outcome.finding))
    return item


def _refused(outcome: Outcome) -> DataSet:
    """Of what names no object, the comment tells it by its number in the request."""
    item = _named(outcome)
    item[AnswerTag.FAILURE_REASON] = _value("US", _reason(outcome.finding))
    item[AnswerTag.ERROR_COMMENT] = _value("LO", str(outcome.finding))
    return item


def _reason(finding: Finding | None) -> int:
    return FAILURE_REASONS.get(finding.code, PROCESSING_FAILURE) if finding else PROCESSING_FAILURE


def _named(outcome: Outcome) -> DataSet:
    named = (
        (Tag.REFERENCED_SOP_CLASS_UID, outcome.sop_class_uid),
        (Tag.REFERENCED_SOP_INSTANCE_UID, outcome.sop_instance_uid),
    )
    return {tag: _value("UI", uid) for tag, uid in named if uid}


def _value(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
