"""What a line is given, and what it gives back."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

from conformance.bench.floors import folder_of
from conformance.bench.server import Server
from profiles.house import House

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. `seconds` is one closed loop's, `document` is in bytes."""

    entries: int = 5000
    repeats: int = 3
    seconds: float = 1.5
    registrations: int = 600
    document: int = 200_000_000
    slices: int = 200


QUICK = Sizes(entries=500, repeats=1, seconds=0.4, registrations=150, document=50_000_000, slices=50)


@dataclass(frozen=True, slots=True)
class Stand:
    """A server with its stores, and a client. `house` are the same stores without HTTP.

    `measured` are the processes whose CPU time counts, each with all below it: the server and, where they can be seen,
    PostgreSQL's.
    """

    server: Server
    house: House
    client: Executor
    measured: tuple[int, ...]
    sizes: Sizes

    @property
    def folder(self) -> Path:
        """Where the floors of the server find their bytes."""
        folder = folder_of(self.house.settings.data)
        folder.mkdir(exist_ok=True)
        return folder

    def by_client(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns in the client's process."""
        return self.client.submit(work, *args, **kwargs).result()


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of the repeats. `measured` and `floor` are rates in `unit`; `ratio` is the median of theirs.

    `growth` is how far the server's memory grew, in bytes.
    """

    unit: str
    measured: float
    floor: float | None = None
    ratio: float | None = None
    growth: int | None = None
    note: str = ""


def figures(unit: str, pairs: Iterable[tuple[float, float]], growth: int | None = None, note: str = "") -> Figures:
    """Of the repeats, each the rate over the floor and the rate measured."""
    floors, measured = zip(*pairs, strict=True)
    ratios = [rate / floor for floor, rate in zip(floors, measured, strict=True)]
    return Figures(unit, median(measured), median(floors), median(ratios), growth, note)
