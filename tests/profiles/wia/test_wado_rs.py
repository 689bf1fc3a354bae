"""WADO-RS over a live server: bytes as they were stored, in the forms that clients ask for."""

import json
from io import BytesIO

import pydicom
import pytest
import requests
from pydicom import uid
from wia_archive import CT, DOSE, FILES, PUBLIC_URL, Archive, dicom_file

from profiles.faces.multipart import read_parts

SC_STUDY = "1.2.826.0.1.3680043.8.498.12406831542731051035295345080039845114"
JPEG_FILE = "SC_rgb_jpeg_dcmtk.dcm"
DICOM = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'


def path_of(name: str, level: int = 3) -> str:
    sent = pydicom.dcmread(BytesIO(dicom_file(name)), stop_before_pixels=True)
    parts = ("studies", sent.StudyInstanceUID), ("series", sent.SeriesInstanceUID), ("instances", sent.SOPInstanceUID)
    return "".join(f"/{word}/{value}" for word, value in parts[:level])


def get(archive: Archive, path: str, accept: str = "*/*", **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{archive.url}{path}", headers={"Accept": accept} | named, timeout=10)


def parts_of(answer: requests.Response) -> list[tuple[str, bytes]]:
    assert answer.status_code == 200, answer.text
    body = BytesIO(answer.content)
    return [
        (part.content_type, b"".join(part.chunks)) for part in read_parts(answer.headers["Content-Type"], body.read)
    ]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("accept", ["*/*", DICOM, f"{DICOM}; transfer-syntax=*"])
def test_an_instance_comes_back_byte_for_byte(filled: Archive, name: str, accept: str) -> None:
    sent = dicom_file(name)
    answer = get(filled, path_of(name), accept)
    syntax = pydicom.dcmread(BytesIO(sent)).file_meta.TransferSyntaxUID
    assert parts_of(answer) == [(f"application/dicom; transfer-syntax={syntax}", sent)]
    assert answer.headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_an_instance_comes_bare_to_who_asks_so(filled: Archive) -> None:
    answer = get(filled, path_of(CT), "application/dicom")
    assert answer.content == dicom_file(CT)
    assert answer.headers["Content-Type"] == f"application/dicom; transfer-syntax={uid.ExplicitVRLittleEndian}"


@pytest.mark.parametrize("accept", [DICOM, "application/dicom"])
def test_no_browser_runs_what_a_preamble_holds(archive: Archive, accept: str) -> None:
    polyglot = b"<html><script>alert(1)</script>".ljust(128, b"\0") + dicom_file(CT)[128:]
    requests.post(archive.studies, data=polyglot, headers={"Content-Type": "application/dicom"}, timeout=10)
    answer = get(archive, path_of(CT), accept)
    assert bytes(128) + dicom_file(CT)[128:] in answer.content
    assert b"script" not in answer.content
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("level", [1, 2])
def test_a_study_and_a_series_have_all_their_objects(filled: Archive, level: int) -> None:
    answer = get(filled, path_of(JPEG_FILE, level), f"{DICOM}; transfer-syntax=*")
    assert {content for _, content in parts_of(answer)} == {dicom_file(JPEG_FILE), dicom_file("SC_rgb_rle_2frame.dcm")}
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_client_of_other_hands_retrieves_all_levels(filled: Archive) -> None:
    sent = pydicom.dcmread(BytesIO(dicom_file(CT)))
    study, series, instance = sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID
    assert filled.client.retrieve_study(SC_STUDY)[0].StudyInstanceUID == SC_STUDY
    assert filled.client.retrieve_series(study, series) == [sent]
    assert filled.client.retrieve_instance(study, series, instance) == sent
    (metadata,) = filled.client.retrieve_series_metadata(study, series)
    assert pydicom.Dataset.from_json(metadata, lambda *_: b"").PatientID == sent.PatientID
    (frame,) = filled.client.retrieve_instance_frames(study, series, instance, [1])
    assert frame == sent.PixelData


@pytest.mark.parametrize("level", [1, 2, 3])
def test_another_transfer_syntax_than_the_stored_one_is_refused_by_name(filled: Archive, level: int) -> None:
    accept = f"{DICOM}; transfer-syntax={uid.JPEG2000Lossless}"
    answer = get(filled, path_of(CT, level), accept)
    assert answer.status_code == 406
    assert uid.ExplicitVRLittleEndian in answer.json()["findings"][0]["text"]


def test_a_study_in_two_syntaxes_of_which_one_is_asked_for_is_refused(filled: Archive) -> None:
    one = f"{DICOM}; transfer-syntax={uid.RLELossless}"
    assert get(filled, f"/studies/{SC_STUDY}", one).status_code == 406
    both = f"{one}, {DICOM}; transfer-syntax={uid.JPEGBaseline8Bit}"
    assert len(parts_of(get(filled, f"/studies/{SC_STUDY}", both))) == 2


@pytest.mark.parametrize("accept", ["text/html", "application/dicom+xml", "image/png", ",".join(["a/b"] * 10_000)])
def test_forms_that_are_not_given(filled: Archive, accept: str) -> None:
    assert get(filled, path_of(CT), accept).status_code == 406


def test_a_study_is_never_one_bare_object(filled: Archive) -> None:
    assert get(filled, path_of(CT, 1), "application/dicom").status_code == 406


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/metadata",
        "/series/1.2.4",
        "/series/1.2.4/metadata",
        "/series/1.2.4/instances/1.2.5",
        "/series/1.2.4/instances/1.2.5/frames/1",
    ],
)
def test_what_is_not_held_is_not_found(filled: Archive, rest: str) -> None:
    answer = get(filled, f"/studies/1.2.3{rest}")
    assert answer.status_code == 404
    assert answer.json()["error"] == "NotFound"


@pytest.mark.parametrize("level", [1, 2, 3])
def test_metadata_is_what_was_sent_without_bulk(filled: Archive, level: int) -> None:
    answer = get(filled, path_of(CT, level) + "/metadata")
    assert answer.headers["Content-Type"] == "application/dicom+json"
    (found,) = answer.json()
    sent = pydicom.dcmread(BytesIO(dicom_file(CT)))
    assert found["00080018"]["Value"] == [sent.SOPInstanceUID]
    assert found["00280010"]["Value"] == [sent.Rows]
    assert found["7FE00010"]["BulkDataURI"] == f"{PUBLIC_URL}/dicomweb{path_of(CT)}/bulkdata/7FE00010"


def test_metadata_of_several_objects_is_one_list(filled: Archive) -> None:
    assert len(get(filled, f"/studies/{SC_STUDY}/metadata").json()) == 2


def test_metadata_is_compressed_for_who_unpacks_it(filled: Archive) -> None:
    plain = get(filled, path_of(CT) + "/metadata", Accept_Encoding="identity")
    packed = get(filled, path_of(CT) + "/metadata", Accept_Encoding="gzip")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.headers["ETag"] == plain.headers["ETag"]


def test_metadata_that_the_client_has_is_not_sent_again(filled: Archive) -> None:
    first = get(filled, path_of(CT) + "/metadata")
    again = get(filled, path_of(CT) + "/metadata", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    other = get(filled, path_of(JPEG_FILE) + "/metadata", If_None_Match=first.headers["ETag"])
    assert other.status_code == 200


def test_metadata_come_as_xml_too(filled: Archive) -> None:
    parts = parts_of(get(filled, f"/studies/{SC_STUDY}/metadata", 'multipart/related; type="application/dicom+xml"'))
    assert [content_type for content_type, _ in parts] == ["application/dicom+xml"] * 2
    assert all(b'keyword="SOPInstanceUID"' in content and b"<BulkData uri=" in content for _, content in parts)
    assert get(filled, path_of(CT) + "/metadata", "text/html").status_code == 406


@pytest.mark.parametrize(
    "accept", ["*/*", OCTETS, f"{OCTETS}; transfer-syntax=*", f"{OCTETS}; transfer-syntax={uid.ExplicitVRLittleEndian}"]
)
@pytest.mark.parametrize("name", [CT, DOSE])
def test_native_frames_are_octets(filled: Archive, name: str, accept: str) -> None:
    sent = pydicom.dcmread(BytesIO(dicom_file(name)))
    size = len(sent.PixelData) // int(sent.get("NumberOfFrames", 1))
    answer = get(filled, path_of(name) + "/frames/1", accept)
    expected = (f"application/octet-stream; transfer-syntax={uid.ExplicitVRLittleEndian}", sent.PixelData[:size])
    assert parts_of(answer) == [expected]


def test_frames_come_in_the_order_asked_for(filled: Archive) -> None:
    sent = pydicom.dcmread(BytesIO(dicom_file(DOSE)))
    size = len(sent.PixelData) // sent.NumberOfFrames
    answer = get(filled, path_of(DOSE) + "/frames/15,2,2", OCTETS)
    assert [content for _, content in parts_of(answer)] == [
        sent.PixelData[size * n : size * (n + 1)] for n in (14, 1, 1)
    ]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "image/jpeg"),
        ('multipart/related; type="image/jpeg"', "image/jpeg"),
        ("multipart/related; type=image/*; transfer-syntax=*", "image/jpeg"),
        (f"{OCTETS}; transfer-syntax=*", "application/octet-stream"),
    ],
)
def test_compressed_frames_are_sent_as_stored(filled: Archive, accept: str, media: str) -> None:
    ((content_type, content),) = parts_of(get(filled, path_of(JPEG_FILE) + "/frames/1", accept))
    assert content_type == f"{media}; transfer-syntax={uid.JPEGBaseline8Bit}"
    assert content.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("accept", [OCTETS, f"{OCTETS}; transfer-syntax={uid.ExplicitVRLittleEndian}"])
@pytest.mark.parametrize("name", [JPEG_FILE, "JPEG2000.dcm", "SC_rgb_rle_2frame.dcm"])
def test_compressed_frames_are_decoded_for_who_asks_for_octets(filled: Archive, name: str, accept: str) -> None:
    sent = pydicom.dcmread(BytesIO(dicom_file(name)))
    several = int(sent.get("NumberOfFrames", 1)) > 1
    answer = get(filled, path_of(name) + ("/frames/2,1" if several else "/frames/1"), accept)
    frames = [sent.pixel_array[1], sent.pixel_array[0]] if several else [sent.pixel_array]
    media = f"application/octet-stream; transfer-syntax={uid.ExplicitVRLittleEndian}"
    assert parts_of(answer) == [(media, frame.tobytes()) for frame in frames]


def test_frames_in_another_compressed_form_are_not_made(filled: Archive) -> None:
    answer = get(filled, path_of(JPEG_FILE) + "/frames/1", "multipart/related; type=image/jp2")
    assert answer.status_code == 406
    assert "image/jpeg" in answer.json()["findings"][0]["text"]


def test_a_single_frame_comes_bare_to_who_asks_so(filled: Archive) -> None:
    bare = get(filled, path_of(CT) + "/frames/1", "application/octet-stream")
    assert bare.content == pydicom.dcmread(BytesIO(dicom_file(CT))).PixelData
    assert get(filled, path_of(DOSE) + "/frames/1,2", "application/octet-stream").status_code == 406


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ("0", 404),
        ("2", 404),
        ("1,99", 404),
        ("a", 400),
        ("1,", 400),
        ("-1", 400),
        ("1-2", 400),
        ("1" * 10, 400),
        ("١", 400),
    ],
)
def test_frames_that_are_none(filled: Archive, numbers: str, status: int) -> None:
    assert get(filled, path_of(CT) + f"/frames/{numbers}").status_code == status


@pytest.mark.parametrize("accept", ["*/*", OCTETS, "application/octet-stream"])
def test_bulk_data_is_where_the_metadata_says(filled: Archive, accept: str) -> None:
    (metadata,) = get(filled, path_of(CT) + "/metadata").json()
    uri = metadata["7FE00010"]["BulkDataURI"].removeprefix(f"{PUBLIC_URL}/dicomweb")
    answer = get(filled, uri, accept)
    content = answer.content if accept == "application/octet-stream" else parts_of(answer)[0][1]
    assert content == pydicom.dcmread(BytesIO(dicom_file(CT))).PixelData


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("7FE00011", 404),
        ("00880200/0/7FE00010", 404),
        ("../../metadata", 400),
        ("..%2f..%2fetc", 400),
        ("7fe00010%00", 400),
        ("x", 400),
    ],
)
def test_bulk_data_that_is_none(filled: Archive, path: str, status: int) -> None:
    session = requests.Session()
    prepared = session.prepare_request(requests.Request("GET", f"{filled.url}{path_of(CT)}/bulkdata/x"))
    prepared.url = f"{filled.url}{path_of(CT)}/bulkdata/{path}"
    assert session.send(prepared, timeout=10).status_code == status


@pytest.mark.parametrize("bad", ["1.2.x", "1" * 65, "%00", "1;2", "%EF%BC%91", "%2e%2e", "1.2%20", "a"])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("rest", ["", "/metadata", "/frames/1", "/bulkdata/7FE00010"])
def test_a_path_that_holds_no_uid_is_refused(filled: Archive, bad: str, place: int, rest: str) -> None:
    uids = ["1.2.3", "1.2.4", "1.2.5"]
    uids[place] = bad
    session = requests.Session()
    prepared = session.prepare_request(requests.Request("GET", filled.url))
    prepared.url = f"{filled.url}/studies/{uids[0]}/series/{uids[1]}/instances/{uids[2]}{rest}"
    answer = session.send(prepared, timeout=10)
    assert answer.status_code == (404 if bad == "%2e%2e" else 400)


@pytest.mark.parametrize("rest", ["", "/metadata", "/frames/1"])
def test_head_has_the_headers_alone(filled: Archive, rest: str) -> None:
    answer = requests.head(f"{filled.url}{path_of(CT)}{rest}", timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")


def test_each_read_is_audited_by_its_transaction(archive: Archive) -> None:
    requests.post(archive.studies, data=dicom_file(CT), headers={"Content-Type": "application/dicom"}, timeout=10)
    for path in (path_of(CT), path_of(CT, 1) + "/metadata", "/studies"):
        assert get(archive, path).status_code == 200
    assert [record.caller.transaction for record in archive.audit.records] == ["RAD-107", "RAD-107", "RAD-129"]


def test_every_answer_of_json_parses(filled: Archive) -> None:
    for name in FILES:
        json.loads(get(filled, path_of(name, 1) + "/metadata").content)
