"""QIDO-RS over a live server, asked as viewers ask and as those do who try what happens."""

from typing import Any

import pytest
import requests
from wia_archive import PUBLIC_URL, Archive

CT_STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
SC_STUDY = "1.2.826.0.1.3680043.8.498.12406831542731051035295345080039845114"


def get(archive: Archive, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{archive.url}{path}", headers=headers, timeout=10)


def uids(answer: requests.Response, tag: str = "0020000D") -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item[tag]["Value"][0] for item in answer.json()]


@pytest.mark.parametrize(
    "query",
    [
        "PatientID=1CT1",
        "00100020=1CT1",
        f"StudyInstanceUID={CT_STUDY}",
        f"StudyInstanceUID={CT_STUDY},1.2.3",
        f"StudyInstanceUID=1.2.3%5C{CT_STUDY}",
        "StudyDate=20040119",
        "StudyDate=20040101-20040131",
        "StudyDate=-20040131&StudyDate=-20040131&PatientID=1CT1",
        "00080020=20031231-20040401",
        "ModalitiesInStudy=CT",
        "PatientName=*CT1",
        "PatientName=compressedsamples%5ECT?",
        "PatientName=ct1&fuzzymatching=true",
        "PatientID=1CT1&limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060",
        "PatientID=1CT1&AccessionNumber=",
    ],
)
def test_a_study_is_found_by(filled: Archive, query: str) -> None:
    assert uids(get(filled, f"/studies?{query}")) == [CT_STUDY]


@pytest.mark.parametrize(
    "query", ["PatientID=nobody", "StudyDate=19000101", "StudyInstanceUID=1.2.3", "PatientID=1CT1&offset=1"]
)
def test_nothing_found_is_an_empty_list(filled: Archive, query: str) -> None:
    answer = get(filled, f"/studies?{query}")
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["Content-Type"] == "application/dicom+json"


def test_a_study_has_the_attributes_of_the_table(filled: Archive) -> None:
    (study,) = get(filled, f"/studies?StudyInstanceUID={SC_STUDY}").json()
    assert study["00080061"]["Value"] == ["OT"]
    assert study["00201206"]["Value"] == [1]
    assert study["00201208"]["Value"] == [2]
    assert study["00080056"]["Value"] == ["ONLINE"]
    assert study["00081190"]["Value"] == [f"{PUBLIC_URL}/dicomweb/studies/{SC_STUDY}"]
    assert study["00100010"]["Value"] == [{"Alphabetic": "Lestrade^G"}]


def test_a_client_of_other_hands_searches_all_levels(filled: Archive) -> None:
    (study,) = filled.client.search_for_studies(search_filters={"PatientID": "ID1"}, fields=["StudyDescription"])
    (series,) = filled.client.search_for_series(study["0020000D"]["Value"][0])
    instances = filled.client.search_for_instances(SC_STUDY, series["0020000E"]["Value"][0])
    assert len(instances) == 2
    assert len(filled.client.search_for_instances(SC_STUDY)) == 2


def test_a_client_of_other_hands_pages_through_all(filled: Archive) -> None:
    found = filled.client.search_for_studies(limit=2, get_remaining=True)
    assert len({study["0020000D"]["Value"][0] for study in found}) == len(found) == 5


@pytest.mark.parametrize(
    ("path", "count"),
    [
        (f"/studies/{SC_STUDY}/series", 1),
        (f"/studies/{SC_STUDY}/instances", 2),
        (f"/studies/{SC_STUDY}/instances?limit=1", 1),
        ("/series?Modality=MR", 1),
        ("/instances?PatientID=1CT1", 1),
        ("/studies/1.2.3/series", 0),
        (f"/studies/{CT_STUDY}/series?StudyInstanceUID={CT_STUDY}", 1),
    ],
)
def test_each_level_has_its_own_path(filled: Archive, path: str, count: int) -> None:
    assert len(get(filled, path).json()) == count


def test_includefield_adds_attributes(filled: Archive) -> None:
    plain, more, everything = (
        get(filled, f"/studies/{CT_STUDY}/instances{query}").json()[0]
        for query in ("", "?includefield=SliceLocation,00180050", "?includefield=all")
    )
    assert more.keys() - plain.keys() == {"00201041", "00180050"}
    assert everything.keys() > more.keys()


@pytest.mark.parametrize(("query", "count"), [("", 3), ("?limit=1000", 3), ("?limit=2", 2)])
def test_an_answer_that_is_cut_says_so(filled: Archive, query: str, count: int) -> None:
    answer = get(filled, f"/studies{query}")
    assert len(answer.json()) == count
    assert "additional results" in answer.headers["Warning"]


def test_a_whole_answer_has_no_warning(filled: Archive) -> None:
    assert "Warning" not in get(filled, "/studies?PatientID=1CT1").headers


def test_a_parameter_that_names_no_attribute_is_passed_over_with_a_warning(filled: Archive) -> None:
    answer = get(filled, "/studies?PatientID=1CT1&orderby=-StudyDate&x%0d%0aEvil:%20y=1")
    assert uids(answer) == [CT_STUDY]
    assert "orderby" in answer.headers["Warning"]
    assert "Evil" not in answer.headers
    assert "Evil" not in answer.headers["Warning"]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("StudyDate=2004-01-19", "StudyDate"),
        ("StudyDate=yesterday", "StudyDate"),
        ("StudyDate=20040119-20040120-", "StudyDate"),
        ("StudyTime=noon", "StudyTime"),
        ("StudyInstanceUID=1.2.x", "StudyInstanceUID"),
        (f"StudyInstanceUID={'1' * 65}", "StudyInstanceUID"),
        ("SliceThickness=1", "SliceThickness"),
        ("PatientID=1&PatientID=2", "PatientID"),
        ("PatientID=%00", "PatientID"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=1e3", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("fuzzymatching=perhaps", "fuzzymatching"),
        ("includefield=NoSuchAttribute", "includefield"),
    ],
)
def test_what_cannot_be_read_is_refused(filled: Archive, query: str, where: str) -> None:
    answer = get(filled, f"/studies?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"] == "InvalidRequest"
    assert [finding["where"] for finding in answer.json()["findings"]] == [where]


def test_all_faults_are_said_at_once(filled: Archive) -> None:
    answer = get(filled, "/studies?StudyDate=x&StudyTime=y&limit=z&offset=-&fuzzymatching=1&includefield=Nope")
    places = {finding["where"] for finding in answer.json()["findings"]}
    assert places == {"StudyDate", "StudyTime", "limit", "offset", "fuzzymatching", "includefield"}


@pytest.mark.parametrize(
    ("accept", "sent"), [("application/json", "application/json"), ("text/html, */*;q=0.8", "application/dicom+json")]
)
def test_both_names_of_json_are_given(filled: Archive, accept: str, sent: str) -> None:
    assert get(filled, "/studies", Accept=accept).headers["Content-Type"] == sent


@pytest.mark.parametrize("accept", ["text/html", "multipart/related; type=application/dicom", ",".join(["a/b"] * 33)])
def test_other_forms_are_not_given(filled: Archive, accept: str) -> None:
    answer = get(filled, "/studies", Accept=accept)
    assert answer.status_code == 406
    assert answer.json()["error"] == "NotAcceptable"


@pytest.mark.parametrize(
    "path", ["/studies/1.2.x/series", "/studies/1.2.3/series/abc/instances", f"/studies/{'1' * 65}/instances"]
)
def test_a_path_that_holds_no_uid_is_refused(filled: Archive, path: str) -> None:
    assert get(filled, path).status_code == 400


def test_links_hold_the_public_address_whatever_host_is_named(filled: Archive) -> None:
    answer = get(filled, "/studies?PatientID=1CT1", Host="evil.example.org", X_Forwarded_Host="evil.example.org")
    assert "evil" not in answer.text + str(answer.headers)
    found: Any = answer.json()
    assert found[0]["00081190"]["Value"][0].startswith(PUBLIC_URL)
