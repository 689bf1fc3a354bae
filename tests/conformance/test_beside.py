"""`xdsi beside`: its table, and what it says where it cannot measure. A measurement needs Orthanc and time of its own."""

from io import StringIO

from click.testing import CliRunner
from rich.console import Console

from conformance.bench import beside
from conformance.bench.beside import CSTORE, WADO, Rate, table


def printed(*rates: Rate) -> str:
    console = Console(width=140, record=True, file=StringIO())
    console.print(table(rates))
    return console.export_text()


def test_a_ratio_is_ours_over_the_others():
    text = printed(Rate(CSTORE, "OpenXDS-I", 90.0), Rate(CSTORE, "Orthanc", 60.0))
    (line,) = (line for line in text.splitlines() if "CSTORE" in line)
    assert "1.50" in line
    assert "0.8" in line


def test_alone_there_is_no_ratio():
    text = printed(Rate(WADO, "OpenXDS-I", 1234.0))
    (line,) = (line for line in text.splitlines() if "WADO" in line and "as it is stored" in line)
    assert "1,234" in line


def test_without_dcmtk_it_says_so(monkeypatch):
    monkeypatch.setattr(beside.dcmtk, "program", lambda name: None)
    done = CliRunner().invoke(beside.beside, ["--quick"])
    assert done.exit_code == 2
    assert "dcmtk" in done.output
