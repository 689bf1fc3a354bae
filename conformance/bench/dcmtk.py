"""dcmtk's programs: DICOM clients that others wrote."""

import os
import shutil
from functools import cache
from pathlib import Path


def _is_dcmtks(folder: str) -> bool:
    # pynetdicom installs programs of the same names beside each Python; they are scripts, and behave otherwise.
    program = Path(folder) / "storescu"
    return not program.exists() or program.read_bytes()[:2] != b"#!"


@cache
def path() -> str:
    """The PATH without the folders whose programs are not dcmtk's."""
    return os.pathsep.join(filter(_is_dcmtks, os.get_exec_path()))


def program(name: str) -> str | None:
    """The path of one of dcmtk's programs, None where it is not installed."""
    return shutil.which(name, path=path())
