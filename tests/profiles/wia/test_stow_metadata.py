"""STOW-RS of metadata in JSON and bulk values beside it: real objects taken apart by pydicom, and put together here."""

import json
import socket
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
import requests
from pydicom.encaps import generate_frames
from test_stow_rs import files_of, objects_held, refusals, stored_uids
from wia_archive import CT, DOSE, FILES, Archive, dicom_file

MEDIA = {
    "1.2.840.10008.1.2.1": "application/octet-stream",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
}
LABEL = 'multipart/related; type="application/dicom+json"; boundary=cut'
Part = tuple[str, str, bytes]


def send(archive: Archive, metadata: Any, *parts: Part) -> requests.Response:
    body = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    every = [("Content-Type: application/dicom+json", body)]
    every += [(f"Content-Type: {media}\r\nContent-Location: {place}", content) for place, media, content in parts]
    sent = b"".join(f"--cut\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in every) + b"--cut--\r\n"
    return requests.post(archive.studies, data=sent, headers={"Content-Type": LABEL}, timeout=10)


def apart(name: str, where: str = "pixels") -> tuple[dict[str, Any], list[Part]]:
    """An object's metadata, and its pixels as parts: a frame each when they are compressed."""
    data = pydicom.dcmread(BytesIO(dicom_file(name)))
    metadata = data.to_json_dict(bulk_data_threshold=1 << 20, bulk_data_element_handler=lambda _: where)
    metadata["7FE00010"] = {"vr": data["PixelData"].VR, "BulkDataURI": where}
    syntax = data.file_meta.TransferSyntaxUID
    contents = [data.PixelData]
    if syntax.is_encapsulated:
        contents = list(generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames", 1))))
    media = MEDIA.get(syntax, MEDIA["1.2.840.10008.1.2.1"])
    return metadata, [(where, media, content) for content in contents]


def stored(archive: Archive, name: str) -> pydicom.Dataset:
    sent = pydicom.dcmread(BytesIO(dicom_file(name)))
    path = f"/studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}/instances/{sent.SOPInstanceUID}"
    answer = requests.get(archive.url + path, headers={"Accept": "application/dicom"}, timeout=10)
    assert answer.status_code == 200, answer.text
    return pydicom.dcmread(BytesIO(answer.content))


@pytest.mark.parametrize("name", FILES)
def test_real_objects_are_put_together_again(archive: Archive, name: str) -> None:
    metadata, parts = apart(name)
    answer = send(archive, [metadata], *parts)
    assert answer.status_code == 200, answer.text
    found, sent = stored(archive, name), pydicom.dcmread(BytesIO(dicom_file(name)))
    expected = sent.file_meta.TransferSyntaxUID
    assert found.file_meta.TransferSyntaxUID == (expected if expected.is_encapsulated else "1.2.840.10008.1.2.1")
    assert np.array_equal(found.pixel_array, sent.pixel_array)
    assert found.SpecificCharacterSet == "ISO_IR 192"
    other = {0x00080005, 0x7FE00010, 0xFFFCFFFC}
    theirs = [e for e in sent if e.tag not in other and e.tag.element]
    assert [e.tag for e in found if e.tag not in other] == [e.tag for e in theirs]
    assert [str(found[e.tag].value) for e in theirs if e.VR in ("UI", "PN", "LO", "IS", "US", "CS")] == [
        str(e.value) for e in theirs if e.VR in ("UI", "PN", "LO", "IS", "US", "CS")
    ]


def test_several_objects_are_each_told_of(archive: Archive) -> None:
    good, parts = apart(CT, "a")
    lacking, _ = apart(DOSE, "b")
    answer = send(archive, [lacking, good, {"00080018": {"vr": "UI", "Value": ["1.2.3"]}}, 7], *parts)
    assert answer.status_code == 202
    assert stored_uids(answer) == [good["00080018"]["Value"][0]]
    reasons = refusals(answer)
    assert [reason for reason, _ in reasons] == [0xC000] * 3
    assert "object 1" in reasons[0][1]
    assert "nothing else is fetched" in reasons[0][1]
    assert objects_held(archive) == 1


@pytest.mark.parametrize("scheme", ["http://127.0.0.1:{port}/pixels", "file:///etc/passwd", "//127.0.0.1:{port}/x", ""])
def test_nothing_is_ever_fetched(archive: Archive, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        metadata, parts = apart(CT)
        metadata["7FE00010"]["BulkDataURI"] = scheme.format(port=canary.getsockname()[1])
        answer = send(archive, [metadata], *parts)
        assert answer.status_code == 409
        assert objects_held(archive) == files_of(archive) == 0
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_a_part_may_be_named_by_its_content_id(archive: Archive) -> None:
    metadata, ((_, _, content),) = apart(CT, "cid:pixels@here")
    head = "Content-Type: application/dicom+json\r\n\r\n"
    second = "Content-Type: application/octet-stream\r\nContent-ID: <pixels@here>\r\n\r\n"
    body = f"--cut\r\n{head}{json.dumps(metadata)}\r\n--cut\r\n{second}".encode() + content + b"\r\n--cut--\r\n"
    answer = requests.post(archive.studies, data=body, headers={"Content-Type": LABEL}, timeout=10)
    assert answer.status_code == 200
    assert stored(archive, CT).PixelData == content


def test_the_transfer_syntax_is_the_parts(archive: Archive) -> None:
    metadata, ((place, _, content),) = apart("JPEG2000.dcm")
    answer = send(archive, [metadata], (place, "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.50", content))
    assert answer.status_code == 409
    assert send(archive, [metadata], (place, "image/tiff", content)).status_code == 409
    assert send(archive, [metadata], (place, "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91", content)).ok
    assert stored(archive, "JPEG2000.dcm").file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.91"


@pytest.mark.parametrize(
    "attribute",
    [
        7, {}, {"vr": "XX", "Value": [1]}, {"vr": "US", "Value": [70000]}, {"vr": "US", "Value": ["x"]},
        {"vr": "US", "Value": 1}, {"vr": "OB", "InlineBinary": "*"}, {"vr": "LO", "InlineBinary": "AAAA"},
        {"vr": "LO", "Value": [["nested"]]}, {"vr": "LO", "Value": ["nul\0"]}, {"vr": "PN", "Value": ["text"]},
        {"vr": "LO", "Value": ["x" * 70_000]}, {"vr": "SQ", "Value": [1]}, {"vr": "SQ", "BulkDataURI": "pixels"},
        {"vr": "AT", "Value": ["xyz"]}, {"vr": "OB", "Value": [1], "InlineBinary": "AA=="}, {"vr": "IS", "Value": [True]},
        {"vr": "OB", "BulkDataURI": 7}, {"vr": "\u00fc\u00fc"}, None,
    ],
)  # fmt: skip
def test_metadata_that_are_none_are_refused_by_their_tag(archive: Archive, attribute: Any) -> None:
    metadata, parts = apart(CT)
    answer = send(archive, [metadata | {"00189999": attribute}], *parts)
    assert answer.status_code == 409
    assert "00189999" in refusals(answer)[0][1] or "metadata" in refusals(answer)[0][1]
    assert files_of(archive) == 0


@pytest.mark.parametrize("tag", ["0010001", "0010001g", "00100010 ", "0010001a", "", "ａ" * 8])
def test_a_tag_that_is_none(archive: Archive, tag: str) -> None:
    metadata, parts = apart(CT)
    assert send(archive, [metadata | {tag: {"vr": "LO"}}], *parts).status_code == 409


def test_deep_metadata_are_refused(archive: Archive) -> None:
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"0040A730": {"vr": "SQ", "Value": [deep]}}
    metadata, parts = apart(CT)
    assert send(archive, [metadata | deep], *parts).status_code == 409


@pytest.mark.parametrize("metadata", [b"", b"{", b"[]", b"[" * 100_000, b"\xff"])
def test_a_request_without_metadata(archive: Archive, metadata: bytes) -> None:
    assert send(archive, metadata).status_code == 400
    assert files_of(archive) == 0
