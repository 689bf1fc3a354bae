"""What an identity feed tells: patients added or revised, merged, unmerged (ITI TF-2, 3.8 and 3.44), and doing it."""

from dataclasses import dataclass

from database.engine import Unit
from registry import lifecycle, merges, patients
from registry.access import Caller
from registry.audit import CREATE, UPDATE, AuditRecord, audit_write
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.model import PatientDetails
from registry.patients import Admission, Told
from registry.renderers import Renderers


@dataclass(frozen=True, slots=True)
class Tell:
    """Patients as they are known now; one who is not known yet is added, whether the sender calls it new or revised."""

    patients: tuple[Told, ...]
    revises: bool = False


@dataclass(frozen=True, slots=True)
class Merge:
    """The subsumed ids (canonical CX texts) are the survivor's from now on."""

    survivor: Told
    subsumed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unmerge:
    """Two ids that were merged are two patients again; which of them survived need not be told."""

    one: str
    other: str


Change = Tell | Merge | Unmerge


def ids_of(change: Change) -> tuple[str, ...]:
    """All patient ids that a change names."""
    match change:
        case Tell():
            return tuple(told.patient.patient_id for told in change.patients)
        case Merge():
            return (change.survivor.patient.patient_id, *change.subsumed)
        case Unmerge():
            return (change.one, change.other)


def apply(unit: Unit, change: Change, admission: Admission, renderers: Renderers, caller: Caller, now: float) -> None:
    """Do what a feed tells, all of it or nothing, with its audit record.

    Raises:
        Rejected: see `registry.service.Registry.identify`.
    """
    ids = ids_of(change)
    foreign = [lifecycle.unknown_authority(patient, admission.authorities) for patient in ids]
    if any(foreign):
        raise Rejected(finding for finding in foreign if finding)
    match change:
        case Tell():
            unit.lock(*ids)
            for told in change.patients:
                patients.tell(unit, told, renderers, now)
            _audited(unit, caller, UPDATE if change.revises else CREATE, "told", ids, now)
        case Merge():
            _merge(unit, change, admission, renderers, now)
            _audited(unit, caller, UPDATE, "merged", ids, now)
        case Unmerge():
            merges.lock(unit, *ids)
            merges.unmerge(unit, change.one, change.other, renderers, now)
            _audited(unit, caller, UPDATE, "unmerged", ids, now)


def _merge(unit: Unit, change: Merge, admission: Admission, renderers: Renderers, now: float) -> None:
    survivor = change.survivor.patient.patient_id
    merges.lock(unit, survivor, *change.subsumed)
    if admission.fed_only:
        unknown = patients.not_told_of(unit, ids_of(change))
        if unknown:
            raise Rejected(
                Finding(
                    ErrorCode.XDSUnknownPatientId,
                    patient,
                    "no feed told of this patient before it was to be merged",
                    merges.MERGING,
                )
                for patient in unknown
            )
    patients.tell(unit, change.survivor, renderers, now)
    for subsumed in change.subsumed:
        patients.tell(unit, Told(PatientDetails(subsumed)), renderers, now)
        merges.merge(unit, survivor, subsumed, renderers, now)


def _audited(unit: Unit, caller: Caller, action: str, detail: str, ids: tuple[str, ...], now: float) -> None:
    audit_write(unit, AuditRecord(caller, action, ids, (), detail=detail), now)
