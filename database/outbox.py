"""The outbox: work that must follow what was committed, written in the same unit as its cause.

A job is (topic, key): putting it again moves its time and counts its version up, so that "sixty seconds after the last
instance" is one row, and a worker that was busy with the older version does not end the newer. Jobs are taken with a
lease, tried again with back-off, and set aside as dead letters that people can see.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from database.engine import Database, Unit
from database.sql import any_of
from database.statement import Statement
from database.tables import OUTBOX

LEASE = 60.0  # seconds a worker may take before another may try
FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0  # seconds
MOST_ATTEMPTS = 20  # about a working day of the longest back-off would be 100; a defect shows long before

o = OUTBOX.c
WAITING, DEAD = "waiting", "dead"


def _upsert(dialect: Any) -> Any:
    add = dialect.insert(OUTBOX)
    changes = {"payload": add.excluded.payload, "due": add.excluded.due, "version": o.version + 1, "state": WAITING}
    return add.on_conflict_do_update(index_elements=[o.topic, o.key], set_={**changes, "attempts": 0})


PUT = Statement({"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)})
NEXT = Statement(
    select(o.topic, o.key, o.payload, o.version, o.attempts)
    .where(o.state == WAITING, o.due <= bindparam("now"), o.lease <= bindparam("now"), any_of(o.topic, "topics"))
    .order_by(o.due)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_THIS = and_(o.topic == bindparam("b_topic"), o.key == bindparam("b_key"))
_VERSION = o.version == bindparam("b_version")
TAKE = Statement(update(OUTBOX).where(_THIS).values(lease=bindparam("until")))
DONE = Statement(delete(OUTBOX).where(_THIS, _VERSION))
LATER = Statement(
    update(OUTBOX)
    .where(_THIS, _VERSION)
    .values(
        due=bindparam("at"), lease=0.0, attempts=o.attempts + 1, state=bindparam("as_state"), error=bindparam("why")
    )
)
DROP = Statement(delete(OUTBOX).where(_THIS))
RELEASE = Statement(update(OUTBOX).where(_THIS).values(lease=0.0))
HURRY = Statement(update(OUTBOX).where(_THIS).values(due=0.0, state=WAITING))
WAITING_JOBS = Statement(
    select(o.topic, o.key, o.state, o.due, o.attempts, o.error).where(
        or_(o.state == DEAD, o.due <= bindparam("before"))
    )
)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work, as taken. `payload` is what was put."""

    topic: str
    key: str
    payload: Mapping[str, Any]
    version: int
    attempts: int


def put(unit: Unit, topic: str, key: str, payload: Mapping[str, Any], *, due: float, now: float) -> None:
    """Ask for work at `due` (seconds since 1970); an equal (topic, key) that waits is moved, not doubled."""
    unit.execute(
        PUT,
        topic=topic,
        key=key,
        payload=json.dumps(payload),
        due=due,
        version=1,
        attempts=0,
        lease=0.0,
        state=WAITING,
        error=None,
        created=now,
    )


def drop(unit: Unit, topic: str, key: str) -> None:
    """Take back what was asked for, if it was: its cause is gone."""
    unit.execute(DROP, b_topic=topic, b_key=key)


class Outbox:
    """What a worker does with the outbox."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def take(self, topics: Iterable[str]) -> Job | None:
        """The job that has been due longest, under a lease of `LEASE` seconds; None when nothing is due."""
        wanted, now = list(topics), self._now()

        def work(unit: Unit) -> Job | None:
            found = unit.rows(NEXT, now=now, topics=wanted)
            if not found:
                return None
            topic, key, payload, version, attempts = found[0]
            unit.execute(TAKE, b_topic=topic, b_key=key, until=now + LEASE)
            return Job(topic, key, json.loads(payload), version, attempts)

        return self._database.transact(work)

    def done(self, job: Job) -> None:
        """End `job`, unless it was put again meanwhile."""

        def work(unit: Unit) -> None:
            if not unit.execute(DONE, b_topic=job.topic, b_key=job.key, b_version=job.version):
                unit.execute(RELEASE, b_topic=job.topic, b_key=job.key)

        self._database.transact(work)

    def failed(self, job: Job, reason: str, *, for_good: bool = False) -> None:
        """Try `job` again later, or set it aside: at once when `for_good`, else after `MOST_ATTEMPTS` tries."""
        wait = min(FIRST_RETRY * 2**job.attempts, LONGEST_RETRY)
        state = DEAD if for_good or job.attempts + 1 >= MOST_ATTEMPTS else WAITING

        def work(unit: Unit) -> None:
            this = {"b_topic": job.topic, "b_key": job.key}
            at = self._now() + wait
            if not unit.execute(LATER, **this, b_version=job.version, at=at, as_state=state, why=reason[:500]):
                unit.execute(RELEASE, **this)

        self._database.transact(work)

    def hurry(self, topic: str, key: str) -> bool:
        """Make a job due at once, a dead letter too; False when there is none."""
        return self._database.transact(lambda unit: unit.execute(HURRY, b_topic=topic, b_key=key)) > 0

    def overdue(self, seconds: float) -> list[tuple[Any, ...]]:
        """Jobs due for `seconds` and more, and dead letters: (topic, key, state, due, attempts, error)."""
        return self._database.rows(WAITING_JOBS, before=self._now() - seconds)
