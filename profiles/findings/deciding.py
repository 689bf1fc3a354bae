"""A decision from a terminal, done for one finding, or for all of its kind and study."""

from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.identify import canonical
from repository.findings import OPEN

MOST_AT_ONCE = 10_000


def decide(
    house: House, caller: Caller, id_: str, how: str, patient: str | None, reason: str, *, whole: bool = False
) -> int:
    """Decide as `how` says: keep, accept, close, or take_for `patient` (CX text); how many findings that were.

    Each is decided by itself: what was decided before one is refused stays so.

    Raises:
        Rejected: NotFound; InvalidRequest, the finding does not admit of it; XDSUnknownPatientId.
    """
    decisions, first = house.imaging.decisions, house.imaging.findings.get(id_)
    ids = [id_]
    if whole and first.study_uid:
        alike = house.imaging.findings.find(state=OPEN, kind=first.kind, study_uid=first.study_uid, limit=MOST_AT_ONCE)
        # Only what names the same patients: another stranger's objects are another decision.
        ids += [one.id for one in alike if one.id != id_ and one.patients == first.patients]
    for one in ids:
        match how:
            case "keep":
                decisions.keep(one, caller, reason)
            case "accept":
                decisions.accept(one, caller, reason)
            case "close":
                decisions.close(one, caller, reason)
            case _:
                decisions.take_for(one, _patient(patient), caller, reason)
    return len(ids)


def _patient(text: str | None) -> str:
    found = canonical(text)
    if found is None:
        words = "is not an identifier with the OID of its authority: 42^^^&1.2.3&ISO"
        raise Rejected.because(ErrorCode.InvalidRequest, "patient id", words, "ITI TF-3, table 4.2.3.1.7-2")
    return found
