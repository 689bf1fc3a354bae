"""The whole story with the bytes in an object store: stored, published, read by ranges, killed, checked, mended."""

import os
import signal
from io import BytesIO

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.data import get_testdata_file
from s3_server import CREDENTIALS, S3Server

from database.engine import Database
from profiles import check
from profiles.composition import compose
from profiles.settings import Settings
from registry.access import Caller
from repository.imaging.wrapping import written

PREFIX = "story"
CALLER = Caller("tester", "", "test")


def loop() -> bytes:
    """An ultrasound of some frames."""
    data = pydicom.dcmread(str(get_testdata_file("examples_ybr_color.dcm")))
    data.PatientID, data.AccessionNumber, data.Modality = "191212121212", "A1", "US"
    return written(data, data.file_meta.TransferSyntaxUID)


def test_everything_lies_in_the_object_store_and_a_crash_leaves_only_orphans(
    s3_server: S3Server, server, monkeypatch, capsys
):
    more = CREDENTIALS | {"XDSI_BLOBS_URL": s3_server.url(PREFIX), "XDSI_PUBLISHING__AUTOMATIC": "false"}
    started = server(**more)
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    assert requests.get(f"{started.base_url}/health/ready", timeout=10).json()["checks"]["blobs"] == "ok"
    original = loop()
    data, client = pydicom.dcmread(BytesIO(original)), DICOMwebClient(f"{started.base_url}/dicomweb")
    client.store_instances([data])
    uids = (data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID)
    assert client.retrieve_instance(*uids, media_types=(("application/dicom", "*"),)) == data
    frames = client.retrieve_instance_frames(*uids, [3, 1], media_types=(("image/dicom-rle", "*"), ("image/jpeg", "*"), ("image/jp2", "*")))  # fmt: skip
    generated = list(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=data.NumberOfFrames))
    assert [frame.rstrip(b"\0") for frame in frames] == [generated[at].rstrip(b"\0") for at in (2, 0)]
    settings = Settings.load(data=started.data)
    assert not compose(settings).imaging.publish(data.StudyInstanceUID, CALLER).replaced
    assert started.stop() == 0
    assert "tester-secret" not in started.log.read_text()
    kept = [path for path in s3_server.behind(PREFIX).rglob("*") if path.is_file()]
    assert len(kept) == 2  # the object and its manifest
    assert list((started.data / "spool" / "tmp").iterdir()) == []
    assert not (started.data / "blobs").exists()

    data.SOPInstanceUID += ".1"
    child = os.fork()
    if child == 0:
        house = compose(settings)
        Database.transact = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        house.imaging.store([[written(data, data.file_meta.TransferSyntaxUID)]], CALLER)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    capsys.readouterr()
    statuses = [check.run(settings, repair=repair, grace=0) for repair in (False, True, False)]
    assert (statuses, capsys.readouterr().out.count("blob without row")) == ([2, 1, 0], 2)
    assert len(list((s3_server.behind(PREFIX) / "quarantine").iterdir())) == 1

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    assert check.run(settings, repair=False, grace=0) == 2
    assert "does not take this server's secret" in capsys.readouterr().out
