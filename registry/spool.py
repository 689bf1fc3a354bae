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


class _File:
    """One file of the spool, from its making to the last sync of its records.

    `written` and `synced` count its records. Once a write or a sync of it has failed nothing more is written to it, and
    after a failed sync nothing of it counts as kept that was not before: the system reports such a failure once.
    """

    def __init__(self, folder: Path, now: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.owner = os.getpid()
        self.syncing = threading.Lock()
        self.written = self.synced = self.bytes = 0
        self.is_lost = False
        name = f"{int(now * 1000):015d}-{self.owner}-{uuid4().hex[:8]}"
        making = folder / f"{name}.new"
        self._descriptor = os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        # Held while the file is in use, and before it has the name that `drain` looks for: whoever gets this lock knows
        # that nobody will append any more.
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        making.rename(folder / f"{name}.jsonl")
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.close(self._descriptor)

    def append(self, line: bytes) -> int:
        """Write all of `line`, however little the system takes at once; the number of the record in this file."""
        view = memoryview(line)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.bytes += len(line)
        # A record gets its number when its bytes are written, so all up to a number are there.
        self.written += 1
        return self.written

    def sync(self, number: int) -> None:
        """Return when the record of this number is on disk; whoever comes first syncs for all that wait.

        Raises:
            OSError: it is not, and will not be.
        """
        with self.syncing:
            if self.synced >= number:
                return
            if self.is_lost:
                raise OSError(errno.EIO, "a sync of these records failed")
            reached = self.written
            try:
                os.fdatasync(self._descriptor)
            except OSError:
                self.is_lost = True
                raise
            self.synced = reached


class FileSpool:
    """A process's spool in `folder`; safe for its threads, opened on first use, and anew after a fork."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now
        self._appending = threading.Lock()
        self._file: _File | None = None

    def keep(self, record: AuditRecord) -> None:
        """Append `record`; return when it is on disk.

        Raises:
            Rejected: XDSRegistryOutOfResources; without its audit record nothing may be released.
        """
        line = orjson.dumps(record.as_dict(self._now())) + b"\n"
        try:
            with self._appending:
                file = self._current()
                try:
                    number = file.append(line)
                except OSError:
                    # Perhaps half a line: the next record begins a new file, so that it does not share its fate.
                    self._file = None
                    raise
            file.sync(number)
        except OSError as error:
            raise Rejected.because(
                ErrorCode.XDSRegistryOutOfResources, "", "the audit record cannot be kept", "DICOM PS3.15, A.5"
            ) from error

    def _current(self) -> _File:
        file = self._file
        if file is None or file.owner != os.getpid() or file.bytes > ROTATE_BYTES or file.is_lost:
            file = self._file = _File(self._folder, self._now())
        return file


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
