"""Real servers, one for each database, that the tests of a module share."""

from collections.abc import Iterator

import pytest
import region
import running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[region.Region]:
    """A server on empty stores; `SETTINGS` of the module are its environment."""
    databases: running.PostgresDatabases | None = None
    if request.param == "postgresql":
        databases = request.getfixturevalue("postgres_databases")
    url = databases.fresh() if databases else ""
    data = tmp_path_factory.mktemp(request.param) / "data"
    found = region.start(data, url, **request.module.SETTINGS)
    yield found
    found.server.stop()
    if databases:
        databases.drop(url)
