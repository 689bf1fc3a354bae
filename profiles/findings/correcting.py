"""A correction from a terminal: of one study, or of all studies of a patient."""

from collections.abc import Mapping

from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.identify import canonical
from repository.imaging.demographics import Change


def correct(
    house: House,
    caller: Caller,
    study_uid: str | None,
    of_patient: str | None,
    asked: Mapping[str, str],
    reason: str,
) -> int:
    """Correct what is asked, fields of `Change` by name; how many studies that were, each by itself.

    Raises:
        Rejected: NotFound; InvalidRequest; XDSUnknownPatientId.
    """
    change = Change(**asked).checked()
    studies = [study_uid] if study_uid else _of_patient(house, of_patient or "")
    for uid in studies:
        house.imaging.corrections.correct(uid, change, caller, reason)
    return len(studies)


def _of_patient(house: House, text: str) -> list[str]:
    patient = canonical(text)
    found = house.imaging.corrections.studies_of(patient) if patient else []
    if not found:
        raise Rejected.because(ErrorCode.NotFound, "patient", "no study of this patient is held here", "PS3.3 C.7.1.1")
    return found
