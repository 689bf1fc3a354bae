"""Fixtures for all tests: databases of both engines, and real servers."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import running
import s3_server as s3

from conformance.bench import postgres


@pytest.fixture(autouse=True)
def settings_of_one_test() -> Iterator[None]:
    """What a command run in this process leaves in the environment must not be the next test's settings."""
    before = {name: value for name, value in os.environ.items() if name.startswith("XDSI_")}
    yield
    for name in [name for name in os.environ if name.startswith("XDSI_")]:
        if name not in before:
            del os.environ[name]
    os.environ.update(before)
    # What fixtures of a whole module ran was there before.
    os.environ.pop("XDSI_CONFIG", None)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server on which databases may be made: the one named, or one of our own."""
    named = os.environ.get("XDSI_TEST_POSTGRES_URL")
    if named:
        yield named
        return
    programs = postgres.programs()
    if programs is None:
        running.no_postgres("set XDSI_TEST_POSTGRES_URL, or install Debian's package postgresql")
    assert programs is not None
    with postgres.cluster(programs, durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_databases(postgres_url: str) -> Iterator[postgres.Databases]:
    """Maker of migrated databases."""
    databases = postgres.Databases(postgres_url)
    yield databases
    databases.close()


@pytest.fixture
def postgresql(postgres_databases: postgres.Databases) -> Iterator[str]:
    """A fresh migrated database of PostgreSQL: its SQLAlchemy URL."""
    url = postgres_databases.fresh()
    yield url
    postgres_databases.drop(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database, to be copied."""
    from database.migrate import upgrade

    path = tmp_path_factory.mktemp("template") / "registry.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite database: its SQLAlchemy URL."""
    path = tmp_path / f"registry-{uuid.uuid4().hex}.sqlite"
    for file in sqlite_template.parent.glob(f"{sqlite_template.name}*"):
        shutil.copy(file, path.with_name(path.name + file.name.removeprefix(sqlite_template.name)))
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database, once on each engine."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def server(tmp_path: Path) -> Iterator[running.StartServer]:
    """Starts a real `xdsi serve` on a free port: `server(*flags, data=folder, XDSI_...=value)`."""
    started: list[running.RunningServer] = []

    def start(*flags: str, data: Path | None = None, **more: str) -> running.RunningServer:
        found = running.start(data or tmp_path / "data", *flags, **more)
        started.append(found)
        return found

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.RunningServer]:
    """One server on empty embedded stores for all tests that do not mind each other. Manifests are made at once."""
    found = running.start(tmp_path_factory.mktemp("shared") / "data", XDSI_PUBLISHING__QUIET_SECONDS="0")
    yield found
    found.stop()


@pytest.fixture(scope="session")
def base_url(shared_server: running.RunningServer) -> str:
    """Base URL of the shared server."""
    return shared_server.base_url


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.RunningServer]:
    """One server with the demonstration region, to be read only."""
    found = running.start(tmp_path_factory.mktemp("demo") / "data", "--demo")
    yield found
    found.stop()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    """One S3 server; each test has a prefix of its own."""
    with s3.running_s3(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture(scope="session")
def s3_client(s3_server: s3.S3Server) -> object:
    """The client of a store, for many stores to share."""
    from repository.store.s3 import _Process
    from repository.store.s3_place import S3Place

    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.CREDENTIALS.items():
            patch.setenv(name, value)
        return _Process(S3Place.parse(s3_server.url(""))).client
