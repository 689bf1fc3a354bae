"""Retention: what is old enough goes for good, but for what is held; a run may be killed at any instant."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from examination import Person, Study, new_uid, person
from offering import Place, opened
from rejecting import EXPIRED, SAFETY, note
from wire.imaging import CALLER

from database.engine import Database
from profiles import retention_command
from profiles.iocm import retention_of
from profiles.settings import Settings
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import Status
from repository import removal
from repository.fsck import Kind, check
from repository.retention import Retention

TEN_YEARS: dict[str, Any] = {"years": 10, "after": "study"}


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Place:
    """A study of 2004 with a published manifest, and one of this year, of one patient."""
    data = tmp_path / "data"
    made = Place(database_url, data, opened(database_url, data, publishing={"quiet_seconds": 0}), Study())
    made.study = Study(date="20040704")
    made.store(made.study.object(InstanceNumber=1), made.study.object(InstanceNumber=2))
    made.store(young(made.study.who).object())
    work(made)
    assert len(made.found()) == 2
    return made


def young(who: Person) -> Study:
    return Study(who=who, date=time.strftime("%Y%m%d"))


def work(place: Place) -> None:
    while place.world.house.imaging.publisher.work_once():
        pass


def settings(place: Place, **rule: Any) -> Settings:
    return Settings.load(data=place.data, database_url=place.url, retention=TEN_YEARS | rule)


def retention(place: Place, **rule: Any) -> Retention:
    return retention_of(settings(place, **rule), place.world.house.imaging)


def studies(place: Place) -> set[str]:
    return {row[0] for row in place.sql("SELECT uid FROM study")}


def problems(place: Place) -> list[Kind]:
    return [one.kind for one in check(Database(place.url), place.world.house.imaging._blobs, grace=0).problems]


def test_without_a_rule_nothing_expires(place: Place) -> None:
    never = retention_of(Settings.load(data=place.data, database_url=place.url), place.world.house.imaging)
    assert list(never.expired()) == []
    assert never.run().studies == 0
    assert len(studies(place)) == 2


def test_what_is_old_enough_goes_with_all_that_was_made_of_it(place: Place) -> None:
    place.store(place.study.object(InstanceNumber=3))
    work(place)  # a manifest that replaced another
    with place.world.client.get(f"/fhir/ImagingStudy?identifier=urn:dicom:uid|urn:oid:{place.study.uid}") as response:
        (before,) = response.get_json()["entry"]
    (one,) = retention(place).expired()
    assert (one.uid, one.instances, one.year, one.kept) == (place.study.uid, 3, "2004", "")
    done = retention(place).run()
    assert (done.studies, done.instances) == (1, 3)
    assert len(studies(place)) == 1
    assert len(place.found()) == 1
    assert place.found(status=Status.DEPRECATED) == {}
    assert place.sql("SELECT count(*) FROM document") == [(1,)]
    with place.world.client.get(f"/fhir/ImagingStudy/{before['resource']['id']}") as response:
        assert response.status_code == 404
    assert place.sql("SELECT DISTINCT code, note_uid, due FROM rejection") == [(EXPIRED, "", None)]
    assert place.study.who.number not in str(place.sql("SELECT * FROM rejection"))
    assert problems(place) == []


def test_entries_may_stay_as_deprecated(place: Place) -> None:
    before = place.found()
    retention(place, entries="deprecate").run()
    assert len(place.found()) == 1
    assert place.found(status=Status.DEPRECATED).items() <= before.items()
    assert problems(place) == []


def test_what_went_is_not_taken_again(place: Place) -> None:
    held = place.world.house.imaging.instances(CALLER, place.study.uid)
    objects = [place.world.house.imaging.open(one).read() for one in held]
    retention(place).run()
    outcomes = place.world.house.imaging.store([[one] for one in objects], CALLER)
    assert {one.finding.code for one in outcomes if one.finding} == {ErrorCode.DicomRejected}
    assert place.study.uid not in studies(place)
    assert problems(place) == []


def test_a_hold_keeps_a_study_until_it_is_released(place: Place) -> None:
    actor = retention(place)
    actor.hold(place.study.uid, "case 12", CALLER)
    assert actor.hold(place.study.uid, "case 13", CALLER).reason == "case 12"
    assert [one.kept for one in actor.expired()] == ["legal hold"]
    assert actor.run().studies == 0
    assert len(studies(place)) == 2
    actor.release(place.study.uid, CALLER)
    with pytest.raises(Rejected, match="no legal hold"):
        actor.release(place.study.uid, CALLER)
    assert actor.run().studies == 1
    assert [(one.reason, one.released is None) for one in actor.holds()] == [("case 12", False)]


def test_a_hold_keeps_rejected_objects_too(place: Place) -> None:
    place.restart(iocm={"safety": {"delete_after_days": 0}})
    deletion = place.world.house.imaging.deletion
    held = place.world.house.imaging.instances(CALLER, place.study.uid)
    objects = [place.world.house.imaging.open(one).read() for one in held]
    actor = retention(place)
    actor.hold(place.study.uid, "case 12", CALLER)
    place.store(note(place.study, SAFETY, *objects))
    assert not deletion.rejected_once()
    assert place.sql("SELECT count(*) FROM instance WHERE rejected IS NOT NULL") == [(2,)]
    actor.release(place.study.uid, CALLER)
    assert deletion.rejected_once()
    assert place.sql("SELECT count(*) FROM instance WHERE rejected IS NOT NULL") == [(0,)]


def test_a_patients_last_study_keeps_the_older_ones(place: Place) -> None:
    assert list(retention(place, after="patient").expired()) == []
    alone = Study(date="20030101")
    place.store(alone.object())
    assert [one.uid for one in retention(place, after="patient").expired()] == [alone.uid]


@pytest.mark.parametrize(("until", "kept"), [(None, ""), (28, ""), (120, "patient was a child")])
def test_a_childs_studies_are_kept_for_longer(place: Place, until: int | None, kept: str) -> None:
    child = Study(date="20020101")
    place.store(child.object(PatientBirthDate="19880229"))
    place.store(Study(date="20020102").object(PatientBirthDate="19700101"))
    found = [one.kept for one in retention(place, until_age=until).expired()]
    assert found == [kept, "", ""]


def test_bytes_that_a_document_shares_stay(place: Place) -> None:
    (held, _) = place.world.house.imaging.instances(CALLER, place.study.uid)
    sql = "INSERT INTO document SELECT '1.2.3', NULL, sha256, 'x', size, 'application/dicom', 0 FROM instance"
    place.sql(f"{sql} WHERE uid = '{held.uid}'")
    retention(place).run()
    assert place.world.house.imaging._blobs.open(held.sha256).read()
    assert problems(place) == []


def test_studies_without_a_date_count_from_when_they_came(place: Place) -> None:
    undated = [Study(date="") for _ in range(2)]
    for study in undated:
        place.store(study.object())
    place.sql(f"UPDATE study SET received = 1000 WHERE uid = '{undated[0].uid}'")
    assert [one.uid for one in retention(place).expired()] == [undated[0].uid, place.study.uid]


def instants(monkeypatch: pytest.MonkeyPatch, place: Place) -> Iterator[str]:
    """Arrange for the process to end at each instant that matters, one after the other."""
    registry, blobs = place.world.house.registry, place.world.house.imaging._blobs

    def dying(*_: Any, **__: Any) -> Any:
        raise Killed

    for where, name in ((registry, "forget_study"), (removal, "remove_bytes"), (blobs, "remove")):
        monkeypatch.setattr(where, name, dying)
        yield name
        monkeypatch.undo()


def test_it_may_be_killed_at_any_instant(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for instant in instants(monkeypatch, place):
        with pytest.raises(Killed):
            retention(place).run()
        # Left-over bytes are no damage, and the next run takes them away.
        assert set(problems(place)) <= {Kind.ORPHAN}, instant
        assert (place.study.uid in studies(place)) == (instant == "forget_study")
        place.sql("UPDATE outbox SET lease = 0")
    retention(place).run()
    assert problems(place) == []
    assert place.sql("SELECT count(*) FROM outbox") == [(0,)]


def test_the_dry_run_deletes_nothing_and_counts_by_hospital_and_year(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for year, hospital in (("2003", "North"), ("2003", "South"), ("2001", "North")):
        place.store(Study(date=f"{year}0101", who=person()).object(InstitutionName=hospital, SOPInstanceUID=new_uid()))
    retention_command.hold(settings(place), place.study.uid, "case 12")
    capsys.readouterr()
    assert retention_command.retention(settings(place), dry_run=True, limit=None) == 0
    printed = capsys.readouterr().out
    rows = [line.split()[:4] for line in printed.splitlines()]
    assert ["North", "2001", "1", "1"] in rows
    assert ["South", "2003", "1", "1"] in rows
    assert ["in", "all", "3", "3"] in rows
    assert "1 more studies are old enough and stay: legal hold." in printed
    assert len(studies(place)) == 5
    retention_command.holds(settings(place))
    assert "case 12" in capsys.readouterr().out
    assert retention_command.release(settings(place), "1.2.3") == 1
    assert retention_command.retention(settings(place), dry_run=False, limit=2) == 0
    assert "2 studies with 2 objects are deleted." in capsys.readouterr().out
    assert len(studies(place)) == 3
