"""`fsck`: whether rows and bytes agree, and what does not is named; orphans can be moved aside, nothing is deleted.

A row must never lack its blob; that is damage. A blob may lack its row, and a received file its blob, after a crash:
those are orphans, harmless, and `repair` moves them to quarantine with an audit record each.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique

from sqlalchemy import select

from database.engine import Database
from database.outbox import Outbox
from database.sql import any_of
from database.statement import Statement
from registry.access import Caller
from registry.audit import DELETE, AuditRecord, audit_write
from repository.store.blobs import BlobStore
from repository.store.findings import KEPT_BLOBS, STILL_KEPT
from repository.store.tables import DOCUMENT, INSTANCE

CALLER = Caller(name="xdsi fsck", address="", transaction="fsck")
OVERDUE = 3600.0  # seconds that a job of the outbox may wait before it is worth a word
NAMED = {
    "document": Statement(select(DOCUMENT.c.sha256, DOCUMENT.c.size).distinct()),
    "instance": Statement(select(INSTANCE.c.sha256, INSTANCE.c.size).distinct()),
    "finding": KEPT_BLOBS,
}
STILL = (
    Statement(select(DOCUMENT.c.sha256).where(any_of(DOCUMENT.c.sha256, "hashes"))),
    Statement(select(INSTANCE.c.sha256).where(any_of(INSTANCE.c.sha256, "hashes"))),
    STILL_KEPT,
)


@unique
class Kind(StrEnum):
    """What can be wrong. The first three are damage, the others are left over from a crash or wait for someone."""

    MISSING = "row without blob"
    SIZE = "wrong size"
    HASH = "wrong hash"
    ORPHAN = "blob without row"
    TEMPORARY = "left-over upload"
    OUTBOX = "job overdue or given up"


DAMAGE = {Kind.MISSING, Kind.SIZE, Kind.HASH}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing found: `subject` is a hash, a file name or a job."""

    kind: Kind
    subject: str
    text: str
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. `rows` and `blobs` are how many were looked at."""

    problems: tuple[Problem, ...]
    rows: int
    blobs: int

    @property
    def status(self) -> int:
        """0 clean, 1 everything that was wrong is mended, 2 something is wrong."""
        if not self.problems:
            return 0
        return 1 if all(p.mended for p in self.problems) else 2


def check(
    database: Database,
    blobs: BlobStore,
    *,
    repair: bool = False,
    grace: float = 60.0,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Look at everything. What is younger than `grace` seconds may be an upload under way and is no orphan yet.

    `progress` is told how many blobs are done.
    """
    named: dict[str, int] = {}
    rows = 0
    for statement in NAMED.values():
        for sha256, size in database.rows(statement):
            named[sha256] = size
            rows += 1
    problems: list[Problem] = []
    seen: set[str] = set()
    for done, sha256 in enumerate(blobs.walk(), 1):
        seen.add(sha256)
        problems += _blob(database, blobs, sha256, named.get(sha256), repair=repair, grace=grace)
        progress(done)
    problems += [
        Problem(Kind.MISSING, sha256, "a row names it, the store does not have it")
        for sha256 in sorted(named.keys() - seen)
    ]
    problems += _temporaries(database, blobs, repair=repair, grace=grace)
    for topic, key, state, _, attempts, error in Outbox(database).overdue(OVERDUE):
        problems.append(
            Problem(Kind.OUTBOX, f"{topic} {key}", f"{state} after {attempts} tries: {error or 'not tried'}")
        )
    return Report(tuple(problems), rows, len(seen))


def _blob(
    database: Database, blobs: BlobStore, sha256: str, size: int | None, *, repair: bool, grace: float
) -> Iterator[Problem]:
    if size is None:
        # Rows were read before the walk: one may have come since, and this is asked before anything is moved.
        if blobs.age(sha256) < grace or any(database.rows(statement, hashes=[sha256]) for statement in STILL):
            return
        if repair:
            blobs.set_aside(sha256)
            _audited(database, sha256)
        yield Problem(Kind.ORPHAN, sha256, "no row names it", mended=repair)
        return
    if blobs.size(sha256) != size:
        yield Problem(Kind.SIZE, sha256, f"has {blobs.size(sha256)} bytes, its row says {size}")
    elif not blobs.verify(sha256):
        yield Problem(Kind.HASH, sha256, "its bytes have another SHA-256 than its name")


def _temporaries(database: Database, blobs: BlobStore, *, repair: bool, grace: float) -> Iterator[Problem]:
    for temporary in list(blobs.temporaries()):
        if temporary.age < grace:
            continue
        if repair:
            blobs.set_aside_temporary(temporary.name)
            _audited(database, temporary.name)
        yield Problem(Kind.TEMPORARY, temporary.name, f"{temporary.size} bytes, never kept", mended=repair)


def _audited(database: Database, subject: str) -> None:
    record = AuditRecord(CALLER, DELETE, objects=(subject,), detail="moved to quarantine")
    database.transact(lambda unit: audit_write(unit, record, time.time()))
