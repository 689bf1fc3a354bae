"""A live server of the DICOMweb transactions alone, on real stores, and what tests send to it."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from flask import Flask
from pydicom.data import get_testdata_file
from werkzeug.serving import WSGIRequestHandler, make_server

from database.engine import Database
from profiles.faces.dicomweb import problem
from profiles.faces.http import register
from profiles.settings import Settings
from profiles.wia.profile import PROFILE
from registry.access import OpenPolicy
from registry.audit import AuditRecord
from repository.imaging.service import ImagingRepository
from repository.imaging.source import ImagingSource
from repository.store.files import FileBlobs

AUTHORITY, OTHER_AUTHORITY = "1.2.752.129.2.1.3.1", "1.2.752.129.2.1.3.3"
PUBLIC_URL = "https://images.example.org"
CT, DOSE = "CT_small.dcm", "rtdose.dcm"
FILES = (CT, "MR_small.dcm", "JPEG2000.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_jpeg_dcmtk.dcm", DOSE)
"""Five studies: the two SC files are of one study and one series, in two transfer syntaxes."""


def dicom_file(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    if name != DOSE:
        return Path(path).read_bytes()
    # The one native file of several frames; its File Meta Information names another object.
    dataset, mended = pydicom.dcmread(path), BytesIO()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(mended)
    return mended.getvalue()


class QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        pass


class AnyRegistrar:
    """A registry that takes everything."""

    def know_patient(self, *_: Any) -> None:
        pass

    def touch_study(self, *_: Any) -> None:
        pass

    def unknown_patients(self, *_: Any) -> dict[str, Any]:
        return {}

    survivors = sources_of = unknown_patients

    def same_patient(self, *_: Any) -> tuple[str, ...]:
        return ()


class KeptAudit:
    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def keep(self, record: AuditRecord) -> None:
        self.records.append(record)


class Archive(SimpleNamespace):
    """`url` is where it listens, `studies` its STOW door, `client` a DICOMweb client of other hands."""

    url: str
    studies: str
    client: DICOMwebClient
    audit: KeptAudit


@contextmanager
def running_archive(template: Path, folder: Path, **limits: int) -> Iterator[Archive]:
    database_file = folder / "registry.sqlite"
    for file in template.parent.glob(f"{template.name}*"):
        shutil.copy(file, folder / file.name.replace(template.name, database_file.name))
    settings = Settings(data=folder, web={"public_url": PUBLIC_URL}, limits=limits)
    database, audit = Database(f"sqlite:///{database_file}"), KeptAudit()
    source = ImagingSource("1.2.3.9", f"{PUBLIC_URL}/dicomweb", "1.2.3.8", (AUTHORITY, OTHER_AUTHORITY))
    nothing: Any = None
    registrar: Any = AnyRegistrar()
    imaging = ImagingRepository(
        database, FileBlobs(folder / "blobs"), registrar, nothing, audit, OpenPolicy(), source=source, codes=nothing
    )
    house = SimpleNamespace(settings=settings, imaging=imaging)
    app = Flask("archive")
    for transaction in PROFILE.transactions:
        register(app, transaction, house, problem)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/dicomweb"
    try:
        yield Archive(
            url=url, studies=f"{url}/studies", client=DICOMwebClient(url), audit=audit, blobs=folder / "blobs"
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        imaging.decoder.close()
        database.close()


def multipart(*parts: bytes, boundary: str = "cut-here", label: str = "application/dicom") -> bytes:
    head = f"--{boundary}\r\nContent-Type: {label}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def post(url: str, *parts: bytes, **headers: str) -> requests.Response:
    sent = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=cut-here'} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return requests.post(url, data=multipart(*parts), headers=sent, timeout=10)
