"""ITI-68: the document itself, or a Binary resource; and what a browser may do with it."""

import base64

import pytest
from fhir.resources.R4B.binary import Binary
from fhir_server import FakeDocument, Server, server

from profiles.mhd import iti68_retrieve_document
from registry.metadata.errors import ErrorCode

PDF = b"%PDF-1.7 " + bytes(range(256))


@pytest.fixture
def fake() -> Server:
    found = server()
    found.registry.documents |= {
        "d1": FakeDocument("application/pdf", PDF, "aa" * 20),
        "d2": FakeDocument("text/html", b"<script>alert(1)</script>"),
        "d3": FakeDocument("text/plain", "å".encode()),
        "d4": FakeDocument("text/plain\r\nX-Evil: 1", b"x"),
        "d5": FakeDocument("application/fhir+json", b'{"resourceType":"Bundle"}'),
        "far": FakeDocument("text/plain", b"x", repository="9.9.9"),
    }
    return found


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/pdf", "application/*", "application/fhir+json;q=0.1, application/pdf"]
)
def test_the_bytes(fake, accept):
    answer = fake.client.get("/fhir/Binary/d1", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.data) == (200, PDF)
    assert answer.content_type == "application/pdf"
    assert answer.headers["Content-Length"] == str(len(PDF))
    assert answer.headers["ETag"] == f'"{"aa" * 20}"'
    assert answer.headers["Content-Disposition"] == 'attachment; filename="d1.pdf"'


@pytest.mark.parametrize("id", ["d1", "d2", "d3", "d4", "d5"])
def test_a_browser_runs_nothing(fake, id):
    answer = fake.client.get(f"/fhir/Binary/{id}")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Disposition"].startswith("inline" if id == "d3" else "attachment")
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("accept", ["application/fhir+json", "application/fhir+json, */*;q=0.5"])
def test_a_binary_resource(fake, accept):
    answer = fake.client.get("/fhir/Binary/d1", headers={"Accept": accept})
    assert answer.content_type == "application/fhir+json; charset=utf-8"
    Binary.model_validate(answer.json)
    assert answer.json["contentType"] == "application/pdf"
    assert base64.b64decode(answer.json["data"]) == PDF


def test_a_document_that_is_fhir_is_given_as_it_is(fake):
    answer = fake.client.get("/fhir/Binary/d5", headers={"Accept": "application/fhir+json"})
    assert answer.json == {"resourceType": "Bundle"}


def test_a_large_document_is_not_wrapped(fake, monkeypatch):
    monkeypatch.setattr(iti68_retrieve_document, "LARGEST_BINARY", 8)
    answer = fake.client.get("/fhir/Binary/d1", headers={"Accept": "application/fhir+json"})
    assert answer.status_code == 406
    assert answer.json["issue"][0]["details"]["coding"][0]["code"] == ErrorCode.NotAcceptable.name


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("none", "*/*", 404),
        ("a'b", "*/*", 404),
        ("far", "*/*", 404),
        ("d1", "image/png", 406),
        ("d1", "application/pdf;q=0", 406),
    ],
)
def test_refused(fake, path, accept, status):
    answer = fake.client.get(f"/fhir/Binary/{path}", headers={"Accept": accept})
    assert answer.status_code == status
    assert answer.json["resourceType"] == "OperationOutcome"


def test_a_document_in_another_repository_is_told_so(fake):
    assert "9.9.9" in fake.client.get("/fhir/Binary/far").text


def test_what_the_client_holds_is_not_sent_again(fake):
    etag = fake.client.get("/fhir/Binary/d1").headers["ETag"]
    answer = fake.client.get("/fhir/Binary/d1", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")


def test_head(fake):
    answer = fake.client.head("/fhir/Binary/d1")
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(PDF))
