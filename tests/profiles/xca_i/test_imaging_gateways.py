"""XCA-I on both sides, and RAD-69 to several sources: communities of ours that reach each other by real sockets."""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stubs import answering, stub
from wire.imaging import CALLER, EXPLICIT, IMPLICIT, Study, retrieval, sop_uid
from wire.soap_world import Answer, World, open_world, packaged, served
from xca_messages import HOME, NORTH, SOUTH, community, urn

from conformance import messages
from registry.metadata.urn import Action, Namespace

RETRIEVE = Action.RETRIEVE_IMAGING_DOCUMENT_SET
CROSS = Action.CROSS_GATEWAY_RETRIEVE_IMAGING_DOCUMENT_SET
SOURCE = {HOME: "1.2.752.129.2.9.3", NORTH: "1.2.3.103", SOUTH: "1.2.3.203"}
Wanted = dict[str, dict[str, list[tuple[str, str]]]]


@dataclass
class Region:
    """Two communities, a gateway that knows both and a third without an imaging gateway; a study in each of the two."""

    gateway: World
    worlds: dict[str, World]
    studies: dict[str, Study]
    objects: dict[str, list[bytes]]

    def wanted(self, oid: str, *uids: str) -> Wanted:
        study = self.studies[oid]
        named = uids or tuple(map(sop_uid, self.objects[oid]))
        return {study.uid: {study.series: [(SOURCE[oid], uid) for uid in named]}}


def at(oid: str) -> dict[str, Any]:
    return {"affinity_domain": {"home_community_id": oid, "retrieve_location_uid": SOURCE[oid]}}


@pytest.fixture(scope="module")
def region(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with ExitStack() as stack:
        worlds = {
            oid: open_world(sqlite_template, tmp_path_factory.mktemp("far") / "d", **at(oid)) for oid in (NORTH, SOUTH)
        }
        urls = {oid: stack.enter_context(served(world)) for oid, world in worlds.items()}
        dead = stack.enter_context(stub(answering(b"gone", status="503 Service Unavailable")))
        known = [community(o, f"{u}/xds/gateway", imaging_url=f"{u}/xds/gateway") for o, u in urls.items()]
        known.append(community("1.2.3.401", dead.url, imaging_url=dead.url))
        known.append(community("1.2.3.501", dead.url))
        sources = [
            {"repository_unique_id": SOURCE[NORTH], "url": f"{urls[NORTH]}/xds/imaging"},
            {"repository_unique_id": "1.2.3.403", "url": dead.url},
        ]
        data = tmp_path_factory.mktemp("gateway") / "d"
        gateway = open_world(sqlite_template, data, **at(HOME), communities=known, imaging_sources=sources)
        worlds[HOME] = gateway
        studies = {oid: Study() for oid in worlds}
        objects = {oid: [study.object(InstanceNumber=n) for n in (1, 2)] for oid, study in studies.items()}
        for oid, world in worlds.items():
            assert [o.finding for o in world.house.imaging.store([[o] for o in objects[oid]], CALLER)] == [None, None]
        yield Region(gateway, worlds, studies, objects)


def ask(world: World, service: str, body: str, action: Action = RETRIEVE) -> Answer:
    return world.post(service, *packaged(messages.envelope(action, body)))


def contents(answer: Answer) -> list[bytes]:
    return [b64decode(e.text or "") for e in answer.body.iter(f"{{{Namespace.XDS_B}}}Document")]


def both(first: str, second: str) -> str:
    """Two requests in one: the second's studies, with their own homes, behind the first's."""
    studies = second[second.index("<i:StudyRequest") : second.index("<i:TransferSyntaxUIDList")]
    return first.replace("<i:TransferSyntaxUIDList", f"{studies}<i:TransferSyntaxUIDList")


# --- Responding Imaging Gateway ---


def test_a_gateway_gives_what_its_community_holds(region: Region) -> None:
    answer = ask(region.worlds[NORTH], "gateway", retrieval(region.wanted(NORTH), EXPLICIT, home=urn(NORTH)), CROSS)
    assert (answer.outcome, answer.action) == ("Success", f"{CROSS}Response")
    assert contents(answer) == region.objects[NORTH]
    assert {e.text for e in answer.body.iter("{*}HomeCommunityId")} == {urn(NORTH)}


@pytest.mark.parametrize(
    ("home", "code"),
    [("", "XDSMissingHomeCommunityId"), (urn(SOUTH), "XDSUnknownCommunity"), (urn(NORTH), "XDSDocumentUniqueIdError")],
)
def test_every_error_is_located_in_the_community(region: Region, home: str, code: str) -> None:
    answer = ask(region.worlds[NORTH], "gateway", retrieval(region.wanted(NORTH, "1.2.9"), EXPLICIT, home=home), CROSS)
    assert [(e.code, e.location) for e in answer.errors] == [(code, urn(NORTH))]
    assert "1.2.9" in answer.text


def test_a_request_that_lacks_something_is_refused_with_the_home(region: Region) -> None:
    answer = ask(region.worlds[NORTH], "gateway", retrieval(region.wanted(NORTH), home=urn(NORTH)), CROSS)
    assert {(e.code, e.location) for e in answer.errors} == {("XDSRepositoryError", urn(NORTH))}


# --- Initiating Imaging Gateway ---


def test_instances_of_several_communities_come_in_one_answer(region: Region) -> None:
    body = both(
        retrieval(region.wanted(NORTH), EXPLICIT, home=urn(NORTH)),
        both(
            retrieval(region.wanted(SOUTH), EXPLICIT, home=urn(SOUTH)),
            retrieval(region.wanted(HOME), EXPLICIT, home=urn(HOME)),
        ),
    )
    answer = ask(region.gateway, "initiating-gateway", body)
    assert answer.outcome == "Success"
    assert sorted(contents(answer)) == sorted(o for objects in region.objects.values() for o in objects)


def test_a_community_that_is_not_there_does_not_spoil_the_rest(region: Region) -> None:
    lost = retrieval({"1.2": {"1.3": [("1.2.3.9", "1.4")]}}, EXPLICIT, home=urn("1.2.3.401"))
    answer = ask(
        region.gateway, "initiating-gateway", both(retrieval(region.wanted(NORTH), EXPLICIT, home=urn(NORTH)), lost)
    )
    assert (answer.outcome, contents(answer)) == ("PartialSuccess", region.objects[NORTH])
    assert [(e.code, e.location) for e in answer.errors] == [("XDSUnavailableCommunity", urn("1.2.3.401"))]


@pytest.mark.parametrize(
    ("home", "code", "where"),
    [
        ("", "XDSMissingHomeCommunityId", urn(HOME)),
        ("urn:oid:1.9", "XDSUnknownCommunity", "urn:oid:1.9"),
        (urn("1.2.3.501"), "XDSUnknownCommunity", urn("1.2.3.501")),
    ],
)
def test_a_community_that_cannot_be_asked_is_told(region: Region, home: str, code: str, where: str) -> None:
    answer = ask(region.gateway, "initiating-gateway", retrieval(region.wanted(NORTH, "1.4"), EXPLICIT, home=home))
    assert [(e.code, e.location) for e in answer.errors] == [(code, where)]


def test_errors_of_another_community_are_passed_on(region: Region) -> None:
    uid = sop_uid(region.objects[NORTH][0])
    body = retrieval(region.wanted(NORTH, uid, "1.2.9"), EXPLICIT, home=urn(NORTH))
    answer = ask(region.gateway, "initiating-gateway", body)
    assert (answer.outcome, contents(answer)) == ("PartialSuccess", region.objects[NORTH][:1])
    assert [(e.code, e.location) for e in answer.errors] == [("XDSDocumentUniqueIdError", urn(NORTH))]


# --- RAD-69 to several sources of one community ---


def test_another_source_of_the_community_is_asked_by_rad69(region: Region) -> None:
    body = both(retrieval(region.wanted(NORTH), EXPLICIT), retrieval(region.wanted(HOME), EXPLICIT))
    answer = ask(region.gateway, "imaging", body)
    assert answer.outcome == "Success"
    assert contents(answer) == region.objects[NORTH] + region.objects[HOME]
    assert [d[0] for d in answer.documents] == [SOURCE[NORTH]] * 2 + [SOURCE[HOME]] * 2


def test_errors_of_another_source_are_located_at_their_instance(region: Region) -> None:
    uid = sop_uid(region.objects[NORTH][1])
    answer = ask(region.gateway, "imaging", retrieval(region.wanted(NORTH, "1.2.9", uid), IMPLICIT, EXPLICIT))
    assert (answer.outcome, contents(answer)) == ("PartialSuccess", region.objects[NORTH][1:])
    assert [(e.code, e.location) for e in answer.errors] == [("XDSDocumentUniqueIdError", "1.2.9")]


def test_a_source_that_does_not_answer_is_an_error_of_each_instance(region: Region) -> None:
    lost = retrieval({"1.2": {"1.3": [("1.2.3.403", "1.4"), ("1.2.3.403", "1.5")]}}, EXPLICIT)
    answer = ask(region.gateway, "imaging", both(lost, retrieval(region.wanted(HOME), EXPLICIT)))
    assert (answer.outcome, contents(answer)) == ("PartialSuccess", region.objects[HOME])
    assert [(e.code, e.location) for e in answer.errors] == [("XDSRepositoryBusy", "1.4"), ("XDSRepositoryBusy", "1.5")]
