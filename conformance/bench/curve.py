"""`xdsi curve`: how the time of a question grows with the archive.

The same three questions are asked of ever larger archives, of patients and documents anywhere in them; what counts is
the median and the slowest hundredth, as multiples of the smallest archive's.
"""

import http.client
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, quantiles
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table

from conformance import messages
from conformance.bench import postgres
from conformance.bench.archive import Archive, grow
from conformance.bench.client import PATIENCE, Where, Wrong
from conformance.bench.lines import ENGINES, POSTGRESQL, Conditions
from conformance.bench.run import NoPostgres, Step, Stores, serving, stores
from conformance.bench.stand import Sizes
from conformance.synthetic import patient_id
from database.engine import Database
from registry.metadata.urn import Action, ResponseStatus, Status, StoredQueryId

MEDIAN_WITHIN, SLOWEST_WITHIN = 1.3, 2.0
WARM_UP = 200  # questions
TOLD_EVERY = 50_000  # documents
NO_OTHERS = Sizes(entries=0)
TWO_WORKERS = Conditions(workers=2)
SUCCESS = f'status="{ResponseStatus.SUCCESS}"'.encode()
ENTRY = b"<rim:ExtrinsicObject "


@dataclass(frozen=True, slots=True)
class Point:
    """One question at one size: milliseconds of the median and of the slowest hundredth, and documents in an answer."""

    engine: str
    question: str
    size: int
    median: float
    slowest: float
    found: float


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sizes", default="100000,1000000", show_default=True, help="Documents, ever more.")
@click.option("--engine", type=click.Choice((*ENGINES, "all")), default="all", show_default=True)
@click.option("--questions", default=2000, show_default=True, help="How many of each are asked.")
@click.option("--postgres", "url", default="", metavar="URL", help="A PostgreSQL server. Default: our own cluster.")
@click.option("--inside", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder for the stores.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the results there too.")
def curve(sizes: str, engine: str, questions: int, url: str, inside: Path | None, file: Path | None) -> None:
    """Measure how answers slow down as the archive grows."""
    steps = sorted({int(one) for one in sizes.split(",")})
    points: list[Point] = []
    for each in ENGINES if engine == "all" else (engine,):
        try:
            with stores(each, NO_OTHERS, _say, url=url, inside=inside) as on:
                points += measure(on, steps, questions, _say)
        except NoPostgres as error:
            click.echo(f"{POSTGRESQL} is left out: {error}", err=True)
    Console(width=None if Console().is_terminal else 160).print(table(points))
    if file:
        file.write_text(json.dumps([asdict(point) for point in points], indent=2))


def _say(text: str) -> None:
    click.echo(text, err=True)


def measure(on: Stores, sizes: Sequence[int], count: int, step: Step) -> Iterator[Point]:
    """`count` of each question at each of `sizes`.

    Raises:
        Wrong: an answer is not right.
    """
    archive = Archive()
    with closing(Database(on.house.settings.database)) as database:
        for size in sizes:
            step(f"{on.engine}: growing to {size:,} documents")
            grow(archive, database, size, _now_and_then(step, on.engine))
            if on.engine == POSTGRESQL:
                postgres.settle(on.house.settings.database)
            with serving(on, TWO_WORKERS) as server:
                for name, ask in QUESTIONS.items():
                    step(f"{on.engine}: {name} of {size:,}")
                    rng = random.Random(size)  # noqa: S311
                    asked = [ask(archive, rng) for _ in range(count + WARM_UP)]
                    yield _point(on.engine, name, size, asked, _times(server.where, asked))


def _now_and_then(step: Step, engine: str) -> Callable[[int], None]:
    told = 0

    def progress(done: int) -> None:
        nonlocal told
        if done - told >= TOLD_EVERY:
            told = done
            step(f"{engine}: {done:,} documents")

    return progress


class Asked(NamedTuple):
    """A request's body, and how many documents its answer has."""

    body: bytes
    found: int


def _find(archive: Archive, rng: random.Random) -> Asked:
    # Documents are asked for alike, so patients by how many they have: those with many are looked at more often.
    patient = rng.choice(archive.entries).patient
    return Asked(messages.find_documents(patient_id(patient)), archive.documents[patient])


def _get(archive: Archive, rng: random.Random) -> Asked:
    parameters = [("$XDSDocumentEntryEntryUUID", f"('urn:uuid:{rng.choice(archive.entries).id}')")]
    return Asked(messages.stored_query(StoredQueryId.GET_DOCUMENTS, parameters), 1)


def _by_reference(archive: Archive, rng: random.Random) -> Asked:
    entry = rng.choice(archive.entries)
    parameters = [
        ("$XDSDocumentEntryPatientId", f"'{patient_id(entry.patient)}'"),
        ("$XDSDocumentEntryStatus", f"('{Status.APPROVED}')"),
        ("$XDSDocumentEntryReferenceIdList", f"('{entry.accession}')"),
    ]
    return Asked(messages.stored_query(StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, parameters), 1)


QUESTIONS: Mapping[str, Callable[[Archive, random.Random], Asked]] = {
    "FindDocuments": _find,
    "GetDocuments": _get,
    "FindDocumentsByReferenceId": _by_reference,
}


def _times(where: Where, asked: Sequence[Asked]) -> list[float]:
    """Milliseconds of each, one after the other on one connection; the first only warm up and are left out."""
    headers = messages.headers(Action.REGISTRY_STORED_QUERY)
    times = []
    with closing(http.client.HTTPConnection(*where, timeout=PATIENCE)) as connection:
        for body, found in asked:
            begin = time.perf_counter()
            connection.request("POST", "/xds/registry", body, headers)
            answer = connection.getresponse().read()
            times.append((time.perf_counter() - begin) * 1000)
            if SUCCESS not in answer or answer.count(ENTRY) != found:
                raise Wrong(f"{found} documents were to be found: {answer[:500]!r}")
    return times[WARM_UP:]


def _point(engine: str, question: str, size: int, asked: Sequence[Asked], times: Sequence[float]) -> Point:
    parts = quantiles(times, n=100)
    return Point(engine, question, size, parts[49], parts[98], fmean(one.found for one in asked))


def table(points: Sequence[Point]) -> Table:
    """One row a point; red where it is further from the smallest archive's than it should be."""
    made = Table(title="Milliseconds of a question, and as a multiple of the smallest archive's")
    for name in ("question", "engine"):
        made.add_column(name)
    for name in ("documents", "in an answer", "median", "", "slowest 1 %", ""):
        made.add_column(name, justify="right", no_wrap=True)
    smallest: dict[tuple[str, str], Point] = {}
    for one in points:
        first = smallest.setdefault((one.engine, one.question), one)
        median, slowest = one.median / first.median, one.slowest / first.slowest
        is_flat = median <= MEDIAN_WITHIN and slowest <= SLOWEST_WITHIN
        cells = (f"{one.size:,}", f"{one.found:.1f}", f"{one.median:.2f}", f"x {median:.2f}")
        made.add_row(
            one.question,
            one.engine,
            *cells,
            f"{one.slowest:.2f}",
            f"x {slowest:.2f}",
            style="" if is_flat else "bold red",
        )
    return made


if __name__ == "__main__":
    curve(prog_name="xdsi curve")
