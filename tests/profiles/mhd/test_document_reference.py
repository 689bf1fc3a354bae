"""DocumentEntry as DocumentReference: the field map, a field a test, and FHIR's own model as judge."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.documentreference import DocumentReference

from profiles.mhd.document_reference import render_document_reference
from registry.metadata.model import Author, Code, DocumentEntry
from registry.metadata.urn import AssociationType, CodingScheme, FhirExtension, FhirSystem, ReferenceIdType
from registry.renderers import BASE_IN_JSON, Related

UUID = "0b6c3a52-6f0e-4d6a-9a3e-0d6f6f70656e"
SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
ENTRY = DocumentEntry(
    id=f"urn:uuid:{UUID}",
    mime_type="application/pdf",
    unique_id="1.2.3.4.5",
    patient_id="191212121212^^^&1.2.752.129.2.1.3.1&ISO",
    title="CT of the head",
    comments="seen by two",
    creation_time="20260102101500",
    service_start_time="202601020900",
    service_stop_time="20260102",
    hash=SHA1,
    size="17",
    language_code="sv-SE",
    legal_authenticator="77^Berg^Britt^^^^^^&1.2.9&ISO",
    source_patient_id="P1^^^&1.2.8&ISO",
    source_patient_info=("PID-5|Larsson^Karin Maria", "PID-7|19121212", "PID-8|F"),
    reference_ids=(
        f"1.9.8^^^^{ReferenceIdType.STUDY_INSTANCE_UID}",
        f"A1^^^&1.2.7&ISO^{ReferenceIdType.ACCESSION}",
        f"A2^^^^{ReferenceIdType.ACCESSION}",
        f"O1^^^&1.2.7&ISO^{ReferenceIdType.ORDER}",
        f"E1^^^&1.2.6&ISO^{ReferenceIdType.ENCOUNTER_ID}",
        f"R1^^^&1.2.6&ISO^{ReferenceIdType.REFERRAL}",
    ),
    authors=(
        Author(
            person=("88^Ek^Ola",),
            institutions=("North Hospital^^^^^^^^^1.2.10", "South Hospital"),
            roles=("radiologist",),
            specialties=("neuro",),
            telecommunications=("^^Internet^ola@example.org", "^^PH^^^^^^^^^+46 8 123"),
        ),
        Author(institutions=("West Hospital",)),
    ),
    class_code=Code("IMG", "1.2.3", "Imaging"),
    confidentiality_codes=(Code("N", CodingScheme.CONFIDENTIALITY, "normal"),),
    event_codes=(
        Code("CT", CodingScheme.DICOM_CONTROLLED_TERMINOLOGY),
        Code("69536005", CodingScheme.SNOMED_CT, "Head"),
    ),
    format_code=Code("urn:ihe:rad:PDF", CodingScheme.IHE_FORMAT_CODES),
    healthcare_facility_type_code=Code("22232009", CodingScheme.SNOMED_CT, "Hospital"),
    practice_setting_code=Code("394914008", CodingScheme.SNOMED_CT, "Radiology"),
    type_code=Code("18748-4", CodingScheme.LOINC, "Diagnostic imaging study"),
    home="urn:oid:1.2.11",
)
RELATED = (
    Related(AssociationType.RPLC, "11111111-6f0e-4d6a-9a3e-0d6f6f70656e"),
    Related(AssociationType.HAS_MEMBER, "x"),
)


def rendered(entry: DocumentEntry = ENTRY, related: tuple[Related, ...] = ()) -> dict[str, Any]:
    """The resource as a client gets it, judged by FHIR's model."""
    raw = render_document_reference(entry, "p1", related, 1_700_000_000.25)
    body = orjson.loads(raw.replace(BASE_IN_JSON, b"http://x"))
    DocumentReference.model_validate({"resourceType": "DocumentReference", "id": UUID, "status": "current"} | body)
    return body


def at(path: str, body: dict[str, Any]) -> Any:
    found: Any = body
    for part in path.split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    return found


def kind(code: str) -> dict[str, Any]:
    return {"coding": [{"system": FhirSystem.MHD_IDENTIFIER_TYPE, "code": code}]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("masterIdentifier", {"type": kind("uniqueId"), "system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3.4.5"}),
        ("identifier.0.value", "urn:oid:1.2.3.4.5"),
        ("identifier.1", {"type": kind("entryUUID"), "system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{UUID}"}),
        ("type.coding.0", {"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}),
        ("category.0.coding.0", {"system": "urn:oid:1.2.3", "code": "IMG", "display": "Imaging"}),
        ("subject.reference", "Patient/p1"),
        ("date", "2023-11-14T22:13:20.250Z"),
        ("description", "seen by two"),
        ("securityLabel.0.coding.0.system", FhirSystem.CONFIDENTIALITY),
        ("content.0.attachment.title", "CT of the head"),
        ("content.0.attachment.creation", "2026-01-02T10:15:00Z"),
        ("content.0.attachment.contentType", "application/pdf"),
        ("content.0.attachment.language", "sv-SE"),
        ("content.0.attachment.url", f"http://x/fhir/Binary/{UUID}"),
        ("content.0.attachment.size", 17),
        ("content.0.attachment.hash", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        ("content.0.format", {"system": FhirSystem.IHE_FORMAT_CODES, "code": "urn:ihe:rad:PDF"}),
        ("context.event.1.coding.0.system", "http://snomed.info/sct"),
        ("context.facilityType.coding.0.code", "22232009"),
        ("context.practiceSetting.coding.0.code", "394914008"),
        ("context.period", {"start": "2026-01-02T09:00:00Z", "end": "2026-01-02"}),
        ("context.sourcePatientInfo.reference", "#source-patient"),
        ("context.encounter.0.identifier", {"system": "urn:oid:1.2.6", "value": "E1"}),
        ("context.related.0.identifier.system", "urn:dicom:uid"),
        ("context.related.0.identifier.value", "urn:oid:1.9.8"),
        ("context.related.0.identifier.type.coding.0.code", "110180"),
        ("context.related.1.identifier.type.coding.0.code", "ACSN"),
        ("context.related.1.identifier.system", "urn:oid:1.2.7"),
        ("context.related.1.identifier.value", "A1"),
        ("context.related.3.identifier.type.coding.0.code", "PLAC"),
        ("context.related.4.identifier.type.coding.0.code", ReferenceIdType.REFERRAL),
        ("extension.0", {"url": FhirExtension.HOME_COMMUNITY_ID, "valueOid": "urn:oid:1.2.11"}),
        ("extension.1.valueCodeableConcept.coding.0.code", "CT"),
        ("relatesTo", [{"code": "replaces", "target": {"reference": f"DocumentReference/{RELATED[0].target}"}}]),
        ("author", [{"reference": f"#author{n}"} for n in ("1", "1-organization2", "2-organization1")]),
        ("authenticator.reference", "#authenticator"),
    ],
)  # fmt: skip
def test_field(path, value):
    assert at(path, rendered(related=RELATED)) == value


def test_an_identifier_without_authority_has_no_system():
    assert "system" not in at("context.related.2.identifier", rendered())


def contained() -> dict[str, Any]:
    return {one["id"]: one for one in rendered()["contained"]}


def test_an_author_is_a_role_of_a_person_at_a_place():
    people = contained()
    assert people["author1"]["practitioner"] == {"reference": "#author1-person"}
    assert people["author1"]["organization"] == {"reference": "#author1-organization1"}
    assert people["author1"]["code"] == [{"text": "radiologist"}]
    assert people["author1-person"]["name"] == [{"family": "Ek", "given": ["Ola"]}]
    assert people["author1-person"]["telecom"] == [
        {"system": "email", "value": "ola@example.org"},
        {"system": "phone", "value": "+46 8 123"},
    ]
    assert people["author1-organization1"]["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.10"}]


def test_the_source_patient_is_as_the_source_knew_them():
    assert contained()["source-patient"] == {
        "resourceType": "Patient",
        "id": "source-patient",
        "identifier": [{"system": "urn:oid:1.2.8", "value": "P1"}],
        "name": [{"family": "Larsson", "given": ["Karin", "Maria"]}],
        "gender": "female",
        "birthDate": "1912-12-12",
    }


def test_every_contained_resource_is_referred_to():
    body = rendered()
    text = orjson.dumps(body).decode()
    assert len(body["contained"]) == 7
    for one in body["contained"]:
        assert f'"#{one["id"]}"' in text, one["id"]


@pytest.mark.parametrize(
    ("unique_id", "system", "value"),
    [
        ("1.2^doc 7", "urn:oid:1.2", "doc 7"),
        (
            "urn:uuid:0b6c3a52-6f0e-4d6a-9a3e-0d6f6f70656e",
            "urn:ietf:rfc:3986",
            "urn:uuid:0b6c3a52-6f0e-4d6a-9a3e-0d6f6f70656e",
        ),
    ],
)
def test_unique_ids_that_are_no_oid(unique_id, system, value):
    found = rendered(replace(ENTRY, unique_id=unique_id))["masterIdentifier"]
    assert (found["system"], found["value"]) == (system, value)


@pytest.mark.parametrize(
    "entry",
    [
        DocumentEntry(UUID, "text/plain"),
        replace(ENTRY, hash="not hexadecimal", size="many", creation_time="soon", service_start_time="2026013"),
        replace(ENTRY, reference_ids=("", "^^^^", "x")),
        replace(ENTRY, authors=(Author(person=("Dr Ek",)), Author(person=("^^",)), Author(roles=("r",)), Author())),
        replace(ENTRY, source_patient_info=("PID-7|never", "PID-8|?", "no bar"), source_patient_id="no CX"),
        replace(ENTRY, class_code=Code("a", "a scheme with spaces"), legal_authenticator="Dr Berg"),
    ],
)
def test_poor_metadata_still_makes_a_valid_resource(entry):
    rendered(entry)


def test_a_title_cannot_smuggle_in_the_mark_of_the_base_url():
    title = r"\u0000 and \\u0000"
    body = render_document_reference(replace(ENTRY, title=title), "p1", (), 0.0)
    whole = orjson.loads(body.replace(BASE_IN_JSON, b"http://x"))
    assert whole["content"][0]["attachment"]["title"] == title
    assert whole["content"][0]["attachment"]["url"] == f"http://x/fhir/Binary/{UUID}"
