from collections.abc import Iterator
from pathlib import Path

import pytest
from feed_world import SMALL, FeedWorld, opened


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[FeedWorld]:
    """A registry that takes patients as they come."""
    with opened(database_url, tmp_path) as found:
        yield found


@pytest.fixture
def strict(database_url: str, tmp_path: Path) -> Iterator[FeedWorld]:
    """A registry that knows whom a feed told of."""
    with opened(database_url, tmp_path, affinity_domain={"patients": "known"}) as found:
        yield found


@pytest.fixture
def small(sqlite: str, tmp_path: Path) -> Iterator[FeedWorld]:
    """A registry with small limits."""
    with opened(sqlite, tmp_path, **SMALL) as found:
        yield found
