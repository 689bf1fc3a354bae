"""The story, point 6: QIDO-RS and WADO-RS."""

from io import BytesIO

import pydicom
import requests
from examination import Study, new_uid, sop_uid
from region import Region
from telling import QUICKLY

SETTINGS = QUICKLY


def test_qido_at_all_levels_and_by_all_keys(world: Region) -> None:
    study = Study(date="19440606")
    one, two = study.object(), study.object("MR_small.dcm", SeriesInstanceUID=new_uid())
    world.stow(one, two)
    web = world.dicomweb
    for key, value in (
        ("PatientID", study.who.number),
        ("StudyInstanceUID", study.uid),
        ("AccessionNumber", study.accession),
        ("StudyDate", "19440606"),
        ("StudyDate", "19440601-19440630"),
        ("00100020", study.who.number),
        ("PatientName", f"{study.who.family}*"),
    ):
        found = web.search_for_studies(search_filters={key: value})
        assert study.uid in [s["0020000D"]["Value"][0] for s in found], key
    by_modality = web.search_for_studies(search_filters={"ModalitiesInStudy": "MR", "PatientID": study.who.number})
    assert by_modality[0]["00080061"]["Value"] == ["CT", "MR"]
    assert (by_modality[0]["00201206"]["Value"], by_modality[0]["00201208"]["Value"]) == ([2], [2])
    assert web.search_for_studies(search_filters={"ModalitiesInStudy": "US", "PatientID": study.who.number}) == []
    assert {s["00080060"]["Value"][0] for s in web.search_for_series(study.uid)} == {"CT", "MR"}
    (mr,) = web.search_for_series(study.uid, search_filters={"Modality": "MR"})
    series = mr["0020000E"]["Value"][0]
    assert [i["00080018"]["Value"][0] for i in web.search_for_instances(study.uid, series)] == [sop_uid(two)]
    assert len(web.search_for_instances(study.uid)) == 2
    everywhere = web.search_for_instances(search_filters={"SOPInstanceUID": sop_uid(one)})
    assert [i["0020000D"]["Value"][0] for i in everywhere] == [study.uid]
    assert len(web.search_for_series(search_filters={"SeriesInstanceUID": series})) == 1
    assert len(web.search_for_instances(study.uid, limit=1)) == 1
    assert len(web.search_for_instances(study.uid, limit=5, offset=1)) == 1


def test_wado_gives_studies_series_instances_and_metadata(world: Region) -> None:
    study, other = Study(), new_uid()
    ct, jpeg = study.object(), study.object("JPEG2000.dcm", SeriesInstanceUID=other)
    world.stow(ct, jpeg)
    web = world.dicomweb
    any_syntax = (("application/dicom", "*"),)
    got = {d.SOPInstanceUID: d for d in web.retrieve_study(study.uid, media_types=any_syntax)}
    assert got == {sop_uid(one): pydicom.dcmread(BytesIO(one)) for one in (ct, jpeg)}
    (one,) = web.retrieve_series(study.uid, other, media_types=any_syntax)
    assert one == pydicom.dcmread(BytesIO(jpeg))
    assert web.retrieve_instance(study.uid, study.series, sop_uid(ct)) == pydicom.dcmread(BytesIO(ct))
    for path in ("", f"/series/{other}", f"/series/{other}/instances/{sop_uid(jpeg)}"):
        answer = requests.get(
            f"{world.url}/dicomweb/studies/{study.uid}{path}",
            headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
            timeout=10,
        )
        assert answer.status_code == 200
        assert jpeg in answer.content
    described = web.retrieve_study_metadata(study.uid)
    assert {d["00080018"]["Value"][0] for d in described} == {sop_uid(ct), sop_uid(jpeg)}
    assert len(web.retrieve_series_metadata(study.uid, other)) == 1
    metadata = web.retrieve_instance_metadata(study.uid, study.series, sop_uid(ct))
    assert metadata["00100020"]["Value"] == [study.who.number]
    bulk = metadata["7FE00010"]["BulkDataURI"]
    (pixels,) = web.retrieve_bulkdata(bulk)
    assert pixels == pydicom.dcmread(BytesIO(ct)).PixelData


def test_wado_gives_frames(world: Region) -> None:
    study = Study()
    ct = study.object()
    rle = study.object("SC_rgb_rle_2frame.dcm", SeriesInstanceUID=new_uid())
    world.stow(ct, rle)
    web = world.dicomweb
    assert web.retrieve_instance_frames(study.uid, study.series, sop_uid(ct), [1]) == [
        pydicom.dcmread(BytesIO(ct)).PixelData
    ]
    data = pydicom.dcmread(BytesIO(rle))
    from pydicom.encaps import generate_frames

    frames = list(generate_frames(data.PixelData, number_of_frames=2))
    asked = {"media_types": (("image/dicom-rle", str(data.file_meta.TransferSyntaxUID)),)}
    got = web.retrieve_instance_frames(study.uid, data.SeriesInstanceUID, sop_uid(rle), [2, 1], **asked)
    assert got == [frames[1], frames[0]]
    missing = requests.get(
        f"{world.url}/dicomweb/studies/{study.uid}/series/{study.series}/instances/{sop_uid(ct)}/frames/2", timeout=10
    )
    assert missing.status_code == 404


def test_what_is_not_there_is_not_found(world: Region) -> None:
    for path in ("", f"/series/{new_uid()}", "/metadata", f"/series/{new_uid()}/instances/{new_uid()}"):
        answer = requests.get(f"{world.url}/dicomweb/studies/{new_uid()}{path}", timeout=10)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("application/")
    assert world.dicomweb.search_for_studies(search_filters={"PatientID": "nobody"}) == []


def test_at_the_end_the_stores_are_clean(world: Region) -> None:
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
