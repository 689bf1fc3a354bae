"""A running archive for DICOM peers: its configured peers, what they send, and the reports that they get."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import uuid4

import pydicom
import running
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pynetdicom import AE, Association, build_context, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

CONFIG = """
[dimse.peers.MODALITY]
addresses = ["127.0.0.1"]
host = "127.0.0.1"
port = {port}
[dimse.peers.READER]
addresses = ["127.0.0.1"]
may_store = false
may_commit = false
[dimse.peers.HOMELESS]
addresses = ["127.0.0.1"]
[dimse.peers.ELSEWHERE]
addresses = ["192.0.2.1"]
[dimse.peers.OTHERNAME]
addresses = ["127.0.0.1"]
called = ["ARCHIVE2"]
"""


@dataclass
class Reports:
    """A modality that listens for reports of storage commitment."""

    port: int = 0
    came: list[tuple[int, Dataset]] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[None]:
        def report(event: evt.Event) -> tuple[int, None]:
            self.came.append((event.event_type, event.event_information))
            return 0x0000, None

        entity = AE("MODALITY")
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, report)]
        server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.port = server.socket.getsockname()[1]
        try:
            yield
        finally:
            server.shutdown()

    def of(self, transaction_uid: str) -> list[tuple[int, Dataset]]:
        return [(kind, data) for kind, data in self.came if data.TransactionUID == transaction_uid]


@dataclass
class Archive:
    server: running.RunningServer
    reports: Reports

    @property
    def port(self) -> int:
        return port_of(self.server)

    @contextmanager
    def association(self, *contexts: Any, title: str = "MODALITY", **more: Any) -> Iterator[Association]:
        entity = AE(title)
        assoc = entity.associate("127.0.0.1", self.port, contexts=list(contexts), ae_title="OPENXDSI", **more)
        assert assoc.is_established
        try:
            yield assoc
        finally:
            assoc.release()

    def store(self, *files: bytes, title: str = "MODALITY") -> list[Dataset]:
        """The answers to files, sent as they are."""
        answers = []
        heads = [meta_of(one) for one in files]
        contexts = {(head.MediaStorageSOPClassUID, head.TransferSyntaxUID): None for head in heads}
        with self.association(*(build_context(*pair) for pair in contexts), title=title) as assoc:
            for one in files:
                answers.append(sent(assoc, one))
        return answers

    def data_sets(self) -> list[bytes]:
        blobs = self.server.data / "blobs" / "blobs"
        return [data_set_of(path.read_bytes()) for path in blobs.glob("*/*/*")]


def sent(assoc: Association, file: bytes) -> Dataset:
    with NamedTemporaryFile(suffix=".dcm") as held:
        held.write(file)
        held.flush()
        return assoc.send_c_store(Path(held.name))


def meta_of(file: bytes) -> Dataset:
    return read_partial(BytesIO(file), lambda tag, *_: tag.group != 2).file_meta


def port_of(server: running.RunningServer) -> int:
    (line,) = (line for line in server.printed.splitlines() if line.startswith("DICOM "))
    return int(line.rpartition(":")[2])


def data_set_of(file: bytes) -> bytes:
    return file[144 + int.from_bytes(file[140:144], "little") :]


def ct(uid: str, study: str = "", **changes: object) -> bytes:
    data = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid
    data.StudyInstanceUID = study or f"{uid}.1"
    data.SeriesInstanceUID = f"{data.StudyInstanceUID}.2"
    for name, value in changes.items():
        setattr(data, name, value)
    made = BytesIO()
    data.save_as(made)
    return made.getvalue()


def new_uid() -> str:
    return f"2.25.{uuid4().int >> 32}"


def start(folder: Path, reports: Reports, **more: str) -> running.RunningServer:
    config = folder / "xdsi.toml"
    config.write_text(CONFIG.format(port=reports.port))
    return running.start(folder / "data", "--config", str(config), "--dicom", "127.0.0.1:0", **more)
