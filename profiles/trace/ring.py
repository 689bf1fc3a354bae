"""Where the wire log lies: a file an exchange, the newest kept, for nobody else's eyes.

Any number of processes write and prune at once. A name begins with the time, so that the order of names is that of
exchanges; a file appears whole, by a rename, and whoever finds too many removes the oldest. Nothing is synced: after a
loss of power the last exchanges may be missing, which no transaction is made to wait for.
"""

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import orjson

NAME = re.compile(r"[0-9]{13}-[0-9a-f]{8}")
TAIL = re.compile(r"[0-9a-f]{8}")
PRUNE_EVERY: Final = 8  # exchanges of one process; so many more than allowed may lie there for a moment
STALE = 60.0  # seconds after which a file under way is one of a process that died
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: exchanges, their age in seconds, and bytes of all together."""

    count: int
    age: float
    total: int


class Ring:
    """The exchanges in `folder`, made on first use."""

    def __init__(self, folder: Path, bounds: Bounds, now: Callable[[], float] = time.time) -> None:
        self._folder, self._bounds, self._now = folder, bounds, now
        self._turns = itertools.count()

    @classmethod
    def of(cls, settings: Any) -> Self:
        """The ring of a server with these settings."""
        trace = settings.trace
        return cls(settings.data / "trace", Bounds(trace.keep, trace.keep_days * DAY, trace.keep_bytes))

    def keep(self, begun: float, exchange: dict[str, Any]) -> str:
        """Keep an exchange that began at `begun` (seconds since 1970); its id."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        id_ = f"{int(begun * 1000):013d}-{uuid4().hex[:8]}"
        making = self._folder / f"{id_}.new"
        with os.fdopen(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(orjson.dumps({"id": id_, "begun": begun, **exchange}))
        making.rename(self._folder / f"{id_}.json")
        if next(self._turns) % PRUNE_EVERY == 0:
            self.prune()
        return id_

    def prune(self) -> None:
        """Remove what is over the bounds, the oldest first."""
        now, left = self._now(), self._bounds.total
        for number, (entry, size) in enumerate(self._files(".json")):
            left -= size
            if number >= self._bounds.count or left < 0 or _begun(entry.name) < now - self._bounds.age:
                Path(entry).unlink(missing_ok=True)
        for entry, _ in self._files(".new"):
            if _begun(entry.name) < now - STALE:
                Path(entry).unlink(missing_ok=True)

    def ids(self) -> list[str]:
        """The ids of all exchanges, the newest first."""
        return [entry.name.removesuffix(".json") for entry, _ in self._files(".json")]

    def newest(self) -> Iterator[dict[str, Any]]:
        """The exchanges, the newest first."""
        for id_ in self.ids():
            found = self.get(id_)
            if found is not None:
                yield found

    def get(self, id_: str) -> dict[str, Any] | None:
        """The exchange of that id; its last eight digits are enough. None when there is none."""
        if TAIL.fullmatch(id_):
            id_ = next((whole for whole in self.ids() if whole.endswith(id_)), "")
        return self._read(self._folder / f"{id_}.json") if NAME.fullmatch(id_) else None

    def _files(self, suffix: str) -> list[tuple[os.DirEntry[str], int]]:
        """Files of a kind and their sizes, the newest first."""
        found = []
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.endswith(suffix) and NAME.fullmatch(entry.name.removesuffix(suffix)):
                        try:
                            found.append((entry, entry.stat(follow_symlinks=False).st_size))
                        except FileNotFoundError:
                            continue
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda one: one[0].name, reverse=True)

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = orjson.loads(path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        return found


def _begun(name: str) -> float:
    return int(name[:13]) / 1000
