from pathlib import Path

import pytest
from pydantic import ValidationError

from profiles.settings import Settings


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [n for n in os.environ if n.startswith("XDSI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDSI_CONFIG", "")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "xdsi.toml"
    path.write_text('data = "/srv/xdsi"\n[web]\nworkers = 3\nthreads = 5\n[affinity_domain]\nsource_id = "1.2.3"\n')
    return path


def test_flags_come_before_the_environment_and_that_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDSI_WEB__WORKERS", "4")
    settings = Settings.load(file, web={"address": "127.0.0.1:1"}, dicom=None)
    assert (settings.web.address, settings.web.workers, settings.web.threads) == ("127.0.0.1:1", 4, 5)
    assert settings.data == Path("/srv/xdsi")
    assert settings.dicom == "off"
    assert settings.affinity_domain.source_id == "1.2.3"


@pytest.mark.parametrize(
    "line", ["wrokers = 3", "[web]\nadress = '127.0.0.1:1'", "[affinity_domain]\nsource = '1.2.3'"]
)
def test_an_unknown_key_is_an_error(tmp_path: Path, line: str) -> None:
    file = tmp_path / "xdsi.toml"
    file.write_text(line)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Settings.load(file)


@pytest.mark.parametrize("oid", ["", "1", "1.02", "urn:oid:1.2", "1.2." + "3" * 64])
def test_an_identity_must_be_an_oid(oid: str) -> None:
    with pytest.raises(ValidationError, match="is not an OID"):
        Settings.load(affinity_domain={"repository_unique_id": oid})


def test_the_database_is_sqlite_in_the_data_folder_unless_named(tmp_path: Path) -> None:
    assert Settings.load(data=tmp_path).database == f"sqlite:///{tmp_path}/registry.sqlite"
    assert Settings.load(database_url="postgresql://h/d").database == "postgresql+psycopg://h/d"


def test_a_blob_store_of_another_kind_is_refused_in_words(tmp_path: Path) -> None:
    assert Settings.load(blobs_url=f"file://{tmp_path}").blobs == tmp_path
    with pytest.raises(ValueError, match="gs://bucket"):
        _ = Settings.load(blobs_url="gs://bucket").blobs
