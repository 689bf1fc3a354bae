"""QIDO-RS as a viewer and a client library ask it: namesakes by number, requests, pages, and the answer in XML."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from lxml import etree
from pydicom import Dataset
from wia_archive import CT, OTHER_AUTHORITY, Archive, dicom_file, post, running_archive

OURS, THEIRS, NEXT = "1.2.3.4.10", "1.2.3.4.20", "1.2.3.4.30"
NUMBER = "4711"
VIEWER = "https://images.example.org/viewer?StudyInstanceUIDs="
LIST = f"/studies?00100020={NUMBER}&limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060"


def file(study: str, name: str, issuer: str = "", **attributes: str) -> bytes:
    data = pydicom.dcmread(BytesIO(dicom_file(CT)))
    data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID = study, f"{study}.1", f"{study}.1.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.PatientID, data.PatientName, data.SpecificCharacterSet = NUMBER, name, "ISO_IR 192"
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    item = Dataset()
    item.RequestedProcedureID, item.ScheduledProcedureStepID, item.AccessionNumber = f"P{study}", f"S{study}", "A1"
    data.RequestAttributesSequence = [item]
    if issuer:
        qualifiers = Dataset()
        qualifiers.UniversalEntityID, qualifiers.UniversalEntityIDType = issuer, "ISO"
        data.IssuerOfPatientIDQualifiersSequence = [qualifiers]
    made = BytesIO()
    data.save_as(made)
    return made.getvalue()


@pytest.fixture(scope="module")
def hospitals(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Patient 4711 of one hospital, and patient 4711 of another."""
    with running_archive(sqlite_template, tmp_path_factory.mktemp("hospitals")) as found:
        answer = post(
            found.studies,
            file(OURS, "Our^Own", StudyDate="20240101"),
            file(THEIRS, "Öberg^Åsa=大山^愛", OTHER_AUTHORITY, StudyDate="20240102"),
            file(NEXT, "Öberg^Åsa=大山^愛", OTHER_AUTHORITY, StudyDate="20240103"),
        )
        assert answer.status_code == 200, answer.text
        yield found


def get(archive: Archive, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{archive.url}{path}", headers=headers, timeout=10)


def uids(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["0020000D"]["Value"][0] for item in answer.json()]


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        (f"{VIEWER}{THEIRS}", [NEXT, THEIRS]),
        (f"{VIEWER}{OURS}", [OURS]),
        (f"{VIEWER}{NEXT},{THEIRS}", [NEXT, THEIRS]),
        (f"{VIEWER}1.2.3.99", [OURS]),
        (f"{VIEWER}%00';--", [OURS]),
        ("https://[", [OURS]),
        ("", [OURS]),
    ],
)
def test_a_viewer_is_shown_the_other_studies_of_the_patient_on_its_screen(
    hospitals: Archive, referrer: str, expected: list[str]
) -> None:
    answer = get(hospitals, LIST, Referer=referrer)
    assert uids(answer) == expected
    assert "2 authorities" in answer.headers["Warning"]


@pytest.mark.parametrize("issuer", [f"IssuerOfPatientID={OTHER_AUTHORITY}", f"00100024.00400032={OTHER_AUTHORITY}"])
def test_who_names_the_issuer_is_answered_for_that_one(hospitals: Archive, issuer: str) -> None:
    answer = get(hospitals, f"/studies?PatientID={NUMBER}&{issuer}")
    assert uids(answer) == [NEXT, THEIRS]
    assert "Warning" not in answer.headers


@pytest.mark.parametrize(
    "query",
    [
        f"RequestAttributesSequence.RequestedProcedureID=P{THEIRS}",
        f"00400275.00401001=P{THEIRS}",
        f"00400275%2E00401001=P{THEIRS}&RequestAttributesSequence.ScheduledProcedureStepID=S{THEIRS[:-1]}?",
        f"RequestAttributesSequence.AccessionNumber=A1&%53tudyInstanceUID={THEIRS.replace('.', '%2e')}",
    ],
)
def test_series_are_found_by_their_request(hospitals: Archive, query: str) -> None:
    assert uids(get(hospitals, f"/series?{query}")) == [THEIRS]


def test_a_client_of_other_hands_asks_for_a_requested_procedure(hospitals: Archive) -> None:
    client = DICOMwebClient(hospitals.url)
    (series,) = client.search_for_series(
        search_filters={"RequestAttributesSequence.RequestedProcedureID": f"P{NEXT}"}, fields=["SOPClassesInStudy"]
    )
    assert series["0020000D"]["Value"] == [NEXT]
    assert series["00080062"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2"]


@pytest.mark.parametrize(
    ("query", "total", "more"),
    [("", "3", False), ("?limit=2", None, True), ("?limit=2&offset=2", "3", False), ("?offset=7", None, False)],
)
def test_a_page_says_the_total_when_it_is_the_last(
    hospitals: Archive, query: str, total: str | None, more: bool
) -> None:
    answer = get(hospitals, f"/studies{query}")
    assert answer.headers.get("X-Total-Count") == total
    assert ("additional results" in answer.headers.get("Warning", "")) is more


def test_pages_follow_each_other_newest_first(hospitals: Archive) -> None:
    pages = [uids(get(hospitals, f"/studies?limit=1&offset={offset}")) for offset in range(3)]
    assert pages == [[NEXT], [THEIRS], [OURS]]


def test_an_answer_in_xml_has_the_same_values(hospitals: Archive) -> None:
    answer = get(
        hospitals, f"/studies?StudyInstanceUID={THEIRS}", Accept='multipart/related; type="application/dicom+xml"'
    )
    assert answer.headers["Content-Type"].startswith('multipart/related; type="application/dicom+xml"')
    boundary = answer.headers["Content-Type"].partition("boundary=")[2]
    _, part, rest = answer.content.split(f"--{boundary}".encode())
    assert rest.strip() == b"--"
    dataset = etree.fromstring(part.partition(b"\r\n\r\n")[2].rstrip(b"\r\n"))
    names = {"n": "http://dicom.nema.org/PS3.19/models/NativeDICOM"}
    person = dataset.find('.//n:DicomAttribute[@keyword="PatientName"]/n:PersonName', names)
    assert person is not None
    assert "".join(person.itertext()) == "ÖbergÅsa大山愛"
    assert [each.tag.partition("}")[2] for each in person] == ["Alphabetic", "Ideographic"]
    assert dataset.findtext('.//n:DicomAttribute[@tag="00201208"]/n:Value', None, names) == "1"


def test_nothing_found_in_xml_has_no_content(hospitals: Archive) -> None:
    answer = get(hospitals, "/studies?PatientID=no", Accept="multipart/related; type=application/dicom+xml")
    assert (answer.status_code, answer.content) == (204, b"")
