"""Pieces of SQL that the two engines spell differently."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, any_, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class any_of(FunctionElement[bool]):  # noqa: N801
    """`any_of(column, "name")`: the column is one of the list given as parameter `name`.

    One SQL text serves any number of values: an array on PostgreSQL, a JSON array on SQLite.
    """

    inherit_cache = True
    # Without this SQLAlchemy compares the predicate to 1 on SQLite, and no index is used.
    _is_implicitly_boolean = True
    type = Boolean()
    name = "any_of"

    def __init__(self, operand: ColumnElement[Any], parameter: str) -> None:
        self.parameter = parameter
        super().__init__(operand)


@compiles(any_of, "postgresql")
def _array(element: any_of, compiler: Any, **kw: Any) -> str:
    operand = next(iter(element.clauses))
    values = bindparam(element.parameter, type_=ARRAY(Text))
    return str(compiler.process(operand == any_(values), **kw))


@compiles(any_of, "sqlite")
def _json(element: any_of, compiler: Any, **kw: Any) -> str:
    operand = next(iter(element.clauses))
    values = func.json_each(bindparam(element.parameter)).table_valued(column("value"))
    return str(compiler.process(operand.in_(select(values.c.value)), **kw))
