"""Whose it is, through the doors of a whole server: STOW-RS, the terminal, FHIR, ITI-18's question, DICOMweb."""

import json
from io import BytesIO
from typing import Any

import pydicom
import requests
from examination import AUTHORITY, Person, Study, person, sop_uid
from findings_ward import Ward

from registry.access import Caller
from registry.metadata.urn import Status
from registry.queries import FindDocuments, ReturnType
from repository.findings import OPEN, FindingKind

CALLER = Caller("tests", "127.0.0.1", "test")
CONFLICT, PROCESSING = 0x0111, 0x0110


def failures(answer: Any) -> list[tuple[str, int, str]]:
    found = pydicom.Dataset.from_json(answer.text).FailedSOPSequence
    return [(str(one.ReferencedSOPInstanceUID), one.FailureReason, one[0x00000902].value) for one in found]


def documents(ward: Ward, who: Person) -> int:
    query = FindDocuments(patient_id=who.cx, statuses=(Status.APPROVED,))
    return len(ward.house.registry.query(query, ReturnType.LEAF_CLASS, CALLER).objects)


def faces(ward: Ward, who: Person) -> tuple[int, int, int]:
    """How many studies or manifests of a patient each face shows: QIDO-RS, FHIR, FindDocuments."""
    studies = ward.client.search_for_studies(search_filters={"PatientID": who.number})
    resources = ward.get("/fhir/ImagingStudy", **{"patient.identifier": who.token}).json()
    return len(studies), resources["total"], documents(ward, who)


def number_of(ward: Ward, kind: FindingKind, state: str = OPEN) -> int:
    return ward.house.imaging.findings.counts().get((kind, state), 0)


def open_id(ward: Ward) -> str:
    (finding,) = ward.house.imaging.findings.find(state=OPEN)
    return finding.id


def test_a_strangers_object_in_a_study_is_refused_kept_seen_and_decided(ward: Ward) -> None:
    study, stranger = Study(), person()
    held, newcomer = study.object(), Study(who=stranger, uid=study.uid).object()
    ward.kept(held)
    ward.publish()
    answer = ward.send(newcomer, study.object())
    assert answer.status_code == 202
    ((uid, reason, comment),) = failures(answer)
    assert (uid, reason) == (sop_uid(newcomer), CONFLICT)
    assert open_id(ward) in comment
    assert stranger.number not in comment
    assert study.who.number not in comment
    assert faces(ward, stranger) == (0, 0, 0)
    assert faces(ward, study.who) == (1, 1, 1)
    listed = ward.done("findings")
    assert all(word in listed for word in (open_id(ward), stranger.number, study.who.number, study.uid))
    assert ward.xdsi("findings", "resolve", open_id(ward), "--keep").exit_code == 2
    assert (
        "for another patient"
        in ward.xdsi("findings", "resolve", open_id(ward), "--patient", stranger.cx, "--reason", "x").output
    )
    ward.done("findings", "resolve", open_id(ward), "--discard", "--reason", "a wrong button")
    assert "no open findings" in ward.done("findings")
    assert "a wrong button" in ward.done("findings", "show", ward.house.imaging.findings.find()[0].id)
    assert len(ward.client.retrieve_study_metadata(study.uid)) == 2
    assert "clean" in ward.done("fsck", "--grace", "0").lower()


def test_a_study_goes_to_another_patient_on_all_faces_at_once_and_back(ward: Ward) -> None:
    study, right = Study(), person()
    data = study.object()
    ward.kept(data, Study(who=right).object())
    ward.publish()
    assert (faces(ward, study.who), faces(ward, right)) == ((1, 1, 1), (1, 1, 1))
    said = ward.done("correct", study.uid, "--patient-id", right.cx, "--reason", "wrong worklist entry")
    assert "1 study is corrected" in said
    assert faces(ward, study.who) == (0, 0, 0)
    assert faces(ward, right) == (2, 2, 1)
    ward.publish()
    assert faces(ward, right) == (2, 2, 2)
    (metadata,) = ward.client.retrieve_study_metadata(study.uid)
    assert metadata["00100020"]["Value"] == [right.number]
    assert study.who.family not in json.dumps(metadata)
    resource = ward.get("/fhir/ImagingStudy", **{"patient.identifier": right.token}).text
    assert study.uid in resource
    (stored,) = ward.client.retrieve_study(study.uid)
    assert stored.PatientID == study.who.number
    ward.done("correct", study.uid, "--restore", "0", "--reason", "it was right")
    assert (faces(ward, study.who), faces(ward, right)) == ((1, 1, 0), (1, 1, 1))
    ward.publish()
    assert faces(ward, study.who) == (1, 1, 1)
    history = ward.done("correct", study.uid)
    assert all(word in history for word in ("wrong worklist entry", "it was right", right.number))


def test_a_corrected_name_is_in_the_answers_and_the_next_manifest_replaces_the_last(ward: Ward) -> None:
    study = Study()
    ward.kept(study.object())
    ward.publish()
    ward.done("correct", "--of-patient", study.who.cx, "--name", "Rätt^Namn", "--sex", "M", "--reason", "married")
    ward.publish()
    (found,) = ward.client.search_for_studies(search_filters={"PatientName": "Rätt*"})
    assert found["00100010"]["Value"] == [{"Alphabetic": "Rätt^Namn"}]
    assert faces(ward, study.who) == (1, 1, 1)
    query = FindDocuments(patient_id=study.who.cx, statuses=(Status.APPROVED,))
    (entry,) = ward.house.registry.query(query, ReturnType.LEAF_CLASS, CALLER).objects
    assert "Rätt" in entry.body.decode()


def test_a_series_from_an_unknown_issuer_is_taken_for_a_patient_all_at_once(ward: Ward) -> None:
    study, somebody = Study(), person()
    objects = [study.object(IssuerOfPatientIDQualifiersSequence=None, IssuerOfPatientID="LAB") for _ in range(3)]
    answer = ward.send(*objects[:2])
    assert answer.status_code == 409
    assert {reason for _, reason, _ in failures(answer)} == {PROCESSING}
    assert number_of(ward, FindingKind.UNKNOWN_ISSUER) == 2
    assert ward.client.search_for_studies() == []
    id_ = ward.house.imaging.findings.find(state=OPEN)[0].id
    assert ward.xdsi("findings", "resolve", id_, "--patient", somebody.number, "--reason", "x").exit_code == 1
    unknown = f"1^^^&{AUTHORITY}.99&ISO"
    assert ward.xdsi("findings", "resolve", id_, "--patient", unknown, "--reason", "x").exit_code == 1
    done = ("--patient", somebody.cx, "--whole-study", "--reason", "asked the ward")
    assert "2 findings are decided" in ward.done("findings", "resolve", id_, *done)
    ward.kept(objects[2])
    ward.publish()
    assert faces(ward, somebody) == (1, 1, 1)
    assert len(ward.client.retrieve_study(study.uid)) == 3
    assert {one["00100020"]["Value"][0] for one in ward.client.retrieve_study_metadata(study.uid)} == {somebody.number}


def test_findings_show_on_a_page_of_this_machine_and_are_counted(ward: Ward) -> None:
    study = Study()
    held = study.object()
    ward.kept(held)
    data = pydicom.dcmread(BytesIO(held))
    data.ImageComments = "another"
    twin = BytesIO()
    data.save_as(twin)
    assert ward.send(twin.getvalue()).status_code == 409
    id_, page = open_id(ward), ward.get("/findings", kind="two-contents")
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert id_ in page.text
    assert id_ not in ward.get("/findings", kind="two-patients").text
    assert study.who.number in ward.get(f"/findings/{id_}").text
    assert ward.get("/findings/000000000000").status_code == 404
    elsewhere = requests.get(f"{ward.url}/findings", headers={"X-Forwarded-For": "192.0.2.1"}, timeout=10)
    assert elsewhere.status_code == 403
    assert 'xdsi_findings_open{kind="two-contents"} 1.0' in ward.get("/metrics").text
    ward.done("findings", "resolve", id_, "--accept", "--reason", "the newer one is right")
    (stored,) = ward.client.retrieve_study(study.uid)
    assert stored.ImageComments == "another"
    assert 'xdsi_findings_open{kind="two-contents"} 0.0' in ward.get("/metrics").text


def test_a_finding_that_is_not_there_is_said_in_words(ward: Ward) -> None:
    for arguments in (("resolve", "000000000000", "--keep", "--reason", "x"), ("show", "000000000000")):
        result = ward.xdsi("findings", *arguments)
        assert result.exit_code == 1
        assert "no finding" in result.output
