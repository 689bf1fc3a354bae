"""Conditions on what hangs on an object in other tables: its codes, its authors, its identifiers.

An index by the object's id answers them when few objects are in question already, as those of one patient. Where
nothing narrower is asked (`driving`), the condition itself must lead to the objects, by the index on its values.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, literal, null, or_, select

from database.sql import any_of
from registry.queries import ReferenceId
from registry.store.tables import ENTRY_AUTHOR, ENTRY_CODE, PATIENT, REFERENCE_ID
from registry.store.where import Where

r, k, w, p = REFERENCE_ID.c, ENTRY_CODE.c, ENTRY_AUTHOR.c, PATIENT.c

# An identifier in CXi text, for patterns (ITI TF-3, table 4.2.3.1.7-2).
CXI = r.value + "^^^" + case((r.authority == "", ""), else_="&" + r.authority + "&ISO") + "^" + r.kind


def not_merged(where: Where, patient_id: str) -> None:
    """The patient has no part in a merge, so that the id alone tells whose records are asked for."""
    name = f"p{len(where.params)}"
    where.add(
        "not merged",
        lambda: ~exists().where(p.patient_id == bindparam(name), p.survivor.is_not(null())),
        **{name: patient_id},
    )


def coded(where: Where, id_column: Any, kind: str, codes: tuple[str, ...], *, driving: bool = False) -> None:
    """The object has one of `codes` among its codes of this kind."""
    name = f"p{len(where.params)}"
    where.add(
        ("coded", kind, name, driving), lambda: _coded(id_column, kind, name, driving=driving), **{name: list(codes)}
    )


def not_coded(where: Where, id_column: Any, kind: str, ands: tuple[tuple[str, ...], ...]) -> None:
    """The object does not match all of `ands`, an AND of ORs."""
    names = [f"p{len(where.params) + i}" for i in range(len(ands))]
    where.add(
        ("not coded", kind, tuple(names)),
        lambda: ~and_(*(_coded(id_column, kind, name) for name in names)),
        **{name: list(codes) for name, codes in zip(names, ands, strict=True)},
    )


def _coded(id_column: Any, kind: str, name: str, *, driving: bool = False) -> ColumnElement[bool]:
    matches = (k.kind == literal(kind), any_of(k.code, name))
    if driving:
        return id_column.in_(select(k.entry_id).where(*matches))  # type: ignore[no-any-return]
    return exists().where(k.entry_id == id_column, *matches)


def authored(where: Where, id_column: Any, patterns: tuple[str, ...], *, negated: bool = False) -> None:
    """One of the object's authors matches one of these LIKE patterns."""
    names = [f"p{len(where.params) + i}" for i in range(len(patterns))]

    def condition() -> ColumnElement[bool]:
        likes = (w.person.like(bindparam(name), escape="\\") for name in names)
        found = exists().where(w.entry_id == id_column, or_(*likes))
        return ~found if negated else found

    where.add(("authored", tuple(names), negated), condition, **dict(zip(names, patterns, strict=True)))


def referring(
    where: Where, ors: tuple[ReferenceId, ...], record: str, id_column: Any, *, driving: bool = False
) -> None:
    """The record has one of these identifiers in the cross-index."""
    one = _Identifiers(where, ors, record, id_column, driving)
    where.add(one.key, one.condition, **one.params)


def not_referring(where: Where, ands: tuple[tuple[ReferenceId, ...], ...], record: str, id_column: Any) -> None:
    """The record does not match all of `ands`, an AND of ORs."""
    parts: list[_Identifiers] = []
    taken = 0
    for ors in ands:
        part = _Identifiers(where, ors, record, id_column, taken=taken)
        taken += len(part.params)
        parts.append(part)
    params = {name: value for part in parts for name, value in part.params.items()}
    where.add(("not", *(part.key for part in parts)), lambda: ~and_(*(part.condition() for part in parts)), **params)


class _Identifiers:
    """A condition on identifiers: its shape, its parameters and its SQL."""

    def __init__(
        self,
        where: Where,
        ors: tuple[ReferenceId, ...],
        record: str,
        id_column: Any,
        driving: bool = False,
        taken: int = 0,
    ) -> None:
        self.params: dict[str, Any] = {}
        self._record, self._id, self._driving = record, id_column, driving
        self._parts: list[tuple[bool, str, str | None, str | None]] = []
        for one in ors:
            names: list[str | None] = []
            for value in (one.value, one.kind, one.authority):
                name = f"p{len(where.params) + taken + len(self.params)}" if value is not None else None
                if name:
                    self.params[name] = value
                names.append(name)
            self._parts.append((one.pattern, str(names[0]), names[1], names[2]))
        self.key = ("refers", record, driving, tuple(self._parts))

    def condition(self) -> ColumnElement[bool]:
        matches = (r.record == literal(self._record), or_(*map(self._matches, self._parts)))
        if self._driving:
            return self._id.in_(select(r.record_id).where(*matches))  # type: ignore[no-any-return]
        return exists().where(r.record_id == self._id, *matches)

    def _matches(self, part: tuple[bool, str, str | None, str | None]) -> ColumnElement[bool]:
        pattern, value, kind, authority = part
        if pattern:
            return CXI.like(bindparam(value), escape="\\")
        return and_(
            r.value == bindparam(value),
            *([r.kind == bindparam(kind)] if kind else []),
            *([r.authority == bindparam(authority)] if authority else []),
        )
