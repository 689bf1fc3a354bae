"""Real servers and real databases for tests: started on free ports, stopped when the test is over."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
XDSI = (sys.executable, "-c", "from wsgi import cli; cli(prog_name='xdsi')")
STARTS_WITHIN = 60.0  # seconds, on a machine that does other things too
STOPS_WITHIN = 30.0


@dataclass
class RunningServer:
    process: "subprocess.Popen[str]"
    base_url: str
    printed: str
    data: Path
    log: Path

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(STOPS_WITHIN)


def environment(**more: str) -> dict[str, str]:
    """This process's, without settings that a developer may have set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDSI_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | more


def run_xdsi(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*XDSI, *arguments], cwd=ROOT, env=environment(**more), capture_output=True, text=True, timeout=STARTS_WITHIN
    )


def start(data: Path, *flags: str, web: str = "127.0.0.1:0", **more: str) -> RunningServer:
    """`xdsi serve` with `flags` and environment `more`, when it says that it is ready."""
    log = data.parent / f"{data.name}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*XDSI, "serve", "--data", str(data), "--web", web, *flags],
            cwd=ROOT,
            env=environment(**more),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    too_late = threading.Timer(STARTS_WITHIN, process.kill)
    too_late.start()
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Ready: http"):
            too_late.cancel()
            return RunningServer(process, line.split()[1].rstrip("/"), printed, data, log)
    too_late.cancel()
    raise AssertionError(f"the server did not start (exit {process.wait()}):\n{printed}\n{log.read_text()[-4000:]}")


def no_postgres(reason: str) -> None:
    """Skip, or fail where PostgreSQL is required."""
    if os.environ.get("XDSI_REQUIRE_POSTGRES") == "1":
        pytest.fail(f"PostgreSQL is required: {reason}")
    pytest.skip(f"no PostgreSQL: {reason}")


StartServer = Callable[..., RunningServer]
