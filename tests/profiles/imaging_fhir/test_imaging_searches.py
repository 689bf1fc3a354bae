"""Searches of ImagingStudy, DiagnosticReport, Patient and Endpoint: what they ask of the registry."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from fhir_server import PATIENT, PATIENT_CX, PATIENT_TOKEN, Server, server, stored

from profiles.imaging_fhir.imaging_study_body import render_imaging_study
from registry.metadata.model import StudyDescription
from registry.metadata.urn import CodingScheme, ReferenceIdType
from registry.queries import FindResources, ReferenceId, ResourceType

STUDY = ReferenceId("1.2.3", ReferenceIdType.STUDY_INSTANCE_UID)
ORDER = (ReferenceId("A1", ReferenceIdType.ACCESSION, "1.2.7"), ReferenceId("A1", ReferenceIdType.ORDER, "1.2.7"))


@pytest.fixture(scope="module")
def fake() -> Server:
    found = server()
    description = StudyDescription(
        "1.2.3", "1.2.9", accessions=(("A1", "1.2.7"), ("A2", "")), orders=(("O1", "1.2.7"),)
    )
    found.registry.held = [
        stored(ResourceType.IMAGING_STUDY, "s1", render_imaging_study(description, PATIENT, ())),
        stored(ResourceType.IMAGING_STUDY, "nobody", render_imaging_study(description, None, ())),
    ]
    return found


def check(fake: Server, type: ResourceType, query: str, asked: dict[str, Any]) -> None:
    assert fake.ask(f"{type}?{query}") == replace(FindResources(type), **asked)


EXTENDED = (ReferenceId("doc", None, "1.2"), ReferenceId("1.2^doc", ReferenceIdType.UNIQUE_ID))

COMMON = [
    ("", {}),
    ("_id=a,b", {"ids": ("a", "b")}),
    ("_lastUpdated=ge1970-01-01T00:00:10Z", {"updated_from": 10.0}),
]
ABOUT_PATIENTS = [
    (f"patient=Patient/{PATIENT}", {"patient_ids": (PATIENT_CX,)}),
    (f"subject={PATIENT},unknown", {"patient_ids": (PATIENT_CX,)}),
    ("patient=unknown", {"patient_ids": ()}),
    (f"patient.identifier={PATIENT_TOKEN}", {"patient_ids": (PATIENT_CX,)}),
    (f"patient={PATIENT}&subject:identifier=urn:oid:1.2.3|1", {"patient_ids": ()}),
    ("accession-number=urn:oid:1.2.7|A1", {"identifiers": ((ORDER[0],),)}),
    ("study-instance-uid=urn:oid:1.2.3", {"identifiers": ((STUDY,),)}),
    ("based-on:identifier=urn:oid:1.2.7|A1", {"identifiers": (ORDER,)}),
]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        *COMMON,
        *ABOUT_PATIENTS,
        ("identifier=urn:dicom:uid|urn:oid:1.2.3", {"identifiers": ((STUDY,),)}),
        ("identifier=1.2.3,A1", {"identifiers": ((ReferenceId("1.2.3"), ReferenceId("A1")),)}),
        ("identifier=1.2.3&identifier=|A1", {"identifiers": ((ReferenceId("1.2.3"),), (ReferenceId("A1", None, ""),))}),
        ("basedon=urn:oid:1.2.7|A1", {"identifiers": (ORDER,)}),
        ("started=ge2026-01-01&started=le2026-01-31", {"date_from": "20260101000000", "date_to": "20260201000000"}),
        ("modality=CT,MR", {"modalities": ("CT", "MR")}),
        ("modality=http://dicom.nema.org/resources/ontology/DCM|CT", {"modalities": ("CT",)}),
        ("status=available", {"statuses": ("available",)}),
    ],
)  # fmt: skip
def test_imaging_study(fake, query, asked):
    check(fake, ResourceType.IMAGING_STUDY, query, asked)


SHARED = (
    STUDY,
    ReferenceId("A1", ReferenceIdType.ACCESSION, "1.2.7"),
    ReferenceId("A1", ReferenceIdType.ACCESSION, ""),
    ReferenceId("A2", ReferenceIdType.ACCESSION),
    ReferenceId("O1", ReferenceIdType.ORDER, "1.2.7"),
    ReferenceId("O1", ReferenceIdType.ORDER, ""),
)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        *COMMON,
        *ABOUT_PATIENTS,
        ("identifier=urn:dicom:uid|urn:oid:1.2.3", {"identifiers": ((ReferenceId("1.2.3"),),)}),
        ("identifier=urn:oid:1.2|doc", {"identifiers": (EXTENDED,)}),
        ("date=2026-01", {"date_from": "20260101000000", "date_to": "20260201000000"}),
        ("category=RAD", {}),
        ("code=http://loinc.org|18748-4", {"codes": (f"18748-4^^{CodingScheme.LOINC}",)}),
        ("status=final,amended", {"statuses": ("final", "amended")}),
        ("imagingStudy.identifier=urn:dicom:uid|1.2.3", {"identifiers": ((STUDY,),)}),
        ("study.identifier=1.2.3", {"identifiers": ((STUDY,),)}),
        ("imagingStudy=ImagingStudy/s1", {"identifiers": (SHARED,), "patient_ids": (PATIENT_CX,)}),
        ("study=http://127.0.0.1:8080/fhir/ImagingStudy/s1", {"identifiers": (SHARED,), "patient_ids": (PATIENT_CX,)}),
        ("imagingstudy=unknown", {"patient_ids": ()}),
        ("imagingstudy=http://elsewhere/fhir/ImagingStudy/s1", {"patient_ids": ()}),
        ("imagingstudy=s1&patient=unknown", {"patient_ids": (), "identifiers": (SHARED,)}),
        ("study=nobody", {"patient_ids": (), "identifiers": (SHARED,)}),
    ],
)  # fmt: skip
def test_diagnostic_report(fake, query, asked):
    check(fake, ResourceType.DIAGNOSTIC_REPORT, query, asked)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        *COMMON,
        (
            f"identifier={PATIENT_TOKEN}",
            {"identifiers": ((ReferenceId("191212121212", None, "1.2.752.129.2.1.3.1"),),)},
        ),
        ("identifier=191212121212", {"identifiers": ((ReferenceId("191212121212"),),)}),
        ("family=Lars,Ek&given=Ka&name=x", {"family": ("Lars", "Ek"), "given": ("Ka",), "names": ("x",)}),
        (r"family=a\,b", {"family": ("a,b",)}),
        ("birthdate=1912-12-12", {"date_from": "19121212000000", "date_to": "19121213000000"}),
    ],
)
def test_patient(fake, query, asked):
    check(fake, ResourceType.PATIENT, query, asked)


@pytest.mark.parametrize(
    ("query", "asked"),
    [*COMMON, ("identifier=urn:ietf:rfc:3986|urn:oid:1.2.9", {"identifiers": ((ReferenceId("1.2.9"),),)})],
)
def test_endpoint(fake, query, asked):
    check(fake, ResourceType.ENDPOINT, query, asked)


@pytest.mark.parametrize(
    "path",
    ["DiagnosticReport?category=LAB", "DiagnosticReport?study=Patient/1", "ImagingStudy?basedon=ServiceRequest/1",
     "ImagingStudy?modality=CT&modality=MR", "Patient?identifier=urn:oid:1.2.3|", "Endpoint?identifier=|"],
)  # fmt: skip
def test_refused(fake, path):
    answer = fake.client.get(f"/fhir/{path}")
    assert answer.status_code == 400, answer.text
    assert orjson.loads(answer.data)["resourceType"] == "OperationOutcome"
