import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from profiles import commands

cli = commands.command_line(
    lambda: (), {"bench": ("no_such_package_of_benchmarks", "Measure."), "curve": ("no_such_curve", "Measure.")}
)


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("XDSI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDSI_CONFIG", "")


def xdsi(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.mark.parametrize("command", ["serve", "publish", "fsck", "trace"])
def test_every_command_is_there_and_says_what_it_does(command: str) -> None:
    assert command in xdsi("--help").output
    assert xdsi(command, "--help").exit_code == 0


def wrong(folder: Path, toml: str) -> Path:
    file = folder / "xdsi.toml"
    file.write_text(toml)
    return file


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[web]\nworkers = 0", "web.workers"),
        ("[web]\nwrokers = 1", "web.wrokers"),
        ("not toml", "not TOML"),
        ("blobs_url = 'gs://bucket'", "gs://bucket"),
        ("blobs_url = 's3://key:secret@bucket'", "credentials do not belong into the URL"),
    ],
)
def test_wrong_settings_are_named_in_words(tmp_path: Path, toml: str, said: str) -> None:
    result = xdsi("serve", "--data", str(tmp_path / "data"), "--config", str(wrong(tmp_path, toml)))
    assert result.exit_code == commands.WRONG_USE
    assert said in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "data").exists()


def test_all_wrong_settings_are_named_at_once(tmp_path: Path) -> None:
    file = wrong(tmp_path, "[web]\nworkers = 0\nthreads = 0\n[publishing]\nquiet_seconds = -1")
    output = xdsi("serve", "--config", str(file)).output
    assert all(name in output for name in ("web.workers", "web.threads", "publishing.quiet_seconds"))


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"])
def test_it_refuses_to_be_reached_from_elsewhere_and_says_what_to_do(tmp_path: Path, address: str) -> None:
    result = xdsi("serve", "--data", str(tmp_path / "data"), "--web", address)
    assert result.exit_code == commands.WRONG_USE
    assert all(words in result.output for words in (address, "no authentication", "127.0.0.1", "forward to it"))
    assert not (tmp_path / "data").exists()


def test_a_settings_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = xdsi("fsck", "--config", str(tmp_path / "none.toml"))
    assert result.exit_code == commands.WRONG_USE
    assert "none.toml" in result.output


@pytest.mark.parametrize("command", [("fsck",), ("trace",), ("publish", "1.2.3")])
def test_a_misspelt_data_folder_does_not_become_a_store(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = xdsi(*command, "--data", str(tmp_path / "dta"))
    assert result.exit_code == commands.WRONG_USE
    assert str(tmp_path / "dta") in result.output
    assert not (tmp_path / "dta").exists()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    result = xdsi("serve", "--data", str(taken / "data"), "--web", "127.0.0.1:0")
    assert result.exit_code == commands.WRONG_USE
    assert str(taken / "data") in result.output


def test_benchmarks_that_are_not_installed_are_said_to_be_missing() -> None:
    result = xdsi("bench")
    assert result.exit_code == commands.WRONG_USE
    assert "no_such_package_of_benchmarks" in result.output
