"""Which ebRIM construct carries which attribute of the XDS model (ITI TF-3, 4.2.3.2 to 4.2.3.4 and table 4.2.5.2-1)."""

from dataclasses import dataclass
from enum import Enum, unique

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
    """One kind of registry object: slots, codes and external identifiers by wire name -> (attribute, card)."""

    name: str
    slots: dict[str, tuple[str, Card]]
    codes: dict[str, tuple[str, Card]]
    author: str
    limited_metadata: str
    identifiers: dict[str, tuple[str, str]]


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
    limited_metadata=Scheme.DOCUMENT_LIMITED_METADATA,
    identifiers={
        Ident.DOCUMENT_PATIENT_ID: ("patient_id", "XDSDocumentEntry.patientId"),
        Ident.DOCUMENT_UNIQUE_ID: ("unique_id", "XDSDocumentEntry.uniqueId"),
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
    limited_metadata=Scheme.SUBMISSION_SET_LIMITED_METADATA,
    identifiers={
        Ident.SUBMISSION_SET_PATIENT_ID: ("patient_id", "XDSSubmissionSet.patientId"),
        Ident.SUBMISSION_SET_SOURCE_ID: ("source_id", "XDSSubmissionSet.sourceId"),
        Ident.SUBMISSION_SET_UNIQUE_ID: ("unique_id", "XDSSubmissionSet.uniqueId"),
    },
)

FOLDER = Shape(
    "Folder",
    slots={"lastUpdateTime": ("last_update_time", Card.ONE)},
    codes={Scheme.FOLDER_CODE: ("codes", Card.MANY)},
    author="",
    limited_metadata=Scheme.FOLDER_LIMITED_METADATA,
    identifiers={
        Ident.FOLDER_PATIENT_ID: ("patient_id", "XDSFolder.patientId"),
        Ident.FOLDER_UNIQUE_ID: ("unique_id", "XDSFolder.uniqueId"),
    },
)

ASSOCIATION = Shape(
    "Association",
    slots={"SubmissionSetStatus": ("submission_set_status", Card.ONE)},
    codes={Scheme.ASSOCIATION_DOCUMENTATION: ("documentation", Card.ONE)},
    author="",
    limited_metadata="",
    identifiers={},
)

AUTHOR_SLOTS = {
    "authorPerson": "person",
    "authorInstitution": "institutions",
    "authorRole": "roles",
    "authorSpecialty": "specialties",
    "authorTelecommunication": "telecommunications",
}

# Senders in the field write these without their URN (rules of the wire: lenient in, strict out).
BARE_ASSOCIATION_TYPES = ("HasMember", "RPLC", "APND", "XFRM", "XFRM_RPLC", "signs", "IsSnapshotOf")
