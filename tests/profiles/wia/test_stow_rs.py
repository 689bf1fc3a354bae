"""STOW-RS over a live server: what is stored, what is refused, and what the answer says of each."""

import re
import socket
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pydicom
import pytest
import requests
from wia_archive import CT, PUBLIC_URL, Archive, dicom_file, multipart, post, running_archive

FAILED, STORED, REASON, COMMENT, OTHER = "00081198", "00081199", "00081197", "00000902", "0008119A"


def stored_uids(answer: requests.Response) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.json().get(STORED, {}).get("Value", [])]


def refusals(answer: requests.Response) -> list[tuple[int, str]]:
    items = [item for tag in (FAILED, OTHER) for item in answer.json().get(tag, {}).get("Value", [])]
    return [(item[REASON]["Value"][0], item[COMMENT]["Value"][0]) for item in items]


def changed(name: str, **attributes: Any) -> bytes:
    dataset = pydicom.dcmread(BytesIO(dicom_file(name)))
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    if "SOPInstanceUID" in attributes:
        dataset.file_meta.MediaStorageSOPInstanceUID = attributes["SOPInstanceUID"]
    held = BytesIO()
    dataset.save_as(held)
    return held.getvalue()


def objects_held(archive: Archive) -> int:
    return len(requests.get(f"{archive.url}/instances", timeout=10).json())


def files_of(archive: Archive) -> int:
    return sum(1 for path in archive.blobs.rglob("*") if path.is_file())


def test_a_client_of_other_hands_stores_and_is_told_where(archive: Archive) -> None:
    sent = pydicom.dcmread(BytesIO(dicom_file(CT)))
    answer = archive.client.store_instances([sent])
    (item,) = answer.ReferencedSOPSequence
    assert item.ReferencedSOPInstanceUID == sent.SOPInstanceUID
    assert item.ReferencedSOPClassUID == sent.SOPClassUID
    assert item.RetrieveURL.startswith(f"{PUBLIC_URL}/dicomweb/studies/{sent.StudyInstanceUID}")
    where = item.RetrieveURL.removeprefix(f"{PUBLIC_URL}/dicomweb")
    headers = {"Accept": "application/dicom"}
    assert pydicom.dcmread(BytesIO(requests.get(archive.url + where, headers=headers, timeout=10).content)) == sent
    assert "FailedSOPSequence" not in answer


def test_storing_again_changes_nothing(archive: Archive) -> None:
    first, second = post(archive.studies, dicom_file(CT)), post(archive.studies, dicom_file(CT))
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert objects_held(archive) == 1


def test_a_damaged_object_is_named_and_the_rest_is_kept(archive: Archive) -> None:
    whole = dicom_file(CT)
    answer = post(archive.studies, whole, whole[: len(whole) // 2], b"this is no DICOM object")
    assert answer.status_code == 202
    assert len(stored_uids(answer)) == 1
    assert [reason for reason, _ in refusals(answer)] == [0xC000, 0xC000]
    assert "object 2" in refusals(answer)[0][1]
    assert "object 3" in refusals(answer)[1][1]
    assert objects_held(archive) == 1


def test_nothing_stored_is_a_conflict(archive: Archive) -> None:
    answer = post(archive.studies, b"")
    assert answer.status_code == 409
    assert STORED not in answer.json()
    assert files_of(archive) == 0


def test_the_same_uid_with_other_bytes_is_refused(archive: Archive) -> None:
    assert post(archive.studies, dicom_file(CT)).status_code == 200
    answer = post(archive.studies, changed(CT, StudyDescription="Altered"))
    assert answer.status_code == 409
    assert refusals(answer)[0][0] == 0x0111


def test_an_object_of_another_study_than_the_path_names_is_refused(archive: Archive) -> None:
    answer = post(f"{archive.studies}/1.2.3", dicom_file(CT))
    assert answer.status_code == 409
    assert refusals(answer)[0][0] == 0xA900
    assert objects_held(archive) == 0


def test_the_study_of_the_path_takes_its_objects(archive: Archive) -> None:
    study = pydicom.dcmread(BytesIO(dicom_file(CT))).StudyInstanceUID
    assert post(f"{archive.studies}/{study}", dicom_file(CT)).status_code == 200


def test_a_bare_object_is_taken(archive: Archive) -> None:
    headers = {"Content-Type": "application/dicom"}
    answer = requests.post(archive.studies, data=dicom_file(CT), headers=headers, timeout=10)
    assert answer.status_code == 200
    assert objects_held(archive) == 1


def test_a_chunked_body_is_taken(archive: Archive) -> None:
    body = multipart(dicom_file(CT))
    headers = {"Content-Type": "multipart/related; type=application/dicom; boundary=cut-here"}
    blocks = (body[at : at + 1000] for at in range(0, len(body), 1000))
    assert requests.post(archive.studies, data=blocks, headers=headers, timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/dicom+json", 415),
        ('multipart/related; type="application/dicom+json"; boundary=cut-here', 400),
        ('multipart/related; type="application/dicom+xml"; boundary=cut-here', 415),
        ("application/octet-stream", 415),
        ("multipart/form-data; boundary=cut-here", 415),
        ("nonsense", 415),
        ('multipart/related; type="application/dicom"', 400),
        ('multipart/related; type="application/dicom; boundary=cut-here', 400),
        ('multipart/related; type="application/dicom"; boundary=other', 400),
    ],
)
def test_what_is_not_taken_is_said(archive: Archive, content_type: str, status: int) -> None:
    answer = post(archive.studies, dicom_file(CT), Content_Type=content_type)
    assert answer.status_code == status
    assert answer.json()["findings"][0]["text"]
    assert files_of(archive) == 0


def test_a_coded_body_is_not_unpacked(archive: Archive) -> None:
    assert post(archive.studies, dicom_file(CT), Content_Encoding="gzip").status_code == 415


def test_metadata_with_a_bulk_data_uri_makes_the_server_fetch_nothing(archive: Archive) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        uri = f"http://127.0.0.1:{canary.getsockname()[1]}/pixels".encode()
        metadata = b'[{"00080018":{"vr":"UI","Value":["1.2.3"]},"7FE00010":{"vr":"OW","BulkDataURI":"' + uri + b'"}}]'
        for content_type in ("application/dicom+json", "application/dicom"):
            answer = post(
                archive.studies, metadata, Content_Type=f'multipart/related; type="{content_type}"; boundary=cut-here'
            )
            assert answer.status_code in (400, 409)
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_a_body_without_its_end_stores_nothing(archive: Archive) -> None:
    body = multipart(dicom_file(CT), dicom_file("MR_small.dcm"))
    headers = {"Content-Type": "multipart/related; type=application/dicom; boundary=cut-here"}
    answer = requests.post(archive.studies, data=body[:-30], headers=headers, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"] == "InvalidRequest"
    first, note = answer.json()["findings"]
    assert "truncated" in first["text"]
    assert "may be stored" in note["text"]
    assert objects_held(archive) == 0
    assert files_of(archive) == 0


def test_a_connection_that_ends_early_stores_nothing(archive: Archive) -> None:
    body = multipart(dicom_file(CT))
    address = urlsplit(archive.url)
    head = (
        f"POST /dicomweb/studies HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/related; type=application/dicom; boundary=cut-here\r\n\r\n"
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(head.encode() + body[:20_000])
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert objects_held(archive) == 0
    assert files_of(archive) == 0


def test_an_empty_multipart_is_refused(archive: Archive) -> None:
    assert post(archive.studies).status_code == 400


def test_the_answer_comes_in_xml_to_those_who_read_nothing_else(archive: Archive) -> None:
    answer = post(archive.studies, dicom_file(CT), b"no object <&>", Accept="application/dicom+xml")
    assert answer.status_code == 202
    assert answer.headers["Content-Type"] == "application/dicom+xml"
    assert re.search(r'tag="00081199" vr="SQ" keyword="ReferencedSOPSequence"><Item number="1">', answer.text)
    assert re.search(r'tag="00081197" vr="US" keyword="FailureReason"><Value number="1">49152</Value>', answer.text)


@pytest.mark.parametrize("accept", ["text/html", "application/dicom"])
def test_who_reads_no_answer_stores_nothing(archive: Archive, accept: str) -> None:
    assert post(archive.studies, dicom_file(CT), Accept=accept).status_code == 406
    assert objects_held(archive) == 0


def test_an_object_over_the_limit_is_refused(sqlite_template: Any, tmp_path: Any) -> None:
    with running_archive(sqlite_template, tmp_path, document_bytes=1000) as small:
        answer = post(small.studies, dicom_file(CT))
        assert answer.status_code == 413
        assert files_of(small) == 0


def test_a_request_over_the_limit_is_refused(sqlite_template: Any, tmp_path: Any) -> None:
    with running_archive(sqlite_template, tmp_path, request_bytes=1000) as small:
        assert post(small.studies, dicom_file(CT)).status_code == 413


@pytest.mark.parametrize("uid", ["1.2.x", "1" * 65, "..%00", "1;2", "%EF%BC%91.2", "1.2 "])
def test_a_path_that_holds_no_uid_is_refused(archive: Archive, uid: str) -> None:
    answer = post(f"{archive.studies}/{uid}", dicom_file(CT))
    assert answer.status_code == 400
    assert answer.json()["findings"][0]["where"] == "study"
