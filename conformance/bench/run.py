"""Running lines: stores of one engine are made and filled once, a server is started for each kind of conditions."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from conformance.bench import client, data, machine, postgres, server
from conformance.bench.lines import SQLITE, Conditions, Line, Result
from conformance.bench.stand import Sizes, Stand
from database.migrate import upgrade
from profiles.composition import compose
from profiles.house import House
from profiles.settings import Settings

ON_DISK = Path("/var/tmp")  # noqa: S108 - /tmp may be memory, which syncs for nothing
Step = Callable[[str], None]


class NoPostgres(Exception):
    """There is no PostgreSQL to measure."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Filled stores of one engine. `postmaster` is PostgreSQL's first process, where it can be seen.

    It is `own` when no one else uses it, so that it may be kept on cores.
    """

    engine: str
    house: House
    postmaster: int | None = None
    own: bool = False

    @property
    def processes(self) -> tuple[int, ...]:
        """What of the database is a process of its own."""
        return (self.postmaster,) if self.postmaster else ()


@contextmanager
def stores(engine: str, sizes: Sizes, step: Step, *, url: str = "", inside: Path | None = None) -> Iterator[Stores]:
    """Stores with data, gone afterwards; `url` is a PostgreSQL server to use instead of a cluster of our own.

    Raises:
        NoPostgres: there is none, neither named nor installed.
    """
    inside = inside or (ON_DISK if ON_DISK.is_dir() else None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xdsi-bench-", dir=inside)))
        if engine == SQLITE:
            found = Stores(engine, _house(folder, ""))
            upgrade(found.house.settings.database)
        else:
            step("PostgreSQL: starting")
            found = _postgres_stores(stack, folder, url, inside)
        data.fill(found.house, sizes.entries, lambda done: step(f"{engine}: making data, {done:,} documents"))
        if engine != SQLITE:
            postgres.settle(found.house.settings.database)
        yield found


def _postgres_stores(stack: ExitStack, folder: Path, url: str, inside: Path | None) -> Stores:
    own = not url
    if own:
        programs = postgres.programs()
        if programs is None:
            raise NoPostgres("PostgreSQL is not installed here; name a server with --postgres")
        url = stack.enter_context(postgres.cluster(programs, durable=True, inside=inside))
    databases = stack.enter_context(closing(postgres.Databases(url)))
    database = databases.fresh()
    stack.callback(databases.drop, database)
    return Stores("postgresql", _house(folder, database), postgres.postmaster(url), own)


def _house(folder: Path, database: str) -> House:
    folder.joinpath("data").mkdir()
    return compose(Settings(data=folder / "data", database_url=database, audit=False))


def run(lines: Sequence[Line], on: Stores, sizes: Sizes, step: Step) -> Iterator[Result]:
    """Measure `lines`, one after the other.

    Raises:
        Wrong: the server gave an answer that is not right.
    """
    _, elsewhere = machine.cores()
    with client.process(elsewhere) as executor:
        for conditions, some in groupby(lines, lambda line: line.conditions):
            step(f"{on.engine}: starting the server")
            with serving(on, conditions) as running:
                stand = Stand(running, on.house, executor, (running.pid, *on.processes), sizes)
                for line in some:
                    step(f"{on.engine}: {line.id}, {line.what}")
                    yield Result(line, on.engine, line.measure(stand))


@contextmanager
def serving(on: Stores, conditions: Conditions) -> Iterator[server.Server]:
    """A server on `on`, under `conditions`."""
    here, elsewhere = machine.cores()
    every = frozenset(os.sched_getaffinity(0))
    if on.own:
        machine.pin(on.processes, elsewhere if conditions.pinned else every)
    with server.running(
        on.house.settings,
        audit=conditions.audit,
        workers=conditions.workers,
        cores=here if conditions.pinned else every,
    ) as running:
        yield running
