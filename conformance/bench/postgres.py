"""PostgreSQL for a while: a cluster of our own on a free port, and databases that are made and dropped."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from conformance.bench import machine
from database.migrate import upgrade


def programs() -> Path | None:
    """The folder of the newest PostgreSQL's programs, as Debian installs them or on the PATH; None without any."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


@contextmanager
def cluster(programs: Path, *, durable: bool, inside: Path | None = None) -> Iterator[str]:
    """The URL of a new cluster, which is gone afterwards; not `durable` is without syncs. `inside` is its folder's.

    Raises:
        subprocess.CalledProcessError: it cannot be made or started.
    """
    # PostgreSQL refuses to run as root.
    as_server = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="xdsi-postgres-", dir=inside))
    if as_server:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, control = str(folder / "data"), [*as_server, str(programs / "pg_ctl"), "-D", str(folder / "data")]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    options += "" if durable else " -c fsync=off"
    make = [*as_server, str(programs / "initdb"), "-D", data, "-U", "postgres", "-A", "trust"]
    make += ["-E", "UTF8", "--locale=C", "--no-sync"]
    try:
        for command in (make, [*control, "-w", "-l", str(folder / "log"), "-o", options, "start"]):
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, cwd="/", check=False)  # noqa: S603
        shutil.rmtree(folder, ignore_errors=True)


class Databases:
    """Databases of one server, copied from one that is migrated. Its URL names a role that may make databases."""

    def __init__(self, url: str) -> None:
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
        """Drop a database that `fresh` made."""
        self._admin(f'DROP DATABASE IF EXISTS "{url.rsplit("/", 1)[1]}" WITH (FORCE)')

    def close(self) -> None:
        """Drop the template."""
        self.drop(self._at(self._template))

    def _admin(self, sql: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.encode())

    def _at(self, name: str) -> str:
        return self._url.replace("postgresql://", "postgresql+psycopg://", 1).rsplit("/", 1)[0] + f"/{name}"

    @staticmethod
    def _name() -> str:
        return f"xdsi_{uuid.uuid4().hex}"


def settle(url: str) -> None:
    """Bring a freshly filled database to the state that autovacuum brings it to in time."""
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def postmaster(url: str) -> int | None:
    """The process above all of the server's others; None when it runs on another machine, or hidden from here."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        pid = int(row[0]) if row else 0
        return machine.parent(pid) if machine.command(pid) == "postgres" else None
