"""Every statement compiles for both engines, and none of the hot ones reads a table from end to end."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import bindparam, column, select

import registry.store
import repository.store
from database import outbox
from database.engine import Database
from database.sql import any_of
from database.statement import DIALECTS, Statement
from database.tables import AUDIT
from registry import merges, spool
from registry.access import Visibility
from registry.metadata.urn import Status
from registry.queries import (
    FindDocuments,
    FindResources,
    GetDocuments,
    Page,
    ReferenceId,
    ResourceType,
    ReturnType,
)
from registry.store import documents, folders, patients, registration, resource_rows, resources, state
from repository import fsck
from repository.store import documents as held


def modules():
    for package in (registry.store, repository.store):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)
    yield from (outbox, spool, fsck)


def statements(name, value):
    """The statements in `value`, however deep in tables and tuples."""
    if isinstance(value, Statement):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from statements(f"{name}[{key}]", each)
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from statements(f"{name}[{number}]", each)


STATEMENTS = dict(
    found
    for module in modules()
    for name, value in vars(module).items()
    for found in statements(f"{module.__name__}.{name}", value)
)


def test_there_are_statements():
    assert len(STATEMENTS) > 30


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", STATEMENTS)
def test_compiles(name, dialect):
    sql, constants = STATEMENTS[name].compiled(dialect)
    assert sql
    assert None not in constants.values()
    assert STATEMENTS[name].compiled(dialect) == (sql, constants), "the second time gives the same"


# --- plans ---

ANYONE, SOME = Visibility(), Visibility(frozenset({"p", "q"}))
FIND = FindDocuments("p", creation_time_from="2023", creation_time_to="2025")
HOT = {
    "FindDocuments": lambda d: documents.find_documents(d, FIND, ReturnType.LEAF_CLASS, ANYONE, 9),
    "FindDocuments for references": lambda d: documents.find_documents(d, FIND, ReturnType.OBJECT_REF, ANYONE, 9),
    "FindDocuments of two statuses": lambda d: documents.find_documents(
        d, replace(FIND, statuses=tuple(Status)), ReturnType.LEAF_CLASS, ANYONE, 9
    ),
    "FindDocuments of every kind of filter": lambda d: documents.find_documents(
        d,
        replace(
            FIND,
            class_codes=("a", "b"),
            event_codes=(("a", "b"), ("c",)),
            confidentiality_codes=(("n",),),
            author_persons=("%Ek%",),
            reference_ids=((ReferenceId("1"), ReferenceId("2", "k", "a")),),
        ),
        ReturnType.LEAF_CLASS,
        ANYONE,
        9,
    ),
    "FindDocuments of a narrow visibility": lambda d: documents.find_documents(
        d, FIND, ReturnType.LEAF_CLASS, SOME, 9
    ),
    "GetDocuments by id": lambda d: documents.get_documents(
        d, GetDocuments(ids=("a", "b")), ReturnType.LEAF_CLASS, ANYONE, 9
    ),
    "GetDocuments by uniqueId": lambda d: documents.get_documents(
        d, GetDocuments(unique_ids=("a", "b")), ReturnType.LEAF_CLASS, SOME, 9
    ),
    "GetDocuments by logicalID": lambda d: documents.get_documents(
        d, GetDocuments(logical_ids=("a", "b")), ReturnType.LEAF_CLASS, ANYONE, 9
    ),
    "what a submission names": lambda d: d.rows(state.STATE, ids=["a"], unique_ids=["b"]),
    "patients that were merged": lambda d: d.rows(patients.ENDS, patients=["a", "b"]),
    "what hangs on a document": lambda d: d.rows(registration.DEPENDENTS, replaced=["a", "b"], types=["x", "y"]),
    "the folders of a document": lambda d: d.rows(folders.FOLDERS_OF, documents=["a", "b"]),
    "facts of entries": lambda d: documents.facts(d, ["a", "b"], SOME),
    "a patient and its FHIR id": lambda d: (d.rows(resource_rows.PATIENT_ROW, patient="p"), d.rows(resource_rows.PATIENT_OF, id="a")),
    "whose records are one patient's": lambda d: (merges.group_of(d, "p"), merges.groups_of(d, ["p", "q"])),
    "who was merged away": lambda d: merges.merged(d, ["p", "q"]),
    "who has an identifier": lambda d: merges.same_as(d, "p", None),
    "documents held": lambda d: d.rows(held.FIND, ids=["a", "b"]),
    "DocumentReferences of a patient": lambda d: resources.find_document_references(
        d, replace(FIND, page=Page(9, (1.0, "x"))), ANYONE
    ),
    **{
        f"{kind} read": lambda d, kind=kind: resources.read(d, kind, "a") for kind in ResourceType
    },
    **{
        f"{kind} of a patient": lambda d, kind=kind: resources.find(
            d, FindResources(kind, patient_ids=("p",), page=Page(9)), SOME
        )
        for kind in (ResourceType.IMAGING_STUDY, ResourceType.DIAGNOSTIC_REPORT)
    },
    "the studies of a report": lambda d: d.rows(resource_rows.STUDIES_OF_REPORT, id="a", patients=["a"]),
    "the next job": lambda d: d.rows(outbox.NEXT, now=1.0, topics=["a"]),
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What the database was asked: (SQL, parameters)."""
    seen, rows = [], Database.rows

    def noting(database, statement, **params):
        sql, constants = statement.compiled(database.dialect)
        seen.append((sql, constants | params))
        return rows(database, statement, **params)

    monkeypatch.setattr(Database, "rows", noting)
    return seen


@pytest.mark.parametrize("name", HOT)
def test_no_table_is_read_from_end_to_end_on_sqlite(sqlite, asked, name):
    database = Database(sqlite)
    HOT[name](database)
    assert asked
    for sql, params in list(asked):
        connection, _ = database._pool.take()
        plan = [row[3] for row in connection.run(f"EXPLAIN QUERY PLAN {sql}", params)]
        assert any(step.startswith("SEARCH ") for step in plan), plan
        # json_each is a virtual table, and `fallen` is what a recursive question has found so far.
        scans = [s for s in plan if s.startswith("SCAN ") and "VIRTUAL TABLE" not in s and s != "SCAN fallen"]
        assert not scans, f"{scans}: an index is missing, or the condition is written so that none is used\n{sql}"


@pytest.fixture(scope="module")
def no_scans(postgres_databases):
    """A database of PostgreSQL whose planner only reads a whole table when nothing else can answer."""
    url = postgres_databases.fresh()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        yield url, connection
    postgres_databases.drop(url)


@pytest.mark.parametrize("name", HOT)
def test_no_table_is_read_from_end_to_end_on_postgresql(no_scans, asked, name):
    url, connection = no_scans
    database = Database(url)
    HOT[name](database)
    database.close()
    for sql, params in list(asked):
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}", params))
        assert "Seq Scan" not in plan, f"{plan}\n{sql}"


# --- any_of ---


@pytest.mark.parametrize("values", [[], ["a"], ["a", "b'\"å", "c,d"], [f"n{i}" for i in range(40_000)]], ids=len)
def test_any_of_takes_any_number_of_values(empty_url, values):
    database = Database(empty_url)
    kept = ["a", "b'\"å", "c,d", "other"]
    row = {"recorded": 1.0, "transaction": "t", "action": "R", "outcome": 0, "patient_id": None, "record": ""}
    database.transact(lambda unit: unit.insert(AUDIT, [{"id": id_} | row for id_ in kept]))
    found = database.rows(Statement(select(AUDIT.c.id).where(any_of(AUDIT.c.id, "ids"))), ids=values)
    assert {one[0] for one in found} == set(kept) & set(values)
    database.close()


def test_constants_and_parameters_are_kept_apart():
    sql, constants = Statement(select(column("a")).where(column("b") == bindparam("b"), column("c") == 5)).compiled(
        "sqlite"
    )
    assert ":b" in sql
    assert list(constants.values()) == [5]
