"""Rejection notes, through the server's own doors: in any order, by each code, and never shown again."""

from collections.abc import Iterator
from io import BytesIO
from itertools import permutations
from pathlib import Path
from typing import Any

import pydicom
import pytest
from examination import Study, new_uid, sop_uid
from offering import Place, listed, opened
from rejecting import EXPIRED, QUALITY, SAFETY, WORKLIST, note
from wire.imaging import CALLER, EXPLICIT, retrieval
from wire.soap_world import IMAGING_SOURCE

from conformance import messages
from database.engine import Database
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.urn import Action, ObjectType, Status
from repository.fsck import check
from repository.imaging.commitment import Named, Reason
from repository.imaging.kos_reader import read_manifest

NOW = {"publishing": {"quiet_seconds": 0}}


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Place:
    """An empty archive."""
    return Place(database_url, tmp_path / "data", opened(database_url, tmp_path / "data", **NOW), Study())


def sent(place: Place, *objects: bytes) -> list[Finding | None]:
    return [one.finding for one in place.world.house.imaging.store([[each] for each in objects], CALLER)]


def work(place: Place) -> None:
    while place.world.house.imaging.publisher.work_once():
        pass


def delete(place: Place) -> None:
    deletion = place.world.house.imaging.deletion
    while deletion.rejected_once() or deletion.bytes_once():
        pass


def qido(place: Place, path: str) -> list[dict[str, Any]]:
    with place.world.client.get(f"/dicomweb/{path}", headers={"Accept": "application/dicom+json"}) as response:
        assert response.status_code in (200, 204), response.text
        return list(response.get_json() or ()) if response.status_code == 200 else []


def status(place: Place, path: str) -> tuple[int, str]:
    with place.world.client.get(f"/dicomweb/studies/{place.study.uid}{path}") as response:
        return response.status_code, response.text if response.status_code != 200 else ""


def uids(place: Place) -> set[str]:
    return {one["00080018"]["Value"][0] for one in qido(place, f"studies/{place.study.uid}/instances")}


def counts(place: Place) -> tuple[int, int, list[str]]:
    """Series and instances that the study list counts, and the modalities that it names."""
    (found,) = qido(place, f"studies?StudyInstanceUID={place.study.uid}")
    return found["00201206"]["Value"][0], found["00201208"]["Value"][0], found["00080061"].get("Value", [])


def manifest(place: Place) -> set[str]:
    """The SOP Instance UIDs in the one approved manifest."""
    (uid,) = place.found()
    content = place.given(uid).content
    read = read_manifest(BytesIO(content), len(content))
    return {one.sop_instance_uid for study in read.studies for series in study.series for one in series.instances}


def resource(place: Place) -> dict[str, Any]:
    with place.world.client.get(f"/fhir/ImagingStudy?identifier=urn:dicom:uid|urn:oid:{place.study.uid}") as response:
        (entry,) = response.get_json()["entry"]
        return dict(entry["resource"])


def clean(place: Place) -> bool:
    imaging = place.world.house.imaging
    return check(Database(place.url), imaging._blobs, grace=0).status == 0


def mixed(study: Study) -> Iterator[bytes]:
    """Two slices of a series, and an ultrasound picture in another."""
    yield study.object(InstanceNumber=1)
    yield study.object(InstanceNumber=2)
    yield study.object(InstanceNumber=1, SeriesInstanceUID=new_uid(), Modality="US")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_in_whatever_order_they_come(place: Place, order: tuple[int, ...]) -> None:
    one, two = place.study.object(InstanceNumber=1), place.study.object(InstanceNumber=2)
    things = (one, two, note(place.study, SAFETY, one))
    for at in order:
        assert sent(place, things[at]) == [None]
    assert uids(place) == {sop_uid(two)}
    assert counts(place) == (1, 1, ["CT"])


def test_in_one_request(place: Place) -> None:
    one, two = place.study.object(InstanceNumber=1), place.study.object(InstanceNumber=2)
    assert sent(place, note(place.study, SAFETY, one), one, two) == [None] * 3
    assert uids(place) == {sop_uid(two)}


def test_a_series_that_shows_nothing_is_none(place: Place) -> None:
    objects = list(mixed(place.study))
    assert sent(place, *objects) == [None] * 3
    assert counts(place) == (2, 3, ["CT", "US"])
    assert sent(place, note(place.study, SAFETY, objects[2])) == [None]
    assert counts(place) == (1, 2, ["CT"])
    (series,) = qido(place, f"studies/{place.study.uid}/series")
    assert (series["00080060"]["Value"], series["00201209"]["Value"]) == (["CT"], [2])
    assert qido(place, f"studies?StudyInstanceUID={place.study.uid}&ModalitiesInStudy=US") == []
    assert sent(place, place.study.object(SeriesInstanceUID=_series(objects[2]), Modality="US")) == [None]
    assert counts(place) == (2, 3, ["CT", "US"])


def _series(data: bytes) -> str:
    import pydicom

    return str(pydicom.dcmread(BytesIO(data), stop_before_pixels=True).SeriesInstanceUID)


@pytest.mark.parametrize("code", [QUALITY, SAFETY, WORKLIST, EXPIRED])
def test_a_part_that_is_rejected_leaves_the_manifest(place: Place, code: str) -> None:
    objects = list(mixed(place.study))
    assert sent(place, *objects) == [None] * 3
    work(place)
    before = place.found()
    assert len(manifest(place)) == 3
    assert sent(place, note(place.study, code, objects[0])) == [None]
    # What may harm or is another's goes at once; the new manifest of the other codes takes the old one's place.
    assert bool(place.found()) == (code in (QUALITY, EXPIRED))
    work(place)
    assert manifest(place) == {sop_uid(one) for one in objects[1:]}
    assert place.found(status=Status.DEPRECATED) == before
    assert resource(place)["numberOfInstances"] == 2


@pytest.mark.parametrize(("code", "word"), [(WORKLIST, "entered-in-error"), (EXPIRED, "cancelled")])
def test_when_nothing_is_left(place: Place, code: str, word: str) -> None:
    objects = list(mixed(place.study))
    assert sent(place, *objects) == [None] * 3
    work(place)
    assert sent(place, note(place.study, code, *objects)) == [None]
    assert place.found() == {}
    assert qido(place, f"studies?StudyInstanceUID={place.study.uid}") == []
    assert (resource(place)["status"], resource(place)["numberOfInstances"]) == (word, 0)
    work(place)
    assert place.found() == {}
    assert status(place, "")[0] == 404
    assert place.sql("SELECT count(*) FROM outbox WHERE state = 'dead'")[0][0] == 0


def test_an_entry_of_nothing_is_removed_where_that_is_wished(place: Place) -> None:
    place.restart(iocm={"emptied": "remove"}, **NOW)
    one = place.study.object()
    assert sent(place, one) == [None]
    work(place)
    assert sent(place, place.study.object()) == [None]
    work(place)
    assert (len(place.found()), len(place.found(status=Status.DEPRECATED))) == (1, 1)
    held = place.world.house.imaging.instances(CALLER, place.study.uid)
    blobs = place.world.house.imaging._blobs
    everything = [blobs.open(each.sha256).read() for each in held]
    assert sent(place, note(place.study, SAFETY, *everything)) == [None]
    assert place.counts()[1:4] == [0, 0, 0]
    # With the entries went the documents: whoever still knows a uniqueId gets nothing.
    assert place.sql("SELECT count(*) FROM document")[0][0] == 0
    delete(place)
    assert clean(place)


def test_what_was_rejected_is_not_promised_to_be_kept(place: Place) -> None:
    one, other = place.study.object(), place.study.object()
    assert sent(place, one, other) == [None, None]
    assert sent(place, note(place.study, QUALITY, one)) == [None]
    promises = place.world.house.imaging.commitments
    asked = [Named(str(pydicom.dcmread(BytesIO(each)).SOPClassUID), sop_uid(each)) for each in (one, other)]
    committed, failed = promises.judged(asked)
    assert [each.sop_instance_uid for each in committed] == [sop_uid(other)]
    assert [(each.sop_instance_uid, why) for each, why in failed] == [(sop_uid(one), Reason.NO_SUCH_INSTANCE)]


def test_what_was_refused_at_first_is_not_indexed_without_its_bytes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = type(place.world.house.imaging._ingest)
    judged, finding = intake._judged, Finding(ErrorCode.XDSUnknownPatientId, "x", "unknown at first", "ITI TF-3")
    looks = []

    def second_thoughts(self: Any, reader: Any, batch: Any, known: Any) -> Any:
        looks.append(reader)
        return [finding] * len(batch) if len(looks) == 1 else judged(self, reader, batch, known)

    monkeypatch.setattr(intake, "_judged", second_thoughts)
    assert sent(place, place.study.object()) == [finding]
    assert place.sql("SELECT count(*) FROM instance")[0][0] == 0
    assert clean(place)


def test_what_is_offered_on_demand_follows(place: Place) -> None:
    one, two = place.study.object(InstanceNumber=1), place.study.object(InstanceNumber=2)
    place.restart(publishing={"quiet_seconds": 0, "automatic": False})
    assert sent(place, one, two) == [None, None]
    uid = place.offer()["documentUniqueId"]
    assert listed(place.given(uid)) == {sop_uid(one), sop_uid(two)}
    assert sent(place, note(place.study, WORKLIST, one)) == [None]
    assert set(place.found(ObjectType.ON_DEMAND_DOCUMENT)) == {uid}
    assert place.found() == {}
    assert listed(place.given(uid)) == {sop_uid(two)}
    assert sent(place, note(place.study, WORKLIST, two)) == [None]
    assert place.found(ObjectType.ON_DEMAND_DOCUMENT) == {}
    assert place.error(uid)[0] == "XDSDocumentUniqueIdError"


def test_the_refusals_say_why(place: Place) -> None:
    one, two = place.study.object(InstanceNumber=1), place.study.object(InstanceNumber=2)
    assert sent(place, one, two, note(place.study, SAFETY, one)) == [None] * 3
    path = f"/series/{place.study.series}/instances/{sop_uid(one)}"
    for tail in ("", "/metadata", "/frames/1"):
        code, text = status(place, path + tail)
        assert code == 404
        assert "Rejected for Patient Safety Reasons" in text
    assert status(place, f"/series/{place.study.series}/instances/{sop_uid(two)}")[0] == 200
    wanted = {place.study.uid: {place.study.series: [(IMAGING_SOURCE, sop_uid(one)), (IMAGING_SOURCE, sop_uid(two))]}}
    answer = place.world.send(
        Action.RETRIEVE_IMAGING_DOCUMENT_SET,
        messages.envelope(Action.RETRIEVE_IMAGING_DOCUMENT_SET, retrieval(wanted, EXPLICIT)),
    )
    assert answer.outcome == "PartialSuccess"
    assert [(e.code, e.location) for e in answer.errors] == [("XDSMissingDocument", sop_uid(one))]
    assert [document[1] for document in answer.documents] == [sop_uid(two)]


@pytest.mark.parametrize("again", ["same", "after deletion"])
def test_nothing_is_shown_again(place: Place, again: str) -> None:
    place.restart(iocm={"safety": {"delete_after_days": 0}}, **NOW)
    one, two = place.study.object(InstanceNumber=1), place.study.object(InstanceNumber=2)
    assert sent(place, one, two, note(place.study, SAFETY, one)) == [None] * 3
    if again != "same":
        delete(place)
        assert place.sql("SELECT count(*) FROM instance WHERE rejected IS NOT NULL")[0][0] == 0
    (finding,) = sent(place, one)
    assert finding
    assert finding.code is ErrorCode.DicomRejected
    assert "not taken again: Rejected for Patient Safety Reasons (113037" in finding.text
    assert uids(place) == {sop_uid(two)}
    assert clean(place)


@pytest.mark.parametrize(("how", "shown"), [("hide", False), ("restore", True)])
def test_what_is_sent_again_as_the_settings_have_it(place: Place, how: str, shown: bool) -> None:
    place.restart(iocm={"quality": {"resent": how, "delete_after_days": 0}}, **NOW)
    one, two = place.study.object(InstanceNumber=1), place.study.object(InstanceNumber=2)
    assert sent(place, one, two, note(place.study, QUALITY, one)) == [None] * 3
    assert sent(place, one) == [None]
    assert uids(place) == ({sop_uid(one), sop_uid(two)} if shown else {sop_uid(two)})
    delete(place)
    assert sent(place, one) == [None]
    assert uids(place) == ({sop_uid(one), sop_uid(two)} if shown else {sop_uid(two)})
    assert counts(place)[:2] == ((1, 2) if shown else (1, 1))
    assert clean(place)


def test_quality_may_stay_in_regular_use(place: Place) -> None:
    place.restart(iocm={"quality": {"hide": False}}, **NOW)
    one = place.study.object()
    assert sent(place, one, note(place.study, QUALITY, one)) == [None, None]
    assert uids(place) == {sop_uid(one)}
    assert place.sql("SELECT rejected, hidden FROM instance WHERE rejected IS NOT NULL") == [(QUALITY, 0)]
    # A graver note may follow.
    assert sent(place, note(place.study, SAFETY, one)) == [None]
    assert qido(place, f"studies?StudyInstanceUID={place.study.uid}") == []
    # And a lighter one does not undo it.
    assert sent(place, note(place.study, QUALITY, one)) == [None]
    assert place.sql("SELECT code FROM rejection") == [(SAFETY,)]


def test_twice_is_once(place: Place) -> None:
    one, two = place.study.object(InstanceNumber=1), place.study.object(InstanceNumber=2)
    told = note(place.study, SAFETY, one)
    assert sent(place, one, two, told) == [None] * 3
    version = place.sql("SELECT version FROM study")
    assert sent(place, told) == [None]
    assert place.sql("SELECT version FROM study") == version
    assert place.sql("SELECT count(*) FROM rejection") == [(1,)]


def test_a_note_cannot_reject_what_is_anothers(place: Place) -> None:
    one = place.study.object()
    other = Study()
    assert sent(place, one) == [None]
    (finding,) = sent(place, note(other, SAFETY, one))
    assert finding
    assert finding.code is ErrorCode.DicomConflict
    assert uids(place) == {sop_uid(one)}


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"CurrentRequestedProcedureEvidenceSequence": []}, "names no instance"),
    ],
)
def test_a_note_that_cannot_be_followed(place: Place, fault: dict[str, Any], text: str) -> None:
    (finding,) = sent(place, note(place.study, SAFETY, place.study.object(), **fault))
    assert finding
    assert text in finding.text


def test_a_tombstone_names_nobody(place: Place) -> None:
    objects = list(mixed(place.study))
    assert sent(place, *objects, note(place.study, EXPIRED, *objects)) == [None] * 4
    work(place)
    delete(place)
    for table in ("study", "series", "instance", "imaging_study", "on_demand"):
        assert place.sql(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert place.sql("SELECT count(*) FROM rejection")[0][0] >= 3
    everything = str(place.sql("SELECT * FROM rejection"))
    assert not any(word in everything for word in (place.study.who.number, place.study.who.family))
    assert clean(place)
    (finding,) = sent(place, objects[0])
    assert finding
    assert finding.code is ErrorCode.DicomRejected


def test_an_expired_studys_note_brings_nobody_back(place: Place) -> None:
    one = place.study.object()
    told = note(place.study, EXPIRED, one)
    assert sent(place, one, told) == [None, None]
    delete(place)
    (finding,) = sent(place, told)
    assert finding
    assert finding.code is ErrorCode.DicomRejected
    assert sent(place, note(place.study, EXPIRED, one)) == [None]
    delete(place)
    assert place.sql("SELECT count(*) FROM study") == [(0,)]
    assert clean(place)


def test_what_comes_after_its_time_goes_again(place: Place) -> None:
    place.restart(iocm={"safety": {"delete_after_days": 0}}, **NOW)
    one = place.study.object()
    assert sent(place, note(place.study, SAFETY, one)) == [None]
    delete(place)
    assert sent(place, one) == [None]
    delete(place)
    assert place.sql("SELECT count(*) FROM instance WHERE rejected IS NOT NULL") == [(0,)]
    assert clean(place)


def test_the_wrong_patients_entry_is_gone_before_the_right_one_comes(place: Place) -> None:
    one = place.study.object()
    assert sent(place, one) == [None]
    work(place)
    wrong = place.found()
    assert len(wrong) == 1
    right = Place(place.url, place.data, place.world, Study())
    assert sent(place, note(place.study, WORKLIST, one), right.study.object()) == [None, None]
    assert (place.found(), right.found()) == ({}, {})
    work(place)
    assert place.found() == {}
    assert len(right.found()) == 1


def test_a_manifest_that_was_being_made_is_overtaken(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    one = place.study.object()
    assert sent(place, one) == [None]
    publisher = place.world.house.imaging.publisher
    provide = publisher._repository.provide

    def slowly(*args: Any, **more: Any) -> Any:
        monkeypatch.undo()
        assert sent(place, note(place.study, WORKLIST, one)) == [None]
        return provide(*args, **more)

    monkeypatch.setattr(publisher._repository, "provide", slowly)
    work(place)
    assert place.found() == {}
