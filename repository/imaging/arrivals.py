"""Arriving objects, and what is to become of each, given what is held: pure values and one pure function."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import groupby
from types import MappingProxyType

from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import PatientDetails
from repository.findings import FindingKind, finding_id
from repository.imaging import rows
from repository.imaging.scanner import DicomObject
from repository.imaging.tags import Tag
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
class Note:
    """A rejection note: its code, and the (study, series, instance) UIDs that it names."""

    code: str
    rejects: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object that has been received and scanned. `found` has only the JSON of its study and series.

    `doubt` is what the issuer of its Patient ID lacks, if it is none of this affinity domain; `note` is what it says
    as a rejection note.
    """

    place: int
    incoming: Incoming
    found: DicomObject
    patient: PatientDetails | None
    row: rows.Row
    doubt: Finding | None = None
    note: Note | None = None

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self.found.study_instance_uid

    @property
    def studies(self) -> frozenset[str]:
        """The UIDs of the studies that it changes."""
        return frozenset(
            {self.study_uid, *(study for study, _, _ in self.note.rejects)} if self.note else {self.study_uid}
        )

    @property
    def patient_id(self) -> str | None:
        """Canonical CX text."""
        return self.patient.patient_id if self.patient else None

    @property
    def stated(self) -> str | None:
        """Whom the object names: `patient_id`, or its number and issuer as they stand where that is nobody's."""
        if not self.doubt or self.patient_id:
            return self.patient_id
        return f"{self.found.text(Tag.PATIENT_ID)}^^^{self.found.text(Tag.ISSUER_OF_PATIENT_ID)}"

    def outcome(self, finding: Finding | None) -> Outcome:
        """The outcome, by the object's own names."""
        found = self.found
        return Outcome(found.sop_class_uid, found.sop_instance_uid, self.study_uid, finding, found.series_instance_uid)


class Held(Enum):
    """Why an object needs no refusal: it is new, or these very bytes are held already."""

    NEW = auto()
    SAME = auto()


@dataclass(frozen=True, slots=True)
class Aside:
    """Why an object is kept where no question looks, until people decide on it; `held_for` is whose the study is."""

    kind: FindingKind
    finding: Finding
    held_for: str | None = None

    def id_for(self, arrival: Arrival) -> str:
        """The id of the object's finding."""
        return finding_id(self.kind, arrival.study_uid, self.finding.where, arrival.incoming.sha256)

    def told(self, arrival: Arrival) -> Finding:
        """What its sender is told. Nobody is told whose the study is."""
        text = f"{self.finding.text}; it is kept aside as finding {self.id_for(arrival)} and shown to nobody"
        return replace(self.finding, text=text)


Verdict = Held | Finding | Aside


def told(arrival: Arrival, verdict: Verdict) -> Finding | None:
    """What the sender is told of an object; None where it is held."""
    match verdict:
        case Held():
            return None
        case Aside():
            return verdict.told(arrival)
        case Finding():
            return verdict


def as_corrected(arrival: Arrival, known: Known) -> Arrival:
    """The arrival as its study's demographics are corrected, if they are: the patient's by them, whoever it names."""
    study = known.studies.get(arrival.study_uid)
    if study is None or study.correction is None:
        return arrival
    patient = PatientDetails(study.patient_id) if study.patient_id else None
    return replace(
        arrival, patient=patient, row=arrival.row | {"patient_id": study.patient_id, "correction": study.correction}
    )


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

    hashes = {uid: instance.sha256 for uid, instance in known.instances.items()}
    patients = {uid: study.patient_id for uid, study in known.studies.items()}
    verdicts: list[Verdict] = []
    for arrival in batch:
        uid, sha256 = arrival.found.sop_instance_uid, arrival.incoming.sha256
        study = known.studies.get(arrival.study_uid)
        # A correction says whose the objects are that name this patient.
        corrected = study is not None and study.correction is not None and study.stated_patient_id == arrival.stated
        if hashes.get(uid) == sha256:
            verdicts.append(Held.SAME)
        elif uid in hashes:
            text = f"the SOP Instance UID is held with other bytes: sent SHA-256 {sha256}, held {hashes[uid]}"
            finding = Finding(ErrorCode.DicomConflict, uid, text, "PS3.5 9")
            verdicts.append(Aside(FindingKind.TWO_CONTENTS, finding, patients.get(arrival.study_uid)))
        elif arrival.doubt and not corrected:
            verdicts.append(Aside(FindingKind.UNKNOWN_ISSUER, arrival.doubt))
        elif not corrected and (refusal := unknown.get(arrival.patient_id or "")):
            verdicts.append(replace(refusal, where=uid))
        elif not corrected and whose(patients.setdefault(arrival.study_uid, arrival.patient_id)) != whose(
            arrival.patient_id
        ):
            verdicts.append(_of_another(arrival, patients[arrival.study_uid]))
        else:
            hashes[uid] = sha256
            verdicts.append(Held.NEW)
    return verdicts


def _of_another(arrival: Arrival, held_for: str | None) -> Aside:
    named = (arrival.patient_id, held_for)
    numbers = {Cx.parse(one).value for one in named if one}
    same_number = all(named) and len(numbers) == 1
    text = f"the study {arrival.study_uid} is held for another patient than the object names"
    finding = Finding(ErrorCode.DicomConflict, arrival.found.sop_instance_uid, text, "PS3.3 A.1.2, C.7.1.1")
    return Aside(FindingKind.OTHER_ISSUER if same_number else FindingKind.TWO_PATIENTS, finding, held_for)


def by_study(arrivals: Iterable[Arrival]) -> Iterator[list[Arrival]]:
    """The arrivals of each study, in the order of their UIDs."""
    ordered = sorted(arrivals, key=lambda a: (a.study_uid, a.place))
    return (list(group) for _, group in groupby(ordered, key=lambda a: a.study_uid))
