"""Rejections as SQL: the tombstones, marking what they hide, and what that leaves of studies and series.

A tombstone is one of an instance in its study: a note that names another study than the object's hides nothing.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Float, and_, bindparam, delete, exists, func, literal, null, select, update

from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from repository.imaging.rows import SEPARATOR
from repository.store.imaging import UNNUMBERED, Rows
from repository.store.tables import HOLD, INSTANCE, REJECTION, SERIES, STUDY

study, series, instance, r = STUDY.c, SERIES.c, INSTANCE.c, REJECTION.c


class Tombstone(NamedTuple):
    """A row of `rejection`: times are seconds since 1970, `due` when the object may be deleted, None for never."""

    uid: str
    source: str
    series_uid: str
    study_uid: str
    code: str
    note_uid: str
    hidden: int
    seen: int
    noted: float
    due: float | None


class MarkedInstance(NamedTuple):
    """An object that is held, as rejecting and deleting need it; `size` in bytes."""

    uid: str
    series_uid: str
    patient_id: str | None
    sha256: str
    size: int


class Remains(NamedTuple):
    """What is left of a study: visible instances, and those of them that it shares."""

    visible: int
    shared: int


_OF = and_(r.study_uid == bindparam("study"), r.source == bindparam("source"))
_THESE = and_(instance.study_uid == bindparam("b_study"), instance.source == bindparam("b_source"))
_TOMBSTONE = tuple(r[name] for name in Tombstone._fields)
_MARKED = tuple(instance[name] for name in MarkedInstance._fields)

FIND = Statement(select(*_TOMBSTONE).where(any_of(r.uid, "uids"), _OF))
OF_STUDY = Statement(select(*_TOMBSTONE).where(_OF).order_by(r.uid).limit(literal(1)))
FORGET = Statement(
    delete(REJECTION).where(
        any_of(r.uid, "uids"), r.study_uid == bindparam("b_study"), r.source == bindparam("b_source")
    )
)
SEEN = Statement(
    update(REJECTION)
    .where(any_of(r.uid, "uids"), r.study_uid == bindparam("b_study"), r.source == bindparam("b_source"))
    # What went before it came is to go again.
    .values(seen=literal(1), due=func.coalesce(r.due, bindparam("again", type_=Float)))
)
SETTLED = Statement(
    update(REJECTION)
    .where(any_of(r.uid, "uids"), r.study_uid == bindparam("b_study"), r.source == bindparam("b_source"))
    .values(due=null())
)
# What a legal hold stands on waits until it is released.
_FREE = ~exists().where(HOLD.c.study_uid == r.study_uid, HOLD.c.released.is_(null()))
DUE = Statement(
    select(*_TOMBSTONE)
    .where(r.due <= bindparam("now"), r.source == bindparam("source"), _FREE)
    .order_by(r.due)
    .limit(bindparam("most"))
)
DUE_OF = Statement(select(*_TOMBSTONE).where(_OF, r.due <= bindparam("now")).order_by(r.uid))
HELD = Statement(
    select(*_MARKED).where(
        any_of(instance.uid, "uids"), instance.study_uid == bindparam("study"), instance.source == bindparam("source")
    )
)
MARK = Statement(
    update(INSTANCE)
    .where(any_of(instance.uid, "uids"), _THESE)
    .values(rejected=bindparam("code"), hidden=bindparam("hide"))
)
SHOW = Statement(
    update(INSTANCE).where(any_of(instance.uid, "uids"), _THESE).values(rejected=null(), hidden=literal(0))
)
DELETE = Statement(delete(INSTANCE).where(any_of(instance.uid, "uids"), _THESE))
_VISIBLE = (
    select(func.count())
    .select_from(INSTANCE)
    .where(
        instance.study_uid == series.study_uid,
        instance.series_uid == series.uid,
        instance.source == series.source,
        instance.hidden == literal(0),
    )
    .correlate(SERIES)
    .scalar_subquery()
)
COUNT_SERIES = Statement(
    update(SERIES)
    .where(any_of(series.uid, "uids"), series.study_uid == bindparam("b_study"), series.source == bindparam("b_source"))
    .values(instance_count=_VISIBLE)
)
_SHOWN = and_(
    series.study_uid == bindparam("study"), series.source == bindparam("source"), series.instance_count > literal(0)
)
SHOWN_SERIES = Statement(
    select(series.modality, series.instance_count)
    .where(_SHOWN)
    .order_by(func.coalesce(series.number, UNNUMBERED), series.uid)
)
SHARED = Statement(
    select(func.count())
    .select_from(INSTANCE)
    .where(
        instance.study_uid == bindparam("study"),
        instance.source == bindparam("source"),
        instance.hidden == literal(0),
        instance.withheld == literal(0),
    )
)
COUNT_STUDY = Statement(
    update(STUDY)
    .where(study.uid == bindparam("b_uid"), study.source == bindparam("b_source"))
    .values(
        modalities=bindparam("kinds"),
        series_count=bindparam("of_series"),
        instance_count=bindparam("of_instances"),
        version=study.version + 1,
        shrunk=study.version + 1,
        changed=bindparam("now"),
    )
)


def find(rows: Rows, source: str, study_uid: str, uids: Iterable[str]) -> dict[str, Tombstone]:
    """The tombstones of these instances of a study, by SOP Instance UID."""
    found = rows(FIND, uids=list(uids), study=study_uid, source=source)
    return {one.uid: one for one in map(Tombstone._make, found)}


def any_of_study(rows: Rows, source: str, study_uid: str) -> Tombstone | None:
    """One of a study's tombstones, None when it has none."""
    found = rows(OF_STUDY, study=study_uid, source=source)
    return Tombstone(*found[0]) if found else None


def held(rows: Rows, source: str, study_uid: str, uids: Iterable[str]) -> list[MarkedInstance]:
    """Those of the instances that are here, hidden or not."""
    return [MarkedInstance(*row) for row in rows(HELD, uids=list(uids), study=study_uid, source=source)]


def write(unit: Unit, tombstones: Sequence[Tombstone]) -> None:
    """Set tombstones of one study, in place of those that are there."""
    if tombstones:
        first = tombstones[0]
        unit.execute(FORGET, uids=[one.uid for one in tombstones], b_study=first.study_uid, b_source=first.source)
        unit.insert(REJECTION, [one._asdict() for one in tombstones])


def modalities(rows: Rows, source: str, study_uid: str) -> tuple[str, ...]:
    """The distinct modalities of a study's series that show anything."""
    shown = rows(SHOWN_SERIES, study=study_uid, source=source)
    return tuple(dict.fromkeys(modality for modality, _ in shown if modality))


def recount(unit: Unit, source: str, study_uid: str, series_uids: Iterable[str], now: float) -> Remains:
    """Count a study anew after instances of these series were hidden, shown or deleted; its version moves on."""
    unit.execute(COUNT_SERIES, uids=sorted(set(series_uids)), b_study=study_uid, b_source=source)
    shown = unit.rows(SHOWN_SERIES, study=study_uid, source=source)
    kinds = modalities(unit.rows, source, study_uid)
    visible = sum(count for _, count in shown)
    unit.execute(
        COUNT_STUDY,
        b_uid=study_uid,
        b_source=source,
        kinds=SEPARATOR.join(kinds),
        of_series=len(shown),
        of_instances=visible,
        now=now,
    )
    return Remains(visible, unit.rows(SHARED, study=study_uid, source=source)[0][0])
