"""dcmtk's programs, for tests that speak DICOM as others do."""

import os
import shutil
from pathlib import Path

import pytest


def _is_dcmtks(folder: str) -> bool:
    # pynetdicom installs programs of the same names beside each Python; they are scripts, and behave otherwise.
    program = Path(folder) / "storescu"
    return not program.exists() or program.read_bytes()[:2] != b"#!"


ELSEWHERE = os.pathsep.join(filter(_is_dcmtks, os.get_exec_path()))
needed = pytest.mark.skipif(shutil.which("movescu", path=ELSEWHERE) is None, reason="dcmtk is not installed")


def program(name: str) -> str:
    """The path of one of dcmtk's programs, or its name where there is none."""
    return shutil.which(name, path=ELSEWHERE) or name
