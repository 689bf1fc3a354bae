"""A submission made ready for the unit of work that registers it."""

from dataclasses import dataclass

from registry.metadata.model import PatientDetails, Submission
from registry.store import registration


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission as sent, as it will be stored (`ready`), and its rows; `now` is seconds since 1970."""

    submission: Submission
    ready: Submission
    patient: PatientDetails
    fhir_id: str
    now: float
    rows: registration.Rows
