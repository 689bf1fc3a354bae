"""Two real servers, told of each other by settings, and zeep as the consumer of one of them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import examination
import pytest
import region
from examination import Document, slot
from region import Region
from xca_messages import HOME, NORTH, REPOSITORY, community, urn

from registry.metadata.urn import ResponseStatus, Status, StoredQueryId


@pytest.fixture
def regions(tmp_path: Path, postgresql: str) -> Iterator[tuple[Region, Region]]:
    """Ours on SQLite, the north on PostgreSQL."""
    with ExitStack() as stack:
        settings = {
            "XDSI_AFFINITY_DOMAIN__HOME_COMMUNITY_ID": NORTH,
            "XDSI_AFFINITY_DOMAIN__REPOSITORY_UNIQUE_ID": REPOSITORY[NORTH],
            "XDSI_WEB__WORKERS": "1",
        }
        north = region.start(tmp_path / "north", postgresql.replace("+psycopg", ""), **settings)
        stack.callback(north.server.stop)
        communities = json.dumps([community(NORTH, f"{north.url}/xds/gateway")])
        ours = region.start(tmp_path / "ours", XDSI_COMMUNITIES=communities, XDSI_WEB__WORKERS="1")
        stack.callback(ours.server.stop)
        yield ours, north


def find(region_: Region, cx: str) -> Any:
    slots = [slot("$XDSDocumentEntryPatientId", f"'{cx}'"), slot("$XDSDocumentEntryStatus", f"('{Status.APPROVED}')")]
    return region_.soap("initiating-gateway").service.RegistryStoredQuery(
        ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
        AdhocQuery={"id": StoredQueryId.FIND_DOCUMENTS, "Slot": slots},
    )


def test_a_consumer_reads_what_both_regions_have(regions: tuple[Region, Region]) -> None:
    ours, north = regions
    who = examination.person()
    here, there = Document(who, b"%PDF here"), Document(who, b"%PDF there" * 100_000)
    ours.provide(here)
    north.provide(there)
    answer = find(ours, who.cx)
    assert answer.status == ResponseStatus.SUCCESS, answer
    entries = [one["ExtrinsicObject"] for one in region.objects(answer)]
    assert {entry.home for entry in entries} == {urn(HOME), urn(NORTH)}
    wanted = [
        {
            "HomeCommunityId": entry.home,
            "RepositoryUniqueId": region.slots_of(entry)["repositoryUniqueId"][0],
            "DocumentUniqueId": here.uid if entry.home == urn(HOME) else there.uid,
        }
        for entry in entries
    ]
    given = ours.soap("initiating-gateway").service.RetrieveDocumentSet(DocumentRequest=wanted)
    assert given.RegistryResponse.status == ResponseStatus.SUCCESS, given
    found = {one.HomeCommunityId: one.Document for one in given.DocumentResponse}
    assert found == {urn(HOME): here.content, urn(NORTH): there.content}
    north.server.stop()
    answer = find(ours, who.cx)
    assert answer.status == ResponseStatus.PARTIAL_SUCCESS
    assert region.codes(answer) == ["XDSUnavailableCommunity"]
    assert [one["ExtrinsicObject"].home for one in region.objects(answer)] == [urn(HOME)]
