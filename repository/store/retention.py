"""Retention as SQL: studies that are old enough, what holds them, and taking out all that is known of one."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, func, literal, null, or_, select, update

from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from repository.store.imaging import Rows
from repository.store.tables import DEMOGRAPHICS, HOLD, INSTANCE, ON_DEMAND, SERIES, STUDY

study, instance, h = STUDY.c, INSTANCE.c, HOLD.c


class OldStudy(NamedTuple):
    """A study as retention asks: dates have 8 digits or are empty, `received` is seconds since 1970."""

    uid: str
    patient_id: str | None
    patient_birth_date: str
    study_date: str
    received: float
    institution: str


class Hold(NamedTuple):
    """A legal hold: times are seconds since 1970; the last two are None while it stands."""

    id: str
    study_uid: str
    reason: str
    placed_by: str
    placed: float
    released: float | None
    released_by: str | None


_ROW = tuple(study[name] for name in OldStudy._fields)
_OTHER = STUDY.alias("other").c


def is_held(study_uid: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a legal hold stands on a study."""
    return exists().where(h.study_uid == study_uid, h.released.is_(null()))


_OLD = and_(
    study.source == bindparam("source"),
    study.study_date <= bindparam("until"),
    or_(study.study_date != literal(""), study.received <= bindparam("received")),
    # From the last one on: by date, then by UID.
    or_(
        study.study_date > bindparam("after"),
        and_(study.study_date == bindparam("after"), study.uid > bindparam("after_uid")),
    ),
)
# Something younger of the same patient keeps all that is older.
_YOUNGER = exists().where(
    _OTHER.patient_id == study.patient_id,
    or_(
        _OTHER.study_date > bindparam("until"),
        and_(_OTHER.study_date == literal(""), _OTHER.received > bindparam("received")),
    ),
)
_ORDERED = (study.study_date, study.uid)
OLD = {
    False: Statement(select(*_ROW).where(_OLD).order_by(*_ORDERED).limit(bindparam("most"))),
    True: Statement(select(*_ROW).where(_OLD, ~_YOUNGER).order_by(*_ORDERED).limit(bindparam("most"))),
}
ONE = Statement(select(*_ROW).where(study.uid == bindparam("uid"), study.source == bindparam("source")))
SIZES = Statement(
    select(instance.study_uid, func.count(), func.sum(instance.size))
    .where(any_of(instance.study_uid, "uids"), instance.source == bindparam("source"))
    .group_by(instance.study_uid)
)
HELD_OF = Statement(select(h.study_uid).distinct().where(any_of(h.study_uid, "uids"), h.released.is_(null())))
HOLDS = Statement(select(*(h[name] for name in Hold._fields)).order_by(h.placed, h.id))
RELEASE = Statement(
    update(HOLD)
    .where(h.study_uid == bindparam("b_study"), h.released.is_(null()))
    .values(released=bindparam("now"), released_by=bindparam("by"))
)
CONTENTS = Statement(
    select(instance.uid, instance.series_uid, instance.sha256)
    .where(instance.study_uid == bindparam("study"), instance.source == bindparam("source"))
    .order_by(instance.uid)
)
LEFT = Statement(
    select(func.count())
    .select_from(INSTANCE)
    .where(
        instance.study_uid == bindparam("study"),
        instance.source == bindparam("source"),
        or_(instance.hidden == literal(0), instance.rejected.is_not(null())),
    )
)
_TABLES = (
    (STUDY, STUDY.c.uid),
    (SERIES, SERIES.c.study_uid),
    (INSTANCE, INSTANCE.c.study_uid),
    (ON_DEMAND, ON_DEMAND.c.study_uid),
    (DEMOGRAPHICS, DEMOGRAPHICS.c.study_uid),
)
FORGET = tuple(
    Statement(delete(table).where(uid == bindparam("b_study"), table.c.source == bindparam("b_source")))
    for table, uid in _TABLES
)


def old(
    rows: Rows, source: str, *, until: str, received: float, after: tuple[str, str], by_patient: bool, most: int
) -> list[OldStudy]:
    """Studies of `until` (8 digits) or before, or without a date and `received` by then, after (date, UID) in order."""
    given = {"until": until, "received": received, "after": after[0], "after_uid": after[1]}
    return [OldStudy(*row) for row in rows(OLD[by_patient], source=source, most=most, **given)]


def one(rows: Rows, source: str, uid: str) -> OldStudy | None:
    """A study's row, None if there is none."""
    found = rows(ONE, uid=uid, source=source)
    return OldStudy(*found[0]) if found else None


def sizes(rows: Rows, source: str, uids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Instances and bytes of each of the studies that has any."""
    return {uid: (count, int(size or 0)) for uid, count, size in rows(SIZES, uids=list(uids), source=source)}


def held(rows: Rows, uids: Iterable[str]) -> set[str]:
    """Those of the studies that a legal hold stands on."""
    return {row[0] for row in rows(HELD_OF, uids=list(uids))}


def holds(rows: Rows) -> list[Hold]:
    """All holds, the released ones too, the oldest first."""
    return [Hold(*row) for row in rows(HOLDS)]


def place(unit: Unit, hold: Hold) -> None:
    """Write down a hold."""
    unit.insert(HOLD, [hold._asdict()])


def forget(unit: Unit, source: str, study_uid: str) -> None:
    """Take out every row of a study but its tombstones, holds and findings."""
    for statement in FORGET:
        unit.execute(statement, b_study=study_uid, b_source=source)
