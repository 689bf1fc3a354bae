"""Objects into the index: received, scanned, judged, kept, and only then named by rows (PS3.18 10.5, PS3.4 B.2).

A long request is worked through in batches, each of them durable before the next: what is acknowledged is on disk
with its rows, its outbox job and its audit record. The same object again is a success that changes nothing; an object
that contradicts what is held, or whose patient is not sure, is kept aside for people to decide on, and what is held
stays as it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from database import outbox
from database.engine import Conflict, Database, Unit
from registry.access import Caller
from registry.audit import CREATE, AuditRecord, audit_write
from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.model import PatientDetails
from repository.findings import Findings
from repository.imaging import rows
from repository.imaging.arrivals import (
    Arrival,
    Aside,
    Held,
    Outcome,
    Verdict,
    as_corrected,
    by_study,
    judge,
    told,
)
from repository.imaging.aside import Asides
from repository.imaging.describe import patient_details
from repository.imaging.packing import read
from repository.imaging.part10 import is_uid, read_file_meta
from repository.imaging.rows import Requests
from repository.imaging.scanner import DicomObject, scan
from repository.imaging.source import ImagingSource
from repository.imaging.tags import Tag
from repository.registrar import Registrar
from repository.rejection import Rejections, note_of
from repository.rejection_effects import Effects
from repository.rejection_policy import Policies
from repository.sources import note_sources
from repository.store import corrections
from repository.store import imaging as index
from repository.store.blobs import BlobStore, Incoming
from repository.store.imaging import Growth, Known, KnownStudy

BATCH_OBJECTS = 64
BATCH_BYTES = 64 << 20
PUBLISH = "publish-study"
STORING = "PS3.18 10.5"
MINOR_FAILURE = 4


class Ingest:
    """One source's intake."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        registrar: Registrar[Any],
        source: ImagingSource,
        now: Callable[[], float],
        policies: Policies,
    ) -> None:
        effects = Effects(registrar, source, policies)
        self._rejections = Rejections(blobs, source.retrieve_location_uid, policies, effects)
        self._findings = Findings(database, now)
        self._asides = Asides(database, self._findings)
        self._database = database
        self._blobs = blobs
        self._registrar = registrar
        self._source = source
        self._now = now

    def store(
        self, objects: Iterable[Iterable[bytes]], caller: Caller, study_uid: str | None, authority: str = ""
    ) -> list[Outcome]:
        """See `ImagingRepository.store`."""
        outcomes: dict[int, Outcome] = {}
        batch: list[Arrival] = []
        refused: list[Outcome] = []
        try:
            for place, chunks in enumerate(objects):
                arrival = self._receive(place, chunks, study_uid, authority)
                if isinstance(arrival, Outcome):
                    outcomes[place] = arrival
                    refused.append(arrival)
                else:
                    batch.append(arrival)
                if len(batch) + len(refused) >= BATCH_OBJECTS or sum(a.incoming.size for a in batch) >= BATCH_BYTES:
                    outcomes |= self._settle(batch, refused, caller)
                    batch, refused = [], []
            if batch or refused:
                outcomes |= self._settle(batch, refused, caller)
        finally:
            self._blobs.discard(*(arrival.incoming for arrival in batch))
        return [outcomes[place] for place in sorted(outcomes)]

    def _receive(self, place: int, chunks: Iterable[bytes], study_uid: str | None, authority: str) -> Arrival | Outcome:
        """Take in one object and look at it by itself; a refused one leaves nothing behind."""
        incoming = self._blobs.receive(chunks, sha1=False)
        try:
            with incoming.open() as file:
                found = scan(file, incoming.size)
            arrival = self._arrival(place, incoming, found, authority)
            finding = self._problem(arrival, study_uid)
        except Rejected as rejected:
            sop_class, sop_instance = _named(incoming)
            self._blobs.discard(incoming)
            return Outcome(sop_class, sop_instance, study_uid or "", _summary(place, rejected))
        except BaseException:
            self._blobs.discard(incoming)
            raise
        if finding:
            self._blobs.discard(incoming)
            return arrival.outcome(finding)
        return arrival

    def _arrival(self, place: int, incoming: Incoming, found: DicomObject, authority: str) -> Arrival:
        patient = None
        if found.text(Tag.PATIENT_ID):
            issuer = found.text(Tag.ISSUER_OF_PATIENT_ID)
            known = authority if authority and not issuer else self._source.authority_of(issuer)
            patient = patient_details(found.json, authority=known)
        row = rows.instance_row(
            found,
            self._source.retrieve_location_uid,
            patient.patient_id if patient else None,
            incoming.sha256,
            incoming.size,
            self._now(),
        )
        doubt = self._doubt(found.sop_instance_uid, patient)
        return Arrival(
            place, incoming, replace(found, json=rows.header(found.json)), patient, row, doubt, note_of(found)
        )

    def _problem(self, arrival: Arrival, study_uid: str | None) -> Finding | None:
        """What keeps an object out, whatever is held."""
        where = arrival.found.sop_instance_uid
        if study_uid is not None and arrival.study_uid != study_uid:
            text = "the object belongs to another study than the one that it was sent to"
            return Finding(ErrorCode.InvalidRequest, where, text, STORING)
        return None

    def _doubt(self, where: str, patient: PatientDetails | None) -> Finding | None:
        """What keeps a Patient ID from naming anybody here."""
        if patient is None:
            return None
        if not patient.patient_id:
            text = "the Patient ID holds a ^, or its issuer is a name that `patient_issuers` does not map to an OID"
            return Finding(ErrorCode.XDSUnknownPatientId, where, text, "ITI TF-3, table 4.2.3.1.7-2; PS3.3 C.7.1.1")
        if Cx.parse(patient.patient_id).authority not in self._source.patient_authorities:
            text = "the Issuer of Patient ID is none of the authorities that this affinity domain names"
            return Finding(ErrorCode.XDSUnknownPatientId, where, text, "PS3.3 C.7.1.1; ITI TF-1, 10.4.8")
        return None

    def _settle(self, batch: Sequence[Arrival], refused: Sequence[Outcome], caller: Caller) -> dict[int, Outcome]:
        """Keep what can be kept of a batch, durably, and say what became of each object."""
        first = self._judged(self._database, batch, self._known(self._database.rows, batch))
        # Bytes that are held already are given again: the store writes them only if it has lost them.
        self._blobs.keep(*(a.incoming for a, verdict in zip(batch, first, strict=True) if self._needs(a, verdict)))
        self._blobs.discard(*(a.incoming for a in batch))
        try:
            verdicts = self._database.transact(lambda unit: self._write(unit, batch, first, refused, caller))
        except Conflict:
            # The same object came in another study, under another lock, at the same instant: now it is known.
            verdicts = self._database.transact(lambda unit: self._write(unit, batch, first, refused, caller))
        outcomes = {a.place: a.outcome(told(a, verdict)) for a, verdict in zip(batch, verdicts, strict=True)}
        for outcome in (*refused, *outcomes.values()):
            if outcome.finding:
                structlog.get_logger(__name__).warning("object refused", code=outcome.finding.code.name)
        return outcomes

    def _needs(self, arrival: Arrival, verdict: Verdict) -> bool:
        """Whether the object's bytes are kept for this verdict."""
        return isinstance(verdict, Held) or (isinstance(verdict, Aside) and self._asides.keeps(arrival, verdict))

    def _write(
        self,
        unit: Unit,
        batch: Sequence[Arrival],
        first: Sequence[Verdict],
        refused: Sequence[Outcome],
        caller: Caller,
    ) -> list[Verdict]:
        """Rows, registry, outbox and audit of one batch; judged again, for another may have written meanwhile.

        What was refused at `first`, so that its bytes were not kept, stays so, whatever would speak for it now.
        """
        now, source = self._now(), self._source.retrieve_location_uid
        index.lock(unit, source, (uid for a in batch for uid in a.studies))
        known = self._known(unit.rows, batch)
        verdicts = [
            now_ if self._needs(a, then) or not self._needs(a, now_) else then
            for a, then, now_ in zip(batch, first, self._judged(unit, batch, known), strict=True)
        ]
        verdicts = self._rejections.settled(unit, batch, verdicts, known)
        judged = list(zip(batch, verdicts, strict=True))
        new = [as_corrected(a, known) for a, verdict in judged if verdict is Held.NEW]
        for _, patient in sorted({a.patient_id: a.patient for a in new if a.patient}.items(), key=lambda p: str(p[0])):
            self._registrar.know_patient(unit, patient, caller)
        for arrivals in by_study(new):
            self._add(unit, arrivals, known, caller, now)
        self._rejections.seen(unit, (a for a, verdict in judged if isinstance(verdict, Held)), known, caller, now)
        self._rejections.apply(unit, new, caller, now)
        for arrival, verdict in judged:
            if isinstance(verdict, Aside):
                self._asides.note(unit, arrival, verdict)
        for arrivals in by_study(as_corrected(a, known) for a, verdict in judged if isinstance(verdict, Held)):
            whose = (arrivals[0].patient_id,) if arrivals[0].patient_id else ()
            audit_write(unit, AuditRecord(caller, CREATE, whose, (arrivals[0].study_uid,), 0, len(arrivals)), now)
        faults = [*refused, *(a.outcome(told(a, v)) for a, v in judged if not isinstance(v, Held))]
        if faults:
            audit_write(unit, _refusal(faults, caller), now)
        return verdicts

    def again(self, chunks: Iterable[bytes]) -> Arrival:
        """An object that was kept aside, received and scanned once more; `forget` it when it is dealt with.

        Raises:
            Rejected: see `ImagingRepository.store`.
        """
        incoming = self._blobs.receive(chunks, sha1=False)
        try:
            with incoming.open() as file:
                return self._arrival(0, incoming, scan(file, incoming.size), "")
        except BaseException:
            self._blobs.discard(incoming)
            raise

    def forget(self, arrival: Arrival) -> None:
        """Forget what `again` received."""
        self._blobs.discard(arrival.incoming)

    def admit(self, unit: Unit, arrival: Arrival, caller: Caller) -> None:
        """Index an object, whose blob is durable and whose study is locked, as its patient's, whatever speaks against.

        Raises:
            Rejected: DicomConflict, an object of its UID is held, or was rejected; XDSUnknownPatientId.
        """
        now, known = self._now(), self._known(unit.rows, [arrival])
        uid = arrival.found.sop_instance_uid
        if uid in known.instances:
            raise Rejected.because(ErrorCode.DicomConflict, uid, "an object of this UID is held already", "PS3.5 9")
        if arrival.patient:
            self._registrar.know_patient(unit, arrival.patient, caller)
        self._rejections.admitted(arrival, known)
        taken, now = [as_corrected(arrival, known)], self._now()
        self._add(unit, taken, known, caller, now)
        self._rejections.seen(unit, taken, known, caller, now)
        self._rejections.apply(unit, taken, caller, now)

    def _add(self, unit: Unit, arrivals: Sequence[Arrival], known: Known, caller: Caller, now: float) -> None:
        """The new objects of one study."""
        source, first = self._source, arrivals[0]
        before = known.studies.get(first.study_uid)
        growth = self._growth(arrivals, known, now)
        if before and self._has_corrected_accession(unit, first.study_uid, before):
            of_arrivals, corrected = Requests.parse(growth.requests), Requests.parse(before.requests)
            growth = growth._replace(requests=str(replace(of_arrivals, accessions=corrected.accessions)))
        index.grow(unit, source.retrieve_location_uid, growth, now)
        attributes = before.attributes if before else (growth.new_study or {})["attributes"]
        requests = Requests.parse(growth.requests)
        patient = first.patient
        if before and before.patient_id and before.patient_id != first.patient_id:
            # The two were merged; the study stays its patient's, should they ever be parted again.
            patient = PatientDetails(before.patient_id)
        study = rows.study_only(read(attributes), source, patient, requests)
        if all(a.row["hidden"] for a in arrivals):
            return
        self._registrar.touch_study(unit, study, rows.modalities_of(growth.modalities), caller)
        if before is None:
            note_sources(unit, self._registrar, self._findings, study.uid)
        if source.automatic and first.patient and not all(a.row["withheld"] or a.row["hidden"] for a in arrivals):
            key = f"{study.uid}|{study.source}"
            payload = {"study_uid": study.uid, "source": study.source}
            outbox.put(unit, PUBLISH, key, payload, due=now + source.quiet_seconds, now=now)

    def _has_corrected_accession(self, unit: Unit, study_uid: str, study: KnownStudy) -> bool:
        source, version = self._source.retrieve_location_uid, study.correction
        overlay = corrections.overlay(unit.rows, study_uid, source, version) if version is not None else None
        return overlay is not None and Tag.ACCESSION_NUMBER in read(overlay)

    def _growth(self, arrivals: Sequence[Arrival], known: Known, now: float) -> Growth:
        first, source = arrivals[0], self._source.retrieve_location_uid
        before = known.studies.get(first.study_uid)
        requests = Requests.parse(before.requests) if before else Requests()
        modalities = dict.fromkeys(rows.modalities_of(before.modalities) if before else ())
        new_series = {}
        asked: list[rows.Row] = []
        for arrival in arrivals:
            requests = requests.plus(arrival.found.json)
            if not arrival.row["hidden"]:
                modalities |= dict.fromkeys((arrival.found.text(Tag.MODALITY),))
            uid = arrival.found.series_instance_uid
            if (first.study_uid, uid) not in known.series and uid not in new_series:
                new_series[uid] = rows.series_row(arrival.found, source, arrival.patient_id)
                asked += rows.request_rows(arrival.found, source)
        new_study = None if before else rows.study_row(first.found, source, first.patient, self._source.zone, now)
        return Growth(
            first.study_uid,
            rows.SEPARATOR.join(filter(None, modalities)),
            str(requests),
            new_study,
            tuple(new_series.values()),
            [arrival.row for arrival in arrivals],
            frozenset(uid for (study, uid), shown in known.series.items() if study == first.study_uid and not shown),
            asked,
        )

    def _judged(self, reader: Database | Unit, batch: Sequence[Arrival], known: Known) -> list[Verdict]:
        arriving = {a.patient_id for a in batch if a.patient_id}
        held = {study.patient_id for study in known.studies.values() if study.patient_id}
        unknown = self._registrar.unknown_patients(reader, sorted(arriving)) if arriving else {}
        # Whom a held study is of by now matters only where an object names somebody else.
        others = sorted(arriving | held) if arriving and held - arriving else ()
        survivors = self._registrar.survivors(reader, others) if others else {}
        verdicts = judge(batch, known, unknown, survivors)
        return self._rejections.judged(batch, verdicts, known, lambda one: survivors.get(one or "", one))

    def _known(self, reader: index.Rows, batch: Sequence[Arrival]) -> Known:
        if not batch:
            return Known()
        uids = [(a.study_uid, a.found.series_instance_uid, a.found.sop_instance_uid) for a in batch]
        uids += [named for a in batch if a.note for named in a.note.rejects]
        return index.known(reader, self._source.retrieve_location_uid, uids)


def _refusal(faults: Sequence[Outcome], caller: Caller) -> AuditRecord:
    studies = tuple(sorted({fault.study_uid for fault in faults if fault.study_uid}))
    detail = ",".join(sorted({fault.finding.code.name for fault in faults if fault.finding}))
    return AuditRecord(caller, CREATE, (), studies, MINOR_FAILURE, len(faults), detail)


def _named(incoming: Incoming) -> tuple[str, str]:
    """SOP Class and Instance UID by which the sender knows an object that cannot be read: those of group 2, if any."""
    try:
        with incoming.open() as file:
            meta = read_file_meta(file, incoming.size)
    except Rejected:
        return "", ""
    named = meta.sop_class_uid, meta.sop_instance_uid
    return named if all(map(is_uid, named)) else ("", "")


def _summary(place: int, rejected: Rejected) -> Finding:
    """All findings of one object in one; it is named by its place, counted from 1, for its UID is not sure."""
    first = rejected.findings[0]
    return replace(
        first, where=f"object {place + 1}", text="; ".join(f"{f.where}: {f.text}" for f in rejected.findings)
    )
