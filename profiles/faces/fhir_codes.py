"""Codes and identifiers, between the OIDs of metadata and the URIs of FHIR (FHIR R4, 4.3; MHD, 3.67.4.1.3).

`SYSTEMS` is the table of coding schemes that have a URI of their own; any other OID is written `urn:oid:`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from registry.metadata.datatypes import is_oid
from registry.metadata.model import Code
from registry.metadata.urn import CodingScheme, FhirExtension, FhirSystem, PatientAuthority, ReferenceIdType

Json = dict[str, Any]

SYSTEMS: tuple[tuple[CodingScheme, FhirSystem], ...] = (
    (CodingScheme.LOINC, FhirSystem.LOINC),
    (CodingScheme.SNOMED_CT, FhirSystem.SNOMED_CT),
    (CodingScheme.DICOM_CONTROLLED_TERMINOLOGY, FhirSystem.DICOM),
    (CodingScheme.DICOM_UID_REGISTRY, FhirSystem.DICOM_UID_REGISTRY),
    (CodingScheme.IHE_FORMAT_CODES, FhirSystem.IHE_FORMAT_CODES),
    (CodingScheme.IHE_RAD_FORMAT_CODES, FhirSystem.IHE_FORMAT_CODES),
    (CodingScheme.CONFIDENTIALITY, FhirSystem.CONFIDENTIALITY),
)

# Senders that copy DICOM's Coding Scheme Designator into metadata mean these (PS3.16, 8.1).
DESIGNATORS: Mapping[str, str] = {
    "DCM": FhirSystem.DICOM,
    "LN": FhirSystem.LOINC,
    "SCT": FhirSystem.SNOMED_CT,
    "DCMUID": FhirSystem.DICOM_UID_REGISTRY,
}

PATIENT_SYSTEMS: tuple[tuple[PatientAuthority, FhirSystem], ...] = (
    (PatientAuthority.PERSONNUMMER, FhirSystem.PERSONNUMMER),
    (PatientAuthority.SAMORDNINGSNUMMER, FhirSystem.SAMORDNINGSNUMMER),
)

_URI = re.compile(r"\S+")

STUDY_UID_TYPE: Json = {
    "coding": [{"system": FhirSystem.DICOM, "code": "110180", "display": "Study Instance UID"}],
}
ACCESSION_TYPE: Json = {
    "coding": [
        {"system": FhirSystem.IDENTIFIER_TYPE, "code": "ACSN", "display": "Accession ID"},
        {"system": FhirSystem.DICOM, "code": "121022", "display": "Accession Number"},
    ],
}
ORDER_TYPE: Json = {
    "coding": [{"system": FhirSystem.IDENTIFIER_TYPE, "code": "PLAC", "display": "Placer Identifier"}],
}
ABSENT_UNKNOWN: Json = {"extension": [{"url": FhirExtension.ABSENT_REASON, "valueCode": "unknown"}]}


def system_of(scheme: str) -> str | None:
    """The URI of a coding scheme or assigning authority that metadata names; None for a name that cannot be a URI."""
    known = _SYSTEM_OF.get(scheme) or DESIGNATORS.get(scheme)
    if known:
        return known
    if is_oid(scheme):
        return FhirSystem.OID_PREFIX + scheme
    return scheme if _URI.fullmatch(scheme) else None


def schemes_of(system: str) -> tuple[str, ...]:
    """Every coding scheme of metadata that a URI may stand for; more than one where IHE gave one URI to two OIDs."""
    known = _SCHEMES_OF.get(system)
    return known or (system.removeprefix(FhirSystem.OID_PREFIX),)


def authority_of(system: str) -> str:
    """The assigning authority that an identifier's system names: an OID where it is one."""
    return _AUTHORITY_OF.get(system) or system.removeprefix(FhirSystem.OID_PREFIX)


def open_keys(keys: Sequence[str], schemes: Iterable[str]) -> tuple[str, ...]:
    """Keys `code^^scheme`; one with an open scheme (`code^^`) becomes one for each well-known and each given scheme."""
    if not any(key.endswith("^^") for key in keys):
        return tuple(keys)
    every = dict.fromkeys([*(scheme for scheme, _ in SYSTEMS), *schemes])
    return tuple(full for key in keys for full in ([key + s for s in every] if key.endswith("^^") else [key]))


def coding(code: Code) -> Json:
    """Coding."""
    return present(system=system_of(code.scheme) if code.scheme else None, code=code.code, display=code.display)


def concept(code: Code) -> Json:
    """CodeableConcept of one Coding."""
    return {"coding": [coding(code)]}


def dicom_code(code: str) -> Json:
    """Coding of DICOM's controlled terminology, such as a modality."""
    return {"system": FhirSystem.DICOM, "code": code}


def identifier(value: str, authority: str, type: Json | None = None) -> Json:
    """Identifier whose authority is an OID, a URI or empty; a name that is no URI is shown as its assigner."""
    system = system_of(authority) if authority else None
    assigner = {"display": authority} if authority and system is None else None
    return present(type=type, system=system, value=value, assigner=assigner)


def study_identifier(uid: str) -> Json:
    """The Identifier of a study by its Study Instance UID (FHIR R4, ImagingStudy.identifier; MADO writes it so too)."""
    return {"type": STUDY_UID_TYPE, "system": FhirSystem.DICOM_UID, "value": FhirSystem.OID_PREFIX + uid}


def reference_identifier(value: str, authority: str, kind: str) -> Json:
    """The Identifier of a referenceIdList member (ITI TF-3, 4.2.3.2.28); kinds without a FHIR code keep their URN."""
    if kind == ReferenceIdType.STUDY_INSTANCE_UID:
        return study_identifier(value)
    if kind == ReferenceIdType.UNIQUE_ID:
        return {"system": FhirSystem.URI, "value": FhirSystem.OID_PREFIX + value if is_oid(value) else value}
    return identifier(value, authority, _TYPES.get(kind) or {"coding": [{"system": FhirSystem.URI, "code": kind}]})


def order_reference(value: str, authority: str, type: Json) -> Json:
    """Reference to a ServiceRequest by identifier alone: no order is held here (MADO, ImagingStudy.basedOn)."""
    return {"type": "ServiceRequest", "identifier": identifier(value, authority, type)}


def render(body: Json) -> bytes:
    """A resource's body as it is stored: JSON (UTF-8), in which only `registry.renderers.BASE` looks as it does."""
    # A text may hold the six characters that JSON writes for BASE; written this way they mean the same and are no mark.
    return orjson.dumps(body).replace(rb"\\u0000", rb"\u005cu0000")


def present(**elements: Any) -> Json:
    """The elements that have a value; FHIR has neither null nor empty ones."""
    return {name: value for name, value in elements.items() if value not in (None, "", [], {}, ())}


_TYPES: Mapping[str, Json] = {ReferenceIdType.ACCESSION: ACCESSION_TYPE, ReferenceIdType.ORDER: ORDER_TYPE}
_SYSTEM_OF: Mapping[str, str] = dict(SYSTEMS)
_AUTHORITY_OF: Mapping[str, str] = {system: authority for authority, system in PATIENT_SYSTEMS}
_SCHEMES_OF: Mapping[str, tuple[str, ...]] = {
    system: tuple(scheme for scheme, its in SYSTEMS if its is system) for _, system in SYSTEMS
}
