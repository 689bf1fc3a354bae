"""Real servers, one for each database and settings, that the tests of the story share."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest
import region

from conformance.bench.postgres import Databases

Settings = Mapping[str, str]
Worlds = Callable[[Settings], region.Region]


def _worlds(factory: pytest.TempPathFactory, database: Callable[[ExitStack], str], ends: ExitStack) -> Worlds:
    """Starts a server on empty stores with an environment, or gives the one that is running with it."""
    known: dict[frozenset[tuple[str, str]], region.Region] = {}

    def world(settings: Settings) -> region.Region:
        key = frozenset(settings.items())
        if key not in known:
            url = database(ends)
            known[key] = region.start(factory.mktemp("world") / "data", url, **settings)
            ends.callback(known[key].server.stop)
        return known[key]

    return world


@pytest.fixture(scope="session")
def sqlite_worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Servers on embedded stores."""
    with ExitStack() as ends:
        yield _worlds(tmp_path_factory, lambda _: "", ends)


@pytest.fixture(scope="session")
def postgresql_worlds(tmp_path_factory: pytest.TempPathFactory, postgres_databases: Databases) -> Iterator[Worlds]:
    """Servers on databases of PostgreSQL."""

    def fresh(ends: ExitStack) -> str:
        url = postgres_databases.fresh()
        ends.callback(postgres_databases.drop, url)
        return url

    with ExitStack() as ends:
        yield _worlds(tmp_path_factory, fresh, ends)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def world(request: pytest.FixtureRequest) -> region.Region:
    """A running server; `SETTINGS` of the module are its environment."""
    worlds: Worlds = request.getfixturevalue(f"{request.param}_worlds")
    return worlds(request.module.SETTINGS)
