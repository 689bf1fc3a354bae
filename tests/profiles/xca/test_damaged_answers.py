"""Damaged copies of what a gateway answers: something is shown, or the community counts as unavailable; never more."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lxml import etree
from stubs import answering, stub
from wire import submissions as s
from wire.soap_world import World, packaged
from xca_messages import NORTH, REPOSITORY, find, retrieve, urn

from conformance import messages, mutations
from profiles.faces.soap_client import NoAnswer, Peer
from profiles.xca.asking import Given, ask
from profiles.xca.fetching import fetch
from profiles.xca.iti18_initiating_gateway import Consolidated, encode
from registry.metadata.model import Submission
from registry.metadata.urn import Action
from repository.service import DocumentRequest

MUTATIONS = int(os.environ.get("XDSI_MUTATIONS", "150"))
HOME = urn(NORTH)


@pytest.fixture(scope="module")
def kept(north: World) -> Submission:
    made = messages.provided(s.new(2))
    assert north.provide(made, {e.id: bytes(range(256)) * 20 for e in made.entries}).outcome == "Success"
    return made


@contextmanager
def answers(content_type: str, body: bytes, seed: str) -> Iterator[tuple[Peer, list[mutations.Message]]]:
    """A peer that gives one mutant after another; those that it has still to give."""
    unrelated = re.sub(rb"<wsa:RelatesTo>[^<]*</wsa:RelatesTo>", b"", body)
    waiting = list(mutations.mutants(seed, lambda: ({"Content-Type": content_type}, unrelated), MUTATIONS))
    waiting = [({"Content-Type": content_type}, unrelated), *waiting]

    def next_one(connection: object, request: bytes) -> None:
        headers, content = waiting.pop(0)
        given = re.sub(r"[^\x20-\x7e]", "?", headers.get("Content-Type", ""))
        answering(content, given)(connection, request)  # type: ignore[arg-type]

    with stub(next_one) as found:
        yield Peer(found.url, 5.0, None, 1_000_000, 1_000_000), waiting


def test_queries(north: World, kept: Submission) -> None:
    action = Action.CROSS_GATEWAY_QUERY
    body = find(kept.entries[0].patient_id, action=action)
    _, content_type, content = north.raw("gateway", messages.headers(action), body)
    good = 0
    with answers(content_type, content, "query") as (peer, waiting):
        while waiting:
            try:
                given = ask(peer, HOME, b"<a/>")
            except NoAnswer:
                continue
            good += bool(given.objects)
            answer = etree.fromstring(b"".join(encode(Consolidated((given, Given()))).body))
            shown = answer.find("{*}RegistryObjectList")
            assert [element.get("home") for element in shown] == [HOME] * len(given.objects)
            assert {f.where for f in given.findings} <= {HOME}
    assert good > 1


def test_documents(north: World, kept: Submission, tmp_path: Path) -> None:
    wanted = [(HOME, REPOSITORY[NORTH], str(e.unique_id)) for e in kept.entries]
    message = packaged(retrieve(*wanted, action=Action.CROSS_GATEWAY_RETRIEVE))
    _, content_type, content = north.raw("gateway", *message)
    requests = [DocumentRequest(repository, unique_id, home) for home, repository, unique_id in wanted]
    good = 0
    with answers(content_type, content, "documents") as (peer, waiting):
        while waiting:
            try:
                fetched = fetch(peer, HOME, requests, tmp_path)
            except NoAnswer:
                continue
            assert len(fetched.documents) == len(requests)
            for request, document in zip(requests, fetched.documents, strict=True):
                if document is not None:
                    good += 1
                    assert (document.home, document.unique_id) == (HOME, request.unique_id)
                    assert sum(map(len, document.chunks())) == document.size
            assert all(fetched.documents) or fetched.findings
    assert good > 2
    assert list(tmp_path.iterdir()) == []
