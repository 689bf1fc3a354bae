"""WADO-URI over a live server: its parameters, each taken or refused by name."""

from io import BytesIO
from urllib.parse import urlencode

import numpy as np
import pydicom
import pytest
import requests
from PIL import Image
from pydicom import uid
from wia_archive import CT, DOSE, Archive, dicom_file


def wado(archive: Archive, name: str, **parameters: object) -> requests.Response:
    sent = pydicom.dcmread(BytesIO(dicom_file(name)), stop_before_pixels=True)
    given = {
        "requestType": "WADO",
        "studyUID": sent.StudyInstanceUID,
        "seriesUID": sent.SeriesInstanceUID,
        "objectUID": sent.SOPInstanceUID,
    } | parameters
    question = urlencode({key: value for key, value in given.items() if value is not None}, doseq=True)
    return requests.get(f"{archive.url.removesuffix('/dicomweb')}/wado?{question}", timeout=10)


def drawn(answer: requests.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def test_an_object_comes_as_it_was_stored(filled: Archive) -> None:
    answer = wado(filled, "JPEG2000.dcm", contentType="application/dicom")
    assert (answer.content, answer.headers["Content-Type"]) == (dicom_file("JPEG2000.dcm"), "application/dicom")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.RLELossless])
def test_another_transfer_syntax_is_made_or_explicit_little_endian(filled: Archive, syntax: str) -> None:
    answer = wado(filled, "JPEG2000.dcm", contentType="application/dicom", transferSyntax=syntax)
    found = pydicom.dcmread(BytesIO(answer.content))
    assert found.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert np.array_equal(found.pixel_array, pydicom.dcmread(BytesIO(dicom_file("JPEG2000.dcm"))).pixel_array)


def test_an_image_is_a_jpeg_unless_said_otherwise(filled: Archive) -> None:
    assert drawn(wado(filled, CT)).format == "JPEG"
    assert drawn(wado(filled, CT, contentType="image/png,image/jpeg;q=0.5")).format == "PNG"
    assert wado(filled, CT, contentType="application/dicom+json").json()[0]["00100020"]


def test_a_picture_is_as_large_as_asked_for(filled: Archive) -> None:
    assert drawn(wado(filled, CT, rows=64)).size == (64, 64)
    assert drawn(wado(filled, CT, rows=64, columns=16)).size == (16, 16)
    assert drawn(wado(filled, CT, region="0.25,0.5,0.75,1")).size == (64, 64)


def test_a_window_and_a_frame_are_chosen(filled: Archive) -> None:
    narrow = np.asarray(drawn(wado(filled, CT, contentType="image/png", windowCenter=-900, windowWidth=2)))
    assert set(np.unique(narrow)) <= {0, 127, 128, 255}
    first, other = (wado(filled, DOSE, contentType="image/png", frameNumber=number).content for number in (1, 8))
    assert first != other
    assert wado(filled, DOSE, frameNumber=16).status_code == 404


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"requestType": None}, "requestType"), ({"requestType": "GET"}, "requestType"), ({"studyUID": None}, "studyUID"),
        ({"seriesUID": ""}, "seriesUID"), ({"objectUID": None}, "objectUID"), ({"studyUID": "1.2.x"}, "studyUID"),
        ({"anonymize": "yes"}, "anonymize"), ({"presentationUID": "1.2"}, "presentationUID"), ({"rows": 0}, "rows"),
        ({"columns": "1e3"}, "columns"), ({"rows": 99999}, "rows"), ({"windowCenter": 1}, "windowCenter"),
        ({"windowCenter": 1, "windowWidth": "wide"}, "window"), ({"region": "0,0,2,1"}, "region"),
        ({"region": "0.5,0,0.5,1"}, "region"), ({"imageQuality": 0}, "imageQuality"), ({"frameNumber": 0}, "frameNumber"),
        ({"frameNumber": "٣"}, "frameNumber"), ({"rows": ["1", "2"]}, "rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_parameter(filled: Archive, parameters: dict[str, object], where: str) -> None:
    answer = wado(filled, CT, **parameters)
    assert answer.status_code == 400
    assert where in [finding["where"] for finding in answer.json()["findings"]]


def test_all_faults_are_told_at_once(filled: Archive) -> None:
    answer = wado(filled, CT, requestType=None, studyUID=None, anonymize="yes")
    assert {finding["where"] for finding in answer.json()["findings"]} == {"requestType", "studyUID", "anonymize"}


def test_what_is_not_there_and_what_has_no_such_form(filled: Archive) -> None:
    assert wado(filled, CT, objectUID="1.2.3").status_code == 404
    for media in ("text/html", "application/pdf", "video/mp4"):
        answer = wado(filled, CT, contentType=media)
        assert answer.status_code == 406
        assert answer.json()["findings"][0]["text"]
