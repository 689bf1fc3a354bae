"""One decoding process for all tests that look at pixels."""

from collections.abc import Iterator

import pytest

from repository.imaging.decoder import Decoder


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """The decoding process; it starts with the first job."""
    found = Decoder()
    yield found
    found.close()
