"""ITI-38 and ITI-39: other communities get what our own would, with our name on everything."""

from base64 import b64encode
from typing import Any

import pytest
from wire import submissions as s
from wire.soap_world import Answer, World, packaged
from xca_messages import HOME, NORTH, REPOSITORY, find, query, retrieve, urn

from conformance import messages
from profiles.document_sharing.query_tables import SINGLE_PATIENT, Kind
from registry.metadata.model import Submission
from registry.metadata.urn import Action, AssociationType, Namespace, Status, StoredQueryId

XCQ, XCR = Action.CROSS_GATEWAY_QUERY, Action.CROSS_GATEWAY_RETRIEVE
OURS = urn(HOME)
KNOWN = "1^^^&1.2.752.129.2.1.3.1&ISO"
VALUES = {
    Kind.PATIENT: f"'{KNOWN}'",
    Kind.STATUS: f"('{Status.APPROVED}')",
    Kind.UUID: "urn:uuid:00000000-0000-4000-8000-000000000000",
    Kind.TEXT: "1.2.3.4",
    Kind.RELATION: f"('{AssociationType.RPLC}')",
    Kind.REFERENCE: "('1.2.3')",
    Kind.REFERENCE_PATTERN: "('1.2.3')",
}


@pytest.fixture(scope="module")
def kept(world: World) -> Submission:
    made = messages.provided(s.new(2))
    assert world.provide(made, {e.id: e.id.encode() for e in made.entries}).outcome == "Success"
    return made


def asked(world: World, body: bytes) -> Answer:
    return world.post("gateway", messages.headers(XCQ), body)


def parameters(id_: StoredQueryId) -> list[tuple[str, str]]:
    """The least that the stored query can be asked with."""
    shape = SINGLE_PATIENT[id_]
    values = []
    for name in (*shape.required, *shape.one_of[:1]):
        parameter = shape.by_name[name]
        value = VALUES[parameter.kind].strip("'()")
        values.append((name, f"('{value}')" if parameter.many else f"'{value}'"))
    return values


def homes(answer: Answer) -> set[str | None]:
    return {element.get("home") for element in answer.objects}


# --- ITI-38 ---


@pytest.mark.parametrize("home", ["", OURS])
@pytest.mark.parametrize("returns", ["LeafClass", "ObjectRef"])
def test_a_patients_documents_have_our_home(world: World, kept: Submission, home: str, returns: str) -> None:
    answer = asked(world, find(kept.entries[0].patient_id, home, returns, XCQ))
    assert answer.outcome == "Success"
    assert answer.action == XCQ.response
    assert {e.get("id") for e in answer.objects} == {e.id for e in kept.entries}
    assert homes(answer) == {OURS}


def test_every_kind_of_object_has_our_home(world: World, kept: Submission) -> None:
    set_id = [("$XDSSubmissionSetEntryUUID", f"'{kept.submission_set.id}'")]
    for returns in ("LeafClass", "ObjectRef"):
        answer = asked(world, query(StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS, set_id, OURS, returns, XCQ))
        kinds = {e.tag.rpartition("}")[2] for e in answer.objects}
        assert kinds == (
            {"ObjectRef"} if returns == "ObjectRef" else {"RegistryPackage", "ExtrinsicObject", "Association"}
        )
        assert homes(answer) == {OURS}


def test_it_is_otherwise_the_answer_of_the_registry(world: World, kept: Submission) -> None:
    def bodies(answer: Answer) -> list[Any]:
        found = []
        for element in answer.objects:
            element.attrib.pop("home", None)
            found.append((element.tag, sorted(element.attrib.items()), [c.get("name") for c in element]))
        return found

    patient = kept.entries[0].patient_id
    assert bodies(asked(world, find(patient, action=XCQ))) == bodies(world.query(find(patient)))


def test_a_home_that_was_submitted_gives_way_to_ours(world: World) -> None:
    """A consumer retrieves by it, and the document is here."""
    made = s.new()
    body = messages.register_document_set(made)
    body = body.replace(b"<rim:ExtrinsicObject ", f'<rim:ExtrinsicObject home="{urn(NORTH)}" '.encode())
    assert world.send(Action.REGISTER_DOCUMENT_SET, body).outcome == "Success"
    assert homes(world.query(find(made.entries[0].patient_id))) == {urn(NORTH)}
    assert homes(asked(world, find(made.entries[0].patient_id, action=XCQ))) == {OURS}


@pytest.mark.parametrize("id_", SINGLE_PATIENT, ids=lambda id_: id_.name)
def test_a_query_without_a_patient_must_name_us(world: World, id_: StoredQueryId) -> None:
    patient = any(SINGLE_PATIENT[id_].by_name[name].kind is Kind.PATIENT for name, _ in parameters(id_))
    answer = asked(world, query(id_, parameters(id_), action=XCQ))
    if patient:
        assert answer.outcome == "Success"
    else:
        assert [(e.code, e.location) for e in answer.errors] == [("XDSMissingHomeCommunityId", OURS)]
        assert "AdhocQuery.home" in answer.text
    assert asked(world, query(id_, parameters(id_), OURS, action=XCQ)).outcome == "Success"


@pytest.mark.parametrize("home", [urn(NORTH), HOME, "urn:oid:", f"{OURS}.1", "urn:uuid:x", "å<&>\"'"])
def test_another_community_is_unknown_here(world: World, kept: Submission, home: str) -> None:
    answer = asked(world, find(kept.entries[0].patient_id, home, action=XCQ))
    assert answer.outcome == "Failure"
    assert [(e.code, e.location) for e in answer.errors] == [("XDSUnknownCommunity", OURS)]
    assert OURS in answer.text


def test_all_that_is_wrong_is_told_at_once_and_located(world: World) -> None:
    wrong = [("$XDSDocumentEntryEntryUUID", "'x'"), ("$XDSDocumentEntryUniqueId", "('1.2')")]
    answer = asked(world, query(StoredQueryId.GET_DOCUMENTS, wrong, action=XCQ))
    assert {"XDSMissingHomeCommunityId", "XDSStoredQueryParamNumber", "XDSRegistryError"} <= set(answer.codes)
    assert {e.location for e in answer.errors} == {OURS}
    assert "$XDSDocumentEntryEntryUUID" in answer.text


def test_what_the_registry_refuses_is_located_too(world: World) -> None:
    one, other = s.new(), s.new()
    for made in (one, other):
        assert world.register(made).outcome == "Success"
    ids = f"('{one.entries[0].id}','{other.entries[0].id}')"
    answer = asked(world, query(StoredQueryId.GET_DOCUMENTS, [("$XDSDocumentEntryEntryUUID", ids)], OURS, action=XCQ))
    assert [(e.code, e.location) for e in answer.errors] == [("XDSResultNotSinglePatient", OURS)]


def test_queries_of_several_patients_are_unknown(world: World) -> None:
    id_ = StoredQueryId.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS
    answer = asked(world, query(id_, [("$XDSDocumentEntryStatus", VALUES[Kind.STATUS])], action=XCQ))
    assert answer.codes == ["XDSUnknownStoredQuery"]


def test_without_an_adhoc_query(world: World) -> None:
    body = f'<q:AdhocQueryRequest xmlns:q="{Namespace.QUERY}"/>'
    assert asked(world, messages.envelope(XCQ, body)).codes == ["XDSRegistryError"]


@pytest.mark.parametrize("action", [Action.REGISTRY_STORED_QUERY, Action.REGISTER_DOCUMENT_SET])
def test_it_takes_nothing_but_what_gateways_send(world: World, action: Action) -> None:
    answer = world.post("gateway", messages.headers(action), find(KNOWN, action=action))
    assert answer.fault is not None
    assert answer.fault[1] == "ActionNotSupported"


# --- ITI-39 ---


def fetched(world: World, *wanted: tuple[str | None, str, str]) -> Answer:
    return world.post("gateway", *packaged(retrieve(*wanted, action=XCR)))


def test_documents_have_our_home(world: World, kept: Submission) -> None:
    wanted = [(OURS, REPOSITORY[HOME], str(e.unique_id)) for e in kept.entries]
    answer = fetched(world, *wanted)
    assert (answer.outcome, answer.action) == ("Success", XCR.response)
    responses = list(answer.body.iter(f"{{{Namespace.XDS_B}}}DocumentResponse"))
    assert [tuple(r.findtext(f"{{*}}{name}") for name in ("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId")) for r in responses] == wanted  # fmt: skip
    assert [r.findtext("{*}Document") for r in responses] == [b64encode(e.id.encode()).decode() for e in kept.entries]


def test_each_request_is_judged_by_itself(world: World, kept: Submission) -> None:
    one = str(kept.entries[0].unique_id)
    answer = fetched(
        world,
        (None, REPOSITORY[HOME], one),
        (urn(NORTH), REPOSITORY[HOME], one),
        (OURS, REPOSITORY[HOME], one),
        (OURS, "9.9.9", one),
        (OURS, REPOSITORY[HOME], "1.2.3.4"),
    )
    assert (answer.outcome, len(answer.documents)) == ("PartialSuccess", 1)
    assert answer.codes == [
        "XDSMissingHomeCommunityId",
        "XDSUnknownCommunity",
        "XDSUnknownRepositoryId",
        "XDSDocumentUniqueIdError",
    ]
    assert {e.location for e in answer.errors} == {OURS}
    assert "1.2.3.4" in answer.errors[3].context


def test_nothing_for_us(world: World, kept: Submission) -> None:
    answer = fetched(world, (urn(NORTH), REPOSITORY[HOME], str(kept.entries[0].unique_id)))
    assert (answer.outcome, answer.codes) == ("Failure", ["XDSUnknownCommunity"])


@pytest.mark.parametrize("wanted", [(), ((OURS, "", "1.2"),), ((OURS, "1.2", " "),), ((OURS, "1.2", "3"),) * 1001])
def test_a_request_for_nothing_or_too_much(world: World, wanted: tuple[tuple[str, str, str], ...]) -> None:
    answer = fetched(world, *wanted)
    assert answer.outcome == "Failure"
    assert {(e.code, e.location) for e in answer.errors} == {("XDSRepositoryError", OURS)}
