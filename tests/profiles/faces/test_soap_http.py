"""SOAP services behind a real socket: their WSDL, other methods, bodies that come in pieces or not at all."""

import socket
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import requests
import soap_client
from wire.soap_world import SERVICE, World, judged, open_world, packaged, served

from conformance import messages, synthetic
from registry.metadata.urn import Action

ASKED = Action.REGISTRY_STORED_QUERY
QUERY = messages.find_documents(synthetic.patient_id(1))
HEADERS = messages.headers(ASKED)
RETRIEVE = messages.retrieve_document_set([("1.2.3", "4.5.6")])


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("world") / "data")


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    with served(world) as found:
        yield found


@pytest.mark.parametrize("service", ["registry", "repository", "imaging", "gateway"])
@pytest.mark.parametrize("query", ["?wsdl", "?WSDL", "?wsdl=1"])
def test_zeep_reads_each_wsdl_and_finds_its_operations(url: str, service: str, query: str) -> None:
    described = soap_client.client(f"{url}/xds/{service}{query}")
    operations = described.service._binding.all().values()
    assert {o.abstract.wsa_action for o in operations} == {a.value for a, s in SERVICE.items() if s == service}


def test_a_get_without_wsdl_says_what_to_do(url: str) -> None:
    for service in ("registry", "repository", "imaging"):
        answer = requests.get(f"{url}/xds/{service}", timeout=5)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
        assert "wsdl" in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(url: str, method: str) -> None:
    assert requests.request(method, f"{url}/xds/registry", data=QUERY, timeout=5).status_code == 405


def test_other_paths_are_not_there(url: str) -> None:
    assert requests.post(f"{url}/xds/other", data=QUERY, headers=HEADERS, timeout=5).status_code == 404


def test_answers_over_a_socket_are_the_same(url: str) -> None:
    answer = requests.post(f"{url}/xds/registry", data=QUERY, headers=HEADERS, timeout=5)
    found = judged(answer.status_code, answer.headers["Content-Type"], answer.content)
    assert (found.outcome, found.objects) == ("Success", [])
    assert found.content_type.startswith("application/soap+xml")
    assert f'action="{ASKED.response}"' in found.content_type


def test_a_body_in_chunks_of_unknown_length(url: str) -> None:
    headers, body = packaged(RETRIEVE)
    answer = requests.post(
        f"{url}/xds/repository", data=iter([body[:10], body[10:500], body[500:]]), headers=headers, timeout=5
    )
    found = judged(answer.status_code, answer.headers["Content-Type"], answer.content)
    assert found.content_type.startswith("multipart/related")
    assert found.codes == ["XDSUnknownRepositoryId"]


def test_a_body_that_is_cut_off_leaves_nothing(url: str, world: World) -> None:
    headers, body = packaged(RETRIEVE, ("a", b"x" * 100_000))
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        head = f"POST /xds/repository HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        peer.sendall((head + f"Content-Type: {headers['Content-Type']}\r\n\r\n").encode() + body[:50_000])
        peer.shutdown(socket.SHUT_WR)
        assert BytesIO(peer.recv(65536)).readline().split()[1] == b"400"
    assert world.temporaries() == []
