"""A rejection note sent by the clients that send them: dicomweb-client's STOW-RS and dcmtk's storescu."""

import re
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import region
from dcmtk import needed, program
from examination import Study, sop_uid
from region import Region, eventually
from rejecting import SAFETY, WORKLIST, note
from requests import HTTPError
from running import run_xdsi

SETTINGS = {"XDSI_PUBLISHING__QUIET_SECONDS": "0.1", "XDSI_DICOM": "127.0.0.1:0", "XDSI_RETENTION__YEARS": "10"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """One server on embedded stores, with its DICOM side."""
    found = region.start(tmp_path_factory.mktemp("rejected") / "data", "", **SETTINGS)
    yield found
    found.server.stop()


def storescu(world: Region, folder: Path, *objects: bytes) -> "subprocess.CompletedProcess[str]":
    found = re.search(r"([^\s@]+)@(127\.0\.0\.1):(\d+)", world.server.printed)
    assert found, world.server.printed
    files = []
    for number, one in enumerate(objects):
        files.append(folder / f"{number}.dcm")
        files[-1].write_bytes(one)
    command = [program("storescu"), "-v", "-aec", found[1], found[2], found[3], *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def shown(world: Region, study: Study) -> set[str]:
    return {one["00080018"]["Value"][0] for one in world.dicomweb.search_for_instances(study.uid)}


def test_by_stow(world: Region) -> None:
    study = Study()
    one, two = study.object(InstanceNumber=1), study.object(InstanceNumber=2)
    world.stow(one, two)
    (before,) = eventually(lambda: world.documents_of(study.who), "the manifest is published")
    answer = world.dicomweb.store_instances([pydicom.dcmread(BytesIO(note(study, WORKLIST, one)))])
    assert len(answer.ReferencedSOPSequence) == 1
    # From this answer on nobody is shown it: the entry is not there, whether the new one is or not.
    assert before.id not in {entry.id for entry in world.documents_of(study.who)}
    assert shown(world, study) == {sop_uid(two)}
    with pytest.raises(HTTPError) as refused:
        world.dicomweb.retrieve_instance(study.uid, study.series, sop_uid(one))
    assert refused.value.response.status_code == 404
    assert "Incorrect Modality Worklist Entry" in refused.value.response.text
    assert [series["numberOfInstances"] for series in world.study(study)] == [1]
    eventually(lambda: world.documents_of(study.who), "the new manifest is published")
    (failed,) = world.stow(one, status=409)["00081198"]["Value"]
    assert "not taken again" in failed["00000902"]["Value"][0]


@needed
def test_by_c_store_before_its_object(world: Region, tmp_path: Path) -> None:
    study = Study()
    one, two = study.object(InstanceNumber=1), study.object(InstanceNumber=2)
    for objects in ((note(study, SAFETY, one),), (one, two)):
        done = storescu(world, tmp_path, *objects)
        assert done.returncode == 0, done.stderr
    assert shown(world, study) == {sop_uid(two)}, done.stderr
    done = storescu(world, tmp_path, one)
    assert "0x124" in done.stderr, done.stderr


def test_the_commands(world: Region) -> None:
    study = Study(date="20040704")
    world.stow(study.object(InstitutionName="North"))
    data = str(world.server.data)
    more = {"XDSI_RETENTION__YEARS": "10"}
    assert "stands" in run_xdsi("hold", study.uid, "--reason", "case 12", "--data", data, **more).stdout
    assert run_xdsi("hold", study.uid, "--data", data, **more).returncode == 2
    assert "legal hold" in run_xdsi("retention", "--dry-run", "--data", data, **more).stdout
    assert "released" in run_xdsi("release", study.uid, "--data", data, **more).stdout
    assert "North" in run_xdsi("retention", "--dry-run", "--data", data, **more).stdout
    assert "1 studies with 1 objects" in run_xdsi("retention", "--data", data, **more).stdout
    assert world.dicomweb.search_for_studies(search_filters={"StudyInstanceUID": study.uid}) == []
    assert run_xdsi("fsck", "--data", data).returncode in (0, 1)
