"""The background worker: publishes studies that came to rest, and moves audit records from the spool into the database.

What to do stands in the outbox and in the spool, so the worker may be killed at any instant and started anywhere.
"""

import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from profiles.composition import chores
from profiles.settings import Settings

PAUSE_AFTER_FAILURE = 5.0  # seconds


@dataclass(slots=True)
class Chore:
    """Something to do every `every` seconds: `work` says whether there may be more of it at once."""

    name: str
    work: Callable[[], bool]
    every: float
    due: float = 0.0


def run(settings: Settings, listener: socket.socket | None = None) -> None:
    """Work until SIGTERM; the chore under way is ended first."""
    if listener is not None:
        listener.close()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    work_off([Chore(*chore) for chore in chores(settings)], stopping)


def work_off(chores: Sequence[Chore], stopping: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
    """Run each chore when it is due until `stopping`; a failure is logged and its chore pauses, the others go on."""
    log = structlog.get_logger()
    while not stopping.is_set():
        for chore in chores:
            if chore.due > clock() or stopping.is_set():
                continue
            pause = chore.every
            try:
                pause = 0.0 if chore.work() else chore.every
            except Exception:
                log.exception("chore failed", chore=chore.name)
                pause = max(PAUSE_AFTER_FAILURE, chore.every)
            chore.due = clock() + pause
        stopping.wait(max(0.0, min(chore.due for chore in chores) - clock()))
