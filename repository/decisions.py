"""What people decide about findings, done: each decision is one unit of work with its audit record.

An object that is kept aside goes to quarantine, or is taken in: in place of the held object of its UID, or for the
patient that somebody names, with that patient's demographics laid over it (`repository.corrections`). Bytes are moved
aside only when the decision is durable and no row names them; nothing is deleted.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import structlog

from database import outbox
from database.engine import Database, Unit
from registry.access import Caller
from registry.audit import UPDATE, AuditRecord, audit_write
from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import PatientDetails
from repository.corrections import Corrections, identity
from repository.findings import KEEPS_OBJECT, OPEN, FindingKind, Findings, HeldFinding, Resolution
from repository.fsck import STILL
from repository.imaging import rows
from repository.imaging.arrivals import Arrival
from repository.imaging.demographics import identified
from repository.imaging.ingest import PUBLISH, Ingest
from repository.imaging.packing import read
from repository.imaging.rows import Requests
from repository.imaging.source import ImagingSource
from repository.imaging.tags import Tag
from repository.registrar import Registrar
from repository.store import corrections as store
from repository.store import documents
from repository.store import imaging as index
from repository.store.blobs import BlobStore
from repository.store.corrections import CorrectedStudy

SOURCE = "PS3.4 B.2"


class Decisions:
    """Decides the findings of one source. Every decision raises Rejected for a finding that it does not fit."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        registrar: Registrar[Any],
        source: ImagingSource,
        ingest: Ingest,
        findings: Findings,
        corrections: Corrections,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._registrar = registrar
        self._source = source
        self._ingest = ingest
        self._findings = findings
        self._corrections = corrections
        self._now = now

    def keep(self, id_: str, caller: Caller, reason: str) -> None:
        """What is held stays; the newcomer goes to quarantine, and is refused whenever it is sent again."""

        def work(unit: Unit) -> str:
            finding = self._open(unit, id_)
            self._resolve(unit, finding, Resolution.KEEP, caller, reason)
            return finding.sha256 or ""

        self._put_away(self._database.transact(work))

    def close(self, id_: str, caller: Caller, reason: str) -> None:
        """Seen, and dealt with elsewhere: for findings that keep no object aside."""

        def work(unit: Unit) -> None:
            self._findings.lock(unit, id_)
            finding = self._findings.get(id_, unit)
            if finding.state != OPEN:
                raise _unfit(id_, "it is decided already")
            if finding.kind in KEEPS_OBJECT:
                raise _unfit(id_, "it keeps an object aside: say whether that is to be kept out or taken")
            self._resolve(unit, finding, Resolution.CLOSE, caller, reason)

        self._database.transact(work)

    def accept(self, id_: str, caller: Caller, reason: str) -> None:
        """The newcomer is taken: in place of the held object of its UID, or as one of its study's patient."""
        finding = self._findings.get(id_)
        if finding.kind is FindingKind.UNKNOWN_ISSUER:
            raise _unfit(id_, "its issuer is unknown: say for which patient the object is to be taken")
        with self._arriving(finding) as arrival:
            if finding.kind is FindingKind.TWO_CONTENTS:
                self._database.transact(lambda unit: self._replace(unit, id_, arrival, caller, reason))
            else:
                self._database.transact(lambda unit: self._take(unit, id_, arrival, None, caller, reason))

    def take_for(self, id_: str, patient_id: str, caller: Caller, reason: str) -> None:
        """The newcomer is taken for a patient (canonical CX text), who must be the one of its study, if that is held.

        Raises:
            Rejected: also XDSUnknownPatientId.
        """
        finding = self._findings.get(id_)
        if finding.kind is FindingKind.TWO_CONTENTS:
            raise _unfit(id_, "the object of its UID has a patient: accept the newcomer in its place, or keep it out")
        with self._arriving(finding) as arrival:
            self._database.transact(lambda unit: self._take(unit, id_, arrival, patient_id, caller, reason))

    def _take(
        self, unit: Unit, id_: str, arrival: Arrival, patient_id: str | None, caller: Caller, reason: str
    ) -> None:
        source, uid = self._source.retrieve_location_uid, arrival.study_uid
        index.lock(unit, source, (uid,))
        finding, study = self._open(unit, id_), store.get(unit.rows, uid, source)
        patient = self._patient(unit, finding, study, patient_id)
        row = arrival.row | {"patient_id": patient}
        taken = replace(arrival, patient=PatientDetails(patient), row=row, doubt=None)
        self._ingest.admit(unit, taken, caller)
        if study:
            overlay = self._corrections.overlay_of_study(unit, uid) | identity(read(study.attributes))
        else:
            # The number alone is in doubt: the name and the dates are those that the object brought.
            overlay = {**identified(Cx.parse(patient)), str(Tag.ISSUER_OF_PATIENT_ID): {"vr": "LO"}}
        whose = study.patient_id if study else patient
        self._corrections.lay(unit, uid, overlay, whose, caller, reason, stated=None if study else arrival.stated)
        how = Resolution.TAKE_FOR if patient_id else Resolution.ACCEPT
        self._resolve(unit, finding, how, caller, reason)

    def _patient(self, unit: Unit, finding: HeldFinding, study: CorrectedStudy | None, named: str | None) -> str:
        """Whom an object is taken for."""
        held_for = study.patient_id if study else None
        if study and held_for is None:
            raise _unfit(finding.id, "its study names no patient: correct the study's demographics first")
        patient = named or held_for
        if patient is None:
            raise _unfit(finding.id, "its study is not held any more: say for which patient it is to be taken")
        wrong = self._registrar.unknown_patients(unit, (patient,)) if named else {}
        if wrong:
            raise Rejected(wrong.values())
        ends = self._registrar.survivors(unit, [one for one in (patient, held_for) if one])
        if held_for and ends.get(patient, patient) != ends.get(held_for, held_for):
            raise _unfit(finding.id, "its study is held for another patient: correct the study's demographics first")
        return patient

    def _replace(self, unit: Unit, id_: str, arrival: Arrival, caller: Caller, reason: str) -> None:
        """Put an object in the place of the held one of its UID, whose bytes are kept aside in turn."""
        source, uid = self._source.retrieve_location_uid, arrival.found.sop_instance_uid
        index.lock(unit, source, (arrival.study_uid,))
        finding, study = self._open(unit, id_), store.get(unit.rows, arrival.study_uid, source)
        held = unit.rows(store.HELD_OBJECT, b_uid=uid, b_source=source)
        if not study or not held or held[0][:2] != (arrival.study_uid, arrival.found.series_instance_uid):
            raise _unfit(id_, "the held object of its UID is of another study or series: it can only be kept out")
        if not self._is_of(unit, finding, study):
            raise _unfit(id_, "it names another patient than its study is held for: it can only be kept out")
        before, size = str(held[0][2]), int(held[0][3])
        unit.execute(
            store.REPLACE_INSTANCE,
            b_uid=uid,
            b_source=source,
            **{f"new_{name}": arrival.row[name] for name in store.REPLACED_COLUMNS},
        )
        self._grown(unit, arrival.study_uid, study, caller)
        self._resolve(unit, finding, Resolution.ACCEPT, caller, reason)
        old = self._findings.add(
            unit,
            FindingKind.TWO_CONTENTS,
            text=f"replaced by the object with SHA-256 {arrival.incoming.sha256}",
            patient_ids=finding.patients,
            study_uid=arrival.study_uid,
            object_uid=uid,
            sha256=before,
            size=size,
        )
        self._findings.resolve(unit, old, Resolution.REPLACED, by=caller.name, reason=reason, keeps=True)

    def _is_of(self, unit: Unit, finding: HeldFinding, study: CorrectedStudy) -> bool:
        """Whether the finding is about the study's patient alone, or whom the study's objects name."""
        stated = study.stated_patient_id if study.correction is not None else None
        named = [one for one in finding.patients if one != stated]
        ends = self._registrar.survivors(unit, sorted({*named, study.patient_id or ""} - {""}))
        return {ends.get(one, one) for one in named} <= {ends.get(study.patient_id or "", study.patient_id)}

    def _grown(self, unit: Unit, study_uid: str, study: CorrectedStudy, caller: Caller) -> None:
        """The study is not what it was: its next manifest takes the place of the last."""
        source, now = self._source.retrieve_location_uid, self._now()
        unit.execute(store.CHANGED, b_uid=study_uid, b_source=source, now=now)
        patient = PatientDetails(study.patient_id) if study.patient_id else None
        bare = rows.study_only(read(study.attributes), self._source, patient, Requests.parse(study.requests))
        self._registrar.touch_study(unit, bare, rows.modalities_of(study.modalities), caller)
        if self._source.automatic and patient:
            payload = {"study_uid": study_uid, "source": source}
            outbox.put(unit, PUBLISH, f"{study_uid}|{source}", payload, due=now, now=now)

    def _open(self, unit: Unit, id_: str) -> HeldFinding:
        """A finding that an object is kept aside for, locked: an open one, or one whose object was replaced."""
        self._findings.lock(unit, id_)
        finding = self._findings.get(id_, unit)
        if not finding.kept:
            state = "is decided already" if finding.state != OPEN else "keeps no object aside: it can only be closed"
            raise _unfit(id_, f"it {state}")
        return finding

    def _resolve(self, unit: Unit, finding: HeldFinding, how: Resolution, caller: Caller, reason: str) -> None:
        if not reason.strip():
            raise Rejected.because(ErrorCode.InvalidRequest, finding.id, "a decision must say why it is made", SOURCE)
        self._findings.resolve(unit, finding.id, how, by=caller.name, reason=reason)
        objects = tuple(uid for uid in (finding.study_uid, finding.object_uid) if uid)
        patients = tuple(one for one in finding.patients if "&" in one)
        record = AuditRecord(caller, UPDATE, patients, objects, count=1, detail=f"finding {finding.id}: {how.name}")
        audit_write(unit, record, self._now())

    @contextmanager
    def _arriving(self, finding: HeldFinding) -> Iterator[Arrival]:
        """The object that a finding keeps aside, as if it came now."""
        if not finding.kept or finding.sha256 is None:
            raise _unfit(finding.id, "it keeps no object aside, or is decided already")
        try:
            file = self._blobs.open(finding.sha256)
        except KeyError:
            text = "the object's bytes are damaged and set aside; sending it again mends it"
            raise Rejected.because(ErrorCode.XDSRepositoryError, finding.id, text, SOURCE) from None
        with file:
            arrival = self._ingest.again(iter(lambda: file.read(1 << 18), b""))
        try:
            yield arrival
        finally:
            self._ingest.forget(arrival)

    def _put_away(self, sha256: str) -> None:
        """Move bytes to quarantine, unless a row names them; what is left over after a crash, `fsck` finds."""

        def work(unit: Unit) -> None:
            documents.lock_bytes(unit, [sha256])
            if not any(unit.rows(statement, hashes=[sha256]) for statement in STILL):
                self._blobs.set_aside(sha256)

        try:
            self._database.transact(work)
        except KeyError:
            structlog.get_logger(__name__).warning("the bytes that a finding kept were gone already", sha256=sha256)


def _unfit(id_: str, text: str) -> Rejected:
    return Rejected.because(ErrorCode.InvalidRequest, id_, text, SOURCE)
