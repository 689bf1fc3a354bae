"""What tests of query and retrieve ask with: real objects, programs of other hands, identifiers."""

import socket
import subprocess
from contextlib import closing
from io import BytesIO
from types import SimpleNamespace

import pydicom
from dcmtk import program as dcmtk_program
from pydicom import Dataset
from pydicom.data import get_testdata_file

FIRST, SECOND = "1.2.752.129.2.1.3.1", "1.2.752.129.2.1.3.3"
MIXED, NAMED, OTHER = "1.2.3.4.10", "1.2.3.4.20", "1.2.3.4.30"
SOURCES = {  # the instances of the study MIXED: a plain one, and compressed ones
    f"{MIXED}.1.1": "CT_small.dcm",
    f"{MIXED}.1.2": "SC_rgb_rle_2frame.dcm",
    f"{MIXED}.1.3": "SC_rgb_jpeg_dcmtk.dcm",
    f"{MIXED}.1.4": "MR_small.dcm",
}


def file(name: str, study: str, uid: str, **attributes: object) -> bytes:
    data = pydicom.dcmread(get_testdata_file(name, download=False))
    data.StudyInstanceUID, data.SeriesInstanceUID = study, f"{study}.1"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid
    data.PatientID, data.PatientName, data.InstanceNumber = "4711", "Our^Own", int(uid.rpartition(".")[2])
    data.StudyDate, data.AccessionNumber = "20240101", "A1"
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    made = BytesIO()
    data.save_as(made)
    return made.getvalue()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def data_set_of(file: bytes) -> bytes:
    """What comes after the File Meta Information."""
    length = int.from_bytes(file[140:144], "little")
    return file[144 + length :]


def dcmtk(program: str, archive: SimpleNamespace, *arguments: str, title: str = "WORKSTATION") -> str:
    done = subprocess.run(
        [dcmtk_program(program), "-v", "-aet", title, "-aec", "OPENXDSI", *arguments, "127.0.0.1", str(archive.port)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
    )
    return done.stdout + done.stderr


def identifier(level: str, **keys: object) -> Dataset:
    data = Dataset()
    data.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(data, keyword, value)
    return data
