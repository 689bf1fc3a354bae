"""The story, point 5: reads, searches, links between study and report, and paging."""

from typing import Any

import examination
import pytest
import region
import requests
from examination import ORDERS, PDF, TEXT, Document, Study, new_uid, sop_uid
from fhirpy import SyncFHIRClient
from region import Region, codes, objects
from telling import ELSEWHERE, QUICKLY, vendor_manifest

from registry.metadata.urn import (
    ReferenceIdType,
    ResponseStatus,
    StoredQueryId,
)

SETTINGS = QUICKLY


def test_the_capability_statement_is_valid_and_true(world: Region) -> None:
    statement = world.fhir("metadata")
    types = {r["type"]: r for r in statement["rest"][0]["resource"]}
    assert {"ImagingStudy", "DiagnosticReport", "DocumentReference", "Patient", "Endpoint"} <= set(types)
    for name in ("ImagingStudy", "DiagnosticReport", "DocumentReference", "Patient", "Endpoint"):
        assert {i["code"] for i in types[name]["interaction"]} >= {"read", "search-type"}
    assert "ImagingStudy:endpoint" in types["ImagingStudy"]["searchInclude"]
    assert world.fhir("ImagingStudy/no-such-id", status=404)["resourceType"] == "OperationOutcome"


def test_reads_and_searches_of_all_that_one_examination_made(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    world.publish(study)
    report = Document(study.who, study_uid=study.uid, accession=study.accession)
    world.provide(report)
    (patient,) = world.search("Patient", identifier=study.who.token)
    assert patient["name"][0]["family"] == study.who.family
    found: dict[str, list[dict[str, Any]]] = {}
    for type_ in ("ImagingStudy", "DiagnosticReport", "DocumentReference"):
        found[type_] = world.search(type_, patient=f"Patient/{patient['id']}")
        ids = sorted(r["id"] for r in found[type_])
        for asked in ("patient.identifier", "patient:identifier", "subject.identifier"):
            assert sorted(r["id"] for r in world.search(type_, **{asked: study.who.token})) == ids
        for one in found[type_]:
            assert world.fhir(f"{type_}/{one['id']}") == one
            assert one["subject"]["reference"] == f"Patient/{patient['id']}"
    assert [len(found[t]) for t in ("ImagingStudy", "DiagnosticReport", "DocumentReference")] == [1, 1, 2]
    assert world.fhir(f"Patient/{patient['id']}") == patient
    form = found["DiagnosticReport"][0]["presentedForm"][0]
    opened = requests.get(form["url"], timeout=10)
    assert (opened.content, opened.headers["Content-Type"]) == (PDF, "application/pdf")
    attachments = [d["content"][0]["attachment"] for d in found["DocumentReference"]]
    for attachment in attachments:
        assert len(requests.get(attachment["url"], timeout=10).content) == attachment["size"]


@pytest.mark.parametrize("type_", ["ImagingStudy", "DiagnosticReport", "DocumentReference"])
def test_study_uid_accession_and_date_in_all_spellings(world: Region, type_: str) -> None:
    study = Study(date="19470813")
    world.stow(study.object())
    world.publish(study)
    world.provide(Document(study.who, study_uid=study.uid, accession=study.accession, service_start="19470813063000"))

    def ids(**parameters: str) -> list[str]:
        return sorted(r["id"] for r in world.search(type_, **parameters))

    expected = ids(**{"patient.identifier": study.who.token})
    assert expected
    spellings = (study.uid, f"urn:oid:{study.uid}", f"urn:dicom:uid|{study.uid}", f"urn:dicom:uid|urn:oid:{study.uid}")
    for spelling in spellings:
        assert ids(**{"study-instance-uid": spelling}) == expected, spelling
        if type_ != "DocumentReference":
            assert ids(identifier=spelling) == expected, spelling
    for spelling in (study.accession, f"urn:oid:{ORDERS}|{study.accession}"):
        assert ids(**{"accession-number": spelling}) == expected, spelling
    assert ids(**{"accession-number": f"urn:oid:1.2.3|{study.accession}"}) == []
    date = {"ImagingStudy": "started", "DiagnosticReport": "date", "DocumentReference": "period"}[type_]
    uid = {"study-instance-uid": study.uid}
    for when in ("1947-08-13", "ge1947-08-13", "le1947-08", "1947", "gt1947-08-12", "lt1947-08-14"):
        assert ids(**{date: when, **uid}) == expected, when
    for when in ("1947-08-14", "ge1947-08-14", "lt1947-08-13", "1948"):
        assert ids(**{date: when, **uid}) == [], when


@pytest.mark.parametrize("by", ["study", "accession", "both"])
@pytest.mark.parametrize("first", ["study", "report"])
@pytest.mark.parametrize("door", ["STOW and ITI-41", "RAD-68 and ITI-42"])
def test_study_and_report_find_each_other(world: Region, by: str, first: str, door: str) -> None:
    study = Study()
    report = Document(
        study.who,
        study_uid=study.uid if by != "accession" else "",
        accession=study.accession if by != "study" else "",
    )

    def send_study() -> None:
        if door.startswith("STOW"):
            world.stow(study.object())
            return
        manifest = vendor_manifest(study, new_uid(), new_uid())
        world.provide(examination.manifest_document(study.who, manifest, study.uid, study.accession))

    def send_report() -> None:
        sent = world.provide(report) if door.startswith("STOW") else world.register(report.registered(ELSEWHERE))
        assert sent.status == ResponseStatus.SUCCESS

    order = [send_study, send_report]
    for send in order if first == "study" else reversed(order):
        send()
    (imaging,) = world.study(study)
    (found,) = world.search("DiagnosticReport", **{"patient.identifier": study.who.token})
    assert [s.get("reference") for s in found["imagingStudy"]] == [f"ImagingStudy/{imaging['id']}"]
    assert world.fhir(f"DiagnosticReport/{found['id']}") == found
    for name in ("imagingStudy", "study"):
        by_study = world.search("DiagnosticReport", **{name: f"ImagingStudy/{imaging['id']}"})
        assert [r["id"] for r in by_study] == [found["id"]]


def test_a_report_of_another_patient_with_the_same_accession_is_not_linked(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    stranger = Document(examination.person(), accession=study.accession)
    world.provide(stranger)
    (found,) = world.search("DiagnosticReport", **{"patient.identifier": stranger.who.token})
    assert not [s for s in found.get("imagingStudy", []) if "reference" in s]


@pytest.mark.parametrize("without", ["study", "report"])
def test_an_accession_number_without_issuer_links_too(world: Region, without: str) -> None:
    study = Study()
    report = Document(study.who, accession=study.accession)
    if without == "report":
        bare = f"{study.accession}^^^^{ReferenceIdType.ACCESSION}"
        report = report.but(said=(("urn:ihe:iti:xds:2013:referenceIdList", bare),))
    world.stow(study.object(**{"IssuerOfAccessionNumberSequence": []} if without == "study" else {}))
    world.provide(report)
    (found,) = world.search("DiagnosticReport", **{"patient.identifier": study.who.token})
    assert found["imagingStudy"][0]["reference"] == f"ImagingStudy/{world.study(study)[0]['id']}"


def test_a_replaced_report_stays_one_report(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    old = Document(study.who, PDF, study_uid=study.uid)
    world.provide(old)
    (before,) = world.search("DiagnosticReport", **{"patient.identifier": study.who.token})
    world.provide(Document(study.who, TEXT, "text/plain", study_uid=study.uid, replaces=old.id))
    (after,) = world.search("DiagnosticReport", **{"patient.identifier": study.who.token})
    assert (before["id"], before["status"], after["status"]) == (after["id"], "final", "amended")
    assert requests.get(after["presentedForm"][0]["url"], timeout=10).content == TEXT
    references = world.search("DocumentReference", **{"patient.identifier": study.who.token})
    states = {r["content"][0]["attachment"]["contentType"]: r["status"] for r in references}
    assert (states["application/pdf"], states["text/plain"]) == ("superseded", "current")
    (new,) = [r for r in references if "relatesTo" in r and r["relatesTo"][0]["code"] == "replaces"]
    target = world.fhir(new["relatesTo"][0]["target"]["reference"])
    assert requests.get(target["content"][0]["attachment"]["url"], timeout=10).content == PDF


def test_objects_of_two_patients_come_as_references_alone(world: Region) -> None:
    one, two = Document(examination.person()), Document(examination.person())
    world.provide(one)
    world.provide(two)
    asked = f"('{one.uid}','{two.uid}')"
    assert codes(world.query(StoredQueryId.GET_DOCUMENTS, _UniqueId=asked)) == ["XDSResultNotSinglePatient"]
    found = objects(world.query(StoredQueryId.GET_DOCUMENTS, "ObjectRef", _UniqueId=asked))
    assert {o["ObjectRef"].id for o in found} == {one.id, two.id}


def test_a_study_points_to_its_endpoint_and_brings_it_along(world: Region) -> None:
    study = Study()
    ct = study.object()
    world.stow(ct)
    page = world.fhir("ImagingStudy", identifier=study.uid, _include="ImagingStudy:endpoint")
    (match,) = region.matches(page)
    (endpoint,) = [e["resource"] for e in page["entry"] if e["search"]["mode"] == "include"]
    assert page["total"] == 1
    assert match["endpoint"][0]["reference"] == f"Endpoint/{endpoint['id']}"
    assert world.fhir(f"Endpoint/{endpoint['id']}") == endpoint
    assert endpoint["id"] in {e["id"] for e in world.search("Endpoint", identifier=endpoint["identifier"][0]["value"])}
    url = f"{endpoint['address']}/studies/{study.uid}/series/{study.series}/instances/{sop_uid(ct)}"
    got = requests.get(url, headers={"Accept": "application/dicom"}, timeout=10)
    assert got.content == ct


@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_end_and_hold_everything_once(world: Region, size: int) -> None:
    who = examination.person()
    world.provide(*[Document(who) for _ in range(7)])
    (patient,) = world.search("Patient", identifier=who.token)
    for asked in ({"patient": patient["id"]}, {"patient.identifier": who.token}):
        for type_ in ("DocumentReference", "DiagnosticReport"):
            pages = list(world.pages(type_, _count=size, **asked))
            found = [r["id"] for page in pages for r in region.matches(page)]
            assert len(found) == len(set(found)) == 7
            assert {page["total"] for page in pages} == {7}
            assert len(pages) <= -(-7 // size) + 1


def test_pages_do_not_lose_or_repeat_when_something_comes_in_between(world: Region) -> None:
    who = examination.person()
    world.provide(*[Document(who) for _ in range(4)])
    pages = world.pages("DocumentReference", _count=2, **{"patient.identifier": who.token})
    first = region.matches(next(pages))
    world.provide(Document(who))
    rest = [r for page in pages for r in region.matches(page)]
    ids = [r["id"] for r in [*first, *rest]]
    assert len(ids) == len(set(ids))
    assert len(ids) >= 4


def test_a_client_of_other_hands_reads_it_all(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    world.provide(Document(study.who, study_uid=study.uid), Document(study.who, TEXT, "text/plain"))
    client = SyncFHIRClient(f"{world.url}/fhir")
    patient = client.resources("Patient").search(identifier=study.who.token).get()
    reports = client.resources("DiagnosticReport").search(patient=patient.to_reference()).limit(1).fetch_all()
    assert len(reports) == 2
    linked = [r for r in reports if any("reference" in s for s in r.get("imagingStudy", []))]
    imaging = client.reference("ImagingStudy", linked[0]["imagingStudy"][0]["reference"].split("/")[1]).to_resource()
    assert imaging["series"][0]["uid"] == study.series
    assert client.resources("ImagingStudy").search(patient=patient.to_reference()).count() == 1
    posted = requests.post(
        f"{world.url}/fhir/ImagingStudy/_search", data={"patient.identifier": study.who.token}, timeout=10
    )
    assert posted.json()["total"] == 1


def test_at_the_end_the_stores_are_clean(world: Region) -> None:
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
