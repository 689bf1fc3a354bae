"""A question with optional parts, as SQL that is compiled once a shape.

Each condition adds itself, its parameters and its part of the shape; questions of the same shape share one compiled
statement, so that the hot paths never build SQL.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, not_, or_

from database.sql import any_of
from database.statement import Statement
from registry.access import Visibility

MOST_SHAPES = 1000
_shapes: OrderedDict[Hashable, Statement] = OrderedDict()


class Where:
    """Conditions of one question, being gathered. `name` keeps the shapes of different questions apart."""

    def __init__(self, name: str) -> None:
        self.shape: list[Hashable] = [name]
        self.params: dict[str, Any] = {}
        self._conditions: list[Callable[[], ColumnElement[bool]]] = []

    def add(self, key: Hashable, condition: Callable[[], ColumnElement[bool]], **params: Any) -> None:
        """One more condition; `key` tells its shape, `condition` is only called when the shape is new."""
        self.shape.append(key)
        self._conditions.append(condition)
        self.params.update(params)

    def equal(self, column: ColumnElement[Any], value: Any) -> None:
        """`column = value`, unless `value` is None."""
        if value is not None:
            name = f"p{len(self.params)}"
            self.add(("=", column.key), lambda: column == bindparam(name), **{name: value})

    def among(self, column: ColumnElement[Any], values: Any) -> None:
        """`column` is one of `values`, unless there are none."""
        if values:
            name = f"p{len(self.params)}"
            if len(values) == 1:
                self.equal(column, values[0])
            else:
                self.add(("in", column.key), lambda: any_of(column, name), **{name: list(values)})

    def none_of(self, column: ColumnElement[Any], values: Any) -> None:
        """`column` is none of `values`, or absent; any value will do when there are none."""
        if values:
            name = f"p{len(self.params)}"
            self.add(
                ("not in", column.key),
                lambda: or_(column.is_(None), not_(any_of(column, name))),
                **{name: list(values)},
            )

    def true(self, column: ColumnElement[bool]) -> None:
        """`column`, a boolean, is true."""
        self.add(("true", column.key), lambda: column)

    def between(self, column: ColumnElement[Any], low: Any, high: Any, *, or_absent: bool = False) -> None:
        """`low <= column < high`; None leaves a side open. With `or_absent`, no value is as good as one within."""
        for value, sign in ((low, ">="), (high, "<")):
            if value is not None:
                self._bound(column, sign, value, or_absent)

    def _bound(self, column: ColumnElement[Any], sign: str, value: Any, or_absent: bool) -> None:
        name = f"p{len(self.params)}"

        def condition() -> ColumnElement[bool]:
            bound = column.op(sign, is_comparison=True)(bindparam(name))
            return or_(column.is_(None), bound) if or_absent else bound

        self.add((sign, column.key, or_absent), condition, **{name: value})

    def visible(self, column: ColumnElement[Any], visibility: Visibility) -> None:
        """Only what the caller may see: in the SQL, so before any limit and total."""
        # Who may see certain studies alone sees no record of the registry.
        patients = visibility.patients if visibility.studies is None else frozenset()
        if patients is not None:
            name = f"p{len(self.params)}"
            self.add("visible", lambda: any_of(column, name), **{name: sorted(patients)})

    def statement(self, build: Callable[[], Select[Any]], *variant: Hashable) -> Statement:
        """The compiled statement of this shape; `build` gives the SELECT that the conditions are added to."""
        key = (*self.shape, *variant)
        found = _shapes.get(key)
        if found is None:
            found = _shapes[key] = Statement(build().where(*(condition() for condition in self._conditions)))
            if len(_shapes) > MOST_SHAPES:
                _shapes.popitem(last=False)
        return found
