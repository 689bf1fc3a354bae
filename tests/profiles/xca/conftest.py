"""Communities of ours: whole applications with stores of their own, which reach each other by real sockets."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from wire.soap_world import World, open_world, served
from xca_messages import ELSEWHERE, HOME, NORTH, SOUTH, community, domain


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One community alone."""
    return open_world(sqlite_template, tmp_path_factory.mktemp("world") / "data")


@pytest.fixture(scope="module")
def north(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("north") / "data", affinity_domain=domain(NORTH))


@pytest.fixture(scope="module")
def south(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("south") / "data", affinity_domain=domain(SOUTH))


@pytest.fixture(scope="module")
def addresses(north: World, south: World) -> Iterator[dict[str, str]]:
    """Base URL of each of the two by its OID."""
    with ExitStack() as stack:
        yield {oid: stack.enter_context(served(world)) for oid, world in ((NORTH, north), (SOUTH, south))}


@pytest.fixture(scope="module")
def gateway(addresses: dict[str, str], sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The community whose consumers ask: it knows the two others."""
    communities = [community(oid, f"{url}/xds/gateway") for oid, url in addresses.items()]
    data = tmp_path_factory.mktemp("gateway") / "data"
    return open_world(sqlite_template, data, affinity_domain=domain(HOME), communities=communities)


@pytest.fixture
def gateway_to(sqlite_template: Path, tmp_path: Path) -> Callable[..., World]:
    """A community that knows one other, `ELSEWHERE`, at the given address."""

    def make(url: str, **more: Any) -> World:
        communities = [community(ELSEWHERE, url, **more)]
        return open_world(sqlite_template, tmp_path / "data", affinity_domain=domain(HOME), communities=communities)

    return make
