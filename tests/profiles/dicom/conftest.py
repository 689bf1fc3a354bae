"""Fixtures: one archive for each engine, with peers in its settings."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from dimse_archive import Archive, Reports, start
from pynetdicom import _config

from conformance.bench import postgres


@pytest.fixture(scope="module", autouse=True)
def as_they_are() -> Iterator[None]:
    """pynetdicom sends files without decoding them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
        yield


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder, more = tmp_path_factory.mktemp("dimse"), {}
    with ExitStack() as stack:
        if request.param == "postgresql":
            databases: postgres.Databases = request.getfixturevalue("postgres_databases")
            more["XDSI_DATABASE_URL"] = databases.fresh()
            stack.callback(databases.drop, more["XDSI_DATABASE_URL"])
        reports = Reports()
        stack.enter_context(reports.listening())
        server = start(folder, reports, **more)
        stack.callback(server.stop)
        yield Archive(server, reports)
