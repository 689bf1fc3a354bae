"""The server under measurement: gunicorn as `xdsi serve` sets it up, with the floors' routes added.

It is a process of its own (`python -m conformance.bench.server FD CORES`), configured by the environment alone, and
holds nothing of the benchmark's memory.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.bench import machine
from conformance.bench.client import Question, Where, Wrong, ask
from profiles.addresses import Address, listen
from profiles.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN = 60.0  # seconds
READY = Question("GET", "/health/ready")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its address and the process above all of its others."""

    where: Where
    pid: int

    @property
    def worker(self) -> int:
        """The process that answers, where there is one alone."""
        (worker,) = machine.tree(self.pid)[1:]
        return worker


@contextmanager
def running(settings: Settings, *, audit: bool, workers: int, cores: frozenset[int]) -> Iterator[Server]:
    """A server on the stores of `settings` and a free port, on these cores alone.

    Raises:
        Wrong: it does not become ready.
    """
    with listen(Address("127.0.0.1", 0)) as listener:
        where = ("127.0.0.1", int(listener.getsockname()[1]))
        log = settings.data / "server.log"
        with log.open("a") as errors:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", __name__, str(listener.fileno()), ",".join(map(str, cores))],
                cwd=ROOT,
                env=_environment(settings, where, audit, workers),
                stderr=errors,
                pass_fds=(listener.fileno(),),
            )
    try:
        _await(process, where, log)
        yield Server(where, process.pid)
    finally:
        # Its workers die with it, and its stores are thrown away: nothing is gained by patience.
        process.kill()
        process.wait()


def _environment(settings: Settings, where: Where, audit: bool, workers: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDSI_")}
    return kept | {
        "XDSI_DATA": str(settings.data),
        "XDSI_DATABASE_URL": settings.database_url,
        "XDSI_AUDIT": str(audit).lower(),
        "XDSI_WEB__ADDRESS": "{}:{}".format(*where),
        "XDSI_WEB__WORKERS": str(workers),
        # A manifest that falls due in the middle of a measurement would be measured too.
        "XDSI_PUBLISHING__AUTOMATIC": "false",
    }


def _await(process: "subprocess.Popen[bytes]", where: Where, log: Path) -> None:
    give_up = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < give_up:
        try:
            ask(where, READY)
        except (OSError, Wrong):
            time.sleep(0.05)
        else:
            return
    raise Wrong(f"the server did not become ready:\n{log.read_text()[-4000:]}")


def _serve(descriptor: int, cores: frozenset[int]) -> None:
    from profiles import folders, logs

    settings = Settings.load()
    logs.configure()
    folders.prepare(settings, "web")
    os.sched_setaffinity(0, cores)
    # The metrics library looks for the folder just prepared when it is imported.
    from conformance import system
    from conformance.bench import floors
    from profiles.serve import WebServer

    listener = socket.socket(fileno=descriptor)
    WebServer(settings, listener, (logs.register, system.register, floors.register)).run()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), frozenset(map(int, sys.argv[2].split(","))))
