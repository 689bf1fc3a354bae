"""Registered objects read for updates and removals, each kind by the index that finds it."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, literal, null, select, union_all

from database.engine import Database, Unit
from database.sql import any_of
from database.statement import Statement
from registry.known import ASSOCIATION as ASSOCIATION_KIND
from registry.known import DOCUMENT, SET, Known
from registry.known import FOLDER as FOLDER_KIND
from registry.store.tables import ASSOCIATION, DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET

KINDS = {DOCUMENT: DOCUMENT_ENTRY, SET: SUBMISSION_SET, FOLDER_KIND: FOLDER, ASSOCIATION_KIND: ASSOCIATION}
ALL = ("id", "logical_id", "version", "status", "is_latest", "patient_id")
# Columns that not every kind has.
SOME = (
    "unique_id",
    "object_type",
    "mime_type",
    "repository_unique_id",
    "hash",
    "size",
    "type",
    "source",
    "target",
)
VERSIONED = (DOCUMENT, FOLDER_KIND)


def _branch(kind: str, condition: Callable[[Any], ColumnElement[bool]]) -> Select[Any]:
    columns = KINDS[kind].c
    some = (columns[name].cast(Text) if name in columns else null().cast(Text) for name in SOME)
    return select(literal(kind), *(columns[name] for name in ALL), *some).where(condition(columns))


BY_ID = Statement(union_all(*(_branch(kind, lambda c: any_of(c.id, "ids")) for kind in KINDS)))
BY_LOGICAL_ID = Statement(union_all(*(_branch(kind, lambda c: any_of(c.logical_id, "ids")) for kind in VERSIONED)))
ENDING_AT = Statement(
    union_all(
        _branch(ASSOCIATION_KIND, lambda c: any_of(c.source, "ids")),
        _branch(ASSOCIATION_KIND, lambda c: any_of(c.target, "ids")),
    )
)


def by_id(reader: Database | Unit, ids: Iterable[str]) -> list[Known]:
    """The objects with these entryUUIDs (bare)."""
    return _read(reader, BY_ID, ids)


def by_logical_id(reader: Database | Unit, ids: Iterable[str]) -> list[Known]:
    """Every version of the DocumentEntries and Folders with these logicalIDs (bare)."""
    return _read(reader, BY_LOGICAL_ID, ids)


def ending_at(reader: Database | Unit, ids: Iterable[str]) -> list[Known]:
    """The associations that have one of these objects (bare) at either end."""
    return _read(reader, ENDING_AT, ids)


def _read(reader: Database | Unit, statement: Statement, ids: Iterable[str]) -> list[Known]:
    wanted = sorted(set(ids))
    return [Known._make((*row, ())) for row in dict.fromkeys(reader.rows(statement, ids=wanted))] if wanted else []
