"""Driver connections of the two engines, as durable and as strict as the product promises.

SQLite: WAL with synchronous FULL, so that a commit survives a loss of power, and one writer at a time. PostgreSQL:
synchronous commit, short time-outs, binary results.
"""

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import psycopg
from sqlalchemy import URL

Row = tuple[Any, ...]
PATIENCE = 5.0  # seconds that a writer waits for the others
SHORTEST_PAUSE, LONGEST_PAUSE = 0.0001, 0.002  # seconds between looks at the turn of another process


class Connection(Protocol):
    """One driver connection; `run` gives the rows, or none for a statement that returns none."""

    def run(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Run `sql`; its rows."""

    def run_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run `sql` once for each of `rows`."""

    def count(self, sql: str, params: Mapping[str, Any]) -> int:
        """Run `sql`; how many rows it touched."""

    def begin(self) -> None:
        """Begin a unit of work."""

    def commit(self) -> None:
        """End it durably."""

    def rollback(self) -> None:
        """End it without a trace; harmless outside one."""

    def close(self) -> None:
        """Leave the server or file."""


class _WriterQueue:
    """The order of writers, in this process and in others.

    SQLite lets a writer that finds another at work sleep and try again; with eight of them most of the time is slept
    away. Threads wait for a lock, which wakes the next at once, and processes look often. The file's lock goes with the
    process that holds it.
    """

    def __init__(self, database: str) -> None:
        self._threads = threading.Lock()
        self._path = f"{database}-writers"
        self._file = -1
        self._owner = 0

    def enter(self) -> None:
        if not self._threads.acquire(timeout=PATIENCE):
            raise sqlite3.OperationalError("database is locked")
        try:
            if self._owner != os.getpid():
                self._file, self._owner = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600), os.getpid()
            self._await_processes()
        except BaseException:
            self._threads.release()
            raise

    def _await_processes(self) -> None:
        """The turn of this process; another that was stopped within its turn must not hold all others up for ever."""
        until, pause = time.monotonic() + PATIENCE, SHORTEST_PAUSE
        while True:
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise sqlite3.OperationalError("database is locked") from None
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def leave(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()


@cache
def _queue_of(database: str) -> _WriterQueue:
    return _WriterQueue(database)


class SqliteConnection:
    """The embedded engine; transactions begin IMMEDIATE, so that a writer waits before it reads, not after."""

    def __init__(self, url: URL) -> None:
        self._writers = _queue_of(str(url.database))
        self._is_writing = False
        self._raw = sqlite3.connect(str(url.database), timeout=5.0, isolation_level=None, check_same_thread=False)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "busy_timeout=5000",
            "wal_autocheckpoint=4000",
            # As on PostgreSQL, where LIKE tells capitals apart.
            "case_sensitive_like=ON",
            "cache_size=-65536",
            "mmap_size=268435456",
        ):
            self._raw.execute(f"PRAGMA {pragma}")

    def run(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """See `Connection`."""
        return self._raw.execute(sql, _for_sqlite(params)).fetchall()

    def run_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """See `Connection`."""
        self._raw.executemany(sql, rows)

    def count(self, sql: str, params: Mapping[str, Any]) -> int:
        """See `Connection`."""
        return self._raw.execute(sql, _for_sqlite(params)).rowcount

    def begin(self) -> None:
        """See `Connection`."""
        self._writers.enter()
        self._is_writing = True
        self._raw.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """See `Connection`."""
        self._raw.execute("COMMIT")
        self._leave()

    def rollback(self) -> None:
        """See `Connection`."""
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")
        self._leave()

    def close(self) -> None:
        """See `Connection`."""
        self._raw.close()
        self._leave()

    def _leave(self) -> None:
        if self._is_writing:
            self._is_writing = False
            self._writers.leave()


class PostgresConnection:
    """A region's engine."""

    def __init__(self, url: URL) -> None:
        self._raw = psycopg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False),
            autocommit=True,
            prepare_threshold=1,
            connect_timeout=2,
            options="-c statement_timeout=5000 -c idle_in_transaction_session_timeout=10000 -c synchronous_commit=on"
            " -c jit=off",
        )
        self._cursor = self._raw.cursor(binary=True)
        # Inserts say nothing back but their faults, so they wait for the next question and travel together.
        self._waiting: list[tuple[str, Mapping[str, Any]]] = []

    def run(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """See `Connection`."""
        self._send()
        cursor = self._cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []

    def run_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """See `Connection`."""
        self._waiting += [(sql, row) for row in rows]

    def _send(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        with self._raw.pipeline():
            for sql, row in waiting:
                self._cursor.execute(sql, row)

    def count(self, sql: str, params: Mapping[str, Any]) -> int:
        """See `Connection`."""
        self._send()
        return self._cursor.execute(sql, params).rowcount

    def begin(self) -> None:
        """See `Connection`."""
        self._cursor.execute("BEGIN")

    def commit(self) -> None:
        """See `Connection`."""
        self._send()
        self._cursor.execute("COMMIT")

    def rollback(self) -> None:
        """See `Connection`."""
        self._waiting = []
        if not self._raw.closed and self._raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self._cursor.execute("ROLLBACK")

    def close(self) -> None:
        """See `Connection`."""
        self._raw.close()


def _for_sqlite(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Lists become JSON arrays, which `any_of` unfolds: SQLite has no array parameter."""
    if any(type(value) is list for value in params.values()):
        return {name: json.dumps(value) if type(value) is list else value for name, value in params.items()}
    return params


def connect(url: URL) -> Connection:
    """A new connection to the database that `url` names (`sqlite` or `postgresql`)."""
    return SqliteConnection(url) if url.get_backend_name() == "sqlite" else PostgresConnection(url)


class Pool:
    """Idle connections of this process; a child after fork starts with none, since sockets must not be shared."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._owner = os.getpid()

    def take(self) -> tuple[Connection, bool]:
        """A connection, and whether it is fresh."""
        if self._owner != os.getpid():
            self._idle, self._owner = [], os.getpid()
        try:
            return self._idle.pop(), False
        except IndexError:
            return connect(self._url), True

    def give_back(self, connection: Connection) -> None:
        """Keep it for the next."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()
