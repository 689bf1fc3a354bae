"""Which entry stands for a document now."""

from sqlalchemy import bindparam, literal, select

from database.engine import Database
from database.statement import Statement
from registry.store.tables import DOCUMENT_ENTRY

d = DOCUMENT_ENTRY.c

APPROVED = Statement(
    select(d.id)
    .where(d.unique_id == bindparam("unique_id"), d.status == literal("Approved"), d.is_latest)
    .order_by(d.registered.desc(), d.id)
)


def approved_entry(database: Database, unique_id: str) -> str | None:
    """The UUID (bare) of the approved DocumentEntry of this uniqueId, the newest if it was registered again."""
    found = database.rows(APPROVED, unique_id=unique_id)
    return str(found[0][0]) if found else None
