"""The rows of on-demand entries: which study each is a manifest of, and its last snapshot."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, exists, func, select, update

from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from repository.store.imaging import Rows
from repository.store.tables import ON_DEMAND, STUDY

o = ON_DEMAND.c


class OnDemandRow(NamedTuple):
    """A row of `on_demand`; `patient_id` is whom the entry was registered for, `registered` in seconds since 1970.

    The snapshot's three are None before the first.
    """

    unique_id: str
    patient_id: str
    study_uid: str
    source: str
    registered: float
    snapshot_unique_id: str | None = None
    snapshot_entry_id: str | None = None
    snapshot_version: int | None = None


_ROW = tuple(o[name] for name in OnDemandRow._fields)
BY_UNIQUE_ID = Statement(select(*_ROW).where(any_of(o.unique_id, "ids")))
BY_STUDY = Statement(
    select(*_ROW)
    .where(o.study_uid == bindparam("study"), o.source == bindparam("source"))
    .order_by(o.registered.desc(), o.unique_id)
)
# Only when no one has kept another since: two consumers may ask at once.
KEPT = Statement(
    update(ON_DEMAND)
    .where(
        o.unique_id == bindparam("b_id"),
        func.coalesce(o.snapshot_entry_id, "") == bindparam("before"),
        # What it shows may have been rejected since it was read.
        ~exists().where(STUDY.c.uid == o.study_uid, STUDY.c.source == o.source, STUDY.c.shrunk > bindparam("version")),
    )
    .values(
        snapshot_unique_id=bindparam("snapshot"),
        snapshot_entry_id=bindparam("entry_id"),
        snapshot_version=bindparam("version"),
    )
)


def find(rows: Rows, unique_ids: Sequence[str]) -> dict[str, OnDemandRow]:
    """Those of the uniqueIds that are on-demand entries of this source."""
    found = map(OnDemandRow._make, rows(BY_UNIQUE_ID, ids=list(unique_ids)))
    return {row.unique_id: row for row in found}


def of_study(rows: Rows, study_uid: str, source: str) -> list[OnDemandRow]:
    """The on-demand entries of a study, the newest first."""
    return [OnDemandRow._make(row) for row in rows(BY_STUDY, study=study_uid, source=source)]


def lock(unit: Unit, study_uid: str, source: str) -> None:
    """Hold off whoever would register the same study at the same time."""
    unit.lock(f"on-demand {study_uid} {source}")


def add(unit: Unit, row: OnDemandRow) -> None:
    """Add an entry that was registered."""
    unit.insert(ON_DEMAND, [row._asdict()])


def keep_snapshot(unit: Unit, before: OnDemandRow, unique_id: str, entry_id: str, version: int) -> bool:
    """Note the snapshot that was kept; False when another was since `before` was read."""
    return bool(
        unit.execute(
            KEPT,
            b_id=before.unique_id,
            before=before.snapshot_entry_id or "",
            snapshot=unique_id,
            entry_id=entry_id,
            version=version,
        )
    )
