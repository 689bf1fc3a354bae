"""The index of held DICOM objects as SQL: what is known of arriving ones, adding them, and reading them by UID.

Counts, modalities and version of a study move by increments, so that the ten-thousandth instance costs what the first
did. All writes of one study hold its lock, for a row that does not exist yet cannot be locked by itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, func, null, select, union_all, update

from database.connections import Row
from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from registry.access import Visibility
from repository.store.tables import INSTANCE, REJECTION, SERIES, SERIES_REQUEST, STUDY

study, series, instance, rejection = STUDY.c, SERIES.c, INSTANCE.c, REJECTION.c
Rows = Callable[..., list[Row]]
UNNUMBERED = 1 << 40  # sorts what has no number behind what has

_THIS_STUDY = and_(study.uid == bindparam("b_uid"), study.source == bindparam("b_source"))
_THIS_SERIES = and_(
    series.study_uid == bindparam("b_study"), series.source == bindparam("b_source"), series.uid == bindparam("b_uid")
)

KNOWN_STUDIES = Statement(
    select(
        study.uid,
        study.patient_id,
        study.modalities,
        study.requests,
        study.attributes,
        study.correction,
        study.stated_patient_id,
    ).where(any_of(study.uid, "uids"), study.source == bindparam("source"))
)
KNOWN_SERIES = Statement(
    select(series.study_uid, series.uid, series.instance_count).where(
        any_of(series.uid, "uids"), any_of(series.study_uid, "studies"), series.source == bindparam("source")
    )
)
# What is rejected is known whether it is held or not: one question for both.
KNOWN_INSTANCES = Statement(
    union_all(
        select(instance.uid, instance.study_uid, instance.sha256, null().label("code"), null(), null()).where(
            any_of(instance.uid, "uids"), instance.source == bindparam("source")
        ),
        select(rejection.uid, rejection.study_uid, null(), rejection.code, rejection.hidden, rejection.seen).where(
            any_of(rejection.uid, "uids"), rejection.source == bindparam("source")
        ),
    )
)
GROW_STUDY = Statement(
    update(STUDY)
    .where(_THIS_STUDY)
    .values(
        modalities=bindparam("modalities"),
        requests=bindparam("requests"),
        series_count=study.series_count + bindparam("more_series"),
        instance_count=study.instance_count + bindparam("more_instances"),
        version=study.version + 1,
        changed=bindparam("now"),
    )
)
GROW_SERIES = Statement(
    update(SERIES).where(_THIS_SERIES).values(instance_count=series.instance_count + bindparam("more_instances"))
)
STUDY_ROW = Statement(
    select(
        study.patient_id,
        study.requests,
        study.attributes,
        study.version,
        study.changed,
        study.manifest_uid,
        study.manifest_entry_id,
        study.manifest_version,
    ).where(_THIS_STUDY)
)
SERIES_ROWS = Statement(
    select(series.uid, series.attributes)
    .where(series.study_uid == bindparam("b_uid"), series.source == bindparam("b_source"))
    .order_by(func.coalesce(series.number, UNNUMBERED), series.uid)
)
SHARED_INSTANCES = Statement(
    select(instance.series_uid, instance.sop_class_uid, instance.uid, instance.number, instance.frames)
    .where(
        instance.study_uid == bindparam("b_uid"),
        instance.source == bindparam("b_source"),
        instance.withheld == 0,
        instance.hidden == 0,
    )
    .order_by(func.coalesce(instance.number, UNNUMBERED), instance.uid)
)
ATTRIBUTES_OF = Statement(
    select(instance.uid, instance.attributes)
    .where(
        any_of(instance.uid, "uids"),
        instance.study_uid == bindparam("b_uid"),
        instance.source == bindparam("b_source"),
        instance.hidden == 0,
    )
    .order_by(instance.uid)
)
# Only when no one has published since: two workers may build the same manifest. Nor when something was rejected since.
PUBLISHED = Statement(
    update(STUDY)
    .where(
        _THIS_STUDY,
        func.coalesce(study.manifest_entry_id, "") == bindparam("before"),
        study.shrunk <= bindparam("version"),
    )
    .values(
        manifest_uid=bindparam("manifest_uid"),
        manifest_entry_id=bindparam("entry_id"),
        manifest_version=bindparam("version"),
    )
)


class KnownStudy(NamedTuple):
    """A study that is in the index, as far as an arriving object asks.

    `correction` is the version of its corrected demographics, and `stated_patient_id` whom its objects name, if any.
    """

    patient_id: str | None
    modalities: str
    requests: str
    attributes: bytes
    correction: int | None = None
    stated_patient_id: str | None = None


class KnownInstance(NamedTuple):
    """An instance that is in the index."""

    study_uid: str
    sha256: str


class KnownRejection(NamedTuple):
    """What is known of a rejected instance: the note's code, whether it is hidden, and whether it ever was here."""

    code: str
    hidden: bool
    seen: bool


@dataclass(slots=True)
class Known:
    """What the index holds of the studies, series and instances that arriving objects name.

    `series` counts the visible instances of each (study, series); `rejections` are by (study, instance).
    """

    studies: dict[str, KnownStudy] = field(default_factory=dict)
    series: dict[tuple[str, str], int] = field(default_factory=dict)
    instances: dict[str, KnownInstance] = field(default_factory=dict)
    rejections: dict[tuple[str, str], KnownRejection] = field(default_factory=dict)


class HeldStudy(NamedTuple):
    """One study's row. The manifest's three are None until it is published."""

    patient_id: str | None
    requests: str
    attributes: bytes
    version: int
    changed: float
    manifest_uid: str | None
    manifest_entry_id: str | None
    manifest_version: int | None


class HeldInstance(NamedTuple):
    """An object that is held.

    `patient_id` is canonical CX text. `sha256` names its blob, `size` is in bytes. `pixels` is JSON and `attributes`
    packed DICOM JSON, both as the index made them; `correction` is the version of the study's corrected demographics
    that is laid over them, None for none.
    """

    study_uid: str
    series_uid: str
    uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sha256: str
    size: int
    source: str
    patient_id: str | None
    pixels: str | None
    attributes: bytes
    correction: int | None = None


class Growth(NamedTuple):
    """What one unit adds to a study: new rows, and the study's columns as they become.

    `bare_series` are the known ones that show no instance yet, `asked` what the new ones were made for.
    """

    study_uid: str
    modalities: str
    requests: str
    new_study: dict[str, Any] | None
    new_series: Sequence[dict[str, Any]]
    instances: Sequence[dict[str, Any]]
    bare_series: frozenset[str] = frozenset()
    asked: Sequence[dict[str, Any]] = ()


def known(rows: Rows, source: str, uids: Iterable[tuple[str, str, str]]) -> Known:
    """What is held at `source` of these (study, series, instance) UIDs; `rows` is a database's or a unit's."""
    studies, all_series, instances = (sorted(set(column)) for column in zip(*uids, strict=True))
    found = Known(
        {uid: KnownStudy(*rest) for uid, *rest in rows(KNOWN_STUDIES, uids=studies, source=source)},
        {(study, uid): n for study, uid, n in rows(KNOWN_SERIES, uids=all_series, studies=studies, source=source)},
    )
    for uid, study_uid, sha256, code, hidden, seen in rows(KNOWN_INSTANCES, uids=instances, source=source):
        if code is None:
            found.instances[uid] = KnownInstance(study_uid, sha256)
        else:
            found.rejections[study_uid, uid] = KnownRejection(code, bool(hidden), bool(seen))
    return found


def lock(unit: Unit, source: str, study_uids: Iterable[str]) -> None:
    """Hold off other writers of these studies; in one order for all, so that no two wait for each other."""
    for uid in sorted(set(study_uids)):
        unit.lock(f"study {uid} {source}")


def grow(unit: Unit, source: str, growth: Growth, now: float) -> None:
    """Add what has come to a study.

    Raises:
        Conflict: one of the instances is there already.
    """
    unit.insert(STUDY, [growth.new_study] if growth.new_study else [])
    unit.insert(SERIES, growth.new_series)
    unit.insert(SERIES_REQUEST, growth.asked)
    unit.insert(INSTANCE, growth.instances)
    counts: dict[str, int] = {}
    for row in growth.instances:
        if not row["hidden"]:
            counts[row["series_uid"]] = counts.get(row["series_uid"], 0) + 1
    bare = growth.bare_series | {row["uid"] for row in growth.new_series}
    for uid, more in counts.items():
        unit.execute(GROW_SERIES, b_study=growth.study_uid, b_source=source, b_uid=uid, more_instances=more)
    unit.execute(
        GROW_STUDY,
        b_uid=growth.study_uid,
        b_source=source,
        modalities=growth.modalities,
        requests=growth.requests,
        more_series=len(bare & counts.keys()),
        more_instances=sum(counts.values()),
        now=now,
    )


def study_row(rows: Rows, uid: str, source: str) -> HeldStudy | None:
    """The study's row, None if there is none."""
    found = rows(STUDY_ROW, b_uid=uid, b_source=source)
    return HeldStudy(*found[0]) if found else None


def contents(rows: Rows, uid: str, source: str) -> tuple[list[Row], list[Row]]:
    """A study's (series UID, packed attributes), and (series UID, SOP class, UID, number, frames) of what it shares."""
    return rows(SERIES_ROWS, b_uid=uid, b_source=source), rows(SHARED_INSTANCES, b_uid=uid, b_source=source)


def attributes_of(rows: Rows, study_uid: str, source: str, uids: list[str]) -> list[Row]:
    """(UID, packed attributes) of those instances of a study that are to be seen."""
    return rows(ATTRIBUTES_OF, b_uid=study_uid, b_source=source, uids=uids)


def held_instances(
    rows: Rows, visibility: Visibility, study_uid: str, series_uid: str | None, uid: str | None
) -> list[HeldInstance]:
    """The visible instances of a study, a series or one, by series and number."""
    if not visibility.admits_study(study_uid):
        return []
    narrow = {"series": series_uid, "uid": uid}
    given = {name: value for name, value in narrow.items() if value is not None}
    if visibility.patients is not None:
        given["visible"] = sorted(visibility.patients)  # type: ignore[assignment]
    statement = _HELD[series_uid is not None, uid is not None, visibility.patients is not None]
    return [HeldInstance(*row) for row in rows(statement, study=study_uid, **given)]


def published(
    unit: Unit, uid: str, source: str, before: HeldStudy, *, manifest_uid: str, entry_id: str, version: int
) -> bool:
    """Note the study's manifest; False when another was published since `before` was read."""
    return bool(
        unit.execute(
            PUBLISHED,
            b_uid=uid,
            b_source=source,
            before=before.manifest_entry_id or "",
            manifest_uid=manifest_uid,
            entry_id=entry_id,
            version=version,
        )
    )


def _held(by_series: bool, by_uid: bool, restricted: bool) -> Statement:
    columns = (instance[name] for name in HeldInstance._fields if name in instance)
    question = select(*columns).where(instance.study_uid == bindparam("study"), instance.hidden == 0)
    if by_series:
        question = question.where(instance.series_uid == bindparam("series"))
    if by_uid:
        question = question.where(instance.uid == bindparam("uid"))
    if restricted:
        question = question.where(any_of(instance.patient_id, "visible"))
    number = func.coalesce(instance.number, UNNUMBERED)
    return Statement(question.order_by(instance.series_uid, number, instance.uid, instance.source))


_HELD = {
    (by_series, by_uid, restricted): _held(by_series, by_uid, restricted)
    for by_series in (False, True)
    for by_uid in (False, True)
    for restricted in (False, True)
}
