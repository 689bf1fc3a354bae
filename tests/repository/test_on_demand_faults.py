"""On-demand manifests when something is gone, refused, overtaken or breaks off: coded errors, and nothing half done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from offering import Place, at_once, listed
from wire.imaging import CALLER, sop_uid
from wire.soap_world import REPOSITORY

from conformance import messages
from registry.access import Visibility
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action, Status
from registry.service import Registry
from repository import on_demand


def test_an_entry_that_is_withdrawn_gives_nothing_and_can_be_offered_anew(place: Place) -> None:
    first = place.offer()
    shot = place.given(first["documentUniqueId"])
    place.sql(f"UPDATE document_entry SET status = 'Deprecated' WHERE unique_id = '{first['documentUniqueId']}'")
    code, text = place.error(first["documentUniqueId"])
    assert code == "XDSDocumentUniqueIdError"
    assert "withdrawn" in text
    assert place.given(str(shot.new_uid)).content == shot.content
    again = place.offer()
    assert again["unchanged"] is False
    assert again["documentUniqueId"] != first["documentUniqueId"]
    assert place.given(again["documentUniqueId"]).new_uid != shot.new_uid


@pytest.mark.parametrize("kept", [True, False])
def test_a_study_that_is_gone_is_a_coded_error(place: Place, kept: bool) -> None:
    place.restart(publishing={"persist_on_demand": kept})
    uid = place.offer()["documentUniqueId"]
    place.given(uid)
    for table in ("instance", "series", "study"):
        place.sql(f"DELETE FROM {table}")
        if table == "instance":
            place.sql("UPDATE study SET version = version + 1")
        code, text = place.error(uid)
        assert code == "XDSDocumentUniqueIdError"
        assert "cannot be assembled" in text


def test_a_snapshot_whose_bytes_are_lost_is_made_again(place: Place) -> None:
    uid = place.offer()["documentUniqueId"]
    first = place.given(uid)
    ((sha256,),) = place.sql(f"SELECT sha256 FROM document WHERE unique_id = '{first.new_uid}'")
    (file,) = (place.data / "blobs").rglob(sha256)
    file.unlink()
    assert place.error(str(first.new_uid))[0] == "XDSRepositoryError"
    assert place.given(uid) == first
    assert place.given(str(first.new_uid)).content == first.content
    assert set(place.found()) == {first.new_uid}


def test_a_snapshot_that_was_removed_is_made_again_when_asked_for(place: Place) -> None:
    uid = place.offer()["documentUniqueId"]
    first = place.given(uid)
    ((_, first_id),) = place.found().items()
    removal = messages.remove_documents([(REPOSITORY, str(first.new_uid))])
    assert place.world.send(Action.REMOVE_DOCUMENTS, removal).outcome == "Success"
    assert place.error(str(first.new_uid))[0] == "XDSDocumentUniqueIdError"
    assert place.given(uid) == first
    ((again_uid, again_id),) = place.found().items()
    assert again_uid == first.new_uid
    assert again_id != first_id
    assert place.found(status=Status.DEPRECATED) == {first.new_uid: first_id}


def test_what_the_registry_refuses_is_told_and_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = place.offer()["documentUniqueId"]
    before, blobs = place.counts(), place.world.blobs()
    refused = [Finding(ErrorCode.XDSRegistryMetadataError, "Document01.title", "is too long", "ITI TF-3, 4.2.3.2.24")]
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "check", lambda *_: refused)
        code, text = place.error(uid)
        assert code == "XDSRepositoryError"
        assert "is too long" in text
        busy = Rejected.because(ErrorCode.XDSRegistryBusy, "", "try again", "ITI TF-3, 4.2.4.1")
        patch.setattr(Registry, "check", raising(busy))
        assert place.error(uid)[0] == "XDSRepositoryBusy"
    assert (place.counts(), place.world.blobs()) == (before, blobs)
    assert listed(place.given(uid))


class Crash(BaseException):
    """Nothing catches it, as nothing catches a power cut."""


@pytest.mark.parametrize("point", ["before the rows", "after the rows"])
def test_a_crash_leaves_nothing_half_done(place: Place, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    uid = place.offer()["documentUniqueId"]
    before = place.counts()
    name = "register" if point == "before the rows" else "know_study"
    with monkeypatch.context() as patch:
        patch.setattr(Registry, name, raising(Crash()))
        with pytest.raises(Crash):
            place.retrieve(uid)
    place.restart()
    assert place.counts() == before
    first = place.given(uid)
    assert set(place.found()) == {first.new_uid}


def test_of_many_who_ask_at_once_all_get_the_same(place: Place) -> None:
    uid = place.offer()["documentUniqueId"]
    for number in (2, 3):
        answers = at_once(lambda: place.world.house.repository.document(uid, CALLER))
        assert len({one.new_unique_id for one in answers}) == 1
        assert {one.new_repository_unique_id for one in answers} == {REPOSITORY}
        assert len(place.found()) == 1
        place.store(place.study.object(InstanceNumber=number))


def test_a_study_that_grows_while_it_is_read_is_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = place.offer()["documentUniqueId"]
    more = place.study.object(InstanceNumber=2)
    read = on_demand.shared_study
    late = [more]

    def slowly(*arguments: Any) -> Any:
        found = read(*arguments)
        if late:
            place.store(late.pop())
        return found

    monkeypatch.setattr(on_demand, "shared_study", slowly)
    assert sop_uid(more) in listed(place.given(uid))
    assert len(place.found()) == 1


def test_who_may_not_see_the_patient_sees_no_entry(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = place.offer()["documentUniqueId"]
    with blind(place, monkeypatch):
        code, text = place.error(uid)
        assert (code, text.replace(uid, "1.2.3.4")) == place.error("1.2.3.4")
        place.offer(404)
    assert listed(place.given(uid))


def test_a_retrieval_is_audited_with_the_patient(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = place.offer()["documentUniqueId"]
    records: list[Any] = []
    monkeypatch.setattr(place.world.house.repository._audit, "keep", records.append)
    place.given(uid)
    (record,) = records
    assert (record.patients, record.objects, record.count) == ((place.study.who.cx,), (uid,), 1)
    assert record.caller.transaction == "ITI-43"


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@contextmanager
def blind(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A policy that shows nobody's records."""
    with monkeypatch.context() as patch:
        patch.setattr(
            place.world.house.repository._policy, "visibility", lambda _: Visibility(frozenset()), raising=True
        )
        yield
