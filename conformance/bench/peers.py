"""The servers of `xdsi beside`: ours, whole, as `xdsi serve` runs it, and Orthanc with its DICOMweb plugin.

Each has empty stores of its own on the same disk, all cores, and nothing else to do.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.bench.client import Question, Where, Wrong, ask

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN = 60.0  # seconds
ORTHANC, PLUGIN = "Orthanc", "libOrthancDicomWeb.so"
PLUGINS = (Path("/usr/share/orthanc/plugins"), Path("/usr/local/share/orthanc/plugins"))


class NoOrthanc(Exception):
    """There is nothing to measure beside."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server: where it speaks HTTP, the path of its DICOMweb, its DICOM port and its AE title."""

    name: str
    where: Where
    dicomweb: str
    dicom: int
    ae_title: str


Start = Callable[[Path], "Iterator[Peer]"]


@contextmanager
def ours(folder: Path) -> Iterator[Peer]:
    """`xdsi serve` on stores in `folder`.

    Raises:
        Wrong: it does not become ready.
    """
    web, dicom = _free_port(), _free_port()
    settings = {
        "XDSI_DATA": str(folder),
        "XDSI_WEB__ADDRESS": f"127.0.0.1:{web}",
        "XDSI_DICOM": f"127.0.0.1:{dicom}",
        # Manifests are made when a study came to rest, which would be in the middle of another measurement.
        "XDSI_PUBLISHING__AUTOMATIC": "false",
    }
    command = [sys.executable, "-c", "from wsgi import cli; cli()", "serve"]
    with _process(command, folder, settings, ("127.0.0.1", web), "/health/ready"):
        yield Peer("OpenXDS-I", ("127.0.0.1", web), "/dicomweb", dicom, "OPENXDSI")


@contextmanager
def orthanc(folder: Path) -> Iterator[Peer]:
    """Orthanc on stores in `folder`.

    Raises:
        NoOrthanc: it is not installed.
        Wrong: it does not become ready.
    """
    program = shutil.which(ORTHANC)
    plugin = next((path / PLUGIN for path in PLUGINS if (path / PLUGIN).exists()), None)
    if program is None or plugin is None:
        raise NoOrthanc("Orthanc and its DICOMweb plugin are not installed (Debian: orthanc, orthanc-dicomweb)")
    web, dicom = _free_port(), _free_port()
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(_configuration(folder, web, dicom, plugin)))
    with _process([program, str(configuration)], folder, {}, ("127.0.0.1", web), "/system"):
        yield Peer("Orthanc", ("127.0.0.1", web), "/dicom-web", dicom, "ORTHANC")


def _configuration(folder: Path, web: int, dicom: int, plugin: Path) -> Mapping[str, object]:
    return {
        "StorageDirectory": str(folder / "objects"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": web,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False,
        "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False,
        # What it has acknowledged must be on the disk, as with us.
        "SyncStorageArea": True,
        "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


@contextmanager
def _process(
    command: Sequence[str], folder: Path, settings: Mapping[str, str], where: Where, ready: str
) -> Iterator[None]:
    """A server's process, from its being ready on."""
    log = folder / "server.log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDSI_")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env={**kept, **settings}, stdout=output, stderr=output)  # noqa: S603
    try:
        _await(process, where, ready, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: "subprocess.Popen[bytes]", where: Where, ready: str, log: Path) -> None:
    give_up = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < give_up:
        try:
            ask(where, Question("GET", ready))
        except (OSError, Wrong):
            time.sleep(0.1)
        else:
            return
    raise Wrong(f"the server did not become ready:\n{log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
