"""Findings as SQL: adding one or counting it again, listing, resolving, and the blobs that they keep."""

from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, literal, select, update

from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from repository.store.imaging import Rows
from repository.store.tables import FINDING

f = FINDING.c


class FindingRow(NamedTuple):
    """A row of `finding`, see there. Times are seconds since 1970; what tells of the resolution is None while open."""

    id: str
    kind: str
    state: str
    patients: str
    study_uid: str
    object_uid: str
    sha256: str | None
    size: int | None
    kept: int
    text: str
    first_seen: float
    last_seen: float
    times: int
    resolution: str | None = None
    resolved: float | None = None
    resolved_by: str | None = None
    reason: str | None = None


_ROW = tuple(f[name] for name in FindingRow._fields)
BY_ID = Statement(select(*_ROW).where(f.id == bindparam("id")))
SEEN_AGAIN = Statement(
    update(FINDING).where(f.id == bindparam("b_id")).values(times=f.times + 1, last_seen=bindparam("now"))
)
RESOLVE = Statement(
    update(FINDING)
    .where(f.id == bindparam("b_id"))
    .values(
        state=bindparam("new_state"),
        kept=bindparam("keeps"),
        resolution=bindparam("how"),
        resolved=bindparam("now"),
        resolved_by=bindparam("who"),
        reason=bindparam("why"),
    )
)
COUNTS = Statement(select(f.kind, f.state, func.count()).group_by(f.kind, f.state).order_by(f.kind, f.state))
# (SHA-256, size) of what is kept aside, and those of some hashes that are: `fsck` and removals leave these blobs alone.
KEPT_BLOBS = Statement(select(f.sha256, f.size).where(f.kept == literal(1)).distinct())
STILL_KEPT = Statement(select(f.sha256).where(any_of(f.sha256, "hashes"), f.kept == literal(1)))

DECIDED_BLOBS = Statement(
    select(f.sha256).where(f.study_uid == bindparam("study_uid"), f.state == literal("resolved"), f.kept == literal(1))
)
FORGET_DECIDED = Statement(
    delete(FINDING).where(f.study_uid == bindparam("b_study_uid"), f.state == literal("resolved"))
)


def get(rows: Rows, id_: str) -> FindingRow | None:
    """The finding, None if there is none."""
    found = rows(BY_ID, id=id_)
    return FindingRow(*found[0]) if found else None


def add(unit: Unit, row: FindingRow, now: float) -> bool:
    """Add a finding, or count it once more; whether it is new. Its id is locked to the end of the unit."""
    unit.lock(f"finding {row.id}")
    if unit.execute(SEEN_AGAIN, b_id=row.id, now=now):
        return False
    unit.insert(FINDING, [row._asdict()])
    return True


def forget(unit: Unit, study_uid: str) -> set[str]:
    """Take out what was decided about a study that is deleted; the SHA-256 of what it kept. Open ones wait on."""
    hashes = {str(row[0]) for row in unit.rows(DECIDED_BLOBS, study_uid=study_uid)}
    unit.execute(FORGET_DECIDED, b_study_uid=study_uid)
    return hashes


def find(rows: Rows, filters: dict[str, str], limit: int) -> list[FindingRow]:
    """Those whose columns have these values, the open ones first, then the latest first."""
    return [FindingRow(*row) for row in rows(_listing(tuple(sorted(filters))), most=limit, **filters)]


def _listing(names: tuple[str, ...]) -> Statement:
    statement = _LISTINGS.get(names)
    if statement is None:
        question = select(*_ROW).where(*(f[name] == bindparam(name) for name in names))
        # "open" comes before "resolved".
        question = question.order_by(f.state, f.last_seen.desc(), f.id).limit(bindparam("most"))
        statement = _LISTINGS[names] = Statement(question)
    return statement


_LISTINGS: dict[tuple[str, ...], Any] = {}
