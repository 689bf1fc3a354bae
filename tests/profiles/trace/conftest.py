"""An application that keeps the wire log."""

from pathlib import Path

import pytest
from wire.soap_world import World, open_world


@pytest.fixture
def world(sqlite_template: Path, tmp_path: Path) -> World:
    return open_world(sqlite_template, tmp_path / "data", trace={"enabled": True, "body_bytes": 20_000})
