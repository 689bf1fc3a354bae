"""`xdsi trace`: the wire log on a terminal."""

import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from profiles.trace import readable
from profiles.trace.findings import FAILED, OK
from profiles.trace.ring import Ring

COLOURS = {OK: "green", FAILED: "bold red"}
LOOK_EVERY = 0.5  # seconds
WIDTHS = {"when": 14, "id": 8, "transaction": 15, "HTTP": 4, "outcome": 8, "ms": 8}
WIDE = 160  # columns where no terminal says how many it has


def listed(ring: Ring, transaction: str, failed: bool, count: int) -> None:
    """Print the newest `count` exchanges, the newest last."""
    found = list(islice(readable.selected(ring.newest(), transaction, failed), count))
    if not found:
        Console().print("There are no such exchanges. Is \\[trace] enabled in the settings?")
        return
    console = _console()
    console.print(_table(reversed(found), console.width))


def shown(ring: Ring, id_: str) -> bool:
    """Print one exchange, what is wrong with it first; False when there is none of that id."""
    exchange = ring.get(id_)
    if exchange is None:
        return False
    console = Console(soft_wrap=True, highlight=False)
    line = readable.plain(f"{exchange['method']} {exchange['path']}")
    console.print(f"[bold]{escape(exchange['transaction'] or 'unknown')}[/] {escape(line)}")
    console.print(
        f"{readable.when(exchange)}  {_outcome(exchange)}  HTTP {exchange['status']}"
        f"  {exchange['seconds'] * 1000:.1f} ms  from {escape(exchange['peer'])}  {exchange['id']}"
    )
    for one in exchange["findings"]:
        console.print(f"\n[bold]{escape(one['code'])}[/] ({one['severity']}) {escape(readable.plain(one['where']))}")
        console.print(f"  {escape(readable.plain(one['text']))}")
        if one["source"]:
            console.print(f"  Source: {escape(one['source'])}", style="cyan")
    for name in ("request", "answer"):
        _body(console, name, exchange[name])
    return True


def follow(ring: Ring, transaction: str, failed: bool) -> None:
    """Print exchanges as they end, until interrupted."""
    console, seen = _console(), set(ring.ids())
    console.print(_table([], console.width))
    while True:
        for id_ in reversed(ring.ids()):
            if id_ not in seen:
                seen.add(id_)
                found = [one for one in (ring.get(id_),) if one is not None]
                for one in readable.selected(found, transaction, failed):
                    console.print(_table([one], console.width, header=False))
        time.sleep(LOOK_EVERY)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def _outcome(exchange: Mapping[str, Any]) -> str:
    return f"[{COLOURS.get(exchange['outcome'], 'yellow')}]{exchange['outcome']}[/]"


def _table(exchanges: Iterable[Mapping[str, Any]], width: int, *, header: bool = True) -> Table:
    """A line an exchange; the words at the end have what is left of `width`."""
    table = Table(box=None, show_header=header, padding=(0, 1, 0, 0), pad_edge=False)
    left = max(20, width - sum(WIDTHS.values()) - len(WIDTHS) - 1)
    for name, columns in {**WIDTHS, "what is wrong": left}.items():
        table.add_column(
            name, width=columns, no_wrap=True, overflow="ellipsis", justify="right" if name == "ms" else "left"
        )
    for one in exchanges:
        table.add_row(
            readable.when(one)[5:19],
            one["id"][-8:],
            escape(one["transaction"]),
            str(one["status"]),
            _outcome(one),
            f"{one['seconds'] * 1000:.1f}",
            escape(readable.first_words(one)),
        )
    return table


def _body(console: Console, name: str, body: Mapping[str, Any]) -> None:
    console.rule(f"{name}, {readable.size(body['size'])}", align="left")
    for header, value in body["headers"]:
        console.print(readable.plain(f"{header}: {value}"), markup=False)
    for part in body["parts"]:
        console.print(f"\n{readable.described(part)}", markup=False, style="dim")
        if part.get("text"):
            console.print(readable.pretty(part), markup=False)
    if body.get("more"):
        console.print(f"\n{body['more']} more parts")
