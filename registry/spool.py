"""The spool of read records: append-only files, synced before the answer that they record leaves.

Whoever finds no sync under way syncs for all that wait; the others sleep until their bytes are down. A file is one
process's; a worker moves finished and idle files into the audit table.
"""

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import orjson
from sqlalchemy import select

from database.engine import Database, Unit
from database.sql import any_of
from database.statement import Statement
from database.tables import AUDIT
from registry.audit import AuditRecord, row_of
from registry.metadata.errors import ErrorCode, Rejected

KNOWN = Statement(select(AUDIT.c.id).where(any_of(AUDIT.c.id, "ids")))
ROTATE_BYTES = 16 * 2**20
BATCH = 500


class FileSpool:
    """A process's spool in `folder`; safe for its threads, opened on first use, and anew after a fork."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now
        self._owner = 0
        self._file = -1
        self._state = threading.Condition()
        # Numbers of records: a record gets its number when its bytes are written, so all up to a number are there.
        self._appending, self._syncing = threading.Lock(), threading.Lock()
        self._written = self._synced = self._lost = self._bytes = 0

    def keep(self, record: AuditRecord) -> None:
        """Append `record`; return when it is on disk.

        Raises:
            Rejected: XDSRegistryOutOfResources; without its audit record nothing may be released.
        """
        line = orjson.dumps(record.as_dict(self._now())) + b"\n"
        try:
            with self._appending:
                self._ensure_open()
                self._append(line)
                self._written += 1
                mine = self._written
            # Whoever waits here while another syncs finds its record synced too, or syncs for all that wait with it.
            with self._syncing:
                if mine <= self._lost:
                    raise OSError(errno.EIO, "a sync of these records failed")
                if self._synced < mine:
                    self._sync()
        except OSError as error:
            raise Rejected.because(
                ErrorCode.XDSRegistryOutOfResources, "", "the audit record cannot be kept", "DICOM PS3.15, A.5"
            ) from error

    def _append(self, line: bytes) -> None:
        """Write all of `line`, however little the system takes at once."""
        view = memoryview(line)
        while view:
            view = view[os.write(self._file, view) :]
        self._bytes += len(line)

    def _sync(self) -> None:
        """Sync for all that wait. After a failure the system may forget what it could not write, so none is kept."""
        reached = self._written
        try:
            os.fdatasync(self._file)
        except OSError:
            self._lost, self._owner = reached, 0
            raise
        self._synced = reached

    def _ensure_open(self) -> None:
        """The file to append to; a new one after a fork, and when the old one is full."""
        if self._owner == os.getpid() and self._bytes <= ROTATE_BYTES:
            return
        with self._syncing:
            if self._owner == os.getpid():
                os.fdatasync(self._file)
                os.close(self._file)
                self._synced = self._written
            self._folder.mkdir(parents=True, exist_ok=True)
            name = self._folder / f"{int(self._now() * 1000):015d}-{os.getpid()}-{uuid4().hex[:8]}.jsonl"
            self._file = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            # Held while the process lives: a reader that gets this lock knows that nobody will append any more.
            fcntl.flock(self._file, fcntl.LOCK_SH)
            folder = os.open(self._folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
            self._owner, self._bytes = os.getpid(), 0


def drain(folder: Path, database: Database) -> int:
    """Move the records of files that no process holds any more into the audit table; how many.

    A record that is there already (a crash between commit and unlink) is passed over: draining again is harmless.
    """
    moved = 0
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            events = []
            for line in file:
                # A torn last line belongs to an answer that never left.
                with contextlib.suppress(orjson.JSONDecodeError):
                    events.append(row_of(orjson.loads(line)))
            for start in range(0, len(events), BATCH):
                moved += database.transact(lambda unit, rows=events[start : start + BATCH]: _add_new(unit, rows))  # type: ignore[misc]
            path.unlink()
    return moved


def _add_new(unit: Unit, rows: list[dict[str, object]]) -> int:
    known = {row[0] for row in unit.rows(KNOWN, ids=[row["id"] for row in rows])}
    fresh = [row for row in rows if row["id"] not in known]
    unit.insert(AUDIT, fresh)
    return len(fresh)
