"""The spool of read records: append-only files, synced before the answer that they record leaves.

Whoever finds no write under way writes and syncs for all that wait, the others sleep until their records are down: one
sync for many, and few changes of thread. A file is one process's; a worker moves finished and idle files into the audit
table.
"""

import contextlib
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
    """One file of the spool. What `append` has returned from is on disk; once it has failed nothing more is written."""

    def __init__(self, folder: Path, now: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.owner = os.getpid()
        self.bytes = 0
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

    def append(self, lines: bytes) -> None:
        """Write all of `lines`, however little the system takes at once, and sync."""
        view = memoryview(lines)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.bytes += len(lines)
        os.fdatasync(self._descriptor)


class _Waiting:
    """A record on its way to the disk; its thread sleeps on `woken` until it is kept or must write for all."""

    __slots__ = ("failure", "is_done", "line", "woken")

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.is_done = False
        self.failure: BaseException | None = None
        self.woken = threading.Lock()
        self.woken.acquire()


class FileSpool:
    """A process's spool in `folder`; safe for its threads, opened on first use, and anew after a fork."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now
        self._file: _File | None = None
        self._queueing = threading.Lock()
        self._queue: list[_Waiting] = []
        self._is_writing = False

    def keep(self, record: AuditRecord) -> None:
        """Append `record`; return when it is on disk.

        Raises:
            Rejected: XDSRegistryOutOfResources; without its audit record nothing may be released.
        """
        mine = _Waiting(orjson.dumps(record.as_dict(self._now())) + b"\n")
        with self._queueing:
            self._queue.append(mine)
            is_first, self._is_writing = not self._is_writing, True
        if not is_first:
            mine.woken.acquire()
        if not mine.is_done:
            self._write_all()
        if mine.failure is not None:
            raise Rejected.because(
                ErrorCode.XDSRegistryOutOfResources, "", "the audit record cannot be kept", "DICOM PS3.15, A.5"
            ) from mine.failure

    def _write_all(self) -> None:
        """Write what waits, in one go; wake those that waited, and the first of those that came meanwhile."""
        with self._queueing:
            batch, self._queue = self._queue, []
        failure: BaseException | None = None
        try:
            self._current().append(b"".join(waiting.line for waiting in batch))
        except BaseException as error:
            # The file may end in half a line, and a failure is reported once: nothing more may trust it.
            self._file = None
            failure = error
            if not isinstance(error, OSError):
                raise
        finally:
            with self._queueing:
                following = self._queue[0] if self._queue else None
                self._is_writing = following is not None
            for waiting in batch:
                waiting.failure, waiting.is_done = failure, True
                waiting.woken.release()
            if following is not None:
                following.woken.release()

    def _current(self) -> _File:
        file = self._file
        if file is None or file.owner != os.getpid() or file.bytes > ROTATE_BYTES:
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
