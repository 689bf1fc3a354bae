"""Rejection notes carried out: what they name is hidden, whenever it comes (IOCM: RAD TF-2, 4.66; TF-3, key images).

A note is a key object selection document, told from manifests and key images by its title alone. Notes and objects
come in any order and any number of times; what was rejected is never shown again because somebody sends it again. The
note is kept as evidence, hidden too. The units of work here hold the studies' locks.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from database.engine import Unit
from registry.access import Caller
from registry.audit import UPDATE, AuditRecord, audit_write
from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.imaging import attributes
from repository.imaging.arrivals import Arrival, Held, Note, Verdict
from repository.imaging.codes import REJECTION_CODES, Kind
from repository.imaging.kos_reader import manifest_of
from repository.imaging.rows import title_kind
from repository.imaging.scanner import DicomObject
from repository.imaging.tags import Tag
from repository.rejection_effects import Effects
from repository.rejection_policy import EXPIRED, MEANINGS, Policies, Resent
from repository.store import documents
from repository.store import rejections as store
from repository.store.blobs import BlobStore, is_whole
from repository.store.imaging import Known, KnownRejection
from repository.store.rejections import MarkedInstance, Tombstone

SOURCE = "RAD TF-2, 4.66; PS3.16 CID 7011"
Whose = Callable[[str | None], str | None]


def note_of(found: DicomObject) -> Note | None:
    """The rejection note that a scanned object, with its whole data set, is; None if it is none."""
    if title_kind(found) is not Kind.REJECTION:
        return None
    title = attributes.code(found.json, Tag.CONCEPT_NAME_CODE_SEQUENCE)
    code = title.code if title and title.code in REJECTION_CODES else ""
    named = (
        (study.uid, series.uid, one.sop_instance_uid)
        for study in manifest_of(found).studies
        for series in study.series
        for one in series.instances
    )
    return Note(code, tuple(dict.fromkeys(named)))


class Rejections:
    """What one source's intake does about rejection."""

    def __init__(self, blobs: BlobStore, source_uid: str, policies: Policies, effects: Effects) -> None:
        self._blobs = blobs
        self._source = source_uid
        self._policies = policies
        self._effects = effects

    def judged(
        self, batch: Sequence[Arrival], verdicts: Sequence[Verdict], known: Known, whose: Whose
    ) -> list[Verdict]:
        """The verdicts, with regard to what was rejected before; the rows of what stays hidden say so.

        `whose` is who a patient id, which may have been merged into another, is now.
        """
        return [self._judged(arrival, verdict, known, whose) for arrival, verdict in zip(batch, verdicts, strict=True)]

    def settled(self, unit: Unit, batch: Sequence[Arrival], verdicts: Sequence[Verdict], known: Known) -> list[Verdict]:
        """The verdicts, but for rejected objects that come again while their bytes are being deleted."""
        returning = [a for a in batch if self._was_here(a, known)]
        if not returning:
            return list(verdicts)
        documents.lock_bytes(unit, [a.incoming.sha256 for a in returning])
        lost = {a.place for a in returning if not is_whole(self._blobs, a.incoming.sha256, a.incoming.size)}
        return [
            _busy(arrival) if arrival.place in lost and isinstance(verdict, Held) else verdict
            for arrival, verdict in zip(batch, verdicts, strict=True)
        ]

    def admitted(self, arrival: Arrival, known: Known) -> None:
        """Make the row of an object that people let in say so, if it stays hidden nevertheless.

        Raises:
            Rejected: DicomRejected; or it is a rejection note that cannot be followed.
        """
        verdict = self._judged(arrival, Held.NEW, known, lambda patient: patient)
        if isinstance(verdict, Finding):
            raise Rejected([verdict])

    def apply(self, unit: Unit, arrivals: Iterable[Arrival], caller: Caller, now: float) -> None:
        """Do what the notes among the new `arrivals` say; all rows of theirs are there."""
        for arrival in arrivals:
            if arrival.note:
                self._reject(unit, arrival.note, arrival.found.sop_instance_uid, caller, now)
                if arrival.note.code == EXPIRED:
                    self._let_go(unit, arrival, now)

    def seen(self, unit: Unit, arrivals: Iterable[Arrival], known: Known, caller: Caller, now: float) -> None:
        """Take down which of the arrivals, new or held already, were waited for by tombstones; restore what may be."""

        def kind(arrival: Arrival) -> tuple[str, str]:
            uid = arrival.found.sop_instance_uid
            return arrival.study_uid, known.rejections[arrival.study_uid, uid].code

        wanted = [a for a in arrivals if (a.study_uid, a.found.sop_instance_uid) in known.rejections]
        for (study_uid, code), group in groupby(sorted(wanted, key=kind), key=kind):
            members = list(group)
            uids = [a.found.sop_instance_uid for a in members]
            where = {"b_study": study_uid, "b_source": self._source}
            unit.execute(store.SEEN, uids=uids, again=self._policies.of(code).due(now), **where)
            restored = [a for a in members if self._restores(known.rejections[study_uid, a.found.sop_instance_uid])]
            if restored:
                uids = [a.found.sop_instance_uid for a in restored]
                unit.execute(store.FORGET, uids=uids, **where)
                unit.execute(store.SHOW, uids=uids, **where)
                self._effects.changed(unit, study_uid, {a.found.series_instance_uid for a in restored}, "", caller, now)

    def _judged(self, arrival: Arrival, verdict: Verdict, known: Known, whose: Whose) -> Verdict:
        tombstone = known.rejections.get((arrival.study_uid, arrival.found.sop_instance_uid))
        if arrival.note:
            if verdict is not Held.NEW:
                return verdict
            gone = tombstone is not None and tombstone.seen
            return _refused(arrival, EXPIRED) if gone else _problem_of(arrival, arrival.note, known, whose) or verdict
        # What an earlier look said may not be so any more.
        arrival.row.update(rejected=None, hidden=0)
        if tombstone is None or not isinstance(verdict, Held):
            return verdict
        policy = self._policies.of(tombstone.code)
        if tombstone.seen and tombstone.hidden and policy.resent is Resent.REFUSE:
            return _refused(arrival, tombstone.code)
        if not self._restores(tombstone):
            arrival.row.update(rejected=tombstone.code, hidden=int(tombstone.hidden))
        return verdict

    def _restores(self, tombstone: KnownRejection) -> bool:
        return tombstone.seen and self._policies.of(tombstone.code).resent is Resent.RESTORE

    def _was_here(self, arrival: Arrival, known: Known) -> bool:
        found = known.rejections.get((arrival.study_uid, arrival.found.sop_instance_uid))
        return found is not None and found.seen

    def _reject(self, unit: Unit, note: Note, note_uid: str, caller: Caller, now: float) -> None:
        policy = self._policies.of(note.code)
        for study_uid, group in groupby(sorted(note.rejects), key=lambda named: named[0]):
            named = {uid: series_uid for _, series_uid, uid in group}
            before = store.find(unit.rows, self._source, study_uid, named)
            held = {one.uid: one for one in store.held(unit.rows, self._source, study_uid, named)}
            fresh = [
                Tombstone(
                    uid,
                    self._source,
                    held[uid].series_uid if uid in held else series_uid,
                    study_uid,
                    note.code,
                    note_uid,
                    int(policy.hide),
                    int(uid in held or (uid in before and bool(before[uid].seen))),
                    now,
                    policy.due(now),
                )
                for uid, series_uid in named.items()
                if uid not in before or (policy.overwrites and before[uid].code != note.code)
            ]
            store.write(unit, fresh)
            marked = [held[one.uid] for one in fresh if one.uid in held]
            where = {"b_study": study_uid, "b_source": self._source}
            unit.execute(store.MARK, uids=[one.uid for one in marked], code=note.code, hide=int(policy.hide), **where)
            self._audit(unit, note, note_uid, study_uid, marked, caller, now)
            if marked:
                self._effects.changed(unit, study_uid, {one.series_uid for one in marked}, note.code, caller, now)

    def _let_go(self, unit: Unit, arrival: Arrival, now: float) -> None:
        """A note that lets a study go names its patient, and goes with the objects."""
        found, due = arrival.found, self._policies.of(EXPIRED).due(now)
        uid, series_uid = found.sop_instance_uid, found.series_instance_uid
        store.write(unit, [Tombstone(uid, self._source, series_uid, arrival.study_uid, EXPIRED, uid, 1, 1, now, due)])

    def _audit(
        self,
        unit: Unit,
        note: Note,
        note_uid: str,
        study_uid: str,
        marked: Sequence[MarkedInstance],
        caller: Caller,
        now: float,
    ) -> None:
        owners = tuple(sorted({one.patient_id for one in marked if one.patient_id}))
        detail = f"rejected: {note.code}"
        audit_write(unit, AuditRecord(caller, UPDATE, owners, (study_uid, note_uid), 0, len(marked), detail), now)


def words(uid: str, code: str) -> str:
    """Why a rejected object is not given."""
    return f"the object {uid} was rejected and is not given: {MEANINGS.get(code, 'rejected')} ({code}, DCM)"


def _problem_of(arrival: Arrival, note: Note, known: Known, whose: Whose) -> Finding | None:
    """What keeps a note from being followed: then it is refused whole, so that its sender hears of it."""
    where = arrival.found.sop_instance_uid
    if not note.code or not note.rejects:
        text = "the rejection note has no code of CID 7011, or names no instance"
        return Finding(ErrorCode.InvalidRequest, where, text, SOURCE)
    for study_uid in sorted({study for study, _, _ in note.rejects}):
        held = known.studies.get(study_uid)
        corrected = held is not None and held.correction is not None and held.stated_patient_id == arrival.stated
        if held and not corrected and whose(held.patient_id) != whose(arrival.patient_id):
            text = f"the note rejects instances of the study {study_uid}, which is held for another patient"
            return Finding(ErrorCode.DicomConflict, where, text, SOURCE)
    return None


def _busy(arrival: Arrival) -> Finding:
    text = "the same object, which was rejected, is being deleted; send it again"
    return Finding(ErrorCode.XDSRepositoryBusy, arrival.found.sop_instance_uid, text, SOURCE)


def _refused(arrival: Arrival, code: str) -> Finding:
    text = f"the object was rejected and is not taken again: {MEANINGS.get(code, '')} ({code}, DCM)"
    return Finding(ErrorCode.DicomRejected, arrival.found.sop_instance_uid, text, SOURCE)
