"""Retention: studies that are kept long enough are let go, but for those under a legal hold.

How long is the law's and the care provider's business: nothing goes before a rule is set. A run may be killed at any
instant and started again: each study goes in a unit of work of its own, and its bytes by a job of the outbox.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from database.engine import Unit
from registry.access import Caller
from registry.audit import UPDATE, AuditRecord, audit_write
from registry.metadata.errors import ErrorCode, Rejected
from repository.deletion import Deletion
from repository.store import imaging as index
from repository.store import retention as store
from repository.store.retention import Hold, OldStudy

PAGE = 200
CALLER = Caller("xdsi retention", "", "retention")
SOURCE = "PS3.16 CID 7011"


@dataclass(frozen=True, slots=True)
class Rule:
    """How long studies are kept.

    For `years` after the study, or with `by_patient` after the last study of its patient; a study of a patient who was
    under `minor_age` then, until the patient is `until_age`, if that is later (None: children have no rule of their
    own). A study without a date counts from when it came. With `remove` its manifests are removed, else deprecated.
    """

    years: int
    by_patient: bool = False
    minor_age: int = 18
    until_age: int | None = None
    remove: bool = True

    def latest(self, today: date) -> date:
        """The last date whose studies are old enough."""
        return _years_on(today, -self.years)

    def is_kept_for_child(self, study: OldStudy, today: date) -> bool:
        """Whether a study that is old enough is kept because its patient was a child then."""
        born = _day(study.patient_birth_date)
        made = _day(study.study_date) or datetime.fromtimestamp(study.received, UTC).date()
        if self.until_age is None or born is None or made >= _years_on(born, self.minor_age):
            return False
        return today < _years_on(born, self.until_age)


@dataclass(frozen=True, slots=True)
class Expired:
    """A study that is old enough, with how many objects and bytes. `kept` is why it stays, empty when it goes."""

    uid: str
    institution: str
    year: str
    instances: int
    size: int
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a run took away."""

    studies: int
    instances: int


class Retention:
    """The retention of one source's studies. `rule` is None where nothing ever goes."""

    def __init__(self, deletion: Deletion, rule: Rule | None, *, now: Callable[[], float]) -> None:
        self._deletion = deletion
        self._database = deletion.database
        self._rule = rule
        self._now = now

    def expired(self) -> Iterator[Expired]:
        """Studies that are old enough, the oldest first; those that stay nevertheless say why."""
        if self._rule is None:
            return
        today, after = self._today(), ("", "")
        latest = self._rule.latest(today)
        while found := self._page(latest, after):
            uids = [one.uid for one in found]
            sizes = store.sizes(self._database.rows, self._deletion.source, uids)
            held = store.held(self._database.rows, uids)
            for one in found:
                kept = self._kept(one, held, today)
                instances, size = sizes.get(one.uid, (0, 0))
                yield Expired(one.uid, one.institution, one.study_date[:4], instances, size, kept)
            after = (found[-1].study_date, found[-1].uid)

    def run(self, *, limit: int | None = None, progress: Callable[[int], None] = lambda _: None) -> Removed:
        """Let go what is old enough, at most `limit` studies; `progress` is told how many are gone."""
        studies = instances = 0
        for one in self.expired():
            if limit is not None and studies >= limit:
                break
            if one.kept:
                continue
            gone = self._database.transact(lambda unit, uid=one.uid: self._retire(unit, uid))  # type: ignore[misc]
            if gone is not None:
                studies, instances = studies + 1, instances + gone
                progress(studies)
        while self._deletion.bytes_once():
            pass
        return Removed(studies, instances)

    def hold(self, study_uid: str, reason: str, caller: Caller) -> Hold:
        """Place a legal hold on a study, whether it is here yet or not; one that stands already is given back."""

        def work(unit: Unit) -> Hold:
            self._lock(unit, study_uid)
            standing = [one for one in store.holds(unit.rows) if one.study_uid == study_uid and one.released is None]
            if standing:
                return standing[0]
            hold = Hold(str(uuid4()), study_uid, reason, caller.name, self._now(), None, None)
            store.place(unit, hold)
            audit_write(unit, AuditRecord(caller, UPDATE, (), (study_uid,), detail="legal hold placed"), self._now())
            return hold

        return self._database.transact(work)

    def release(self, study_uid: str, caller: Caller) -> None:
        """Release the holds on a study.

        Raises:
            Rejected: NotFound, there is none.
        """

        def work(unit: Unit) -> None:
            self._lock(unit, study_uid)
            if not unit.execute(store.RELEASE, b_study=study_uid, now=self._now(), by=caller.name):
                raise Rejected.because(ErrorCode.NotFound, study_uid, "no legal hold stands on this study", SOURCE)
            audit_write(unit, AuditRecord(caller, UPDATE, (), (study_uid,), detail="legal hold released"), self._now())

        self._database.transact(work)

    def holds(self) -> list[Hold]:
        """All holds, the released ones too, the oldest first."""
        return store.holds(self._database.rows)

    def _retire(self, unit: Unit, study_uid: str) -> int | None:
        """Let one study go, if it is still as it was found; None if it stays."""
        self._lock(unit, study_uid)
        rule, today = self._rule, self._today()
        found = store.one(unit.rows, self._deletion.source, study_uid)
        if rule is None or found is None or store.held(unit.rows, [study_uid]):
            return None
        if found.study_date > f"{rule.latest(today):%Y%m%d}" or rule.is_kept_for_child(found, today):
            return None
        return self._deletion.retire(unit, study_uid, CALLER, remove=rule.remove, detail=f"expired {today:%Y-%m-%d}")

    def _lock(self, unit: Unit, study_uid: str) -> None:
        index.lock(unit, self._deletion.source, [study_uid])

    def _page(self, latest: date, after: tuple[str, str]) -> list[OldStudy]:
        return store.old(
            self._database.rows,
            self._deletion.source,
            until=f"{latest:%Y%m%d}",
            received=datetime(latest.year, latest.month, latest.day, tzinfo=UTC).timestamp(),
            after=after,
            by_patient=bool(self._rule and self._rule.by_patient),
            most=PAGE,
        )

    def _kept(self, study: OldStudy, held: set[str], today: date) -> str:
        if study.uid in held:
            return "legal hold"
        child = self._rule is not None and self._rule.is_kept_for_child(study, today)
        return "patient was a child" if child else ""

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()


def _years_on(day: date, years: int) -> date:
    """The same day of another year; of 29 February the next day, where that year has none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28) + timedelta(days=1)


def _day(text: str) -> date | None:
    """A date of 8 digits, if it is one."""
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None
