"""Bodies of ImagingStudy, DiagnosticReport, Patient and Endpoint, with FHIR's own models as judge."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.endpoint import Endpoint
from fhir.resources.R4B.imagingstudy import ImagingStudy
from fhir.resources.R4B.patient import Patient

from profiles.imaging_fhir.diagnostic_report_body import render_diagnostic_report
from profiles.imaging_fhir.endpoint import render_endpoint
from profiles.imaging_fhir.imaging_study_body import render_imaging_study
from profiles.imaging_fhir.patient import render_patient
from registry.metadata.model import Code, Instance, PatientDetails, Series, StudyDescription
from registry.metadata.urn import CodingScheme, FhirExtension
from registry.renderers import BASE, BASE_IN_JSON

CT = Series(
    uid="1.2.3.1",
    modality="CT",
    number=1,
    description="axial",
    body_part="HEAD",
    started="20260102090000",
    retrieve_location_uid="1.2.9",
    instances=(
        Instance("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1.1", 1),
        Instance("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1.2", 2, 40),
    ),
)
KO = Series(uid="1.2.3.2", modality="KO", retrieve_location_uid="1.2.8")
STUDY = StudyDescription(
    uid="1.2.3",
    source="1.2.9",
    started="202601020900",
    description="CT head",
    accessions=(("A1", "1.2.7"), ("A2", "")),
    orders=(("O1", "1.2.6"),),
    procedure_codes=(Code("69536005", CodingScheme.SNOMED_CT, "Head CT"),),
    referrer="Ek^Ola^^Dr",
    institution="North Hospital",
    series=(CT, KO),
)


def study(description: StudyDescription = STUDY, patient: str | None = "p1") -> dict[str, Any]:
    body = orjson.loads(render_imaging_study(description, patient, [("1.2.9", "e9"), ("1.2.8", "e8")]))
    ImagingStudy.model_validate({"resourceType": "ImagingStudy", "status": "available"} | body)
    return body


def at(path: str, body: Any) -> Any:
    for part in path.split("."):
        body = body[int(part)] if part.isdigit() else body[part]
    return body


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("identifier.0.system", "urn:dicom:uid"),
        ("identifier.0.value", "urn:oid:1.2.3"),
        ("identifier.1.system", "urn:oid:1.2.7"),
        ("identifier.1.value", "A1"),
        ("identifier.1.type.coding.0.code", "ACSN"),
        ("identifier.2.value", "A2"),
        ("modality", [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]),
        ("subject.reference", "Patient/p1"),
        ("started", "2026-01-02T09:00:00Z"),
        ("basedOn.0.type", "ServiceRequest"),
        ("basedOn.0.identifier.value", "A1"),
        ("basedOn.2.identifier.type.coding.0.code", "PLAC"),
        ("endpoint", [{"reference": "Endpoint/e9"}, {"reference": "Endpoint/e8"}]),
        ("numberOfSeries", 2),
        ("numberOfInstances", 2),
        ("description", "CT head"),
        ("procedureCode.0.coding.0.code", "69536005"),
        ("referrer.display", "Dr Ola Ek"),
        ("location.display", "North Hospital"),
        ("series.0.uid", "1.2.3.1"),
        ("series.0.number", 1),
        ("series.0.modality.code", "CT"),
        ("series.0.description", "axial"),
        ("series.0.numberOfInstances", 2),
        ("series.0.endpoint.0.reference", "Endpoint/e9"),
        ("series.0.bodySite.display", "HEAD"),
        ("series.0.started", "2026-01-02T09:00:00Z"),
        ("series.0.instance.0.uid", "1.2.3.1.1"),
        ("series.0.instance.0.sopClass.code", "urn:oid:1.2.840.10008.5.1.4.1.1.2"),
        ("series.0.instance.1.number", 2),
        ("series.0.instance.1.extension.0", {"url": FhirExtension.NUMBER_OF_FRAMES, "valueInteger": 40}),
    ],
)
def test_study_field(path, value):
    assert at(path, study()) == value


@pytest.mark.parametrize(
    "description",
    [
        StudyDescription("1.2.3", "1.2.9"),
        replace(STUDY, started="soon", referrer="=^", series=(Series("1.2.3.1"),)),
        replace(STUDY, series=(KO,)),
    ],
)
def test_a_poor_study_is_still_valid(description):
    study(description, None)


def test_a_study_of_nothing_acquired_shows_what_it_has():
    assert [m["code"] for m in study(replace(STUDY, series=(KO,)))["modality"]] == ["KO"]


def test_a_study_of_nobody_says_that_it_is_unknown():
    assert study(patient=None)["subject"]["extension"][0]["valueCode"] == "unknown"


DOCUMENT: dict[str, Any] = {
    "contained": [
        {"resourceType": "Practitioner", "id": "author1-person", "name": [{"family": "Ek"}]},
        {"resourceType": "PractitionerRole", "id": "author1", "practitioner": {"reference": "#author1-person"}},
        {"resourceType": "Practitioner", "id": "authenticator", "name": [{"family": "Berg"}]},
        {"resourceType": "Patient", "id": "source-patient"},
    ],
    "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3.4.5"},
    "type": {"coding": [{"system": "http://loinc.org", "code": "18748-4"}]},
    "category": [{"coding": [{"code": "IMG"}]}],
    "subject": {"reference": "Patient/p1"},
    "date": "2026-01-03T00:00:00.000Z",
    "author": [{"reference": "#author1"}],
    "content": [
        {
            "attachment": {
                "contentType": "application/pdf",
                "url": f"{BASE}/fhir/Binary/x",
                "creation": "2026-01-02T10:00:00Z",
            }
        }
    ],
    "context": {
        "period": {"start": "2026-01-02T09:00:00Z"},
        "sourcePatientInfo": {"reference": "#source-patient"},
        "related": [
            {
                "identifier": {
                    "system": "urn:dicom:uid",
                    "value": "urn:oid:1.9.8",
                    "type": {"coding": [{"code": "110180"}]},
                }
            },
            {"identifier": {"value": "A1", "type": {"coding": [{"code": "ACSN"}, {"code": "121022"}]}}},
            {"identifier": {"value": "R1", "type": {"coding": [{"code": "other"}]}}},
        ],
    },
}


def report(document: dict[str, Any] = DOCUMENT, studies: tuple[str, ...] = ("s1", "s2")) -> dict[str, Any]:
    raw = render_diagnostic_report(orjson.dumps(document), studies)
    body = orjson.loads(raw.replace(BASE_IN_JSON, b"http://x"))
    DiagnosticReport.model_validate({"resourceType": "DiagnosticReport", "status": "final"} | body)
    return body


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("identifier", [DOCUMENT["masterIdentifier"]]),
        ("category.0.coding.0.code", "RAD"),
        ("category.1.coding.0.code", "IMG"),
        ("code", DOCUMENT["type"]),
        ("subject.reference", "Patient/p1"),
        ("effectiveDateTime", "2026-01-02T09:00:00Z"),
        ("issued", "2026-01-02T10:00:00Z"),
        ("performer", [{"reference": "#author1"}]),
        ("resultsInterpreter", [{"reference": "#author1"}]),
        ("imagingStudy", [{"reference": "ImagingStudy/s1"}, {"reference": "ImagingStudy/s2"}]),
        ("basedOn.0.identifier.value", "A1"),
        ("presentedForm.0.url", "http://x/fhir/Binary/x"),
    ],
)
def test_report_field(path, value):
    assert at(path, report()) == value


def test_a_report_contains_only_whom_it_refers_to():
    assert [one["id"] for one in report()["contained"]] == ["author1", "author1-person"]


def test_who_signed_is_the_interpreter():
    body = report(DOCUMENT | {"authenticator": {"reference": "#authenticator"}})
    assert body["resultsInterpreter"] == [{"reference": "#authenticator"}]
    assert "authenticator" in [one["id"] for one in body["contained"]]


def test_a_report_on_studies_not_yet_known_names_them_by_identifier():
    assert report(studies=())["imagingStudy"][0]["identifier"]["value"] == "urn:oid:1.9.8"


def test_a_report_of_the_barest_document():
    attachment = {"contentType": "text/plain", "url": "x"}
    body = report(
        {"subject": {"reference": "Patient/p1"}, "date": DOCUMENT["date"], "content": [{"attachment": attachment}]}, ()
    )
    assert body["issued"] == DOCUMENT["date"]
    assert body["code"] == {"text": "Imaging report"}


def patient(details: PatientDetails) -> dict[str, Any]:
    body = orjson.loads(render_patient(details))
    Patient.model_validate({"resourceType": "Patient"} | body)
    return body


def test_patient():
    details = PatientDetails(
        "19^^^&1.2.3&ISO", "Larsson", "Karin Maria", "19121212", "F", source_patient_id="P1^^^&1.2.8&ISO"
    )
    assert patient(details) == {
        "identifier": [
            {"use": "official", "system": "urn:oid:1.2.3", "value": "19"},
            {"use": "secondary", "system": "urn:oid:1.2.8", "value": "P1"},
        ],
        "active": True,
        "name": [{"family": "Larsson", "given": ["Karin", "Maria"]}],
        "gender": "female",
        "birthDate": "1912-12-12",
    }


@pytest.mark.parametrize("birth_date", ["", "1912", "191213", "soon"])
def test_a_patient_of_whom_little_is_known(birth_date):
    body = patient(PatientDetails("19^^^&1.2.3&ISO", birth_date=birth_date, sex="X", source_patient_id="no CX"))
    assert body.get("birthDate") == ("1912" if birth_date == "1912" else None)


@pytest.mark.parametrize(
    ("address", "shown"), [("http://x/dicomweb", "http://x/dicomweb"), ("", "http://notspecified")]
)
def test_endpoint(address, shown):
    body = orjson.loads(render_endpoint("1.2.9", address))
    Endpoint.model_validate({"resourceType": "Endpoint", "status": "active"} | body)
    assert body["address"] == shown
    assert body["connectionType"]["code"] == "dicom-wado-rs"
    assert body["extension"] == [{"url": FhirExtension.RETRIEVE_LOCATION_UID, "valueString": "1.2.9"}]
    assert ("_address" in body) is not bool(address)


def test_an_endpoint_of_an_unnamed_source():
    body = orjson.loads(render_endpoint("", ""))
    Endpoint.model_validate({"resourceType": "Endpoint", "status": "active"} | body)
