"""Relations, references and Folders as a Document Source sends them, seen by a Document Consumer and over FHIR."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree
from wire import submissions as s
from wire.soap_world import RIM, World

from conformance import messages
from registry.identity import report_id
from registry.metadata.model import Association, Code, Folder, Submission
from registry.metadata.urn import AssociationType, ObjectType, StoredQueryId

META, DEPRECATED, OTHER = "XDSRegistryMetadataError", "XDSRegistryDeprecatedDocumentError", "XDSPatientIdDoesNotMatch"
A = AssociationType
START, LATER = 1_700_000_000.0, 1_700_000_060.0
FIRST, SECOND = "20231114221320", "20231114221420"
NOWHERE = "urn:uuid:00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def clock(world: World, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The registry's clock, which stands still until it is set."""
    now = [START]
    monkeypatch.setattr(world.house.registry, "_now", lambda: now[0])
    return now


def registered(world: World, made: Submission) -> Submission:
    answer = world.register(made)
    assert answer.outcome == "Success", answer.text
    return made


def refused(world: World, made: Submission) -> list[tuple[str, str]]:
    """Codes and locations of a refusal that changed nothing."""
    before = world.state()
    answer = world.register(made)
    assert (answer.outcome, world.state()) == ("Failure", before)
    return [(e.code, e.location) for e in answer.errors]


def fresh(made: Submission, number: int) -> str:
    """An id that nothing else in the submission has."""
    return f"{made.submission_set.id[:-4]}{number:04x}"


def has_member(made: Submission, source: str, target: str, status: str | None = None) -> Submission:
    one = Association(fresh(made, 0xA00 + len(made.associations)), A.HAS_MEMBER, source, target, status)
    return replace(made, associations=(*made.associations, one))


def with_folder(made: Submission) -> Submission:
    """With a new Folder that holds all documents of the submission."""
    owner = made.submission_set
    folder = Folder(
        fresh(made, 0xF), f"{owner.unique_id}.7", owner.patient_id, "Course", last_update_time="20200101000000",
        codes=(Code("a", "1.2.3"),),
    )  # fmt: skip
    made = has_member(replace(made, folders=(folder,)), owner.id, folder.id, "Original")
    for entry in made.entries:
        made = has_member(made, folder.id, entry.id)
    return made


def filed(made: Submission, folder: str, target: str) -> Submission:
    """With a filing of `target` in a registered Folder, which the SubmissionSet names as the book wants it."""
    made = has_member(made, folder, target)
    return has_member(made, made.submission_set.id, made.associations[-1].id)


def alone(patient: str | None) -> Submission:
    """A submission without documents."""
    made = s.of_patient(s.new(), patient)
    return replace(made, entries=(), associations=())


def links(world: World, *ids: str) -> set[tuple[str, str, str]]:
    """(type, source, target) of the associations of some objects."""
    asked = ",".join(f"'{id_}'" for id_ in ids)
    found = world.query(messages.stored_query(StoredQueryId.GET_ASSOCIATIONS, [("$uuid", f"({asked})")])).objects
    names = ("associationType", "sourceObject", "targetObject")
    return {tuple(str(one.get(name)) for name in names) for one in found}  # type: ignore[misc]


def folder_times(world: World, made: Submission) -> list[str]:
    """Every lastUpdateTime that the Folder of a submission is answered with."""
    parameters = [("$XDSSubmissionSetEntryUUID", f"'{made.submission_set.id}'")]
    found = world.query(messages.stored_query(StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS, parameters)).objects
    (folder,) = (one for one in found if one.get("id") == made.folders[0].id)
    slots = [one for one in folder.iterchildren(f"{RIM}Slot") if one.get("name") == "lastUpdateTime"]
    return [str(value.text) for slot in slots for value in slot.iter(f"{RIM}Value")]


def status(world: World, made: Submission) -> str:
    parameters = [("$XDSDocumentEntryEntryUUID", f"('{made.entries[0].id}')")]
    (found,) = world.query(messages.stored_query(StoredQueryId.GET_DOCUMENTS, parameters)).objects
    return str(found.get("status")).rpartition(":")[2]


def read(world: World, kind: str, id_: str) -> Any:
    with world.client.get(f"/fhir/{kind}/{id_}", headers={"Accept": "application/fhir+json"}) as response:
        assert response.status_code == 200, response.data
        return response.get_json()


# --- folders ---


def test_a_folder_is_given_the_registrys_time(world: World, clock: list[float]) -> None:
    made = registered(world, with_folder(s.new(2)))
    assert folder_times(world, made) == [FIRST]
    folder = made.folders[0].id
    assert {target for _, source, target in links(world, folder) if source == folder} == {e.id for e in made.entries}


def test_a_new_document_is_added_to_a_folder(world: World, clock: list[float]) -> None:
    made = registered(world, with_folder(s.new()))
    clock[0] = LATER
    more = s.of_patient(s.new(), made.entries[0].patient_id)
    more = registered(world, filed(more, made.folders[0].id, more.entries[0].id))
    assert folder_times(world, made) == [SECOND]
    filing, mark = more.associations[-2:]
    assert (A.HAS_MEMBER, filing.source, filing.target) in links(world, made.folders[0].id)
    assert (A.HAS_MEMBER, more.submission_set.id, filing.id) in links(world, mark.target)


def test_a_registered_document_is_added_to_a_folder(world: World, clock: list[float]) -> None:
    made = registered(world, with_folder(s.new()))
    old = registered(world, s.of_patient(s.new(), made.entries[0].patient_id))
    clock[0] = LATER
    registered(world, filed(alone(made.entries[0].patient_id), made.folders[0].id, old.entries[0].id))
    assert folder_times(world, made) == [SECOND]
    assert (A.HAS_MEMBER, made.folders[0].id, old.entries[0].id) in links(world, old.entries[0].id)


@pytest.mark.parametrize("kind", [A.RPLC, A.XFRM_RPLC])
def test_a_replacement_is_added_to_the_folder(world: World, clock: list[float], kind: A) -> None:
    made = registered(world, with_folder(s.new()))
    clock[0] = LATER
    newer = registered(world, s.following(made, kind))
    new = newer.entries[0].id
    assert folder_times(world, made) == [SECOND]
    assert links(world, new) == {
        (A.HAS_MEMBER, newer.submission_set.id, new),
        (A.HAS_MEMBER, made.folders[0].id, new),
        (kind, new, made.entries[0].id),
    }


def test_a_document_of_another_patient_is_not_added_to_a_folder(world: World, clock: list[float]) -> None:
    made, other = registered(world, with_folder(s.new())), registered(world, s.new())
    folder, patient = made.folders[0].id, made.entries[0].patient_id
    foreign = filed(alone(patient), folder, other.entries[0].id)
    assert refused(world, foreign) == [(OTHER, f"{foreign.associations[0].id}.targetObject")]
    more = s.new()
    more = filed(more, folder, more.entries[0].id)
    assert refused(world, more) == [(OTHER, f"{more.associations[-2].id}.sourceObject")]
    assert folder_times(world, made) == [FIRST]


def test_what_is_no_folder_or_is_not_there_takes_no_document(world: World) -> None:
    first = registered(world, s.new())
    for folder in (first.entries[0].id, NOWHERE):
        made = s.of_patient(s.new(), first.entries[0].patient_id)
        made = filed(made, folder, made.entries[0].id)
        assert refused(world, made) == [(META, f"{made.associations[-2].id}.sourceObject")]


# --- members by reference ---


def test_a_member_by_reference(world: World) -> None:
    old = registered(world, s.new())
    made = s.of_patient(s.new(), old.entries[0].patient_id)
    made = registered(world, has_member(made, made.submission_set.id, old.entries[0].id, "Reference"))
    assert (A.HAS_MEMBER, made.submission_set.id, old.entries[0].id) in links(world, old.entries[0].id)


def test_a_member_by_reference_that_must_not_be_one(world: World) -> None:
    old = registered(world, s.new())
    registered(world, s.following(old))
    patient = old.entries[0].patient_id
    for target, owner, code in (
        (old.entries[0].id, patient, DEPRECATED),
        (registered(world, s.new()).entries[0].id, patient, OTHER),
        (old.submission_set.id, patient, META),
        (NOWHERE, patient, META),
    ):
        made = s.of_patient(s.new(), owner)
        made = has_member(made, made.submission_set.id, target, "Reference")
        assert refused(world, made) == [(code, f"{made.associations[-1].id}.targetObject")]


# --- snapshots, versions ---


def test_a_snapshot_of_a_stable_document_is_none(world: World) -> None:
    first = registered(world, s.new())
    made = s.following(first, A.IS_SNAPSHOT_OF)
    assert refused(world, made) == [(META, f"{made.associations[-1].id}.targetObject")]


def test_a_snapshot_of_an_on_demand_document(world: World) -> None:
    first = registered(world, s.new())
    bare = first.entries[0].id.removeprefix("urn:uuid:")
    with closing(sqlite3.connect(world.data / "registry.sqlite")) as database, database:
        database.execute(
            "UPDATE document_entry SET object_type = ? WHERE id = ?", (ObjectType.ON_DEMAND_DOCUMENT.value, bare)
        )
    made = registered(world, s.following(first, A.IS_SNAPSHOT_OF))
    assert (A.IS_SNAPSHOT_OF, made.entries[0].id, first.entries[0].id) in links(world, first.entries[0].id)
    assert status(world, made) == "Approved"


@pytest.mark.parametrize("what", ["rim:ExtrinsicObject", "rim:RegistryPackage", "rim:Association"])
def test_a_later_version_is_for_metadata_update(world: World, what: str) -> None:
    first = registered(world, s.new())
    lids = {"rim:ExtrinsicObject": first.entries[0].id, "rim:RegistryPackage": first.submission_set.id}
    body = messages.register_document_set(s.of_patient(s.new(), first.entries[0].patient_id)).decode()
    head, mark, tail = body.partition(f"<{what} ")
    lid = tail.partition(' lid="')[2].partition('"')[0]
    before = world.state()
    answer = world.send(
        messages.Action.REGISTER_DOCUMENT_SET,
        (head + mark + tail.replace(f'lid="{lid}"', f'lid="{lids.get(what, NOWHERE)}"', 1)).encode(),
    )
    assert (answer.outcome, set(answer.codes), world.state()) == ("Failure", {META}, before)


# --- over FHIR ---


def test_a_replacement_shows_on_every_face(world: World) -> None:
    old = registered(world, s.new())
    new = registered(world, s.following(old))
    before, after = (one.entries[0].id.removeprefix("urn:uuid:") for one in (old, new))
    assert read(world, "DocumentReference", before)["status"] == "superseded"
    document = read(world, "DocumentReference", after)
    assert document["status"] == "current"
    replaces = {"code": "replaces", "target": {"reference": f"DocumentReference/{before}"}}
    assert document["relatesTo"] == [replaces]
    report = read(world, "DiagnosticReport", report_id(str(old.entries[0].unique_id)))
    assert (report["status"], report["meta"]["versionId"]) == ("amended", "2")
    assert report["presentedForm"][0]["url"].endswith(after)


def test_who_holds_a_superseded_document_reference_is_told(world: World, clock: list[float]) -> None:
    """The version and the time change with the status: else a client's copy would be called current for ever."""
    old = registered(world, s.new())
    path = f"/fhir/DocumentReference/{old.entries[0].id.removeprefix('urn:uuid:')}"
    held = world.client.get(path).headers
    assert world.client.get(path, headers={"If-None-Match": held["ETag"]}).status_code == 304
    clock[0] = LATER
    registered(world, s.following(old))
    answer = world.client.get(path, headers={"If-None-Match": held["ETag"]})
    assert (answer.status_code, answer.get_json()["status"]) == (200, "superseded")
    assert answer.get_json()["meta"] == {"versionId": "2", "lastUpdated": "2023-11-14T22:14:20.000Z"}
    assert answer.get_json()["date"] == "2023-11-14T22:13:20.000Z", "this one is the time of registration"
    assert answer.headers["Last-Modified"] != held["Last-Modified"]


def test_what_was_superseded_since_is_found_by_its_last_update(world: World, clock: list[float]) -> None:
    old = registered(world, s.new())
    clock[0] = LATER
    new = registered(world, s.following(old))
    value, authority = old.entries[0].patient_id.partition("^^^&")[::2]
    asked = {"patient.identifier": f"urn:oid:{authority.removesuffix('&ISO')}|{value}"}

    def found(**more: str) -> set[str]:
        bundle = world.client.get("/fhir/DocumentReference", query_string=asked | more).get_json()
        return {f"urn:uuid:{entry['resource']['id']}" for entry in bundle.get("entry", ())}

    since = "ge2023-11-14T22:14:00Z"
    both = {old.entries[0].id, new.entries[0].id}
    assert found(_lastUpdated=since, status="current,superseded") == both
    assert found(_lastUpdated=since, status="superseded") == {old.entries[0].id}
    assert found(date=since, status="current,superseded") == {new.entries[0].id}


@pytest.mark.parametrize(
    ("kind", "code"),
    [(A.APND, "appends"), (A.XFRM, "transforms"), (A.XFRM_RPLC, "replaces"), (A.SIGNS, "signs")],
)
def test_every_relation_shows_over_fhir(world: World, kind: A, code: str) -> None:
    old = registered(world, s.new())
    new = registered(world, s.following(old, kind))
    document = read(world, "DocumentReference", new.entries[0].id.removeprefix("urn:uuid:"))
    assert [one["code"] for one in document["relatesTo"]] == [code]


def test_everything_is_one_well_formed_answer(world: World, clock: list[float]) -> None:
    """The Folder's time stands where the schema wants a Slot: before the Name."""
    made = registered(world, with_folder(s.new()))
    parameters = [("$XDSSubmissionSetEntryUUID", f"'{made.submission_set.id}'")]
    answer = world.query(messages.stored_query(StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS, parameters))
    (folder,) = (one for one in answer.objects if one.get("id") == made.folders[0].id)
    assert [etree.QName(child).localname for child in folder][:2] == ["Slot", "Name"]
