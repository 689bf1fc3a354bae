"""`xdsi bench`: measure, and print a table. Exit status 1 when an answer was not right: then no figure counts."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from conformance.bench import report
from conformance.bench.client import Wrong
from conformance.bench.lines import ENGINES, POSTGRESQL, Line, Result, chosen
from conformance.bench.run import NoPostgres, Step, run, stores
from conformance.bench.stand import QUICK, Sizes

WRONG_USE = 2
WIDTH = 200  # columns, where there is no terminal


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", default="", metavar="ID,...", help="Only these lines: Q10,F20. Default: all.")
@click.option("--engine", type=click.Choice((*ENGINES, "all")), default="all", show_default=True)
@click.option("--quick", is_flag=True, help="Small sizes and no repeats: whether it runs, not how fast.")
@click.option("--entries", type=int, help=f"Documents of other patients. Default: {Sizes().entries}")
@click.option("--postgres", default="", metavar="URL", help="A PostgreSQL server. Default: a cluster of our own.")
@click.option(
    "--inside",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder for the stores, on the disk that is to be measured. Default: /var/tmp",
)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the results there too.")
def bench(
    only: str,
    engine: str,
    quick: bool,
    entries: int | None,
    postgres: str,
    inside: Path | None,
    file: Path | None,
) -> None:
    """Measure speed against its floors, on this machine."""
    sizes = QUICK if quick else Sizes()
    sizes = sizes if entries is None else replace(sizes, entries=entries)
    try:
        lines = chosen(only)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    results: list[Result] = []
    try:
        for each in ENGINES if engine == "all" else (engine,):
            _on(each, lines, sizes, results, url=postgres, inside=inside, needed=engine != "all")
    except Wrong as wrong:
        click.echo(f"The benchmark stops: {wrong}", err=True)
        raise SystemExit(1) from wrong
    finally:
        if results:
            Console(width=None if sys.stdout.isatty() else WIDTH).print(report.table(results))
    if file:
        file.write_text(report.as_json(results, sizes))


def _on(
    engine: str,
    lines: Sequence[Line],
    sizes: Sizes,
    results: list[Result],
    *,
    url: str,
    inside: Path | None,
    needed: bool,
) -> None:
    """Measure on one engine; every result is added as soon as it is there."""
    try:
        with _progress() as step, stores(engine, sizes, step, url=url, inside=inside) as on:
            results.extend(run(lines, on, sizes, step))
    except NoPostgres as error:
        click.echo(f"{POSTGRESQL} is left out: {error}", err=True)
        if needed:
            raise SystemExit(WRONG_USE) from error


@contextmanager
def _progress() -> Iterator[Step]:
    """What is being done now: a moving line on a terminal, a line each elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: click.echo(text, err=True)
        return
    # Drawn seldom: it runs on the cores that are measured.
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, refresh_per_second=2
    ) as bar:
        task = bar.add_task("")
        yield lambda text: bar.update(task, description=text)


if __name__ == "__main__":
    bench(prog_name="xdsi bench")
