"""One application for the tests of a module."""

from pathlib import Path

import pytest
from wire.soap_world import World, open_world


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Each test brings patients and ids of its own."""
    return open_world(sqlite_template, tmp_path_factory.mktemp("world") / "data")
