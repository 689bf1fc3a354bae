"""dcmtk's programs, for tests that speak DICOM as others do."""

import os
import shutil
import sys
from pathlib import Path

import pytest

# pynetdicom installs programs of the same names beside Python, which behave otherwise.
ELSEWHERE = os.pathsep.join(
    each for each in os.environ["PATH"].split(os.pathsep) if Path(each) != Path(sys.executable).parent
)
needed = pytest.mark.skipif(shutil.which("movescu", path=ELSEWHERE) is None, reason="dcmtk is not installed")


def program(name: str) -> str:
    """The path of one of dcmtk's programs, or its name where there is none."""
    return shutil.which(name, path=ELSEWHERE) or name
