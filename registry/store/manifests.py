"""Which registered documents are manifests of one study, and their entries."""

from typing import Any, NamedTuple

from sqlalchemy import bindparam, not_, select

from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from registry.store.tables import DOCUMENT_ENTRY, MANIFEST

d, m = DOCUMENT_ENTRY.c, MANIFEST.c

KNOWN = Statement(select(m.unique_id).where(m.unique_id == bindparam("unique_id")))
ENTRIES = Statement(
    select(d.id, d.status, m.location, m.made, m.is_read, m.withdraws)
    .where(
        m.study_uid == bindparam("study"),
        m.source_id == bindparam("source_id"),
        d.unique_id == m.unique_id,
        d.is_latest,
        any_of(d.patient_id, "patients"),
        not_(d.unique_id == bindparam("unique_id")),
    )
    .order_by(d.id)
)


class Entry(NamedTuple):
    """The latest version of an entry (bare UUID) of a manifest; `status` is a word, `made` has 14 digits."""

    id: str
    status: str
    location: str
    made: str
    is_read: bool
    withdraws: bool


def add(unit: Unit, row: dict[str, Any]) -> None:
    """Note a manifest, once."""
    if not unit.rows(KNOWN, unique_id=row["unique_id"]):
        unit.insert(MANIFEST, [row])


def entries(unit: Unit, study_uid: str, source_id: str, patients: list[str], unique_id: str) -> list[Entry]:
    """The manifests of a study, of one source (sourceId), but for the document `unique_id`."""
    found = unit.rows(ENTRIES, study=study_uid, source_id=source_id, patients=patients, unique_id=unique_id)
    return [Entry._make(row) for row in found]
