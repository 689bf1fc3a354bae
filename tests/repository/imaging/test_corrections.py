"""Corrected demographics: an overlay with versions, objects as they came; on both engines."""

import json

import pytest
from holding import CALLER, OTHER, PATIENT, PNR, STUDY, Holding, ct

from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import PatientDetails
from repository.findings import FindingKind
from repository.imaging.demographics import Change
from repository.imaging.matching import matches_of
from repository.imaging.publishing import Overtaken
from repository.imaging.query import DicomQuery, Level

SOMEBODY = f"201010102383^^^&{PNR}&ISO"
FIRST = ct(PatientComments="knows Tolvan", OtherPatientNames="Tolv^Mister")


@pytest.fixture
def holding(database_url, tmp_path):
    made = Holding(database_url, tmp_path)
    made.kept(FIRST)
    return made


def correct(holding, reason="typed wrongly", **change):
    return holding.imaging.corrections.correct(STUDY, Change(**change), CALLER, reason)


def found(holding, level=Level.STUDY, include=(), **asked):
    query = DicomQuery(level, matches_of(level, list(asked.items())), frozenset(include))
    return getattr(holding.imaging, {"study": "find_studies", "instance": "find_instances"}[level])(
        query, CALLER
    ).matches


def metadata(holding):
    return [json.loads(holding.imaging.metadata(one)) for one in holding.imaging.instances(CALLER, STUDY)]


def values(data, tag):
    return data[tag].get("Value", [])


def test_a_corrected_name_is_shown_everywhere_and_the_object_stays_as_it_came(holding):
    version = correct(holding, name="Tolvansson^Östen", birth_date="19121213", sex="M")
    assert version == 1
    (study,), (data,) = found(holding, PatientName="tolvansson^östen"), metadata(holding)
    for one in (study, data):
        assert values(one, "00100010") == [{"Alphabetic": "Tolvansson^Östen"}]
        assert values(one, "00100030") == ["19121213"]
    assert found(holding, PatientName="Tolvansson^Tolvan") == []
    assert "knows Tolvan" in json.dumps(data)
    assert holding.imaging.describe(STUDY, "1.2.3.9").patient.given == "Östen"
    (held,) = holding.imaging.instances(CALLER, STUDY)
    with holding.imaging.open(held) as file:
        assert file.read() == FIRST


def test_of_a_study_that_is_given_to_another_patient_nothing_tells_who_the_first_was(holding):
    holding.registrar.patients.append(PatientDetails(SOMEBODY, "Efternamn", "Förnamn", "20101010", "F"))
    correct(holding, patient_id=SOMEBODY)
    shown = [*found(holding), *metadata(holding), *found(holding, Level.INSTANCE, include=("all",))]
    assert len(shown) == 3
    for one in shown:
        assert "olv" not in json.dumps(one)
        assert "19121212" not in json.dumps(one)
        assert values(one, "00100020") == ["201010102383"]
        assert values(one, "00100010") == [{"Alphabetic": "Efternamn^Förnamn"}]
    assert found(holding, PatientID="191212121212") == []
    assert len(found(holding, PatientID="201010102383")) == 1
    for patients, count in ((PATIENT, 0), (SOMEBODY, 1)):
        holding.policy.patients = frozenset({patients})
        assert len(found(holding)) == count
    holding.policy.patients = frozenset({PATIENT})
    with pytest.raises(Rejected, match="no such object"):
        holding.imaging.instances(CALLER, STUDY)


def test_the_wrong_patients_manifest_goes_before_the_new_one_is_made(holding):
    published = holding.imaging.publish(STUDY, CALLER)
    correct(holding, patient_id=SOMEBODY)
    assert holding.registrar.withdrawn == [published.entry_id]
    assert holding.registrar.touched[-1][0].patient_id == SOMEBODY
    holding.registrar.submissions.clear()
    holding.imaging.publish(STUDY, CALLER)
    (submission,) = holding.registrar.submissions
    assert submission.entries[0].patient_id == SOMEBODY
    assert submission.associations == () or all("RPLC" not in one.type for one in submission.associations)


def test_the_same_patients_manifest_is_replaced_and_not_withdrawn(holding):
    holding.imaging.publish(STUDY, CALLER)
    correct(holding, name="Tolvansson^Tolv")
    assert holding.registrar.withdrawn == []
    assert holding.imaging.publish(STUDY, CALLER).replaced


def test_going_back_restores_what_the_objects_say(holding):
    before = found(holding), metadata(holding), holding.imaging.describe(STUDY, "1.2.3.9")
    correct(holding, patient_id=SOMEBODY, accession="B7", accession_authority="1.2.3.77")
    assert holding.imaging.describe(STUDY, "1.2.3.9").accessions == (("B7", "1.2.3.77"),)
    assert len(found(holding, AccessionNumber="B7")) == 1
    assert holding.imaging.corrections.restore(STUDY, 0, CALLER, "it was right") == 2
    assert (found(holding), metadata(holding), holding.imaging.describe(STUDY, "1.2.3.9")) == before
    history = holding.imaging.corrections.history(STUDY)
    assert [(one.number, one.patient_id) for one in history] == [(0, PATIENT), (1, SOMEBODY), (2, PATIENT)]
    assert [one.reason for one in history[1:]] == ["typed wrongly", "it was right"]
    assert holding.imaging.corrections.restore(STUDY, 1, CALLER, "no, wrong") == 3
    assert len(found(holding, AccessionNumber="B7", PatientID="201010102383")) == 1


def test_a_second_correction_keeps_the_first_and_the_same_again_makes_no_version(holding):
    correct(holding, name="Tolvansson^Tolv")
    correct(holding, sex="O")
    (study,) = found(holding)
    assert values(study, "00100010") == [{"Alphabetic": "Tolvansson^Tolv"}]
    assert values(study, "00100040") == ["O"]
    assert correct(holding, sex="O") == 2


def test_what_comes_later_is_the_corrected_patients_by_either_name(holding):
    correct(holding, patient_id=SOMEBODY, accession="B7")
    holding.kept(ct(number=2), ct(series="2", number=3, PatientID="201010102383", AccessionNumber="A9"))
    held = holding.imaging.instances(CALLER, STUDY)
    assert {one.patient_id for one in held} == {SOMEBODY}
    assert [values(one, "00100020") for one in metadata(holding)] == [["201010102383"]] * 3
    assert holding.imaging.describe(STUDY, "1.2.3.9").accessions == (("B7", "1.2.3.7"),)
    (outcome,) = holding.store(ct(number=4, PatientID="188803099368"))
    assert outcome.finding.code is ErrorCode.DicomConflict
    assert [one.kind for one in holding.imaging.findings.find()] == [FindingKind.TWO_PATIENTS]


def test_a_study_of_nobody_can_be_given_to_somebody(holding):
    holding.kept(ct("1.2.3.4.5", PatientID=None))
    holding.imaging.corrections.correct("1.2.3.4.5", Change(patient_id=SOMEBODY), CALLER, "asked")
    holding.kept(ct("1.2.3.4.5", number=2, PatientID=None))
    assert {one.patient_id for one in holding.imaging.instances(CALLER, "1.2.3.4.5")} == {SOMEBODY}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"patient_id": "201010102383"},
        {"patient_id": f"2^^^{PNR}"},
        {"name": "x" * 65},
        {"name": "a\\b"},
        {"birth_date": "1912"},
        {"sex": "?"},
        {"accession": "x" * 17},
        {"accession": "A", "accession_authority": "lab"},
        {"accession_authority": "1.2.3"},
    ],
    ids=str,
)
def test_what_cannot_be_a_value_is_refused_and_changes_nothing(holding, change):
    with pytest.raises(Rejected) as refused:
        correct(holding, **change)
    assert {one.code for one in refused.value.findings} == {ErrorCode.InvalidRequest}
    assert holding.imaging.corrections.history(STUDY) == []


def test_a_correction_says_why_and_of_what(holding):
    with pytest.raises(Rejected, match="why"):
        correct(holding, reason=" ", sex="O")
    with pytest.raises(Rejected, match="no such study"):
        holding.imaging.corrections.correct("1.2", Change(sex="O"), CALLER, "x")
    with pytest.raises(Rejected, match="no version 4"):
        holding.imaging.corrections.restore(STUDY, 4, CALLER, "x")


def test_nothing_stays_half_done_when_the_registry_refuses(holding):
    class Refusing(type(holding.registrar)):
        def touch_study(self, *_):
            raise Rejected.because(ErrorCode.XDSRegistryBusy, "", "busy", "x")

    holding.registrar.__class__ = Refusing
    with pytest.raises(Rejected, match="busy"):
        correct(holding, patient_id=SOMEBODY)
    assert holding.imaging.corrections.history(STUDY) == []
    holding.policy.patients = frozenset({PATIENT})
    assert len(found(holding)) == 1


def test_a_patients_studies_are_listed_for_a_correction_of_all(holding):
    holding.kept(ct("1.2.3.4.7", StudyDate="20200101"), ct("1.2.3.4.8"))
    assert holding.imaging.corrections.studies_of(PATIENT) == ["1.2.3.4.7", STUDY, "1.2.3.4.8"]
    assert holding.imaging.corrections.studies_of(f"191212121212^^^&{OTHER}&ISO") == []


def test_a_manifest_that_is_being_made_of_the_wrong_patient_is_overtaken(holding):
    def correcting(submission, caller):
        if not holding.imaging.corrections.history(STUDY):
            correct(holding, patient_id=SOMEBODY)
        return []

    holding.registrar.check = correcting
    with pytest.raises(Overtaken):
        holding.imaging.publish(STUDY, CALLER)
    holding.registrar.submissions.clear()
    holding.imaging.publish(STUDY, CALLER)
    assert [one.entries[0].patient_id for one in holding.registrar.submissions] == [SOMEBODY]
