"""Images of a patient who was merged: found by either id, published for the survivor, and refused for the old id."""

from typing import Any

from examination import STOW, Person, Study, multipart
from feed_world import FeedWorld, a01, a37, a40

OLD, NEW = Person("181212121212", "Gammal", "Anna"), Person("181313131313", "Ny", "Anna")
STORED, REFUSED = 200, 409
PATIENT_ID, FAILED, REASON = "00100020", "00081198", "00081197"


def stow(world: FeedWorld, *objects: bytes) -> Any:
    return world.client.post("/dicomweb/studies", data=multipart(*objects), headers=STOW)


def qido(world: FeedWorld, **asked: str) -> dict[str, str]:
    """Study -> Patient ID of what is found."""
    answer = world.client.get("/dicomweb/studies", query_string=asked, headers={"Accept": "application/dicom+json"})
    assert answer.status_code == STORED, answer.text
    return {one["0020000D"]["Value"][0]: one[PATIENT_ID]["Value"][0] for one in answer.json}


def test_qido_finds_by_either_id_and_shows_the_survivor(world: FeedWorld) -> None:
    first, second, other = Study(OLD), Study(NEW), Study()
    assert stow(world, first.small(), second.small(), other.small()).status_code == STORED
    assert qido(world, PatientID=OLD.number) == {first.uid: OLD.number}
    world.feed(a40(NEW.cx, OLD.cx))
    both = {first.uid: NEW.number, second.uid: NEW.number}
    assert qido(world, PatientID=OLD.number) == both
    assert qido(world, PatientID=NEW.number) == both
    assert qido(world, PatientID=NEW.number, IssuerOfPatientID="1.2.752.129.2.1.3.1") == both
    assert qido(world, PatientID=NEW.number, IssuerOfPatientID="1.2.3") == {}
    assert qido(world, StudyInstanceUID=first.uid) == {first.uid: NEW.number}
    world.feed(a37(NEW.cx, OLD.cx))
    assert qido(world, PatientID=OLD.number) == {first.uid: OLD.number}


def test_an_object_for_the_old_id_is_refused_and_its_neighbour_kept(world: FeedWorld) -> None:
    world.feed(a40(NEW.cx, OLD.cx))
    answer = stow(world, Study(OLD).small(), (kept := Study(NEW)).small())
    assert answer.status_code == 202
    (failed,) = answer.json[FAILED]["Value"]
    assert failed[REASON]["Value"]
    assert list(qido(world)) == [kept.uid]
    assert stow(world, Study(OLD).small()).status_code == REFUSED


def test_with_known_an_object_of_an_unknown_patient_is_refused(strict: FeedWorld) -> None:
    study = Study(OLD)
    assert stow(strict, data := study.small()).status_code == REFUSED
    assert strict.rows_of("patient") == strict.rows_of("instance") == 0
    strict.feed(a01(OLD.cx))
    assert stow(strict, data).status_code == STORED


def test_a_study_grows_under_the_surviving_id_and_stays_its_own_patients(world: FeedWorld) -> None:
    study = Study(OLD)
    stow(world, study.small())
    again = Study(NEW, uid=study.uid)
    assert stow(world, again.small()).status_code == REFUSED
    world.feed(a40(NEW.cx, OLD.cx))
    assert stow(world, again.small()).status_code == STORED
    (entry,) = world.fhir(f"ImagingStudy?patient=Patient/{world.patient(OLD.cx)['id']}")["entry"]
    assert entry["resource"]["numberOfInstances"] == 2
    assert entry["resource"]["subject"]["reference"] == f"Patient/{world.patient(NEW.cx)['id']}"
    world.feed(a37(NEW.cx, OLD.cx))
    assert world.sql("SELECT patient_id FROM imaging_study") == [(OLD.cx,)]


def test_a_study_held_before_the_merge_is_published_for_the_survivor(world: FeedWorld) -> None:
    study = Study(OLD)
    stow(world, study.small())
    world.feed(a40(NEW.cx, OLD.cx))
    answer = world.client.post(f"/xds/imaging/studies/{study.uid}/publish")
    assert answer.status_code == STORED, answer.text
    assert len(world.documents(NEW.cx).objects) == 1
    assert world.sql("SELECT patient_id FROM document_entry") == [(NEW.cx,)]
