"""Storage commitment: which of the named objects are really held, so that their sender may delete its copies (PS3.4 J).

A request is noted in the outbox, with its audit record, before it is answered. It is judged when its report is made:
an object is committed when it has a row and a blob of the right size, and nothing else counts.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from database.engine import Database, Unit
from database.outbox import Job, Outbox, put
from registry.access import Caller
from registry.audit import EXECUTE, AuditRecord, audit_write
from repository.store.blobs import BlobStore, is_whole
from repository.store.commitment import named

TOPIC = "storage-commitment"
AT_ONCE = 1_000  # instances looked up in one question


class Reason(IntEnum):
    """Why an object is not committed (PS3.3 C.14.1.1)."""

    NO_SUCH_INSTANCE = 0x0112
    CLASS_CONFLICT = 0x0119


class Named(NamedTuple):
    """A reference, as the request has it."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Commitment:
    """The outcome of a request, for `title`, which had called us `called`; `failed` is each with its reason."""

    title: str
    called: str
    transaction_uid: str
    committed: tuple[Named, ...]
    failed: tuple[tuple[Named, Reason], ...]


class Commitments:
    """The promises of one source."""

    def __init__(self, database: Database, blobs: BlobStore, source: str, now: Callable[[], float]) -> None:
        self._database, self._blobs, self._source, self._now = database, blobs, source, now
        self._outbox = Outbox(database, now)

    def note(
        self, title: str, called: str, transaction_uid: str, references: Sequence[tuple[str, str]], caller: Caller
    ) -> None:
        """Take a request on, durably; `references` are pairs of SOP Class and SOP Instance UID.

        Raises:
            Rejected: XDSRegistryBusy, XDSRegistryOutOfResources; then nothing is taken on.
        """
        now = self._now()
        payload = {
            "title": title,
            "called": called,
            "transaction_uid": transaction_uid,
            "references": [list(each) for each in references],
        }
        key = hashlib.sha256(f"{title}|{transaction_uid}".encode()).hexdigest()
        record = AuditRecord(caller, EXECUTE, (), (transaction_uid,), count=len(references), detail="commitment")

        def work(unit: Unit) -> None:
            put(unit, TOPIC, key, payload, due=now, now=now)
            audit_write(unit, record, now)

        self._database.transact(work)

    def take(self) -> tuple[Job, Commitment] | None:
        """A request that is due, judged now; None when there is none. Then `done` or `failed` must be called."""
        job = self._outbox.take([TOPIC])
        if job is None:
            return None
        asked = job.payload
        committed, failed = self.judged([Named(*pair) for pair in asked["references"]])
        return job, Commitment(asked["title"], asked["called"], asked["transaction_uid"], committed, failed)

    def done(self, job: Job) -> None:
        """The peer has taken the report."""
        self._outbox.done(job)

    def failed(self, job: Job, reason: str) -> None:
        """The peer has not; the report is made and sent again later."""
        self._outbox.failed(job, reason)

    def judged(self, references: Sequence[Named]) -> tuple[tuple[Named, ...], tuple[tuple[Named, Reason], ...]]:
        """What of `references` is held, and what is not and why; each once, in their order."""
        committed, failed = [], []
        once = list(dict.fromkeys(references))
        for start in range(0, len(once), AT_ONCE):
            some = once[start : start + AT_ONCE]
            held = named(self._database.rows, self._source, [one.sop_instance_uid for one in some])
            for one in some:
                found = held.get(one.sop_instance_uid)
                if found is None or not is_whole(self._blobs, found.sha256, found.size):
                    failed.append((one, Reason.NO_SUCH_INSTANCE))
                elif found.sop_class_uid != one.sop_class_uid:
                    failed.append((one, Reason.CLASS_CONFLICT))
                else:
                    committed.append(one)
        return tuple(committed), tuple(failed)
