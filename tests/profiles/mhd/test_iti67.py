"""ITI-67: what a search asks of the registry, parameter by parameter."""

from dataclasses import replace

import pytest
from fhir_server import PATIENT, PATIENT_CX, PATIENT_TOKEN, Server, server

from profiles.mhd.iti67_find_document_references import NOBODY
from registry.metadata.urn import CodingScheme, ReferenceIdType, Status
from registry.queries import FindDocuments, ReferenceId

BOTH = (Status.APPROVED, Status.DEPRECATED)
LOINC = "http://loinc.org|18748-4"
KEY = f"18748-4^^{CodingScheme.LOINC}"
DCM = CodingScheme.DICOM_CONTROLLED_TERMINOLOGY
ENTRY = "0b6c3a52-6f0e-4d6a-9a3e-0d6f6f70656e"
STUDY = ReferenceId("1.2.3", ReferenceIdType.STUDY_INSTANCE_UID)


@pytest.fixture(scope="module")
def fake() -> Server:
    return server()


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", {}),
        (f"patient.identifier={PATIENT_TOKEN}", {"patient_id": PATIENT_CX}),
        ("status=current", {"statuses": (Status.APPROVED,)}),
        (f"patient:identifier={PATIENT_TOKEN}", {"patient_id": PATIENT_CX}),
        (f"patient=Patient/{PATIENT}", {"patient_id": PATIENT_CX}),
        (f"subject={PATIENT}", {"patient_id": PATIENT_CX}),
        (f"patient=http://127.0.0.1:8080/fhir/Patient/{PATIENT}", {"patient_id": PATIENT_CX}),
        (f"patient=http://elsewhere/fhir/Patient/{PATIENT}", {"patient_id": NOBODY}),
        ("patient=unknown", {"patient_id": NOBODY}),
        (f"patient={PATIENT}&patient.identifier=urn:oid:1.2.3|other", {"patient_id": NOBODY}),
        ("status=superseded", {"statuses": (Status.DEPRECATED,)}),
        ("status=current,superseded", {"statuses": BOTH}),
        (f"type={LOINC}", {"type_codes": (KEY,)}),
        (f"category={LOINC}", {"class_codes": (KEY,)}),
        (f"setting={LOINC}", {"practice_setting_codes": (KEY,)}),
        (f"facility={LOINC}", {"healthcare_facility_type_codes": (KEY,)}),
        (f"format={LOINC}", {"format_codes": (KEY,)}),
        (f"event={LOINC}&event=urn:oid:1.2|a,urn:oid:1.2|b", {"event_codes": ((KEY,), ("a^^1.2", "b^^1.2"))}),
        (f"security-label={LOINC}", {"confidentiality_codes": ((KEY,),)}),
        ("modality=CT,MR", {"event_codes": ((f"CT^^{DCM}", f"MR^^{DCM}"),)}),
        ("bodysite=http://snomed.info/sct|69536005", {"event_codes": ((f"69536005^^{CodingScheme.SNOMED_CT}",),)}),
        ("anatomical-region=urn:oid:1.2|x", {"event_codes": (("x^^1.2",),)}),
        ("creation=2026", {"creation_time_from": "20260101000000", "creation_time_to": "20270101000000"}),
        ("period=ge2026-02-01", {"service_start_time_from": "20260201000000"}),
        ("date=ge1970-01-01T00:00:10Z&date=lt1970-01-01T00:00:15Z", {"registered_from": 10.0, "registered_to": 15.0}),
    ("date=ge1970-01-01T00:00:10Z&_lastUpdated=lt1970-01-01T00:00:20Z", {"registered_from": 10.0, "updated_to": 20.0}),
        ("author.family=Ek", {"author_persons": ("%^Ek%^%",)}),
        ("author.family=E_k&author.given=O%25", {"author_persons": (r"%^E\_k%^O\%%",)}),
        (f"_id={ENTRY}", {"ids": (ENTRY,)}),
        (f"identifier=urn:ietf:rfc:3986|urn:uuid:{ENTRY.upper()}", {"ids": (ENTRY,)}),
        ("identifier=urn:ietf:rfc:3986|urn:oid:1.2.3", {"unique_ids": ("1.2.3",)}),
        ("identifier=urn:dicom:uid|1.2.3,urn:oid:1.2.4", {"unique_ids": ("1.2.3", "1.2.4")}),
        ("identifier=urn:oid:1.2|doc", {"unique_ids": ("1.2^doc",)}),
        ("study-instance-uid=urn:oid:1.2.3", {"reference_ids": ((STUDY,),)}),
        ("related:identifier=urn:dicom:uid|1.2.3", {"reference_ids": ((STUDY,),)}),
        ("related=urn:oid:1.2.7|A1", {"reference_ids": ((ReferenceId("A1", None, "1.2.7"),),)}),
        ("accession-number=A1", {"reference_ids": ((ReferenceId("A1", ReferenceIdType.ACCESSION),),)}),
    ],
)  # fmt: skip
def test_parameter(fake, query, asked):
    assert fake.ask(f"DocumentReference?{query}") == replace(FindDocuments(statuses=BOTH), **asked)


def test_a_code_without_system_is_looked_for_in_every_scheme_that_is_used_here(fake):
    keys = fake.ask("DocumentReference?category=IMG").class_codes
    assert {f"IMG^^{CodingScheme.LOINC}", "IMG^^1.2.752.129.2.9.6.1"} <= set(keys)


@pytest.mark.parametrize(
    "query",
    ["status=entered-in-error", "identifier=urn:uuid:x,1.2.3", "related=DocumentReference/1", "type=http://loinc.org|",
     "category=urn:oid:1.2|a&category=urn:oid:1.2|b", "modality=|", "author.family=a&author.family=b"],
)  # fmt: skip
def test_refused(fake, query):
    answer = fake.client.get(f"/fhir/DocumentReference?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json["issue"][0]["severity"] == "error"
