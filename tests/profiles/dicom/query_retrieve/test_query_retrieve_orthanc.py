"""Orthanc as a peer: it queries, and has a study moved to itself."""

import json
import shutil
import subprocess

import pytest
import requests
from asking import MIXED, SOURCES, free_port
from region import eventually

ORTHANC = shutil.which("Orthanc") or shutil.which("orthanc") or shutil.which("Orthanc", path="/usr/sbin")


@pytest.fixture
def orthanc(archive, tmp_path):
    """`ask(path, body)` of an empty Orthanc that knows the archive as `us`."""
    if ORTHANC is None:
        pytest.skip("Orthanc is not installed")
    web, settings = free_port(), tmp_path / "orthanc.json"
    settings.write_text(
        json.dumps(
            {
                "DicomAet": "ORTHANC",
                "DicomPort": archive.orthanc,
                "HttpPort": web,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "StorageDirectory": str(tmp_path / "kept"),
                "IndexDirectory": str(tmp_path / "kept"),
                "Plugins": [],
                "DicomModalities": {"us": {"AET": "OPENXDSI", "Host": "127.0.0.1", "Port": archive.port}},
            }
        )
    )
    process = subprocess.Popen([ORTHANC, str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(path, body=None):
        method = requests.get if body is None else requests.post
        answer = method(f"http://127.0.0.1:{web}{path}", data=body and json.dumps(body), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def runs():
        try:
            return ask("/system")
        except requests.ConnectionError:
            return None

    try:
        eventually(runs, "Orthanc runs")
        yield ask
    finally:
        process.terminate()
        process.wait(20)


def test_orthanc_queries_all_levels_and_retrieves(orthanc):
    def answers(level, **keys):
        query = orthanc("/modalities/us/query", {"Level": level, "Query": keys})["ID"]
        return query, orthanc(f"/queries/{query}/answers?expand&simplify")

    study = {"PatientID": "4711", "StudyInstanceUID": MIXED}
    query, found = answers("Study", PatientID="4711", ModalitiesInStudy="")
    assert [(one["StudyInstanceUID"], one["AccessionNumber"]) for one in found] == [(MIXED, "A1")]
    assert len(answers("Patient", PatientName="our*")[1]) == 1
    assert len(answers("Series", **study)[1]) == 1
    instances = answers("Instance", **study, SeriesInstanceUID=f"{MIXED}.1")[1]
    assert {one["SOPInstanceUID"] for one in instances} == set(SOURCES)
    orthanc(f"/queries/{query}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
    assert orthanc("/statistics")["CountInstances"] == len(SOURCES)
