"""A whole server on stores of either engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from findings_ward import Ward, running_ward


@pytest.fixture
def ward(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    """An empty server; a study is published as soon as it came."""
    for name in [name for name in os.environ if name.startswith("XDSI_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "xdsi.toml"
    config.write_text(
        f'data = "{tmp_path / "data"}"\ndatabase_url = "{database_url}"\n[publishing]\nquiet_seconds = 0\n'
    )
    with running_ward(config) as found:
        yield found
