"""Objects deleted: rejected ones after their delay, and whole studies that a retention rule lets go.

The order is that of `repository.removal`: rows, tombstones and audit go in one unit of work, and with them a job that
names the bytes; then the bytes, each only if no row names it by then. A process that is killed in between leaves bytes
without a row and the job that takes them away, never a row without bytes. A tombstone has UIDs and nothing else.
"""

from collections.abc import Callable
from typing import Any

from database import outbox
from database.engine import Database, Unit
from database.outbox import Outbox
from registry.access import Caller
from registry.audit import DELETE, AuditRecord, audit_write
from repository import removal
from repository.imaging.source import ImagingSource
from repository.registrar import Registrar
from repository.rejection_effects import PUBLISH, Effects
from repository.rejection_policy import EXPIRED
from repository.store import corrections, findings
from repository.store import imaging as index
from repository.store import rejections as store
from repository.store import retention as rows
from repository.store.blobs import BlobStore
from repository.store.rejections import Tombstone

CHORE = Caller("deletion", "", "IOCM")


class Deletion:
    """What takes objects of one source away for good."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        registrar: Registrar[Any],
        source: ImagingSource,
        effects: Effects,
        now: Callable[[], float],
    ) -> None:
        self.database = database
        self._blobs = blobs
        self._registrar = registrar
        self._effects = effects
        self._outbox = Outbox(database, now)
        self.source = source.retrieve_location_uid
        self.now = now

    def rejected_once(self) -> bool:
        """Delete rejected objects of one study whose delay is over; False when there are none."""
        found = self.database.rows(store.DUE, now=self.now(), source=self.source, most=1)
        if not found:
            return False
        study_uid = Tombstone(*found[0]).study_uid
        self.database.transact(lambda unit: self._delete_due(unit, study_uid))
        return True

    def bytes_once(self) -> bool:
        """Delete the bytes that one job names; False when none is due."""
        job = self._outbox.take([removal.BYTES])
        if job is None:
            return False
        left = removal.remove_bytes(self.database, self._blobs, job.payload["hashes"])
        if left:
            self._outbox.failed(job, f"{len(left)} blobs could not be deleted")
        else:
            self._outbox.done(job)
        return True

    def retire(self, unit: Unit, study_uid: str, caller: Caller, *, remove: bool, detail: str) -> int:
        """Delete a whole study: entries, objects, notes and resource; how many objects there were.

        The unit holds the study's lock. With `remove` its manifests go too, entries and documents; else they are
        deprecated.
        """
        now = self.now()
        held = index.study_row(unit.rows, study_uid, self.source)
        contents = unit.rows(rows.CONTENTS, study=study_uid, source=self.source)
        if held is None:
            return 0
        outbox.drop(unit, PUBLISH, f"{study_uid}|{self.source}")
        gone = self._registrar.withdraw(unit, self._effects.entries(unit, study_uid), caller, remove=remove)
        hashes = {str(row[2]) for row in contents} | removal.take_out(unit, gone)
        tombs = [
            Tombstone(str(uid), self.source, str(series_uid), study_uid, EXPIRED, "", 1, 1, now, None)
            for uid, series_uid, _ in contents
        ]
        known = store.find(unit.rows, self.source, study_uid, [tomb.uid for tomb in tombs])
        store.write(unit, [tomb for tomb in tombs if tomb.uid not in known])
        unit.execute(store.SETTLED, uids=[tomb.uid for tomb in tombs], b_study=study_uid, b_source=self.source)
        rows.forget(unit, self.source, study_uid)
        corrections.forget(unit, study_uid, self.source)
        hashes |= findings.forget(unit, study_uid)
        self._registrar.forget_study(unit, study_uid, self.source)
        removal.delete_later(unit, hashes, now)
        owners = (held.patient_id,) if held.patient_id else ()
        audit_write(unit, AuditRecord(caller, DELETE, owners, (study_uid,), 0, len(contents), detail), now)
        return len(contents)

    def _delete_due(self, unit: Unit, study_uid: str) -> None:
        index.lock(unit, self.source, [study_uid])
        now = self.now()
        due = [Tombstone(*row) for row in unit.rows(store.DUE_OF, now=now, study=study_uid, source=self.source)]
        uids = [one.uid for one in due]
        if not uids or rows.held(unit.rows, [study_uid]):
            return
        where = {"b_study": study_uid, "b_source": self.source}
        held = store.held(unit.rows, self.source, study_uid, uids)
        unit.execute(store.SETTLED, uids=uids, **where)
        if not held:
            return
        unit.execute(store.DELETE, uids=[one.uid for one in held], **where)
        removal.delete_later(unit, {one.sha256 for one in held}, now)
        owners = tuple(sorted({one.patient_id for one in held if one.patient_id}))
        detail = "deleted after rejection"
        audit_write(unit, AuditRecord(CHORE, DELETE, owners, (study_uid,), 0, len(held), detail), now)
        visible = [one.series_uid for one in due if not one.hidden]
        if visible:
            # What regular use still showed goes from it now.
            self._effects.changed(unit, study_uid, visible, due[0].code, CHORE, now)
        expired = all(one.code == EXPIRED for one in due)
        if expired and not unit.rows(rows.LEFT, study=study_uid, source=self.source)[0][0]:
            # Of an expired study nothing is kept, not even the note, which names the patient.
            self.retire(unit, study_uid, CHORE, remove=self._effects.removes, detail="expired")
