"""On-demand manifests around a merge and its undoing: an entry gives its own patient's study, and nobody else's."""

from dataclasses import replace

import pytest
from offering import Place, listed
from wire.changes import version
from wire.imaging import CALLER, sop_uid

from conformance import messages
from registry.identities import Merge, Tell, Unmerge
from registry.metadata.model import PatientDetails, Submission
from registry.metadata.urn import Action, AssociationType, ObjectType
from registry.patients import Told
from registry.service import Registry

SURVIVOR = "181313131313^^^&1.2.752.129.2.1.3.1&ISO"
ON_DEMAND = ObjectType.ON_DEMAND_DOCUMENT
ANOTHERS = "the study is another patient's now"

both_ways = pytest.mark.parametrize("persisted", [True, False])


def merge(place: Place) -> None:
    change = Merge(Told(PatientDetails(SURVIVOR)), (place.study.who.cx,))
    place.world.house.registry.identify(change, CALLER)


def unmerge(place: Place) -> None:
    place.world.house.registry.identify(Unmerge(SURVIVOR, place.study.who.cx), CALLER)


def owners(place: Place, *uids: str | None) -> list[str]:
    """Whose each document's approved entry is."""
    found = place.sql("SELECT unique_id, patient_id FROM document_entry WHERE status = 'Approved'")
    assert len(dict(found)) == len(found)
    return [dict(found)[uid] for uid in uids]


@both_ways
def test_what_was_offered_before_a_merge_stands_after_it_is_undone(place: Place, persisted: bool) -> None:
    place.restart(publishing={"persist_on_demand": persisted})
    offered = place.offer()
    uid, own = offered["documentUniqueId"], place.study.who.cx
    merge(place)
    during = place.given(uid)
    assert place.given(uid) == during
    unmerge(place)
    after = place.given(uid)
    assert after.new_uid != during.new_uid
    assert listed(after) == listed(during)
    assert place.given(uid) == after
    more = place.study.object(InstanceNumber=2)
    place.store(more)
    grown = place.given(uid)
    assert listed(grown) == listed(during) | {sop_uid(more)}
    assert place.offer() == offered | {"unchanged": True}
    if persisted:
        assert owners(place, uid, during.new_uid, grown.new_uid) == [own, SURVIVOR, own]
        shot = place.found()[str(grown.new_uid)]
        assert {one[0] for one in place.relations(shot)} == {AssociationType.IS_SNAPSHOT_OF, AssociationType.RPLC}


def test_a_snapshot_removed_and_made_during_a_merge_is_not_replaced_after_it(place: Place) -> None:
    uid = place.offer()["documentUniqueId"]
    merge(place)
    during = place.given(uid)
    place.sql(f"DELETE FROM document WHERE unique_id = '{during.new_uid}'")
    unmerge(place)
    place.store(place.study.object(InstanceNumber=2))
    after = place.given(uid)
    assert owners(place, during.new_uid, after.new_uid) == [SURVIVOR, place.study.who.cx]


@both_ways
def test_what_was_offered_during_a_merge_is_the_survivors_alone(place: Place, persisted: bool) -> None:
    place.restart(publishing={"persist_on_demand": persisted})
    merge(place)
    first = place.offer()["documentUniqueId"]
    assert listed(place.given(first))
    unmerge(place)
    for _ in range(2):
        code, text = place.error(first)
        assert code == "XDSDocumentUniqueIdError"
        assert ANOTHERS in text
        place.store(place.study.object())
    again = place.offer()
    assert again["unchanged"] is False
    assert again["documentUniqueId"] != first
    given = place.given(again["documentUniqueId"])
    assert len(listed(given)) == 3
    assert owners(place, first, again["documentUniqueId"]) == [SURVIVOR, place.study.who.cx]
    if persisted:
        assert owners(place, given.new_uid) == [place.study.who.cx]
    assert place.error(first)[0] == "XDSDocumentUniqueIdError"
    assert place.offer() == again | {"unchanged": True}
    merge(place)
    assert len(listed(place.given(first))) == 3


def test_an_older_entry_stands_when_the_newest_is_anothers(place: Place) -> None:
    merge(place)
    first = place.offer()
    unmerge(place)
    place.offer()
    place.sql(f"UPDATE study SET patient_id = '{SURVIVOR}'")  # the objects' patient was corrected
    assert place.offer() == first | {"unchanged": True}
    assert listed(place.given(first["documentUniqueId"]))


@both_ways
def test_an_entry_that_an_update_gave_to_another_patient_gives_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, persisted: bool
) -> None:
    place.restart(publishing={"persist_on_demand": persisted})
    seen: list[Submission] = []
    register = Registry.prepare

    def noting(self: Registry, submission: Submission) -> object:
        seen.append(submission)
        return register(self, submission)

    monkeypatch.setattr(Registry, "prepare", noting)
    offered = place.offer()
    place.world.house.registry.identify(Tell((Told(PatientDetails(SURVIVOR)),)), CALLER)
    entry = replace(seen[0].entries[0], id=offered["entryUUID"])
    asked = version(entry, patient_id=SURVIVOR)
    answer = place.world.send(Action.UPDATE_DOCUMENT_SET, messages.update_document_set(asked))
    assert answer.outcome == "Success", answer.text
    code, text = place.error(offered["documentUniqueId"])
    assert code == "XDSDocumentUniqueIdError"
    assert ANOTHERS in text
    assert place.offer()["unchanged"] is False
    assert len(place.found(ON_DEMAND)) == 1
