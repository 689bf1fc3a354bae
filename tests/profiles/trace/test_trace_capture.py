"""What the wire log keeps of each exchange, and what never."""

import hashlib
import json
import os
import stat
import time
from pathlib import Path

import pytest
from wire import submissions as s
from wire.soap_world import World, open_world, packaged
from wire_log import HEADERS, QUERY, get, newest, ring_of

from conformance import messages
from profiles.trace import capture
from profiles.trace.bodies import REMOVED, Watched, without_secrets
from profiles.trace.ring import Ring
from registry.metadata.urn import Namespace

SECRET = "c2VjcmV0LWFzc2VydGlvbg"


def test_a_query_is_kept_with_its_answer(world: World) -> None:
    world.query(QUERY)
    one = newest(world)
    assert (one["transaction"], one["status"], one["outcome"], one["findings"]) == ("ITI-18", 200, "ok", [])
    assert (one["method"], one["path"], one["peer"]) == ("POST", "/xds/registry", "127.0.0.1")
    assert 0 < one["seconds"] < 30
    assert abs(one["begun"] - time.time()) < 60
    (asked,) = one["request"]["parts"]
    assert asked["text"] == QUERY.decode()
    assert (asked["size"], asked["sha256"], asked["cut"]) == (len(QUERY), hashlib.sha256(QUERY).hexdigest(), False)
    assert "AdhocQueryResponse" in one["answer"]["parts"][0]["text"]
    assert ["Content-Type", HEADERS["Content-Type"]] in one["request"]["headers"]


def test_documents_are_kept_as_length_and_hash(world: World) -> None:
    made, document = messages.provided(s.new()), os.urandom(300_000)
    assert world.provide(made, {made.entries[0].id: document}).outcome == "Success"
    asked = newest(world)["request"]
    root, part = asked["parts"]
    assert "ProvideAndRegisterDocumentSetRequest" in root["text"]
    assert "text" not in part
    assert (part["size"], part["sha256"]) == (len(document), hashlib.sha256(document).hexdigest())
    assert asked["size"] > len(document)
    unique_id = str(made.entries[0].unique_id)
    headers, body = packaged(messages.retrieve_document_set([("1.2.752.129.2.9.2", unique_id)]))
    assert len(world.post("repository", headers, body).documents) == 1
    given = newest(world)["answer"]["parts"][1]
    assert (given["size"], given["sha256"]) == (len(document), hashlib.sha256(document).hexdigest())


def test_findings_have_their_source(world: World) -> None:
    wrong = s.new(creation_time="yesterday", language_code="x y")
    assert world.register(wrong).outcome == "Failure"
    one = newest(world)
    assert (one["transaction"], one["outcome"], one["status"]) == ("ITI-42", "refused", 200)
    found = {f["where"].rpartition(".")[2]: f for f in one["findings"]}
    assert set(found) == {"creationTime", "languageCode"}
    assert found["creationTime"]["source"] == "ITI TF-3, 4.2.3.2.6"
    assert found["creationTime"]["code"] == "XDSRegistryMetadataError"
    assert found["creationTime"]["text"].startswith("'yesterday'")


def test_faults_are_findings_too(world: World) -> None:
    world.post("registry", {"Content-Type": "application/soap+xml"}, messages.envelope("urn:x", "<a/>"))
    (fault,) = newest(world)["findings"]
    assert fault["code"] == "Sender / ActionNotSupported"
    assert "'urn:x'" in fault["text"]
    world.post("registry", {"Content-Type": "text/xml"}, f'<Envelope xmlns="{Namespace.SOAP_1_1}"/>'.encode())
    one = newest(world)
    assert (one["outcome"], one["findings"][0]["code"]) == ("failed", "VersionMismatch")


def test_other_doors_pass_the_same_seam(world: World) -> None:
    get(world, "/fhir/ImagingStudy/none-such")
    assert (newest(world)["outcome"], newest(world)["findings"][0]["code"]) == ("refused", "NotFound")
    get(world, "/dicomweb/studies/1.2.3/metadata", headers={"Accept": "application/dicom+json"})
    one = newest(world)
    assert (one["transaction"], one["status"]) == ("RAD-107", 404)
    assert one["findings"][0]["where"] == "1.2.3"
    assert one["findings"][0]["source"]


@pytest.mark.parametrize("path", ["/", "/health/live", "/metrics", "/trace", "/static/home.css", "/fhirx"])
def test_the_rest_is_not_kept(world: World, path: str) -> None:
    get(world, path)
    kept = [one["path"] for one in ring_of(world).newest()]
    assert kept == (["/fhirx"] if path == "/fhirx" else [])


def test_a_failure_of_this_server_is_told_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(type(world.house.registry), "query", broken)
    world.raw("registry", HEADERS, QUERY)
    assert newest(world)["outcome"] == "failed"
    assert SECRET not in json.dumps(newest(world))


def test_a_log_that_cannot_be_written_harms_no_exchange(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(Ring, "keep", full)
    assert world.query(QUERY).outcome == "Success"


def test_nothing_is_there_when_it_is_off(sqlite_template: Path, tmp_path: Path) -> None:
    off = open_world(sqlite_template, tmp_path / "off")
    off.query(QUERY)
    assert not isinstance(off.app.wsgi_app, capture.Seam)
    assert get(off, "/trace").status_code == 404
    assert not (tmp_path / "off" / "trace").exists()
    assert "/trace" not in get(off, "/").text


def test_credentials_are_taken_out(world: World) -> None:
    token = f'<wsse:Security xmlns:wsse="{Namespace.SECURITY}" soap:mustUnderstand="1"><a>{SECRET}</a></wsse:Security>'
    message = QUERY.replace(b"</soap:Header>", token.encode() + b"</soap:Header>")
    secrets = {
        "Authorization": f"Bearer {SECRET}",
        "Cookie": f"a={SECRET}",
        "X-Auth-Request": SECRET,
        "Api-Key": SECRET,
    }
    assert world.post("registry", {**HEADERS, **secrets}, message).outcome == "Success"
    get(world, f"/fhir/ImagingStudy?access_token={SECRET}&_count=1")
    folder = world.data / "trace"
    kept = "".join(path.read_text() for path in folder.iterdir())
    assert len(list(folder.iterdir())) == 2
    assert SECRET not in kept
    assert REMOVED in kept


@pytest.mark.parametrize(
    "text",
    [
        f"<wsse:Security><a>{SECRET}</a></wsse:Security>",
        f'<Security xmlns="urn:x"\n b="c">\n{SECRET}</Security  >',
        f"<o:Security><o:Security>{SECRET}",
        f"<wsse:Security>{SECRET}",
        f"grant_type=x&client_secret={SECRET}&b=c",
    ],
)
def test_spellings_of_credentials(text: str) -> None:
    assert SECRET not in without_secrets(text)


def test_an_empty_security_header_hides_nothing_else() -> None:
    assert without_secrets("<wsse:Security/><a>kept</a>") == "<wsse:Security/><a>kept</a>"


def test_utf16_is_read_before_credentials_are_taken_out() -> None:
    watched = Watched("application/soap+xml", 10_000)
    watched.feed(f"<w:Security>{SECRET}</w:Security>".encode("utf-16"))
    (part,) = watched.as_dict()["parts"]
    assert part["text"] == f"<w:Security>{REMOVED}</w:Security>"


def test_files_are_for_nobody_elses_eyes(world: World) -> None:
    before = os.umask(0)
    try:
        world.query(QUERY)
    finally:
        os.umask(before)
    folder = world.data / "trace"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
