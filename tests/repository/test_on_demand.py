"""On-demand manifests of held studies: made when asked for, given again unchanged, kept and registered as snapshots."""

from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from offering import Place, at_once, documents, listed
from wire import submissions as s
from wire.changes import version
from wire.imaging import CALLER, Study, sop_uid
from wire.soap_world import REPOSITORY

from conformance import messages
from profiles import commands
from profiles.document_sharing.submission import findings
from profiles.document_sharing.transactions import ON_DEMAND as ON_DEMAND_RULES
from profiles.document_sharing.transactions import REGISTER
from registry.access import Caller
from registry.metadata.errors import Finding
from registry.metadata.model import Submission
from registry.metadata.urn import Action, AssociationType, ObjectType, Status, StoredQueryId
from registry.service import Registry

ON_DEMAND = ObjectType.ON_DEMAND_DOCUMENT


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[Submission]:
    """What the registry is asked to check, in order."""
    seen: list[Submission] = []
    check = Registry.check

    def noting(self: Registry, submission: Submission, caller: Caller) -> list[Finding]:
        seen.append(submission)
        return check(self, submission, caller)

    monkeypatch.setattr(Registry, "check", noting)
    return seen


# --- offered ---


def test_a_study_is_offered_by_an_entry_without_bytes(place: Place) -> None:
    offered = place.offer()
    uid, entry_id = offered["documentUniqueId"], offered["entryUUID"]
    assert offered["unchanged"] is False
    assert place.found() == {}
    assert place.found(ON_DEMAND) == {uid: entry_id}
    answer = place.world.query(
        messages.stored_query(StoredQueryId.GET_DOCUMENTS, [("$XDSDocumentEntryEntryUUID", f"('{entry_id}')")])
    )
    (entry,) = answer.objects
    slots = {slot.get("name"): slot.findtext(".//{*}Value") for slot in entry.iterchildren("{*}Slot")}
    assert slots["repositoryUniqueId"] == REPOSITORY
    assert not {"creationTime", "hash", "size"} & set(slots)
    assert (entry.get("mimeType"), entry.get("objectType")) == ("application/dicom", ON_DEMAND)
    assert place.study.uid in answer.body.xpath("string()")


def test_what_is_offered_already_is_not_offered_twice(place: Place) -> None:
    first = place.offer()
    place.restart()
    assert place.offer() == first | {"unchanged": True}
    assert len(place.found(ON_DEMAND)) == 1


def test_of_many_who_offer_a_study_at_once_one_does(place: Place) -> None:
    offered = at_once(lambda: place.world.house.imaging.publish_on_demand(place.study.uid, CALLER))
    assert len({one.unique_id for one in offered}) == 1
    assert sorted(one.unchanged for one in offered) == [False, True, True, True]
    assert len(place.found(ON_DEMAND)) == 1


def test_what_cannot_be_offered(place: Place) -> None:
    assert "held" in str(place.offer(404, "1.2.3.4"))
    assert "UID" in str(place.offer(400, "1..2"))
    nobody = Study()
    place.store(nobody.object(PatientID="", IssuerOfPatientIDQualifiersSequence=[]))
    assert "Patient ID" in str(place.offer(422, nobody.uid))
    assert place.counts() == [0, 0, 0, 0, 0]


def test_the_command_offers_a_study(place: Place) -> None:
    def publish() -> Any:
        arguments = [place.study.uid, "--on-demand", "--data", str(place.data)]
        return CliRunner().invoke(commands.publish, arguments, env={"XDSI_DATABASE_URL": place.url})

    first, again = publish(), publish()
    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    (uid,) = place.found(ON_DEMAND)
    assert first.output == f"The on-demand entry {uid} is registered.\n"
    assert again.output == f"The on-demand entry {uid} stands already.\n"
    assert listed(place.given(uid))


# --- retrieved ---


def test_what_is_asked_for_is_made_kept_and_registered(place: Place) -> None:
    offered = place.offer()
    uid = offered["documentUniqueId"]
    given = place.given(uid)
    assert given.new_repository == REPOSITORY
    assert given.new_uid not in (None, uid)
    assert len(listed(given)) == 1
    ((snapshot_uid, snapshot_id),) = place.found().items()
    assert snapshot_uid == given.new_uid
    assert place.relations(snapshot_id) == {(AssociationType.IS_SNAPSHOT_OF, snapshot_id, offered["entryUUID"])}
    assert place.found(ON_DEMAND) == {uid: offered["entryUUID"]}
    by_its_own = place.given(snapshot_uid)
    assert (by_its_own.new_repository, by_its_own.new_uid) == (None, None)
    assert by_its_own.content == given.content


def test_an_unchanged_study_gives_the_same_document(place: Place) -> None:
    uid = place.offer()["documentUniqueId"]
    first, before = place.given(uid), place.counts()
    place.restart()
    assert place.given(uid) == first
    twice = documents(place.retrieve(uid, uid))
    assert twice == [first, first]
    assert place.counts() == before


def test_a_study_that_grew_gives_a_new_snapshot_that_replaces_the_old(place: Place) -> None:
    offered = place.offer()
    uid = offered["documentUniqueId"]
    first = place.given(uid)
    (first_id,) = place.found().values()
    more = place.study.object(InstanceNumber=2)
    place.store(more)
    second = place.given(uid)
    assert second.new_uid != first.new_uid
    assert listed(second) == listed(first) | {sop_uid(more)}
    ((found_uid, second_id),) = place.found().items()
    assert found_uid == second.new_uid
    assert place.relations(second_id) == {
        (AssociationType.IS_SNAPSHOT_OF, second_id, offered["entryUUID"]),
        (AssociationType.RPLC, second_id, first_id),
    }
    assert place.found(status=Status.DEPRECATED) == {first.new_uid: first_id}
    assert place.given(str(first.new_uid)).content == first.content
    assert place.given(uid) == second


def test_without_persistence_nothing_is_kept(place: Place) -> None:
    settings = {"publishing": {"persist_on_demand": False}}
    place.restart(**settings)
    uid = place.offer()["documentUniqueId"]
    before, blobs = place.counts(), place.world.blobs()
    first = place.given(uid)
    assert first.new_repository is None
    assert listed(first)
    place.restart(**settings)
    assert place.given(uid) == first
    assert (place.counts(), place.world.blobs()) == (before, blobs)
    assert place.found() == {}
    assert place.error(str(first.new_uid))[0] == "XDSDocumentUniqueIdError"
    place.store(place.study.object(InstanceNumber=2))
    assert place.given(uid).new_uid != first.new_uid


def test_on_demand_among_others(place: Place) -> None:
    uid = place.offer()["documentUniqueId"]
    stable = messages.provided(s.new())
    assert place.world.provide(stable, {stable.entries[0].id: b"%PDF-1.4"}).outcome == "Success"
    plain = str(stable.entries[0].unique_id)
    answer = place.world.retrieve(("9.9.9", uid), (REPOSITORY, plain), (REPOSITORY, uid), (REPOSITORY, "1.2.3.4"))
    assert answer.outcome == "PartialSuccess"
    assert [(d.uid, d.new_uid is not None) for d in documents(answer)] == [(plain, False), (uid, True)]
    wrong = [(e.code, e.location) for e in answer.errors]
    assert wrong == [("XDSUnknownRepositoryId", uid), ("XDSDocumentUniqueIdError", "1.2.3.4")]


def test_each_of_several_studies_is_itself(place: Place) -> None:
    other = Study()
    place.store(other.object())
    uids = [place.offer()["documentUniqueId"], place.offer(uid=other.uid)["documentUniqueId"]]
    one, two = documents(place.retrieve(*uids))
    assert not listed(one) & listed(two)


def test_the_published_manifest_and_the_snapshot_leave_each_other_alone(place: Place) -> None:
    with place.world.client.post(f"/xds/imaging/studies/{place.study.uid}/publish") as response:
        published = response.get_json()["documentUniqueId"]
    given = place.given(place.offer()["documentUniqueId"])
    assert set(place.found()) == {published, given.new_uid}


def test_its_own_submissions_keep_the_rules_that_others_must(place: Place, submitted: list[Submission]) -> None:
    place.given(place.offer()["documentUniqueId"])
    promise, snapshot = submitted
    assert list(findings(promise, ON_DEMAND_RULES)) == []
    assert list(findings(snapshot, REGISTER)) == []


def test_after_a_metadata_update_snapshots_are_of_the_new_version(place: Place, submitted: list[Submission]) -> None:
    offered = place.offer()
    uid = offered["documentUniqueId"]
    place.given(uid)
    (promise,) = submitted[0].entries
    asked = version(replace(promise, id=offered["entryUUID"]), title="Rättad")
    answer = place.world.send(Action.UPDATE_DOCUMENT_SET, messages.update_document_set(asked))
    assert answer.outcome == "Success", answer.text
    new_id = asked.entries[0].id
    assert place.found(ON_DEMAND) == {uid: new_id}
    assert place.offer() == {"documentUniqueId": uid, "entryUUID": new_id, "unchanged": True}
    place.store(place.study.object(InstanceNumber=2))
    given = place.given(uid)
    shot = place.found()[str(given.new_uid)]
    assert (AssociationType.IS_SNAPSHOT_OF, shot, new_id) in place.relations(shot)


def test_it_opens_by_fhir_too(place: Place) -> None:
    offered = place.offer()
    given = place.given(offered["documentUniqueId"])
    token = place.study.who.token
    with place.world.client.get("/fhir/DocumentReference", query_string={"patient.identifier": token}) as response:
        (match,) = response.get_json()["entry"]
    (relation,) = match["resource"]["relatesTo"]
    target = relation["target"]["reference"]
    assert target == f"DocumentReference/{offered['entryUUID'].removeprefix('urn:uuid:')}"
    with place.world.client.get(f"/fhir/{target}") as response:
        attachment = response.get_json()["content"][0]["attachment"]
    assert not {"hash", "size"} & set(attachment)
    with place.world.client.get(attachment["url"]) as response:
        assert (response.status_code, response.data) == (200, given.content)
