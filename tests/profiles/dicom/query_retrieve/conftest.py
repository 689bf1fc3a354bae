"""An archive with a gate in front, a storage provider of little patience, and associations with the archive."""

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from asking import FIRST, MIXED, NAMED, OTHER, SECOND, SOURCES, file, free_port
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, _config, build_role, evt
from pynetdicom.sop_class import CTImageStorage, SecondaryCaptureImageStorage

from profiles.composition import compose
from profiles.dimse import Actors, Peers, outward
from profiles.faces.dimse_association import Acceptors, Bounds
from profiles.faces.dimse_gate import Gate, Limits
from profiles.faces.dimse_retrieve import Sender
from profiles.faces.dimse_serving import Serving
from profiles.house import House
from profiles.settings import Settings
from registry.access import Caller


@pytest.fixture(scope="session")
def plain() -> Iterator[SimpleNamespace]:
    """A storage provider that takes CT and SC in Implicit VR alone, and tells what it was sent."""
    taken: dict[str, Dataset] = {}
    asked, free = threading.Event(), threading.Event()
    free.set()

    def store(event: evt.Event) -> int:
        asked.set()
        free.wait(20)
        data = event.dataset
        data.file_meta = event.file_meta
        taken[str(data.SOPInstanceUID)] = data
        return 0x0000

    entity = AE("PLAIN")
    for sop_class in (CTImageStorage, SecondaryCaptureImageStorage):
        entity.add_supported_context(sop_class, ImplicitVRLittleEndian)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    yield SimpleNamespace(port=server.socket.getsockname()[1], taken=taken, asked=asked, free=free)
    server.shutdown()


@pytest.fixture(scope="session")
def archive(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, plain: SimpleNamespace
) -> Iterator[SimpleNamespace]:
    folder, received, orthanc = tmp_path_factory.mktemp("archive"), free_port(), free_port()
    shutil.copy(sqlite_template, folder / "registry.sqlite")
    at = {"addresses": ["127.0.0.1"]}
    peers = {
        "WORKSTATION": at,
        "SOUTH": {**at, "authority": SECOND},
        "DEAF": {**at, "may_query": False, "may_move": False},
        "DCMTK": {**at, "host": "127.0.0.1", "port": received},
        "PLAIN": {**at, "host": "127.0.0.1", "port": plain.port},
        "ORTHANC": {**at, "host": "127.0.0.1", "port": orthanc},
        "GONE": {**at, "host": "127.0.0.1", "port": free_port()},
    }
    authorities = {"patient_authorities": (FIRST, SECOND)}
    settings = Settings(data=folder, affinity_domain=authorities, dimse={"peers": peers})
    house = compose(settings)
    files = filled(house)
    before, _config.STORE_SEND_CHUNKED_DATASET = _config.STORE_SEND_CHUNKED_DATASET, True
    actors, stop = Actors(house), threading.Event()
    serving = Serving(actors, Sender(outward(settings)))
    acceptors = Acceptors(settings.ae_title, Bounds(131072, 30.0), actors.sop_classes, serving.serve)
    listener = socket.create_server(("127.0.0.1", 0))
    gate = Gate(listener, Peers(settings).judge, acceptors.admit, Limits())
    thread = threading.Thread(target=gate.run, args=(stop,), daemon=True)
    thread.start()
    ports = {"port": listener.getsockname()[1], "received": received, "orthanc": orthanc}
    yield SimpleNamespace(**ports, files=files, house=house, acceptors=acceptors)
    stop.set()
    thread.join(5)
    listener.close()
    acceptors.stop(2)
    _config.STORE_SEND_CHUNKED_DATASET = before


def filled(house: House) -> dict[str, bytes]:
    """Objects of patient 4711 of one hospital, and of patient 4711 of another, by their UIDs."""
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = SECOND, "ISO"
    south = {"PatientName": "Öberg^Åsa", "SpecificCharacterSet": "ISO_IR 192", "AccessionNumber": "A2"}
    south["IssuerOfPatientIDQualifiersSequence"] = [issuer]
    files = {uid: file(name, MIXED, uid) for uid, name in SOURCES.items()}
    files |= {f"{study}.1.1": file("CT_small.dcm", study, f"{study}.1.1", **south) for study in (NAMED, OTHER)}
    outcomes = house.imaging.store(([each] for each in files.values()), Caller("test", "127.0.0.1", "RAD-8"))
    assert [outcome.finding for outcome in outcomes] == [None] * len(files)
    return files


@pytest.fixture
def associate(archive: SimpleNamespace):
    opened = []

    def associate(*models: str, title: str = "WORKSTATION", gets: tuple[str, ...] = ()):
        entity = AE(title)
        for model in models:
            entity.add_requested_context(model)
        for sop_class in gets:
            entity.add_requested_context(sop_class, ImplicitVRLittleEndian)
        roles = [build_role(sop_class, scp_role=True) for sop_class in gets]
        taken: dict[str, Dataset] = {}

        def store(event: evt.Event) -> int:
            taken[str(event.dataset.SOPInstanceUID)] = event.dataset
            return 0x0000

        found = entity.associate(
            "127.0.0.1",
            archive.port,
            ae_title="OPENXDSI",
            ext_neg=roles,
            evt_handlers=[(evt.EVT_C_STORE, store)],
        )
        assert found.is_established
        opened.append(found)
        return found, taken

    yield associate
    for each in opened:
        each.release()
