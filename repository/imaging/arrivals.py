"""Arriving objects, and what is to become of each, given what is held: pure values and one pure function."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import groupby
from types import MappingProxyType

from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import PatientDetails
from repository.imaging import rows
from repository.imaging.scanner import DicomObject
from repository.store.blobs import Incoming
from repository.store.imaging import Known


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object. UIDs are empty as far as it could not be read; `finding` is None when it is held."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    finding: Finding | None = None
    series_uid: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object that has been received and scanned. `found` has only the JSON of its study and series."""

    place: int
    incoming: Incoming
    found: DicomObject
    patient: PatientDetails | None
    row: rows.Row

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self.found.study_instance_uid

    @property
    def patient_id(self) -> str | None:
        """Canonical CX text."""
        return self.patient.patient_id if self.patient else None

    def outcome(self, finding: Finding | None) -> Outcome:
        """The outcome, by the object's own names."""
        found = self.found
        return Outcome(found.sop_class_uid, found.sop_instance_uid, self.study_uid, finding, found.series_instance_uid)


class Held(Enum):
    """Why an object needs no refusal: it is new, or these very bytes are held already."""

    NEW = auto()
    SAME = auto()


Verdict = Held | Finding


def judge(
    batch: Iterable[Arrival],
    known: Known,
    unknown: Mapping[str, Finding] = MappingProxyType({}),
    survivors: Mapping[str, str] = MappingProxyType({}),
) -> list[Verdict]:
    """What is to become of each object, given what is held; the earlier ones of the batch count as held.

    `unknown` are patients for whom nothing may be kept and why, `survivors` whom merged patients are now.
    """

    def whose(patient_id: str | None) -> str | None:
        return survivors.get(patient_id or "", patient_id)

    patients = {uid: whose(study.patient_id) for uid, study in known.studies.items()}
    hashes = {uid: instance.sha256 for uid, instance in known.instances.items()}
    verdicts: list[Verdict] = []
    for arrival in batch:
        uid, sha256 = arrival.found.sop_instance_uid, arrival.incoming.sha256
        if hashes.get(uid) == sha256:
            verdicts.append(Held.SAME)
        elif uid in hashes:
            text = f"the SOP Instance UID is held with other bytes: sent SHA-256 {sha256}, held {hashes[uid]}"
            verdicts.append(Finding(ErrorCode.DicomConflict, uid, text, "PS3.5 9"))
        elif refusal := unknown.get(arrival.patient_id or ""):
            verdicts.append(replace(refusal, where=uid))
        elif patients.setdefault(arrival.study_uid, whose(arrival.patient_id)) != whose(arrival.patient_id):
            # Nobody is told whose the study is.
            text = f"the study {arrival.study_uid} is held for another patient than the object names"
            verdicts.append(Finding(ErrorCode.DicomConflict, uid, text, "PS3.3 A.1.2"))
        else:
            hashes[uid] = sha256
            verdicts.append(Held.NEW)
    return verdicts


def by_study(arrivals: Iterable[Arrival]) -> Iterator[list[Arrival]]:
    """The arrivals of each study, in the order of their UIDs."""
    ordered = sorted(arrivals, key=lambda a: (a.study_uid, a.place))
    return (list(group) for _, group in groupby(ordered, key=lambda a: a.study_uid))
