"""One database, its reads and its units of work.

A unit of work is all or nothing: rows, outbox and audit of one request are committed together, and only then does the
request get its answer (`Database.transact`). A unit whose engine asks for another try (serialization failure, deadlock,
a lost connection before COMMIT) is run again whole, which is safe because every write is idempotent by its key.
"""

import hashlib
import random
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Table, make_url

from database.connections import Connection, Pool, Row
from database.statement import Statement, insertion
from registry.metadata.errors import ErrorCode, Rejected

T = TypeVar("T")

TRIES = 3
TRANSIENT = ("40001", "40P01", "57P01", "08")
LOCK = "SELECT pg_advisory_xact_lock(key) FROM unnest(%(keys)s::bigint[]) AS key"


class Conflict(Exception):
    """A unique key is taken: another request wrote the same thing first."""


class Unit:
    """One unit of work in progress: reads see its own writes, nothing outside sees them before the commit."""

    __slots__ = ("_connection", "dialect")

    def __init__(self, connection: Connection, dialect: str) -> None:
        self._connection = connection
        self.dialect = dialect

    def rows(self, statement: Statement, **params: Any) -> list[Row]:
        """The rows that `statement` gives."""
        sql, constants = statement.compiled(self.dialect)
        return self._connection.run(sql, {**constants, **params})

    def execute(self, statement: Statement, **params: Any) -> int:
        """Run `statement`; the number of rows it touched."""
        sql, constants = statement.compiled(self.dialect)
        return self._connection.count(sql, {**constants, **params})

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add whole rows. PostgreSQL says only at the unit's next question or end that a unique key is taken.

        Raises:
            Conflict: a unique key is taken.
        """
        if not rows:
            return
        sql, _ = insertion(table).compiled(self.dialect)
        try:
            self._connection.run_many(sql, rows)
        except sqlite3.IntegrityError as error:
            raise Conflict(str(error)) from error

    def lock(self, *keys: str) -> None:
        """Hold off every other unit that locks one of `keys` until this one ends. SQLite has one writer anyway.

        Keys are locked in one order whatever the caller's, so that two units never wait for each other here.
        """
        if self.dialect == "postgresql":
            self._connection.run(LOCK, {"keys": sorted(map(_number, set(keys)))})


class Database:
    """The database that `url` names: `sqlite:///path` or `postgresql+psycopg://...`. Connects on first use."""

    def __init__(self, url: str) -> None:
        self.url: URL = make_url(url)
        self.dialect = self.url.get_backend_name()
        self._pool = Pool(self.url)

    def rows(self, statement: Statement, **params: Any) -> list[Row]:
        """The rows that a read gives, outside any unit.

        Raises:
            Rejected: XDSRegistryBusy, the database cannot be reached or is too busy.
        """
        sql, constants = statement.compiled(self.dialect)
        values = {**constants, **params} if constants else params
        for _ in range(2):
            connection, fresh = self._take()
            try:
                found = connection.run(sql, values)
            except sqlite3.OperationalError as error:
                connection.close()
                raise _rejection(error) from error
            except psycopg.OperationalError as error:
                connection.close()
                self._pool.close()
                # A pooled connection may have died with its server long ago; a fresh one tells the truth.
                if fresh:
                    raise _rejection(error) from error
            except BaseException:
                connection.close()
                raise
            else:
                self._pool.give_back(connection)
                return found
        raise _rejection(None)

    def transact(self, work: Callable[[Unit], T]) -> T:
        """Run `work` as one unit and commit it durably.

        Raises:
            Rejected: what `work` raises, or XDSRegistryBusy / XDSRegistryOutOfResources of the engine.
        """
        for attempt in range(TRIES):
            connection, _ = self._take()
            try:
                connection.begin()
                result = work(Unit(connection, self.dialect))
                connection.commit()
            except (Conflict, psycopg.errors.UniqueViolation) as error:
                connection.rollback()
                self._pool.give_back(connection)
                # Who wrote first has committed: the next try's checks see it and say so in words.
                if attempt + 1 == TRIES:
                    raise Conflict(str(error)) from error
            except (sqlite3.OperationalError, psycopg.OperationalError) as error:
                connection.close()
                # What ended this connection has ended the idle ones with it.
                self._pool.close()
                if attempt + 1 == TRIES or not _transient(error):
                    raise _rejection(error) from error
                time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))  # noqa: S311
            except BaseException:
                connection.rollback()
                self._pool.give_back(connection)
                raise
            else:
                self._pool.give_back(connection)
                return result
        raise _rejection(None)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _take(self) -> tuple[Connection, bool]:
        try:
            return self._pool.take()
        except (sqlite3.OperationalError, psycopg.OperationalError) as error:
            raise _rejection(error) from error


def _number(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


def _transient(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None)
    return isinstance(error, psycopg.OperationalError) and (state is None or state.startswith(TRANSIENT))


def _rejection(error: Exception | None) -> Rejected:
    full = isinstance(error, sqlite3.OperationalError) and ("full" in str(error) or "I/O" in str(error))
    if full or getattr(error, "sqlstate", None) == "53100":
        return Rejected.because(
            ErrorCode.XDSRegistryOutOfResources, "", "the database has no room left", "ITI TF-3, 4.2.4.1"
        )
    return Rejected.because(
        ErrorCode.XDSRegistryBusy, "", "the database is too busy or cannot be reached; try again", "ITI TF-3, 4.2.4.1"
    )
