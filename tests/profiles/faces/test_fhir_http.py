"""The FHIR side by HTTP: routes, bundles, paging, refusals; over an actor that notes what it is asked."""

import random
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir_server import BASE_URL, FHIR, PATIENT, PATIENT_TOKEN, Server, server, stored
from werkzeug.test import TestResponse

from profiles.catalog import Fhir, Profile, Transaction
from profiles.faces import fhir, fhir_bundle
from profiles.imaging_fhir.imaging_study import PARAMETERS
from registry.metadata.errors import ErrorCode
from registry.queries import Page, ResourceType

STUDY_BODY = (
    b'{"subject":{"reference":"Patient/' + PATIENT.encode() + b'"},"endpoint":[{"reference":"Endpoint/e1"}],'
    b'"identifier":[{"system":"urn:dicom:uid","value":"urn:oid:1.2.3"}]}'
)

ENDPOINT_BODY = rb'{"connectionType":{"code":"dicom-wado-rs"},"payloadType":[{"text":"x"}],"address":"\u0000/dicomweb"}'


@pytest.fixture
def fake() -> Server:
    """Three studies, and the endpoint that they point to."""
    found = server()
    found.registry.held = [
        *(stored(ResourceType.IMAGING_STUDY, f"s{n}", STUDY_BODY, status="available") for n in (1, 2, 3)),
        stored(ResourceType.ENDPOINT, "e1", ENDPOINT_BODY, 1, "active"),
        stored(ResourceType.PATIENT, "p1", b'{"active":true}', 1, "active"),
        stored(ResourceType.PATIENT, "p2", b'{"active":true}', 1, "active"),
    ]  # fmt: skip
    return found


def bundle(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/fhir+json; charset=utf-8"
    body: dict[str, Any] = orjson.loads(answer.data)
    Bundle.model_validate(body)
    return body


def refused(answer: TestResponse, status: int, code: ErrorCode | None = None) -> list[dict[str, Any]]:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/fhir+json; charset=utf-8"
    body: dict[str, Any] = orjson.loads(answer.data)
    OperationOutcome.model_validate(body)
    if code:
        assert body["issue"][0]["details"]["coding"][0]["code"] == code.name
        assert body["issue"][0]["code"] == code.issue
    issues: list[dict[str, Any]] = body["issue"]
    return issues


def link(body: dict[str, Any], relation: str) -> str:
    return next((one["url"] for one in body["link"] if one["relation"] == relation), "")


def test_a_searchset(fake):
    body = bundle(fake.client.get("/fhir/ImagingStudy"))
    assert body["total"] == 3
    assert body["entry"][0]["fullUrl"] == f"{FHIR}/ImagingStudy/s1"
    assert body["entry"][0]["search"] == {"mode": "match"}
    resource = body["entry"][0]["resource"]
    assert resource["meta"] == {"versionId": "1", "lastUpdated": "2023-11-14T22:13:20.250Z"}
    assert (resource["id"], resource["status"]) == ("s1", "available")


def test_a_search_that_finds_nothing_has_no_entry(fake):
    body = bundle(fake.client.get("/fhir/DiagnosticReport"))
    assert body["total"] == 0
    assert "entry" not in body


def test_endpoints_are_included_once_and_not_counted(fake):
    body = bundle(fake.client.get("/fhir/ImagingStudy?_include=ImagingStudy:endpoint&_count=2"))
    assert body["total"] == 3
    included = [one for one in body["entry"] if one["search"]["mode"] == "include"]
    assert [one["fullUrl"] for one in included] == [f"{FHIR}/Endpoint/e1"]
    assert included[0]["resource"]["address"] == f"{BASE_URL}/dicomweb"
    assert fake.registry.asked[-1].ids == ("e1",)


def test_pages_follow_each_other_to_the_end(fake):
    seen, url = [], f"{FHIR}/ImagingStudy?_count=1&status=available"
    while url:
        parts = urlsplit(url)
        body = bundle(fake.client.get(f"{parts.path}?{parts.query}"))
        seen += [one["resource"]["id"] for one in body["entry"]]
        url = link(body, "next")
    assert seen == ["s1", "s2", "s3"]


@pytest.mark.parametrize("asked", ["_count=0", "_summary=count"])
def test_count_alone(fake, asked):
    body = bundle(fake.client.get(f"/fhir/ImagingStudy?{asked}"))
    assert body["total"] == 3
    assert "entry" not in body
    assert not link(body, "next")


def test_a_page_is_never_larger_than_the_server_allows(fake):
    fake.client.get("/fhir/ImagingStudy?_count=1000000000")
    assert fake.registry.asked[-1].page == Page(200)


def test_get_and_post_ask_the_same(fake):
    by_get = fake.ask(f"ImagingStudy?patient.identifier={PATIENT_TOKEN}&started=ge2026")
    fake.client.post("/fhir/ImagingStudy/_search?started=ge2026", data={"patient.identifier": PATIENT_TOKEN})
    assert fake.registry.asked[-1].patient_ids == by_get.patient_ids
    assert fake.registry.asked[-1].date_from == by_get.date_from == "20260101000000"


def test_no_link_names_a_patient_otherwise_than_by_id(fake):
    body = bundle(
        fake.client.post("/fhir/ImagingStudy/_search", data={"patient.identifier": PATIENT_TOKEN, "_count": "1"})
    )
    for relation in ("self", "next"):
        assert f"patient=Patient/{PATIENT}" in link(body, relation)
    assert "191212121212" not in str(body["link"])


def test_a_posted_name_is_in_no_link_and_the_answer_says_so(fake):
    body = bundle(fake.client.post("/fhir/Patient/_search", data={"name": "Larsson", "_count": "1"}))
    assert "Larsson" not in str(body)
    assert not link(body, "next")
    assert body["entry"][-1]["search"]["mode"] == "outcome"
    assert body["entry"][-1]["resource"]["issue"][0]["severity"] == "warning"


def test_a_name_in_the_url_is_in_no_link_either(fake):
    body = bundle(fake.client.get("/fhir/Patient?name=Larsson&_count=1"))
    assert "Larsson" not in str(body["link"])
    assert body["entry"][-1]["search"]["mode"] == "outcome"


def test_the_self_link_has_only_what_was_used(fake):
    body = bundle(fake.client.get("/fhir/ImagingStudy?colour=red&status=available&_format=json"))
    assert link(body, "self") == f"{FHIR}/ImagingStudy?status=available"


def test_a_read(fake):
    answer = fake.client.get("/fhir/ImagingStudy/s1")
    assert answer.status_code == 200
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert answer.json["id"] == "s1"


def test_a_version_that_the_client_holds_is_not_sent_again(fake):
    answer = fake.client.get("/fhir/ImagingStudy/s1", headers={"If-None-Match": 'W/"1"'})
    assert (answer.status_code, answer.data) == (304, b"")
    assert fake.client.get("/fhir/ImagingStudy/s1", headers={"If-None-Match": 'W/"2"'}).status_code == 200


def test_a_patient_has_no_status(fake):
    assert "status" not in fake.client.get("/fhir/Patient/p1").json


@pytest.mark.parametrize(
    "path",
    ["ImagingStudy/none", "ImagingStudy/_search", "ImagingStudy/" + "a" * 65, "ImagingStudy/a'b",
     "ImagingStudy/s1/_history", "Observation", "Observation/1", "metadata/x", "", "$everything", "imagingstudy"],
)  # fmt: skip
def test_nothing_there(fake, path):
    refused(fake.client.get(f"/fhir/{path}"), 404, ErrorCode.NotFound)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "ImagingStudy", "GET"),
        ("DELETE", "ImagingStudy/s1", "GET"),
        ("PUT", "ImagingStudy/s1", "GET"),
        ("POST", "metadata", "GET"),
    ],
)
def test_what_is_not_done(fake, method, path, allowed):
    answer = fake.client.open(f"/fhir/{path}", method=method)
    refused(answer, 405)
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["ImagingStudy", "ImagingStudy/s1", "metadata"])
@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [
        ("", "application/fhir+xml", 406),
        ("", "text/html", 406),
        ("?_format=xml", "application/fhir+json", 406),
        ("?_format=application/fhir%2Bxml", "", 406),
        ("?_format=application/fhir+json", "application/fhir+xml", 200),
        ("?_format=json", "", 200),
        ("?_format=application/fhir%2Bjson;charset=utf-8", "", 200),
        ("", "application/json", 200),
        ("", "text/json;q=0.5, application/xml", 200),
        ("", "application/fhir+json; fhirVersion=4.0", 200),
        ("", "*/*", 200),
        ("?", "", 200),
    ],
)
def test_forms(fake, path, query, accept, status):
    answer = fake.client.get(f"/fhir/{path}{query}", headers={"Accept": accept} if accept else {})
    assert answer.status_code == status
    if status == 406:
        refused(answer, 406, ErrorCode.NotAcceptable)


STRICT = {"Prefer": "respond-async, handling=strict"}


@pytest.mark.parametrize(
    "query",
    ["colour=red", "_sort=started", "_include=*", "_include=ImagingStudy:patient", "_summary=text", "_has:x:y:z=1"],
)
def test_what_is_not_supported_is_passed_over_unless_the_client_is_strict(fake, query):
    bundle(fake.client.get(f"/fhir/ImagingStudy?{query}"))
    refused(fake.client.get(f"/fhir/ImagingStudy?{query}", headers=STRICT), 400, ErrorCode.XDSUnknownStoredQuery)


def test_everything_that_is_wrong_is_told_at_once(fake):
    answer = fake.client.get(
        "/fhir/ImagingStudy?started=soon&status:not=x&patient.identifier=19&_count=-1&patient=Group/1"
    )
    found = {issue["expression"][0] for issue in refused(answer, 400)}
    assert found == {"started", "status:not", "patient.identifier", "_count", "patient"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("patient.name=Larsson", ErrorCode.XDSUnknownStoredQuery),
        ("identifier:of-type=a|b|c", ErrorCode.XDSUnknownStoredQuery),
        ("identifier=" + ",".join(map(str, range(51))), ErrorCode.XDSStoredQueryParamNumber),
        ("&".join(f"status=s{n}" for n in range(101)), ErrorCode.XDSStoredQueryParamNumber),
        ("identifier=" + "a" * 5000, ErrorCode.TooLarge),
        ("identifier=a%00b", ErrorCode.InvalidRequest),
        ("started=2026,2027", ErrorCode.XDSStoredQueryParamNumber),
        ("_after=1~", ErrorCode.InvalidRequest),
        ("_after=nan~a", ErrorCode.InvalidRequest),
        ("&".join(f"_include=a{n}" for n in range(6)), ErrorCode.XDSStoredQueryParamNumber),
        ("modality=http://loinc.org|CT", ErrorCode.InvalidRequest),
        ("study-instance-uid=1..2", ErrorCode.InvalidRequest),
        ("_id=a'b", ErrorCode.InvalidRequest),
        (f"patient.identifier={PATIENT_TOKEN},urn:oid:1.2.3|1", ErrorCode.XDSResultNotSinglePatient),
    ],
)
def test_refused(fake, query, code):
    answer = fake.client.get(f"/fhir/ImagingStudy?{query}")
    refused(answer, code.status, code)


def test_a_search_that_is_posted_is_a_form(fake):
    answer = fake.client.post("/fhir/ImagingStudy/_search", json={"status": "available"})
    refused(answer, 415, ErrorCode.UnsupportedMediaType)


def test_a_form_beyond_all_measure(fake):
    refused(fake.client.post("/fhir/ImagingStudy/_search", data={"status": "x" * 1_000_000}), 413, ErrorCode.TooLarge)


def test_a_failure_of_the_server_is_an_outcome_too_and_tells_nothing(fake, monkeypatch):
    def fail(*_: Any) -> None:
        raise RuntimeError("191212121212")

    monkeypatch.setattr(fake.registry, "search", fail)
    answer = fake.client.get("/fhir/ImagingStudy")
    refused(answer, 500)
    assert "191212121212" not in answer.text


def test_a_literal_mark_of_the_base_url_never_comes_from_a_client(fake):
    bundle(fake.client.get(r"/fhir/ImagingStudy?identifier=a\u0000b"))


def test_the_capability_statement_tells_what_is_installed(fake):
    answer = fake.client.get("/fhir/metadata")
    assert answer.status_code == 200
    CapabilityStatement.model_validate(answer.json)
    assert answer.json["fhirVersion"] == "4.0.1"
    assert answer.json["software"]["version"] == "1.2.3"
    resources = {one["type"]: one for one in answer.json["rest"][0]["resource"]}
    assert set(resources) == {"ImagingStudy", "DiagnosticReport", "DocumentReference", "Patient", "Endpoint", "Binary"}
    study = resources["ImagingStudy"]
    assert [one["code"] for one in study["interaction"]] == ["search-type", "read"]
    assert {one["name"] for one in study["searchParam"]} == {name for name, _, _ in PARAMETERS if ":" not in name}
    assert study["searchInclude"] == ["ImagingStudy:endpoint"]


def test_an_interaction_without_a_route_is_told_at_the_start():
    odd = Transaction("X", "x", "x", "x", Fhir("Patient", "vread"), id, id, id)
    with pytest.raises(ValueError, match="vread"):
        server([Profile("p", "p", "p", (), (odd,))])


def test_a_bundle_of_twenty_is_joined_quickly():
    items = [stored(ResourceType.IMAGING_STUDY, f"s{n}", STUDY_BODY, status="available") for n in range(20)]
    text = fhir_bundle.searchset(items, (), 20, BASE_URL, "x")
    assert [one["resource"]["id"] for one in orjson.loads(text)["entry"]] == [one.id for one in items]
    assert fhir.resource(items[0], BASE_URL) in text


def test_no_query_string_makes_the_server_fail(fake):
    chance = random.Random(7)
    names = [*(name for name, _, _ in PARAMETERS), "_count", "_after", "_include", "_summary", "_format", "x"]
    pieces = [
        *(
            "",
            "a",
            "1.2.3",
            "urn:oid:",
            "|",
            ",",
            "\\",
            "^",
            "&",
            "=",
            "%",
            "%00",
            "%ff",
            "%C3%A5",
            "+",
            "ge",
            "2026",
            "-13",
        ),
        *("T", "Z", "Patient/", "http://", "~", "9" * 30, "'", '"', ";", ":", "*", "(", "1e999", "[", "𝟙", "$"),
    ]
    types = ["ImagingStudy", "DiagnosticReport", "DocumentReference", "Patient", "Endpoint"]
    for _ in range(500):
        query = "&".join(
            f"{chance.choice(names)}{chance.choice(['', '', ':not', '.identifier'])}="
            + "".join(chance.choices(pieces, k=chance.randint(0, 6)))
            for _ in range(chance.randint(0, 4))
        )
        answer = fake.client.get(f"/fhir/{chance.choice(types)}?{query}")
        assert answer.status_code in (200, 400, 406), (query, answer.text)
