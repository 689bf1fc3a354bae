"""Archives that tests of DICOMweb speak to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wia_archive import FILES, Archive, dicom_file, post, running_archive


@pytest.fixture
def archive(sqlite_template: Path, tmp_path: Path) -> Iterator[Archive]:
    """An empty archive."""
    with running_archive(sqlite_template, tmp_path) as found:
        yield found


@pytest.fixture(scope="session")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive with `FILES` in it, to be read only; its pages have at most 3 answers."""
    with running_archive(sqlite_template, tmp_path_factory.mktemp("filled"), qido_results=3) as found:
        answer = post(found.studies, *map(dicom_file, FILES))
        assert answer.status_code == 200, answer.text
        yield found
