"""The results, as a table for people and as JSON for whoever keeps them."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

from rich.table import Table

from conformance.bench.lines import MOST_GROWTH, Result
from conformance.bench.stand import Sizes

MIB = 2**20


def table(results: Sequence[Result]) -> Table:
    """One row a result."""
    made = Table(title="Speed, as a ratio to the floor of the same run")
    for name in ("id", "what", "engine"):
        made.add_column(name)
    for name in ("measured", "floor", "ratio", "target"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("also")
    for one in results:
        made.add_row(*_cells(one), style="" if one.is_met else "bold red")
    return made


def _cells(one: Result) -> tuple[str, ...]:
    figures = one.figures
    target = "" if one.target is None else f"{one.target:.2f}" if figures.ratio is not None else f"{one.target:,.0f}"
    growth = "" if figures.growth is None else f"memory grew {figures.growth / MIB:.0f} of {MOST_GROWTH // MIB} MiB"
    return (
        one.line.id,
        one.line.what,
        one.engine,
        f"{figures.measured:,.0f} {figures.unit}",
        "" if figures.floor is None else f"{figures.floor:,.0f} {figures.unit}",
        "" if figures.ratio is None else f"{figures.ratio:.2f}",
        target,
        "; ".join(filter(None, (figures.note, growth))),
    )


def as_json(results: Sequence[Result], sizes: Sizes) -> str:
    """The same, with the machine and the sizes that they were measured on."""
    return json.dumps(
        {
            "version": version("openxdsi"),
            "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()},
            "sizes": asdict(sizes),
            "results": [
                {
                    "id": one.line.id,
                    "what": one.line.what,
                    "engine": one.engine,
                    **asdict(one.figures),
                    "target": one.target,
                    "met": one.is_met,
                }
                for one in results
            ],
        },
        indent=2,
    )
