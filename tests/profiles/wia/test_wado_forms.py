"""WADO-RS in other forms than the stored one: decoded objects, archives, ranges of bulk values, pictures, documents."""

import zipfile
from io import BytesIO

import numpy as np
import pydicom
import pytest
import requests
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from test_wado_rs import DICOM, JPEG_FILE, SC_STUDY, get, parts_of, path_of
from wia_archive import CT, DOSE, PUBLIC_URL, Archive, dicom_file, post

EXPLICIT = uid.ExplicitVRLittleEndian
PDF = b"%PDF-1.7\n" + b"not much of a document. " * 200 + b"."


def document(content: bytes, media: str, number: str) -> bytes:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = uid.EncapsulatedPDFStorage, f"1.2.3.77.1.{number}"
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3.77", "1.2.3.77.1"
    data.PatientID, data.Modality = "191212121212", "DOC"
    data.MIMETypeOfEncapsulatedDocument, data.EncapsulatedDocument = media, content + b"\0" * (len(content) % 2)
    data.EncapsulatedDocumentLength = len(content)
    return written(data, EXPLICIT)


def written(data: Dataset, syntax: str) -> bytes:
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    held = BytesIO()
    data.save_as(held, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return held.getvalue()


@pytest.fixture(scope="module")
def documents(filled: Archive) -> Archive:
    sent = document(PDF, "application/pdf", "1"), document(b"<script/>", "text/html", "2")
    assert post(filled.studies, *sent).status_code == 200
    return filled


# --- objects ---


@pytest.mark.parametrize(
    "accept", [f"{DICOM}; transfer-syntax={EXPLICIT}", f"application/dicom; transfer-syntax={EXPLICIT}"]
)
def test_a_compressed_object_is_decoded_for_who_names_explicit_little_endian(filled: Archive, accept: str) -> None:
    answer = get(filled, path_of("JPEG2000.dcm"), accept)
    content = parts_of(answer)[0][1] if accept.startswith("multipart") else answer.content
    sent, found = pydicom.dcmread(BytesIO(dicom_file("JPEG2000.dcm"))), pydicom.dcmread(BytesIO(content))
    assert found.file_meta.TransferSyntaxUID == EXPLICIT
    assert np.array_equal(found.pixel_array, sent.pixel_array)
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_study_of_several_syntaxes_is_made_one(filled: Archive) -> None:
    parts = parts_of(get(filled, f"/studies/{SC_STUDY}", f"{DICOM}; transfer-syntax={EXPLICIT}"))
    assert [content_type for content_type, _ in parts] == [f"application/dicom; transfer-syntax={EXPLICIT}"] * 2


def test_a_client_of_other_hands_gets_decoded_frames(filled: Archive) -> None:
    sent = pydicom.dcmread(BytesIO(dicom_file(JPEG_FILE)))
    uids = sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID
    media = (("application/octet-stream", EXPLICIT),)
    (frame,) = filled.client.retrieve_instance_frames(*uids, frame_numbers=[1], media_types=media)
    assert frame == sent.pixel_array.tobytes()


def test_the_url_may_say_what_is_accepted(filled: Archive) -> None:
    assert get(filled, path_of(CT) + "?accept=application/dicom", DICOM).content == dicom_file(CT)
    assert get(filled, path_of(CT) + "/metadata?accept=application/dicom+json", "image/png").status_code == 200


@pytest.mark.parametrize("level", [1, 2, 3])
def test_an_archive_has_each_object_under_a_safe_name(filled: Archive, level: int) -> None:
    answer = get(filled, path_of(JPEG_FILE, level), "application/zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        contents = {archive.read(name) for name in archive.namelist()}
        assert all(name.startswith("series-") and name.endswith(".dcm") for name in archive.namelist())
    expected = {dicom_file(JPEG_FILE)} | ({dicom_file("SC_rgb_rle_2frame.dcm")} if level < 3 else set())
    assert contents == expected


# --- bulk values ---


@pytest.mark.parametrize(
    ("asked", "status", "bytes_"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=0-99999999", 206, slice(0, None)),
        ("bytes=5-2", 200, slice(0, None)),
        ("bytes=0-1,5-6", 200, slice(0, None)),
        ("lines=1-2", 200, slice(0, None)),
        ("bytes=-", 200, slice(0, None)),
    ],
)
def test_a_range_of_a_bulk_value(filled: Archive, asked: str, status: int, bytes_: slice) -> None:
    value = pydicom.dcmread(BytesIO(dicom_file(CT))).PixelData
    answer = get(filled, path_of(CT) + "/bulkdata/7FE00010", "application/octet-stream", Range=asked)
    assert (answer.status_code, answer.content) == (status, value[bytes_])
    if status == 206:
        start = len(value[: bytes_.start] if (bytes_.start or 0) >= 0 else value) + min(bytes_.start or 0, 0)
        assert answer.headers["Content-Range"] == f"bytes {start}-{start + len(answer.content) - 1}/{len(value)}"


def test_a_range_that_is_not_there(filled: Archive) -> None:
    answer = get(filled, path_of(CT) + "/bulkdata/7FE00010", "application/octet-stream", Range="bytes=99999999-")
    assert answer.status_code == 416
    assert "bytes" in answer.json()["findings"][0]["text"]


def test_a_range_of_another_version_is_the_whole(filled: Archive) -> None:
    path = path_of(CT) + "/bulkdata/7FE00010"
    etag = get(filled, path, "application/octet-stream").headers["ETag"]
    for condition, status in ((etag, 206), ('"another"', 200)):
        answer = get(filled, path, "application/octet-stream", Range="bytes=0-9", If_Range=condition)
        assert answer.status_code == status


def test_private_and_nested_bulk_values_resolve(archive: Archive) -> None:
    data, item = pydicom.dcmread(BytesIO(dicom_file(CT))), Dataset()
    item.add_new(0x00420011, "OB", b"nested" * 500)
    data.add_new(0x00091010, "OB", b"private" * 500)
    data.add_new(0x0040A730, "SQ", [item])
    assert post(archive.studies, written(data, EXPLICIT)).status_code == 200
    (metadata,) = get(archive, path_of(CT) + "/metadata").json()
    for attribute, expected in (
        (metadata["00091010"], b"private" * 500),
        (metadata["0040A730"]["Value"][0]["00420011"], b"nested" * 500),
    ):
        uri = attribute["BulkDataURI"].removeprefix(f"{PUBLIC_URL}/dicomweb")
        assert get(archive, uri, "application/octet-stream").content == expected


# --- pictures ---


def drawn(answer: requests.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    return Image.open(BytesIO(answer.content))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_one_image_is_one_picture(filled: Archive, level: int) -> None:
    picture = drawn(get(filled, path_of("JPEG2000.dcm", level) + "/rendered", "image/png"))
    assert (picture.format, picture.size) == ("PNG", (256, 1024))


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("accept", ["*/*", "image/*", "image/jpeg"])
def test_every_level_has_a_thumbnail(filled: Archive, level: int, accept: str) -> None:
    picture = drawn(get(filled, path_of(CT, level) + "/thumbnail", accept))
    assert (picture.format, max(picture.size)) == ("JPEG", 128)
    assert drawn(get(filled, path_of(CT, level) + "/thumbnail?viewport=32,32", accept)).size == (32, 32)


def test_several_frames_are_several_pictures(filled: Archive) -> None:
    assert len(parts_of(get(filled, path_of(DOSE) + "/rendered"))) == 15
    assert len(parts_of(get(filled, path_of(DOSE) + "/frames/1,3/rendered"))) == 2
    assert len(parts_of(get(filled, path_of(JPEG_FILE, 1) + "/rendered", 'multipart/related; type="image/jpeg"'))) == 3
    assert drawn(get(filled, path_of(DOSE) + "/frames/3/thumbnail")).format == "JPEG"
    assert drawn(get(filled, path_of(DOSE) + "/rendered", "image/png")).format == "PNG"
    assert get(filled, path_of(DOSE) + "/frames/16/rendered").status_code == 404


def test_a_client_of_other_hands_gets_pictures(filled: Archive) -> None:
    sent = pydicom.dcmread(BytesIO(dicom_file(CT)))
    uids = sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID
    picture = filled.client.retrieve_instance_rendered(
        *uids, media_types=("image/png",), params={"viewport": "64,64", "window": "40,400,linear"}
    )
    assert Image.open(BytesIO(picture)).size == (64, 64)
    (frame,) = filled.client.retrieve_instance_frames(*uids, frame_numbers=[1])
    assert frame == sent.PixelData


@pytest.mark.parametrize(
    "question",
    [
        "viewport=0,10", "viewport=10", "viewport=99999,10", "viewport=a,b", "viewport=1,1,0,0,0,0", "window=40",
        "window=40,0,linear", "window=1,2,square", "window=NaN,2,linear", "window=1e9,2,linear", "quality=0",
        "quality=101", "quality=x", "viewport=10,10,500,500,10,10",
    ],
)  # fmt: skip
def test_a_view_that_is_none(filled: Archive, question: str) -> None:
    answer = get(filled, path_of(CT) + f"/rendered?{question}")
    assert answer.status_code == 400
    assert answer.json()["findings"][0]["text"]


def test_what_is_not_drawn_is_said(filled: Archive) -> None:
    answer = get(filled, path_of(CT) + "/rendered?annotation=patient", "image/jpeg")
    assert answer.status_code == 200
    assert "annotation" in answer.headers["Warning"]
    assert get(filled, path_of(CT) + "/rendered", "image/tiff").status_code == 406


# --- documents ---


@pytest.mark.parametrize("path", ["rendered", "bulkdata/00420011"])
def test_a_document_comes_as_what_it_is(documents: Archive, path: str) -> None:
    answer = get(documents, f"/studies/1.2.3.77/series/1.2.3.77.1/instances/1.2.3.77.1.1/{path}", "application/pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.removesuffix(b"\0") == PDF
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_document_of_a_dangerous_kind_is_octets(documents: Archive) -> None:
    path = "/studies/1.2.3.77/series/1.2.3.77.1/instances/1.2.3.77.1.2/rendered"
    assert get(documents, path, "text/html").status_code == 406
    answer = get(documents, path)
    assert (answer.content, answer.headers["Content-Type"]) == (b"<script/>", "application/octet-stream")


def test_what_is_no_image_has_no_thumbnail(documents: Archive) -> None:
    answer = get(documents, "/studies/1.2.3.77/thumbnail")
    assert answer.status_code == 406
    assert "image" in answer.json()["findings"][0]["text"]


def image(syntax: str, pixels: bytes, **attributes: object) -> bytes:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = uid.VideoEndoscopicImageStorage, "1.2.3.78.1.1"
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3.78", "1.2.3.78.1"
    data.PatientID, data.Modality = "191212121212", "ES"
    data.Rows = data.Columns = 64
    data.SamplesPerPixel, data.PhotometricInterpretation, data.NumberOfFrames = 1, "MONOCHROME2", 10
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    for name, value in attributes.items():
        setattr(data, name, value)
    data.PixelData = encapsulate([pixels], has_bot=False) if uid.UID(syntax).is_encapsulated else pixels
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = uid.UID(syntax).is_encapsulated
    return written(data, syntax)


IMAGE = "/studies/1.2.3.78/series/1.2.3.78.1/instances/1.2.3.78.1.1"


def test_a_film_is_passed_on_as_it_is(archive: Archive) -> None:
    film = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
    assert post(archive.studies, image(uid.MPEG4HP41, film)).status_code == 200
    for path in ("/rendered", "/bulkdata/7FE00010"):
        answer = get(archive, IMAGE + path, "video/mp4")
        assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, "video/mp4", film)
    part = get(archive, IMAGE + "/bulkdata/7FE00010", "video/mp4", Range="bytes=4-11")
    assert (part.status_code, part.content) == (206, b"ftypmp42")
    assert get(archive, IMAGE + "/rendered", "image/jpeg").status_code == 406
    assert get(archive, IMAGE, f"{DICOM}; transfer-syntax={EXPLICIT}").status_code == 406


@pytest.mark.parametrize("syntax", [EXPLICIT, uid.RLELossless])
def test_frames_that_are_only_announced_cost_nothing(archive: Archive, syntax: str) -> None:
    pixels = bytes(64 * 64) if syntax == EXPLICIT else b"no run-length codes"
    assert post(archive.studies, image(syntax, pixels, NumberOfFrames=2**31 - 1)).status_code == 200
    for path in ("/rendered", "/thumbnail", "/frames/2147483647", "/frames/2147483647/rendered"):
        assert get(archive, IMAGE + path).status_code in (200, 400, 404, 406)
    assert get(archive, IMAGE, f"{DICOM}; transfer-syntax={uid.JPEG2000}").status_code == 406
