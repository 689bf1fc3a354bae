"""dcmtk's programs, for tests that speak DICOM as others do."""

import pytest

from conformance.bench import dcmtk

ELSEWHERE = dcmtk.path()
needed = pytest.mark.skipif(dcmtk.program("movescu") is None, reason="dcmtk is not installed")


def program(name: str) -> str:
    """The path of one of dcmtk's programs, or its name where there is none."""
    return dcmtk.program(name) or name
