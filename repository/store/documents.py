"""The rows of documents: which bytes a uniqueId is."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, update

from database.engine import Database, Unit
from database.sql import any_of
from database.statement import Statement
from registry.access import Visibility
from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.store.tables import DOCUMENT

d = DOCUMENT.c


class Held(NamedTuple):
    """A row of `document`; `size` in bytes, `stored` seconds since 1970."""

    unique_id: str
    patient_id: str | None
    sha256: str
    sha1: str
    size: int
    mime_type: str
    stored: float


FIND = Statement(
    select(d.unique_id, d.patient_id, d.sha256, d.sha1, d.size, d.mime_type, d.stored).where(any_of(d.unique_id, "ids"))
)
MOVE = Statement(
    update(DOCUMENT).where(d.unique_id == bindparam("b_unique_id")).values(patient_id=bindparam("patient"))
)
FORGET = Statement(delete(DOCUMENT).where(any_of(d.unique_id, "ids")))


def find(reader: Database | Unit, unique_ids: list[str], visibility: Visibility | None) -> dict[str, Held]:
    """The documents that are held, by uniqueId; those that may not be seen are not there. None: all, for writing."""
    if not unique_ids:
        return {}
    rows = map(Held._make, reader.rows(FIND, ids=unique_ids))
    return {row.unique_id: row for row in rows if visibility is None or visibility.admits(row.patient_id)}


def lock(unit: Unit, unique_ids: Iterable[str]) -> None:
    """Hold off whoever would add or remove these documents, until the unit ends."""
    unit.lock(*(f"document|{unique_id}" for unique_id in unique_ids))


def lock_bytes(unit: Unit, hashes: Iterable[str]) -> None:
    """Hold off whoever would remove the bytes with these SHA-256, until the unit ends."""
    unit.lock(*(f"blob|{sha256}" for sha256 in hashes))


def forget(unit: Unit, unique_ids: list[str]) -> None:
    """Take out the rows of these documents."""
    unit.execute(FORGET, ids=unique_ids)


def move(unit: Unit, unique_id: str, patient_id: str) -> None:
    """The document, if it is held, is this patient's from now on."""
    unit.execute(MOVE, b_unique_id=unique_id, patient=patient_id)


def add(unit: Unit, rows: list[Held]) -> None:
    """Add what is not there; the same document again needs no second row.

    Raises:
        Rejected: XDSNonIdenticalHash, another document took the uniqueId since it was checked.
    """
    lock(unit, [row.unique_id for row in rows])
    lock_bytes(unit, [row.sha256 for row in rows])
    known = find(unit, [row.unique_id for row in rows], None)
    for row in rows:
        old = known.get(row.unique_id)
        if old and old.sha256 != row.sha256:
            text = "another document with this uniqueId is kept already"
            raise Rejected([Finding(ErrorCode.XDSNonIdenticalHash, row.unique_id, text, "ITI TF-3, 4.2.3.2.10")])
    unit.insert(DOCUMENT, [row._asdict() for row in rows if row.unique_id not in known])
