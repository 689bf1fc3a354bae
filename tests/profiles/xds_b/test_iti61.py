"""ITI-61: on-demand entries come in by their own door alone, and are seen by who asks for them."""

from dataclasses import replace
from typing import Any

import examination
import pytest
import soap_client
from examination import Document, person
from wire import submissions as s
from wire.soap_world import REPOSITORY, Answer, World, served

from conformance import messages
from registry.metadata.model import Submission
from registry.metadata.urn import Action, AssociationType, ObjectType, ResponseStatus, Status, StoredQueryId

ON_DEMAND, STABLE = ObjectType.ON_DEMAND_DOCUMENT, ObjectType.STABLE_DOCUMENT
ELSEWHERE = "1.2.752.129.2.9.77"


def new(**entry: Any) -> Submission:
    """A valid on-demand submission of a source elsewhere."""
    return s.entry(messages.promised(s.new(repository_unique_id=ELSEWHERE)), **entry)


def register(world: World, made: Submission) -> Answer:
    return world.send(Action.REGISTER_ON_DEMAND_DOCUMENT_ENTRY, messages.register_on_demand(made))


def found(world: World, made: Submission, *types: ObjectType, status: Status = Status.APPROVED) -> dict[str, Any]:
    """The patient's entries by entryUUID."""
    slots = [
        ("$XDSDocumentEntryPatientId", f"'{made.entries[0].patient_id}'"),
        ("$XDSDocumentEntryStatus", f"('{status}')"),
    ]
    if types:
        slots.append(("$XDSDocumentEntryType", "(" + ",".join(f"'{t}'" for t in types) + ")"))
    answer = world.query(messages.stored_query(StoredQueryId.FIND_DOCUMENTS, slots))
    assert answer.outcome == "Success", answer.text
    return {e.get("id"): e for e in answer.objects if e.tag.endswith("ExtrinsicObject")}


def test_an_on_demand_entry_is_found_by_who_asks_for_it(world: World) -> None:
    made = new()
    answer = register(world, made)
    assert (answer.outcome, answer.action) == ("Success", Action.REGISTER_ON_DEMAND_DOCUMENT_ENTRY.response)
    assert found(world, made) == found(world, made, STABLE) == {}
    ((id_, entry),) = found(world, made, ON_DEMAND).items()
    assert (id_, entry.get("objectType")) == (made.entries[0].id, ON_DEMAND)
    names = {slot.get("name") for slot in entry if slot.tag.endswith("Slot")}
    assert not names & {"creationTime", "hash", "size", "legalAuthenticator"}
    assert "repositoryUniqueId" in names
    assert set(found(world, made, STABLE, ON_DEMAND)) == {id_}


def test_both_kinds_of_one_patient_are_told_apart(world: World) -> None:
    made = new()
    stable = s.of_patient(s.new(), made.entries[0].patient_id)
    assert register(world, made).outcome == world.register(stable).outcome == "Success"
    assert set(found(world, made)) == {stable.entries[0].id}
    assert set(found(world, made, ON_DEMAND)) == {made.entries[0].id}
    assert len(found(world, made, ON_DEMAND, STABLE)) == 2


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("creation_time", "20240701"),
        ("hash", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("size", "0"),
        ("legal_authenticator", "^Alm^Eva"),
    ],
)
def test_what_tells_of_bytes_is_refused(world: World, attribute: str, value: str) -> None:
    answer = register(world, new(**{attribute: value}))
    assert (answer.outcome, answer.codes) == ("Failure", ["XDSRegistryMetadataError"])
    head, *rest = attribute.split("_")
    assert head + "".join(map(str.title, rest)) in answer.text


@pytest.mark.parametrize(
    "attribute", ["repository_unique_id", "unique_id", "language_code", "source_patient_id", "class_code", "type_code"]
)
def test_what_every_entry_needs_this_one_needs_too(world: World, attribute: str) -> None:
    answer = register(world, new(**{attribute: None}))
    assert (answer.outcome, answer.codes) == ("Failure", ["XDSRegistryMetadataError"]), answer.text


def test_a_stable_entry_is_refused_here(world: World) -> None:
    before = world.rows()
    answer = register(world, s.new())
    assert answer.outcome == "Failure"
    assert set(answer.codes) == {"XDSRegistryMetadataError"}
    assert "ITI-42" in answer.text
    mixed = s.new(2)
    mixed = replace(mixed, entries=(messages.promised(mixed).entries[0], mixed.entries[1]))
    assert "ITI-42" in register(world, mixed).text
    assert world.rows() == before


def test_an_on_demand_entry_is_refused_elsewhere(world: World) -> None:
    made, before = new(), world.rows()
    by_42 = world.register(made)
    by_41 = world.provide(s.entry(made, repository_unique_id=REPOSITORY), {made.entries[0].id: b"%PDF-1.4"})
    assert by_42.outcome == by_41.outcome == "Failure"
    assert "ITI-61" in by_42.text
    assert "ITI-61" in by_41.text
    assert world.rows() == before


def test_an_on_demand_entry_replaces_another(world: World) -> None:
    first = new()
    second = s.related(s.of_patient(new(), first.entries[0].patient_id), first.entries[0].id)
    assert register(world, first).outcome == "Success"
    answer = register(world, second)
    assert answer.outcome == "Success", answer.text
    assert set(found(world, first, ON_DEMAND)) == {second.entries[0].id}
    assert set(found(world, first, ON_DEMAND, status=Status.DEPRECATED)) == {first.entries[0].id}
    third = s.related(s.of_patient(new(), first.entries[0].patient_id), first.entries[0].id)
    assert register(world, third).codes == ["XDSRegistryDeprecatedDocumentError"]


def test_a_snapshot_of_another_source_is_registered_with_what_it_shows(world: World) -> None:
    promise = new()
    patient = promise.entries[0].patient_id
    shot = s.related(s.of_patient(s.new(), patient), promise.entries[0].id, AssociationType.IS_SNAPSHOT_OF)
    assert world.register(shot).codes  # nothing is promised yet
    assert register(world, promise).outcome == "Success"
    answer = world.register(shot)
    assert answer.outcome == "Success", answer.text
    assert set(found(world, promise)) == {shot.entries[0].id}
    assert set(found(world, promise, ON_DEMAND)) == {promise.entries[0].id}


def test_the_document_of_another_source_is_not_here(world: World) -> None:
    made = new()
    assert register(world, made).outcome == "Success"
    uid = str(made.entries[0].unique_id)
    assert world.retrieve((ELSEWHERE, uid)).codes == ["XDSUnknownRepositoryId"]
    assert world.retrieve((REPOSITORY, uid)).codes == ["XDSDocumentUniqueIdError"]


def test_it_is_no_report_and_no_document_of_fhir_searches(world: World) -> None:
    made = new()
    assert made.entries[0].mime_type == "application/pdf"
    assert register(world, made).outcome == "Success"
    number, _, authority = str(made.entries[0].patient_id).partition("^^^&")
    token = f"urn:oid:{authority.removesuffix('&ISO')}|{number}"
    for kind in ("DiagnosticReport", "DocumentReference"):
        with world.client.get(f"/fhir/{kind}", query_string={"patient.identifier": token}) as response:
            assert response.get_json()["total"] == 0, kind
    id_ = made.entries[0].id.removeprefix("urn:uuid:")
    with world.client.get(f"/fhir/DocumentReference/{id_}") as response:
        (content,) = response.get_json()["content"]
    assert not {"hash", "size", "creation"} & set(content["attachment"])
    with world.client.get(content["attachment"]["url"]) as response:
        assert response.status_code == 404
        assert ELSEWHERE in response.text


def test_a_client_made_of_the_wsdl_registers(world: World) -> None:
    who = person()
    document = Document(who, said=(("creationTime", None), ("repositoryUniqueId", ELSEWHERE)))
    message = examination.submission(document)
    message["RegistryObjectList"]["_value_1"][0]["ExtrinsicObject"]["objectType"] = ON_DEMAND
    with served(world) as url:
        client = soap_client.client(f"{url}/xds/registry?wsdl")
        (binding,) = client.wsdl.bindings
        answer = client.create_service(binding, f"{url}/xds/registry").RegisterOnDemandDocumentEntry(**message)
    assert answer.status == ResponseStatus.SUCCESS, answer
