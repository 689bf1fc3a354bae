"""Registry objects as rows: what an answer needs of each kind, and how it is fetched."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, select

from database.engine import Database
from registry.answers import Answer, Kind, ObjectRef, StoredObject
from registry.metadata.urn import ObjectType, Status
from registry.queries import ReturnType
from registry.store.fragments import decompress
from registry.store.tables import ASSOCIATION, DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET
from registry.store.where import Where

d, s, f, a = DOCUMENT_ENTRY.c, SUBMISSION_SET.c, FOLDER.c, ASSOCIATION.c
WORDS = {status: status.name.title() for status in Status}


class Shape(NamedTuple):
    """One kind of registry object: its table's columns, those that a LeafClass answer takes, and what they make."""

    name: str
    c: Any
    leaf: Sequence[ColumnElement[Any]]
    of: Callable[[tuple[Any, ...]], StoredObject]


def _leaf(c: Any, *own: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    return (c.id, c.logical_id, c.version, c.status, c.home, c.patient_id, *own, c.ebrim, c.dictionary)


def _entry(row: tuple[Any, ...]) -> StoredObject:
    return StoredObject._make((Kind.DOCUMENT_ENTRY, *row[:8], decompress(row[8], row[9]), "", "", "", ""))


def _submission_set(row: tuple[Any, ...]) -> StoredObject:
    return StoredObject._make((Kind.SUBMISSION_SET, *row[:6], "", "", decompress(row[6], row[7]), "", "", "", ""))


def _folder(row: tuple[Any, ...]) -> StoredObject:
    return StoredObject._make((Kind.FOLDER, *row[:6], "", "", decompress(row[7], row[8]), "", "", "", row[6] or ""))


def _association(row: tuple[Any, ...]) -> StoredObject:
    return StoredObject._make((Kind.ASSOCIATION, *row[:6], "", "", decompress(row[9], row[10]), *row[6:9], ""))


ENTRY = Shape("entries", d, _leaf(d, d.mime_type, d.object_type), _entry)
SET = Shape("sets", s, _leaf(s), _submission_set)
FOLDERS = Shape("folders", f, _leaf(f, f.last_update_time), _folder)
ASSOCIATIONS = Shape("associations", a, _leaf(a, a.type, a.source, a.target), _association)


def objects(database: Database, shape: Shape, where: Where, most: int | None = None) -> list[StoredObject]:
    """The objects that `where` admits; at most `most` + 1, so that the caller sees an excess."""
    if most is None:
        statement = where.statement(lambda: select(*shape.leaf), shape.name, "leaf")
        return list(map(shape.of, database.rows(statement, **where.params)))
    statement = where.statement(lambda: select(*shape.leaf).limit(bindparam("most")), shape.name, "leaf", "most")
    return list(map(shape.of, database.rows(statement, most=most + 1, **where.params)))


def refs(database: Database, shape: Shape, where: Where, most: int | None = None) -> list[ObjectRef]:
    """References to the objects that `where` admits; at most `most` + 1."""
    if most is None:
        statement = where.statement(lambda: select(shape.c.id, shape.c.home), shape.name, "refs")
        return list(map(ObjectRef._make, database.rows(statement, **where.params)))
    statement = where.statement(
        lambda: select(shape.c.id, shape.c.home).limit(bindparam("most")), shape.name, "refs", "most"
    )
    return list(map(ObjectRef._make, database.rows(statement, most=most + 1, **where.params)))


def answer(database: Database, shape: Shape, where: Where, returns: ReturnType, most: int) -> Answer:
    """What `where` admits, as it was asked for. References are small: their number has no limit."""
    if returns is ReturnType.OBJECT_REF:
        return Answer(refs=tuple(refs(database, shape, where)))
    return Answer(tuple(objects(database, shape, where, most)))


def given(found: Sequence[StoredObject], returns: ReturnType) -> Answer:
    """Objects that had to be read whole, as they were asked for."""
    if returns is ReturnType.OBJECT_REF:
        return Answer(refs=tuple(ObjectRef(one.id, one.home) for one in found))
    return Answer(tuple(found))


def statuses(where: Where, column: ColumnElement[Any], wanted: Sequence[Status]) -> None:
    """The status is one of `wanted`."""
    where.among(column, [WORDS[status] for status in wanted])


def types(wanted: Sequence[ObjectType]) -> Sequence[ObjectType]:
    """The types of DocumentEntry that are wanted; stable ones when none is named (ITI TF-2, 3.18.4.1.2.3.6.2)."""
    return wanted or (ObjectType.STABLE_DOCUMENT,)
