"""The Initiating Gateway among communities that behave: one question, all answers, each with its home."""

import json
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from stubs import stub
from wire import submissions as s
from wire.soap_world import Answer, World, judged, open_world, packaged, served
from xca_messages import ELSEWHERE, HOME, NORTH, REPOSITORY, SOUTH, community, find, query, retrieve, urn

from conformance import messages
from database.engine import Database
from profiles.faces.reply import Reply
from profiles.post_office import Postman
from registry.metadata.model import Submission
from registry.metadata.urn import Action, Namespace, StoredQueryId

QUERY, RETRIEVE = Action.REGISTRY_STORED_QUERY, Action.RETRIEVE_DOCUMENT_SET


@pytest.fixture(scope="module")
def everywhere(gateway: World, north: World, south: World) -> dict[str, Submission]:
    """A patient's documents in each community: one here, two in the north, one in the south."""
    made = {HOME: s.new(1), NORTH: s.new(2), SOUTH: s.new(1)}
    patient = made[HOME].entries[0].patient_id
    for (oid, submission), world in zip(made.items(), (gateway, north, south), strict=True):
        made[oid] = messages.provided(s.of_patient(submission, patient))
        assert world.provide(made[oid], {e.id: e.id.encode() for e in made[oid].entries}).outcome == "Success"
    return made


def asked(world: World, body: bytes) -> Answer:
    return world.post("initiating-gateway", messages.headers(QUERY), body)


def fetched(world: World, *wanted: tuple[str | None, str, str]) -> Answer:
    return world.post("initiating-gateway", *packaged(retrieve(*wanted)))


def patient_of(everywhere: dict[str, Submission]) -> str:
    return str(everywhere[HOME].entries[0].patient_id)


def ids_by_home(answer: Answer) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for element in answer.objects:
        found.setdefault(element.get("home"), set()).add(element.get("id"))
    return found


def expected(everywhere: dict[str, Submission], *oids: str) -> dict[str, set[str]]:
    return {urn(oid): {e.id for e in everywhere[oid].entries} for oid in oids}


# --- queries ---


@pytest.mark.parametrize("returns", ["LeafClass", "ObjectRef"])
def test_a_patients_documents_come_from_everywhere(
    gateway: World, everywhere: dict[str, Submission], returns: str
) -> None:
    answer = asked(gateway, find(patient_of(everywhere), returns=returns))
    assert (answer.outcome, answer.action) == ("Success", QUERY.response)
    assert ids_by_home(answer) == expected(everywhere, HOME, NORTH, SOUTH)
    kind = "ObjectRef" if returns == "ObjectRef" else "ExtrinsicObject"
    assert {e.tag.rpartition("}")[2] for e in answer.objects} == {kind}


def test_other_communities_objects_come_as_their_gateways_give_them(
    gateway: World, north: World, everywhere: dict[str, Submission]
) -> None:
    def canonical(answer: Answer) -> list[bytes]:
        from lxml.etree import tostring

        return sorted(tostring(e, method="c14n", exclusive=True, with_tail=False) for e in answer.objects)

    action = Action.CROSS_GATEWAY_QUERY
    theirs = north.post("gateway", messages.headers(action), find(patient_of(everywhere), action=action))
    through = asked(gateway, find(patient_of(everywhere), urn(NORTH)))
    assert canonical(through) == canonical(theirs) != []


@pytest.mark.parametrize("oid", [HOME, NORTH, SOUTH])
def test_a_query_that_names_a_community_goes_to_that_one(
    gateway: World, everywhere: dict[str, Submission], oid: str
) -> None:
    assert ids_by_home(asked(gateway, find(patient_of(everywhere), urn(oid)))) == expected(everywhere, oid)


@pytest.mark.parametrize("oid", [HOME, NORTH])
def test_what_has_no_patient_id_is_asked_of_the_community_that_is_named(
    gateway: World, everywhere: dict[str, Submission], oid: str
) -> None:
    made = everywhere[oid]
    set_id = [("$XDSSubmissionSetEntryUUID", f"'{made.submission_set.id}'")]
    answer = asked(gateway, query(StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS, set_id, urn(oid)))
    assert answer.outcome == "Success"
    assert ids_by_home(answer) == {urn(oid): {o.id for o in made.objects()}}


@pytest.mark.parametrize(
    ("targets", "oids"),
    [
        (f"('{urn(NORTH)}')", (NORTH,)),
        (f"('{urn(SOUTH)}','{urn(HOME)}')", (HOME, SOUTH)),
        (f"('{urn(SOUTH)}', '{urn(SOUTH)}')", (SOUTH,)),
        ("", (HOME, NORTH, SOUTH)),
    ],
)
def test_a_query_may_name_several_communities(
    gateway: World, everywhere: dict[str, Submission], targets: str, oids: tuple[str, ...]
) -> None:
    answer = asked(gateway, find(patient_of(everywhere), targetCommunityIdList=targets))
    assert answer.outcome == "Success"
    assert ids_by_home(answer) == expected(everywhere, *oids)


def test_of_several_communities_one_is_unknown(gateway: World, everywhere: dict[str, Submission]) -> None:
    targets = f"('{urn(ELSEWHERE)}','{urn(NORTH)}')"
    answer = asked(gateway, find(patient_of(everywhere), targetCommunityIdList=targets))
    assert answer.outcome == "PartialSuccess"
    assert [(e.code, e.location) for e in answer.errors] == [("XDSUnknownCommunity", urn(ELSEWHERE))]
    assert ids_by_home(answer) == expected(everywhere, NORTH)


@pytest.mark.parametrize(
    ("home", "more", "code"),
    [
        (urn(ELSEWHERE), {}, "XDSUnknownCommunity"),
        (NORTH, {}, "XDSUnknownCommunity"),
        ("", {"targetCommunityIdList": f"('{urn(ELSEWHERE)}')"}, "XDSUnknownCommunity"),
        ("", {"targetCommunityIdList": urn(NORTH)}, "XDSRegistryError"),
        (urn(NORTH), {"targetCommunityIdList": f"('{urn(NORTH)}')"}, "XDSStoredQueryParamNumber"),
        ("", {"XDSDocumentEntryClassCode": "('x')"}, "XDSRegistryError"),
    ],
)
def test_nobody_is_asked_what_cannot_be_answered(
    gateway: World, everywhere: dict[str, Submission], home: str, more: dict[str, str], code: str
) -> None:
    answer = asked(gateway, find(patient_of(everywhere), home, **more))
    assert (answer.outcome, answer.codes) == ("Failure", [code])


def test_a_query_without_a_patient_names_its_community(gateway: World, everywhere: dict[str, Submission]) -> None:
    wanted = [("$uuid", f"('{everywhere[NORTH].entries[0].id}')")]
    answer = asked(gateway, query(StoredQueryId.GET_ASSOCIATIONS, wanted))
    assert [(e.code, e.location) for e in answer.errors] == [("XDSMissingHomeCommunityId", urn(HOME))]


def test_what_another_community_refuses_is_told_as_its_own(gateway: World, north: World, south: World) -> None:
    one, other = s.new(), s.new()
    for made in (one, other):
        assert north.register(made).outcome == "Success"
    ids = [("$XDSDocumentEntryEntryUUID", f"('{one.entries[0].id}','{other.entries[0].id}')")]
    answer = asked(gateway, query(StoredQueryId.GET_DOCUMENTS, ids, urn(NORTH)))
    assert [(e.code, e.location) for e in answer.errors] == [("XDSResultNotSinglePatient", urn(NORTH))]
    assert answer.outcome == "Failure"


def test_nothing_anywhere_is_success(gateway: World, everywhere: dict[str, Submission]) -> None:
    answer = asked(gateway, find("0^^^&1.2.752.129.2.1.3.1&ISO"))
    assert (answer.outcome, answer.objects, answer.errors) == ("Success", [], [])


# --- documents ---


def test_documents_of_all_communities_in_the_order_asked(gateway: World, everywhere: dict[str, Submission]) -> None:
    order = [(NORTH, 1), (HOME, 0), (SOUTH, 0), (NORTH, 0), (NORTH, 1)]
    entries = [(oid, everywhere[oid].entries[number]) for oid, number in order]
    wanted = [(urn(oid), REPOSITORY[oid], str(entry.unique_id)) for oid, entry in entries]
    answer = fetched(gateway, *wanted)
    assert (answer.outcome, answer.action) == ("Success", RETRIEVE.response)
    responses = list(answer.body.iter(f"{{{Namespace.XDS_B}}}DocumentResponse"))
    assert [tuple(r.findtext(f"{{*}}{name}") for name in ("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId")) for r in responses] == wanted  # fmt: skip
    assert [r.findtext("{*}Document") for r in responses] == [b64encode(e.id.encode()).decode() for _, e in entries]


def test_each_document_that_cannot_be_had_is_told_with_its_community(
    gateway: World, everywhere: dict[str, Submission]
) -> None:
    uid = str(everywhere[NORTH].entries[0].unique_id)
    answer = fetched(
        gateway,
        (urn(NORTH), REPOSITORY[NORTH], uid),
        (urn(NORTH), REPOSITORY[NORTH], "1.2.3.4"),
        (urn(HOME), REPOSITORY[HOME], "1.2.3.5"),
        (urn(SOUTH), REPOSITORY[NORTH], uid),
        (urn(ELSEWHERE), "1.2.3", "1.2.3.6"),
        (None, REPOSITORY[HOME], "1.2.3.7"),
    )
    assert (answer.outcome, len(answer.documents)) == ("PartialSuccess", 1)
    assert {(e.code, e.location) for e in answer.errors} == {
        ("XDSDocumentUniqueIdError", urn(NORTH)),
        ("XDSDocumentUniqueIdError", urn(HOME)),
        ("XDSUnknownRepositoryId", urn(SOUTH)),
        ("XDSUnknownCommunity", urn(ELSEWHERE)),
        ("XDSMissingHomeCommunityId", urn(HOME)),
    }
    for number in range(4, 8):
        assert f"1.2.3.{number}" in answer.text


def test_no_document_at_all(gateway: World, everywhere: dict[str, Submission]) -> None:
    answer = fetched(gateway, (urn(NORTH), REPOSITORY[NORTH], "1.2.3.4"))
    assert (answer.outcome, answer.documents) == ("Failure", [])


def test_a_request_for_nothing_is_refused(gateway: World) -> None:
    assert fetched(gateway).codes == ["XDSRepositoryError"]


def test_a_large_document_passes_through_without_being_held(gateway: World, north: World) -> None:
    made = messages.provided(s.new())
    size = 64 * 2**20
    assert north.provide(made, {made.entries[0].id: bytes(size)}).outcome == "Success"
    body = retrieve((urn(NORTH), REPOSITORY[NORTH], str(made.entries[0].unique_id)))
    tracemalloc.start()
    answer = gateway.client.post("/xds/initiating-gateway", data=body, headers=messages.headers(RETRIEVE))
    with answer as response:
        length = sum(len(chunk) for chunk in response.iter_encoded())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert length > size
    assert peak < size / 4
    assert [path for path in gateway.data.iterdir() if path.name.startswith("tmp")] == []


# --- loops ---


def test_gateways_that_ask_each_other_end(
    gateway_to: Callable[..., World],
) -> None:
    """Our own gateway under another community's name: it answers once, with a home that is not that one's."""

    def forwarded(connection: object, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        content_type = next(h[14:] for h in head.decode().split("\r\n") if h.startswith("Content-Type: "))
        answer = world.client.post("/xds/gateway", data=body, headers={"Content-Type": content_type})
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {answer.content_type}\r\nContent-Length: {len(answer.data)}\r\n\r\n"
        connection.sendall(head.encode() + answer.data)  # type: ignore[attr-defined]

    with stub(forwarded) as found:
        world = gateway_to(found.url)
        made = s.new()
        assert world.register(made).outcome == "Success"
        answer = asked(world, find(made.entries[0].patient_id))
    assert len(found.requests) == 1
    assert ids_by_home(answer) == {urn(HOME): {made.entries[0].id}}
    assert [(e.code, e.location) for e in answer.errors] == [("XDSUnknownCommunity", urn(ELSEWHERE))]


def test_an_initiating_gateway_is_no_responding_one(gateway_to: Callable[..., World], gateway: World) -> None:
    """A community that gives out the address of the wrong service gets no question of a gateway passed on."""
    with served(gateway) as url:
        world = gateway_to(f"{url}/xds/initiating-gateway")
        answer = asked(world, find("1^^^&1.2.752.129.2.1.3.1&ISO"))
    assert [(e.code, e.location) for e in answer.errors] == [("XDSUnavailableCommunity", urn(ELSEWHERE))]
    assert "is not one of this service" in answer.text


# --- answers to another address ---


def test_a_question_that_waits_is_answered_by_the_gateway_and_not_by_the_registry(
    addresses: dict[str, str], everywhere: dict[str, Submission], sqlite_template: Path, tmp_path: Path
) -> None:
    communities = [community(NORTH, f"{addresses[NORTH]}/xds/gateway")]
    listed = {"reply_to": ["https://consumer.test/answers"]}
    world = open_world(sqlite_template, tmp_path / "data", communities=communities, soap=listed)
    header = b"<wsa:ReplyTo><wsa:Address>https://consumer.test/answers</wsa:Address></wsa:ReplyTo></soap:Header>"
    body = find(patient_of(everywhere)).replace(b"</soap:Header>", header)
    assert world.raw("initiating-gateway", messages.headers(QUERY), body)[0] == 202
    sent: list[Answer] = []

    def deliver(_: str, message: Reply) -> None:
        content = message.body if isinstance(message.body, bytes) else b"".join(message.body)
        sent.append(judged(200, message.content_type, content))

    assert Postman(world.house, Database(world.house.settings.database), deliver).work_once()
    assert [ids_by_home(answer) for answer in sent] == [expected(everywhere, NORTH)]


# --- audit ---


def test_what_is_asked_of_others_is_recorded_before_the_answer(
    gateway: World, everywhere: dict[str, Submission]
) -> None:
    def records() -> list[dict[str, object]]:
        lines = [
            line
            for path in sorted((gateway.data / "audit").rglob("*"))
            if path.is_file()
            for line in path.read_text().splitlines()
        ]
        return [json.loads(line) for line in lines]

    before = len(records())
    asked(gateway, find(patient_of(everywhere)))
    uid = str(everywhere[NORTH].entries[0].unique_id)
    fetched(gateway, (urn(NORTH), REPOSITORY[NORTH], uid))
    new = {str(one["transaction"]): one for one in records()[before:]}
    assert set(new) == {"ITI-18", "ITI-38", "ITI-39"}
    assert new["ITI-38"]["patients"] == [patient_of(everywhere)]
    assert new["ITI-38"]["objects"] == ["FindDocuments", urn(NORTH), urn(SOUTH)]
    assert (new["ITI-38"]["count"], new["ITI-38"]["outcome"]) == (3, 0)
    assert (new["ITI-39"]["objects"], new["ITI-39"]["count"]) == ([uid], 1)
