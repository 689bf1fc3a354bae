"""Real servers and real databases for tests: started on free ports, stopped when the test is over."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
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


def postgres_bin() -> Path | None:
    """The newest PostgreSQL's programs, as Debian installs them, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


@contextmanager
def postgres_cluster(programs: Path) -> Iterator[str]:
    """A cluster of our own on a free port, without syncs; gives its URL. PostgreSQL refuses to run as root."""
    import socket

    as_server = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="xdsi-postgres-"))
    if as_server:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: str) -> None:
        subprocess.run(
            [*as_server, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    data = str(folder / "data")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    try:
        run(
            str(programs / "initdb"),
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        run(str(programs / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run(
            [*as_server, str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop"], capture_output=True, cwd="/"
        )
        shutil.rmtree(folder, ignore_errors=True)


class PostgresDatabases:
    """Databases on one server, copied from one that is migrated."""

    def __init__(self, url: str) -> None:
        from database.migrate import upgrade

        self._url = url
        self._template = self._name()
        self._admin(f'CREATE DATABASE "{self._template}"')
        upgrade(self._at(self._template))

    def fresh(self) -> str:
        """The SQLAlchemy URL of a new, migrated, empty database."""
        name = self._name()
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" STRATEGY file_copy')
        return self._at(name)

    def drop(self, url: str) -> None:
        self._admin(f'DROP DATABASE IF EXISTS "{url.rsplit("/", 1)[1]}" WITH (FORCE)')

    def close(self) -> None:
        self.drop(self._at(self._template))

    def _admin(self, sql: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql)  # type: ignore[call-overload]

    def _at(self, name: str) -> str:
        return self._url.replace("postgresql://", "postgresql+psycopg://", 1).rsplit("/", 1)[0] + f"/{name}"

    @staticmethod
    def _name() -> str:
        return f"xdsi_{uuid.uuid4().hex}"


def no_postgres(reason: str) -> None:
    """Skip, or fail where PostgreSQL is required."""
    if os.environ.get("XDSI_REQUIRE_POSTGRES") == "1":
        pytest.fail(f"PostgreSQL is required: {reason}")
    pytest.skip(f"no PostgreSQL: {reason}")


StartServer = Callable[..., RunningServer]
