"""Which ebRIM construct carries which attribute of the XDS model (ITI TF-3, 4.2.3.2 to 4.2.3.4 and table 4.2.5.2-1)."""

from dataclasses import dataclass
from enum import Enum, unique

from registry.metadata.model import Association, DocumentEntry, Folder, SubmissionSet
from registry.metadata.urn import ClassificationScheme as Scheme
from registry.metadata.urn import IdentificationScheme as Ident
from registry.metadata.urn import SlotName


@unique
class Card(Enum):
    """How many values an attribute may have."""

    ONE = "0..1"
    MANY = "0..n"


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of registry object: slots, codes and external identifiers by wire name -> (attribute, card).

    `classifications` names every classificationScheme that it may have as the book does, codes or not.
    """

    name: str
    slots: dict[str, tuple[str, Card]]
    codes: dict[str, tuple[str, Card]]
    author: str
    identifiers: dict[str, tuple[str, str]]
    classifications: dict[str, str]


DOCUMENT_ENTRY = Shape(
    "DocumentEntry",
    slots={
        "creationTime": ("creation_time", Card.ONE),
        "languageCode": ("language_code", Card.ONE),
        "serviceStartTime": ("service_start_time", Card.ONE),
        "serviceStopTime": ("service_stop_time", Card.ONE),
        "sourcePatientId": ("source_patient_id", Card.ONE),
        "sourcePatientInfo": ("source_patient_info", Card.MANY),
        "legalAuthenticator": ("legal_authenticator", Card.ONE),
        "hash": ("hash", Card.ONE),
        "size": ("size", Card.ONE),
        "URI": ("uri", Card.ONE),
        "repositoryUniqueId": ("repository_unique_id", Card.ONE),
        SlotName.REFERENCE_ID_LIST: ("reference_ids", Card.MANY),
        SlotName.DOCUMENT_AVAILABILITY: ("document_availability", Card.ONE),
    },
    codes={
        Scheme.CLASS_CODE: ("class_code", Card.ONE),
        Scheme.CONFIDENTIALITY_CODE: ("confidentiality_codes", Card.MANY),
        Scheme.EVENT_CODE: ("event_codes", Card.MANY),
        Scheme.FORMAT_CODE: ("format_code", Card.ONE),
        Scheme.HEALTHCARE_FACILITY_TYPE_CODE: ("healthcare_facility_type_code", Card.ONE),
        Scheme.PRACTICE_SETTING_CODE: ("practice_setting_code", Card.ONE),
        Scheme.TYPE_CODE: ("type_code", Card.ONE),
    },
    author=Scheme.DOCUMENT_AUTHOR,
    identifiers={
        Ident.DOCUMENT_PATIENT_ID: ("patient_id", "XDSDocumentEntry.patientId"),
        Ident.DOCUMENT_UNIQUE_ID: ("unique_id", "XDSDocumentEntry.uniqueId"),
    },
    classifications={
        Scheme.DOCUMENT_AUTHOR: "author",
        Scheme.CLASS_CODE: "classCode",
        Scheme.CONFIDENTIALITY_CODE: "confidentialityCode",
        Scheme.EVENT_CODE: "eventCodeList",
        Scheme.FORMAT_CODE: "formatCode",
        Scheme.HEALTHCARE_FACILITY_TYPE_CODE: "healthcareFacilityTypeCode",
        Scheme.PRACTICE_SETTING_CODE: "practiceSettingCode",
        Scheme.TYPE_CODE: "typeCode",
        Scheme.DOCUMENT_LIMITED_METADATA: "limitedMetadata",
    },
)

SUBMISSION_SET = Shape(
    "SubmissionSet",
    slots={
        "submissionTime": ("submission_time", Card.ONE),
        "intendedRecipient": ("intended_recipients", Card.MANY),
    },
    codes={Scheme.CONTENT_TYPE_CODE: ("content_type_code", Card.ONE)},
    author=Scheme.SUBMISSION_SET_AUTHOR,
    identifiers={
        Ident.SUBMISSION_SET_PATIENT_ID: ("patient_id", "XDSSubmissionSet.patientId"),
        Ident.SUBMISSION_SET_SOURCE_ID: ("source_id", "XDSSubmissionSet.sourceId"),
        Ident.SUBMISSION_SET_UNIQUE_ID: ("unique_id", "XDSSubmissionSet.uniqueId"),
    },
    classifications={
        Scheme.SUBMISSION_SET_AUTHOR: "author",
        Scheme.CONTENT_TYPE_CODE: "contentTypeCode",
        Scheme.SUBMISSION_SET_LIMITED_METADATA: "limitedMetadata",
    },
)

FOLDER = Shape(
    "Folder",
    slots={"lastUpdateTime": ("last_update_time", Card.ONE)},
    codes={Scheme.FOLDER_CODE: ("codes", Card.MANY)},
    author="",
    identifiers={
        Ident.FOLDER_PATIENT_ID: ("patient_id", "XDSFolder.patientId"),
        Ident.FOLDER_UNIQUE_ID: ("unique_id", "XDSFolder.uniqueId"),
    },
    classifications={Scheme.FOLDER_CODE: "codeList", Scheme.FOLDER_LIMITED_METADATA: "limitedMetadata"},
)

ASSOCIATION = Shape(
    "Association",
    slots={"SubmissionSetStatus": ("submission_set_status", Card.ONE)},
    codes={Scheme.ASSOCIATION_DOCUMENTATION: ("documentation", Card.ONE)},
    author="",
    identifiers={},
    classifications={Scheme.ASSOCIATION_DOCUMENTATION: "associationDocumentation"},
)

AUTHOR_SLOTS = {
    "authorPerson": ("person", Card.ONE),
    "authorInstitution": ("institutions", Card.MANY),
    "authorRole": ("roles", Card.MANY),
    "authorSpecialty": ("specialties", Card.MANY),
    "authorTelecommunication": ("telecommunications", Card.MANY),
}
"""Sub-attributes of an author (ITI TF-3, 4.2.3.1.4)."""


def carriers(shape: Shape, **others: str) -> dict[str, str]:
    """Attribute of the model -> the ebRIM construct that carries it, in words for a sender who left it out."""
    found = {attribute: f"Slot {name}" for name, (attribute, _) in shape.slots.items()}
    for scheme, (attribute, _) in shape.codes.items():
        found[attribute] = (
            f"Classification with classificationScheme {scheme}, nodeRepresentation and Slot codingScheme"
        )
    for scheme, (attribute, _) in shape.identifiers.items():
        found[attribute] = f"ExternalIdentifier with identificationScheme {scheme}"
    return {**found, "id": "XML attribute id", "title": "Name", "home": "XML attribute home", **others}


CARRIERS = {
    DocumentEntry: carriers(DOCUMENT_ENTRY, mime_type="XML attribute mimeType"),
    SubmissionSet: carriers(SUBMISSION_SET),
    Folder: carriers(FOLDER),
    Association: carriers(
        ASSOCIATION,
        type="XML attribute associationType",
        source="XML attribute sourceObject",
        target="XML attribute targetObject",
    ),
}
