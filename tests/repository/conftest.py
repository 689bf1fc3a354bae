"""Where on-demand manifests are tested."""

from pathlib import Path

import pytest
from offering import Place, opened
from wire.imaging import Study


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Place:
    """A study of one object, registered nowhere."""
    made = Place(database_url, tmp_path / "data", opened(database_url, tmp_path / "data"), Study())
    made.store(made.study.object(InstanceNumber=1))
    return made
