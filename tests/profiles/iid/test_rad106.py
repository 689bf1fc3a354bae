"""RAD-106: what opens the viewer, for which studies, and what is refused in words."""

import json
from typing import Any

import pytest
from viewer_world import Images


def ask(images: Images, by_form: bool = False, **parameters: str) -> Any:
    if by_form:
        return images.world.client.post("/IHEInvokeImageDisplay", data=parameters)
    return images.world.client.get("/IHEInvokeImageDisplay", query_string=parameters)


def shown(images: Images, answer: Any) -> set[str]:
    assert answer.status_code == 303, answer.text
    found = images.world.client.get(f"{answer.headers['Location']}/dicomweb/studies")
    return {each["0020000D"]["Value"][0] for each in json.loads(found.data)}


@pytest.mark.parametrize("by_form", [False, True])
def test_a_study_by_its_uid_or_its_accession_number(images: Images, by_form: bool) -> None:
    first = images.first
    assert shown(images, ask(images, by_form, requestType="STUDY", studyUID=first.uid)) == {first.uid}
    answer = ask(images, by_form, requestType="STUDY", accessionNumber=first.accession)
    assert shown(images, answer) == {first.uid}
    assert first.uid not in answer.headers["Location"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_several_studies(images: Images) -> None:
    both = {images.first.uid, images.second.uid}
    assert shown(images, ask(images, requestType="STUDY", studyUID=",".join(both))) == both
    assert shown(images, ask(images, requestType="STUDY", studyUID=f"{images.first.uid},1.2.3")) == {images.first.uid}


def test_a_patients_studies(images: Images) -> None:
    patient, both = images.first.who, {images.first.uid, images.second.uid}
    for id_ in (patient.number, patient.cx):
        assert shown(images, ask(images, requestType="PATIENT", patientID=id_)) == both
    assert len(shown(images, ask(images, requestType="PATIENT", patientID=patient.cx, mostRecentResults="1"))) == 1


@pytest.mark.parametrize(
    ("parameters", "is_found"),
    [
        ({"modalitiesInStudy": "CT"}, True),
        ({"modalitiesInStudy": "MR,CT"}, True),
        ({"modalitiesInStudy": "MR"}, False),
        ({"lowerDateTime": "2024-07-04T00:00:00Z"}, True),
        ({"lowerDateTime": "2024-07-05"}, False),
        ({"upperDateTime": "2024-07-04T10:00:00+02:00"}, True),
        ({"upperDateTime": "2024-07-03T23:59:59"}, False),
        ({"viewerType": "IHE_BIR", "diagnosticQuality": "true", "keyImagesOnly": "false"}, True),
    ],
)
def test_a_patients_studies_are_narrowed(images: Images, parameters: dict[str, str], is_found: bool) -> None:
    answer = ask(images, requestType="PATIENT", patientID=images.other.who.cx, **parameters)
    assert answer.status_code == (303 if is_found else 404)


@pytest.mark.parametrize(
    ("parameters", "status", "where"),
    [
        ({}, 400, "requestType"),
        ({"requestType": "SERIES"}, 400, "requestType"),
        ({"requestType": "STUDY"}, 400, "studyUID"),
        ({"requestType": "STUDY", "studyUID": "1.2.*"}, 400, "studyUID"),
        ({"requestType": "STUDY", "studyUID": "1.2.x"}, 400, ""),
        ({"requestType": "STUDY", "accessionNumber": "*"}, 400, "studyUID"),
        ({"requestType": "STUDY", "studyUID": "1.2.3"}, 404, "study"),
        ({"requestType": "STUDY", "studyUID": ",".join(f"1.2.{n}" for n in range(51))}, 400, "studyUID"),
        ({"requestType": "STUDY", "studyUID": "1" * 5000}, 400, "studyUID"),
        ({"requestType": "PATIENT"}, 400, "patientID"),
        ({"requestType": "PATIENT", "patientID": "*"}, 400, "patientID"),
        ({"requestType": "PATIENT", "patientID": "nobody"}, 404, "study"),
        ({"requestType": "PATIENT", "patientID": "1", "mostRecentResults": "0"}, 400, "mostRecentResults"),
        ({"requestType": "PATIENT", "patientID": "1", "lowerDateTime": "soon"}, 400, "lowerDateTime"),
        ({"requestType": "PATIENT", "patientID": "1", "modalitiesInStudy": "ct*"}, 400, "modalitiesInStudy"),
        ({"requestType": "STUDY", "studyUID": "1.2.3", "keyImagesOnly": "true"}, 406, "keyImagesOnly"),
        ({"requestType": "STUDY", "studyUID": "1.2.3", "viewerType": "HOLOGRAM"}, 406, "viewerType"),
    ],
)
def test_what_cannot_be_shown_is_said(images: Images, parameters: dict[str, str], status: int, where: str) -> None:
    answer = ask(images, **parameters)
    assert answer.status_code == status, answer.text
    assert where in answer.text


def test_all_that_is_wrong_is_told_at_once(images: Images) -> None:
    answer = ask(images, requestType="PATIENT", mostRecentResults="x", lowerDateTime="x", modalitiesInStudy="?")
    for where in ("patientID", "mostRecentResults", "lowerDateTime", "modalitiesInStudy"):
        assert where in answer.text
