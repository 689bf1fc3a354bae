"""Statements of SQLAlchemy Core, compiled once and run on the driver's own cursor.

Core keeps the schema and the SQL of both engines in one language; its execution costs four times the query itself on
the hot paths. So a statement is compiled on first use and only its text and constants are kept.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import ClauseElement, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

DIALECTS: Mapping[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.dialect(paramstyle="pyformat"),  # type: ignore[no-untyped-call]
}


class Statement:
    """One Core statement. Parameters are `bindparam("name")`; IN lists are `any_of` of `database.sql`."""

    __slots__ = ("_compiled", "_element")

    def __init__(self, element: ClauseElement | Mapping[str, ClauseElement]) -> None:
        self._element = element
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}

    def compiled(self, dialect: str) -> tuple[str, dict[str, Any]]:
        """The SQL text and the constants in it, for `sqlite` or `postgresql`."""
        known = self._compiled.get(dialect)
        if known is None:
            element = self._element[dialect] if isinstance(self._element, Mapping) else self._element
            done = element.compile(dialect=DIALECTS[dialect])
            constants = {name: value for name, value in done.params.items() if value is not None}
            known = self._compiled[dialect] = (str(done), constants)
        return known


@cache
def insertion(table: Table) -> Statement:
    """INSERT of one whole row of `table`; every column is a parameter."""
    return Statement(insert(table))
