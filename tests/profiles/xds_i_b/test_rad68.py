"""RAD-68: a manifest is read when it comes, and its study is known; what only says that it is one is refused."""

from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file
from wire import submissions as s
from wire.imaging import ELSEWHERE, manifest, manifest_submission, new_uid
from wire.soap_world import Answer, World

from conformance import messages
from registry.metadata.model import Code, Submission
from registry.metadata.urn import CodingScheme, FormatCode


def provide(world: World, made: Submission, content: bytes) -> Answer:
    return world.provide(made, {made.entries[0].id: content})


def code(value: str, meaning: str) -> list[pydicom.Dataset]:
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return [item]


def studies(world: World, made: Submission) -> list[dict[str, object]]:
    patient = str(made.entries[0].patient_id)
    number, _, authority = patient.partition("^^^&")
    token = f"urn:oid:{authority.removesuffix('&ISO')}|{number}"
    with world.client.get("/fhir/ImagingStudy", query_string={"patient.identifier": token}) as response:
        assert response.status_code == 200, response.text
        return [e["resource"] for e in response.get_json().get("entry", [])]


def test_a_manifest_makes_its_study_known(world: World) -> None:
    study, sop = new_uid(), new_uid()
    made = manifest_submission(sop, study)
    answer = provide(world, made, manifest(str(made.entries[0].patient_id), study, sop))
    assert answer.outcome == "Success", answer.text
    (found,) = studies(world, made)
    assert ("urn:dicom:uid", f"urn:oid:{study}") in [(i["system"], i["value"]) for i in found["identifier"]]
    assert (found["numberOfSeries"], found["numberOfInstances"]) == (1, 3)


def test_a_report_of_the_same_door_makes_no_study(world: World) -> None:
    made = messages.provided(s.new())
    assert provide(world, made, b"%PDF-1.4").outcome == "Success"
    assert studies(world, made) == []


def test_a_replaced_manifest_replaces_the_study(world: World) -> None:
    study = new_uid()
    sops = new_uid(), new_uid()
    first = manifest_submission(sops[0], study)
    patient = str(first.entries[0].patient_id)
    assert provide(world, first, manifest(patient, study, sops[0])).outcome == "Success"
    second = s.related(s.of_patient(manifest_submission(sops[1], study), patient), first.entries[0].id)
    assert provide(world, second, manifest(patient, study, sops[1])).outcome == "Success"
    assert len(studies(world, second)) == 1


PDF = b"%PDF-1.4 not DICOM at all"


def ct() -> bytes:
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("damage", ["pdf", "nothing", "half", "head", "image", "no preamble", "untitled", "bad UID"])
def test_what_is_no_manifest_is_refused_and_leaves_nothing(world: World, damage: str) -> None:
    study, sop = new_uid(), new_uid()
    made = manifest_submission(sop, study)
    patient = str(made.entries[0].patient_id)
    whole = manifest(patient, study, sop)
    content = {
        "pdf": PDF,
        "nothing": b"",
        "half": whole[: len(whole) // 2],
        "head": whole[:132],
        "image": ct(),
        "no preamble": whole[132:],
        "untitled": manifest(patient, study, sop, ConceptNameCodeSequence=[]),
        "bad UID": manifest(patient, study, sop, StudyInstanceUID="1.2.x"),
    }[damage]
    before = world.state()
    answer = provide(world, made, content)
    assert answer.outcome == "Failure"
    assert set(answer.codes) == {"InvalidDocumentContent"}
    assert all(made.entries[0].id in e.location for e in answer.errors)
    assert world.state() == before


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("113001", "Rejected for Quality Reasons"),
        ("113037", "Rejected for Patient Safety Reasons"),
        ("113038", "Incorrect Modality Worklist Entry"),
        ("113039", "Data Retention Policy Expired"),
        ("113000", "Of Interest"),
    ],
)
def test_a_rejection_note_is_no_manifest(world: World, value: str, meaning: str) -> None:
    study, sop = new_uid(), new_uid()
    made = manifest_submission(sop, study)
    content = manifest(str(made.entries[0].patient_id), study, sop, ConceptNameCodeSequence=code(value, meaning))
    before = world.state()
    answer = provide(world, made, content)
    assert answer.codes == ["InvalidDocumentContent"]
    assert meaning in answer.text
    assert world.state() == before
    assert studies(world, made) == []


def test_the_unique_id_is_the_sop_instance_uid(world: World) -> None:
    study = new_uid()
    made = manifest_submission(new_uid(), study)
    sop = new_uid()
    before = world.state()
    answer = provide(world, made, manifest(str(made.entries[0].patient_id), study, sop))
    assert [(e.code, e.location) for e in answer.errors] == [
        ("InvalidDocumentContent", f"{made.entries[0].id}.uniqueId")
    ]
    assert sop in answer.text
    assert world.state() == before


def test_faults_of_metadata_and_of_the_document_are_told_together(world: World) -> None:
    made = manifest_submission(new_uid(), new_uid(), creation_time=None)
    answer = provide(world, made, PDF)
    assert set(answer.codes) == {"InvalidDocumentContent", "XDSRepositoryMetadataError"}


def test_only_the_format_code_of_the_right_scheme_makes_a_manifest(world: World) -> None:
    other = Code(FormatCode.KOS_MANIFEST, CodingScheme.IHE_FORMAT_CODES, "not a manifest")
    made = manifest_submission(new_uid(), new_uid(), format_code=other)
    assert provide(world, made, PDF).outcome == "Success"


def test_a_manifest_is_given_back_as_it_came(world: World) -> None:
    study, sop = new_uid(), new_uid()
    made = manifest_submission(sop, study)
    content = manifest(str(made.entries[0].patient_id), study, sop)
    assert provide(world, made, content).outcome == "Success"
    answer = world.retrieve((world.house.repository.repository_unique_id, sop))
    assert answer.documents[0][1:] == (sop, "application/dicom")
    assert pydicom.dcmread(BytesIO(content)).SOPInstanceUID == sop


def test_the_manifest_belongs_to_the_patient_of_the_submission(world: World) -> None:
    """A source knows its patients by ids of its own: the affinity domain's is the submission's."""
    study, sop = new_uid(), new_uid()
    made = manifest_submission(sop, study)
    answer = provide(world, made, manifest("local-17^^^&1.2.3.4.5&ISO", study, sop, ELSEWHERE))
    assert answer.outcome == "Success"
    assert len(studies(world, made)) == 1
