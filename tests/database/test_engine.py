"""Units of work on both engines: all or nothing, tried again when the engine asks for it, and on living connections."""

import contextlib
import fcntl
import os
import sqlite3
import threading

import psycopg
import pytest
from sqlalchemy import bindparam, select, text, update

from database import connections
from database.connections import PostgresConnection
from database.engine import TRIES, Conflict, Database
from database.statement import Statement
from database.tables import AUDIT
from registry.metadata.errors import ErrorCode, Rejected

IDS = Statement(select(AUDIT.c.id).order_by(AUDIT.c.id))
SET = Statement(update(AUDIT).where(AUDIT.c.id == bindparam("b_id")).values(record=bindparam("text")))
PID = Statement(text("SELECT pg_backend_pid()"))


def row(id_, record=""):
    told = {"recorded": 1.0, "transaction": "t", "action": "R", "outcome": 0, "patient_id": None}
    return {"id": id_, "record": record, **told}


def put(database, *ids):
    database.transact(lambda unit: unit.insert(AUDIT, [row(id_) for id_ in ids]))


def held(database):
    return [found[0] for found in database.rows(IDS)]


def refusal(call):
    with pytest.raises(Rejected) as caught:
        call()
    return [finding.code for finding in caught.value.findings]


@pytest.fixture
def database(empty_url):
    found = Database(empty_url)
    yield found
    found.close()


@pytest.fixture
def postgres(empty_postgresql):
    found = Database(empty_postgresql)
    yield found
    found.close()


@pytest.fixture
def terminate(empty_postgresql):
    """Ends a backend of the server as an administrator would, and waits until it is gone."""

    def run(pid):
        with psycopg.connect(empty_postgresql.replace("+psycopg", ""), autocommit=True) as connection:
            assert connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)

    return run


# --- all or nothing ---


def test_a_unit_is_committed_and_gives_its_result(database):
    def work(unit):
        unit.insert(AUDIT, [row("a"), row("b")])
        return [found[0] for found in unit.rows(IDS)]

    assert database.transact(work) == ["a", "b"]
    assert held(Database(str(database.url))) == ["a", "b"]


@pytest.mark.parametrize("error", [RuntimeError("half way"), KeyboardInterrupt(), Rejected([])], ids=repr)
def test_a_unit_that_fails_leaves_nothing_and_is_not_tried_again(database, error):
    tries = []

    def work(unit):
        tries.append(1)
        unit.insert(AUDIT, [row("a")])
        raise error

    with pytest.raises(type(error)):
        database.transact(work)
    assert (held(database), len(tries)) == ([], 1)
    put(database, "a")


def test_nobody_sees_a_unit_before_its_commit(database):
    other, seen = Database(str(database.url)), []

    def work(unit):
        unit.insert(AUDIT, [row("a")])
        seen.append(held(other))

    database.transact(work)
    assert (seen, held(other)) == ([[]], ["a"])


def test_execute_counts_and_inserting_nothing_is_harmless(database):
    put(database, "a")
    database.transact(lambda unit: unit.insert(AUDIT, []))
    assert database.transact(lambda unit: unit.execute(SET, b_id="a", text="x")) == 1
    assert database.transact(lambda unit: unit.execute(SET, b_id="b", text="x")) == 0


# --- a key that is taken ---


def test_a_conflict_is_tried_again_without_what_the_first_try_wrote(database):
    put(database, "a")
    tries = []

    def work(unit):
        tries.append(1)
        if len(tries) == 1:
            unit.insert(AUDIT, [row("b")])
            unit.insert(AUDIT, [row("a")])
        unit.insert(AUDIT, [row("c")])

    database.transact(work)
    assert (held(database), len(tries)) == (["a", "c"], 2)


def test_a_conflict_that_stays_is_raised(database):
    put(database, "a")
    tries = []

    def work(unit):
        tries.append(1)
        unit.insert(AUDIT, [row("b"), row("a")])

    with pytest.raises(Conflict, match=r"audit"):
        database.transact(work)
    assert (held(database), len(tries)) == (["a"], TRIES)


# --- another try ---


def test_a_serialization_failure_is_tried_again(postgres):
    put(postgres, "a")
    other, tries = Database(str(postgres.url)), []

    def work(unit):
        tries.append(1)
        if len(tries) == 1:
            unit.execute(Statement(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")))
            unit.rows(IDS)
            other.transact(lambda late: late.execute(SET, b_id="a", text="other"))
        unit.execute(SET, b_id="a", text="mine")

    postgres.transact(work)
    assert len(tries) == 2
    assert postgres.rows(Statement(select(AUDIT.c.record))) == [("mine",)]


def test_a_deadlock_is_tried_again(postgres):
    put(postgres, "a", "b")
    both, tries = threading.Barrier(2, timeout=20), []

    def run(*order):
        def work(unit):
            tries.append(order)
            unit.execute(SET, b_id=order[0], text=str(order))
            if tries.count(order) == 1:
                both.wait()
            unit.execute(SET, b_id=order[1], text=str(order))

        postgres.transact(work)

    threads = [threading.Thread(target=run, args=order) for order in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(tries) == 3, "one of the two must have been tried twice"


def test_a_connection_lost_within_a_unit_is_replaced(postgres, terminate):
    tries = []

    def work(unit):
        tries.append(1)
        unit.insert(AUDIT, [row("a")])
        if len(tries) == 1:
            terminate(unit.rows(PID)[0][0])
        unit.insert(AUDIT, [row("b")])

    postgres.transact(work)
    assert (held(postgres), len(tries)) == (["a", "b"], 2)


def test_a_connection_that_died_while_idle_is_replaced(postgres, terminate):
    for ask in (lambda: postgres.rows(PID), lambda: postgres.transact(lambda unit: unit.rows(PID))):
        first = ask()[0][0]
        terminate(first)
        assert ask()[0][0] != first


def test_every_idle_connection_died(postgres, terminate):
    """As when the server was started anew: however many wait in the pool, a question gets its answer."""
    connections = [postgres._pool.take()[0] for _ in range(4)]
    for connection in connections:
        terminate(connection.run("SELECT pg_backend_pid()", {})[0][0])
        postgres._pool.give_back(connection)
    put(postgres, "a")
    for connection in connections:
        postgres._pool.give_back(connection)
    assert held(postgres) == ["a"]


# --- what cannot be done is refused in words ---


def test_a_database_that_cannot_be_reached(tmp_path):
    for url in (f"sqlite:///{tmp_path}/none/x.sqlite", "postgresql+psycopg://nobody@127.0.0.1:1/none"):
        database = Database(url)
        assert refusal(lambda d=database: d.rows(IDS)) == [ErrorCode.XDSRegistryBusy]
        assert refusal(lambda d=database: put(d, "a")) == [ErrorCode.XDSRegistryBusy]


def test_a_full_disk(sqlite):
    database = Database(sqlite)
    database.rows(Statement(text("PRAGMA max_page_count = 1")))  # as small as it can be: what is there already
    full = refusal(lambda: database.transact(lambda unit: unit.insert(AUDIT, [row("a", "x" * 2**20)])))
    assert full == [ErrorCode.XDSRegistryOutOfResources]
    assert held(database) == []


def test_a_database_that_another_program_is_writing(sqlite):
    """A tool of SQLite's own does not stand in the queue of writers, so its lock shows only within the unit."""
    database = Database(sqlite)
    database.rows(Statement(text("PRAGMA busy_timeout = 0")))
    other = sqlite3.connect(sqlite.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refusal(lambda: put(database, "a")) == [ErrorCode.XDSRegistryBusy]
    assert held(database) == [], "readers are not held off"
    other.execute("ROLLBACK")
    other.close()
    put(database, "a")


def test_a_writer_does_not_wait_for_ever(sqlite, monkeypatch):
    """As when the process that writes was stopped within its unit."""
    monkeypatch.setattr(connections, "PATIENCE", 0.1)
    database, told = Database(sqlite), []
    put(database, "a")

    def late():
        with contextlib.suppress(Rejected):
            put(database, "b")
        told.append("answered")

    with open(f"{sqlite.removeprefix('sqlite:///')}-writers", "rb") as queue:
        fcntl.flock(queue, fcntl.LOCK_EX)
        thread = threading.Thread(target=late)
        thread.start()
        thread.join(1.0)
        in_time = list(told)
        fcntl.flock(queue, fcntl.LOCK_UN)
    thread.join(20)
    assert in_time == ["answered"]


# --- fork ---


def test_parent_and_child_work_on(database):
    """Each on its own connections: what either commits stays, and the parent's still serve after the child ended."""
    put(database, "before")
    child = os.fork()
    if child == 0:
        try:
            put(database, "child")
            os._exit(0 if held(database) == ["before", "child"] else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    put(database, "parent")
    assert held(database) == ["before", "child", "parent"]


def test_a_child_has_connections_of_its_own(database):
    put(database, "a")
    idle = list(database._pool._idle)
    assert idle, "the test needs an idle connection before the fork"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        connection, fresh = database._pool.take()
        os.write(writer, b"own" if fresh and connection not in idle else b"shared")
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        assert answer.read() == b"own"
    os.waitpid(child, 0)
    assert database._pool.take() == (idle[-1], False)


# --- locks ---


def test_keys_are_locked_in_one_order(postgres, monkeypatch):
    sent, run = [], PostgresConnection.run

    def noting(connection, sql, params):
        if "keys" in params:
            sent.append(params["keys"])
        return run(connection, sql, params)

    monkeypatch.setattr(PostgresConnection, "run", noting)
    for keys in (("a", "b", "c"), ("c", "a", "b", "a")):
        postgres.transact(lambda unit, keys=keys: unit.lock(*keys))
    assert sent[0] == sent[1] == sorted(set(sent[0]))
    assert len(sent[0]) == 3


def test_a_lock_holds_until_the_unit_ends(postgres):
    other, watcher, order = Database(str(postgres.url)), Database(str(postgres.url)), []
    waits = Statement(text("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))

    def late(unit):
        unit.lock("y", "x")
        order.append("second")

    thread = threading.Thread(target=lambda: other.transact(late))

    def early(unit):
        unit.lock("x")
        thread.start()
        while thread.is_alive() and not watcher.rows(waits):
            thread.join(0.01)
        order.append("first")

    postgres.transact(early)
    thread.join(30)
    assert order == ["first", "second"]


def test_a_lock_of_no_key_is_harmless(database):
    database.transact(lambda unit: unit.lock())
