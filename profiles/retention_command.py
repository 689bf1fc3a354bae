"""`xdsi retention`, `xdsi hold` and `xdsi release`: what is kept long enough goes, but for what the law holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from profiles.composition import compose
from profiles.iocm import retention_of
from profiles.settings import Settings
from registry.access import Caller
from registry.metadata.errors import Rejected
from repository.retention import Expired, Retention

DONE, WRONG = 0, 1
OFF = "No study ever expires: `years` of the settings' [retention] is not set."
MIB = 1 << 20


@dataclass(slots=True)
class Tally:
    """Studies, objects and bytes of one line of the table."""

    studies: int = 0
    instances: int = 0
    size: int = 0

    def add(self, one: Expired) -> None:
        """Count one more study."""
        self.studies, self.instances, self.size = self.studies + 1, self.instances + one.instances, self.size + one.size


def retention(settings: Settings, *, dry_run: bool, limit: int | None) -> int:
    """Delete the studies that are old enough, or with `dry_run` say what would go; the exit status."""
    console = _console()
    if settings.retention.years is None:
        console.print(OFF, markup=False)
        return DONE
    actor = _actor(settings)
    if dry_run:
        show(actor.expired(), console)
        return DONE
    with console.status("Deleting") as status:
        done = actor.run(limit=limit, progress=lambda count: status.update(f"Deleting: {count} studies done"))
    console.print(f"{done.studies} studies with {done.instances} objects are deleted.")
    return DONE


def show(found: Iterable[Expired], console: Console) -> None:
    """Print how much would go, by hospital and year of the study, and how much stays although it is old enough."""
    going: dict[tuple[str, str], Tally] = {}
    staying: dict[str, Tally] = {}
    for one in found:
        if one.kept:
            staying.setdefault(one.kept, Tally()).add(one)
        else:
            going.setdefault((one.institution or "(not named)", one.year or "(no date)"), Tally()).add(one)
    table = Table("hospital", "year", box=None, padding=(0, 2, 0, 0), show_footer=True)
    total = Tally()
    for tally in going.values():
        total = Tally(*(a + b for a, b in zip(_numbers(total), _numbers(tally), strict=True)))
    table.columns[0].footer = "in all"
    for title, footer in zip(("studies", "objects", "MiB"), _texts(total), strict=True):
        table.add_column(title, footer=footer, justify="right")
    for (hospital, year), tally in sorted(going.items()):
        table.add_row(hospital, year, *_texts(tally))
    console.print(table)
    for why, tally in sorted(staying.items()):
        console.print(f"{tally.studies} more studies are old enough and stay: {why}.", markup=False)


def hold(settings: Settings, study_uid: str, reason: str) -> int:
    """Place a legal hold on a study; the exit status."""
    console = _console()
    placed = _actor(settings).hold(study_uid, reason, Caller("xdsi hold", "", "retention"))
    word = "stands already" if placed.reason != reason else "stands"
    console.print(f"A legal hold {word} on the study {study_uid} since {_moment(placed.placed)}.", markup=False)
    return DONE


def release(settings: Settings, study_uid: str) -> int:
    """Release the legal hold on a study; the exit status."""
    console = _console()
    try:
        _actor(settings).release(study_uid, Caller("xdsi release", "", "retention"))
    except Rejected as rejected:
        console.print(str(rejected), markup=False)
        return WRONG
    console.print(f"The legal hold on the study {study_uid} is released.", markup=False)
    return DONE


def holds(settings: Settings) -> int:
    """Print all legal holds; the exit status."""
    table = Table("study", "reason", "placed", "released", box=None, padding=(0, 2, 0, 0))
    for one in _actor(settings).holds():
        table.add_row(one.study_uid, one.reason, _moment(one.placed), _moment(one.released) if one.released else "")
    _console().print(table)
    return DONE


def _actor(settings: Settings) -> Retention:
    return retention_of(settings, compose(settings).imaging)


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False)


def _numbers(tally: Tally) -> tuple[int, int, int]:
    return tally.studies, tally.instances, tally.size


def _texts(tally: Tally) -> tuple[str, str, str]:
    return str(tally.studies), str(tally.instances), f"{tally.size / MIB:.1f}"


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
