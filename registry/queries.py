"""Every question, as a frozen value: the stored queries of ITI-18 and the searches of FHIR.

Two faces that ask the same thing make equal values. Codes are `code^^scheme`; times are 14 digits UTC, `..._from`
inclusive and `..._to` exclusive (ITI TF-2, 3.18.4.1.2.3.7); an AND of ORs is a tuple of tuples.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from registry.metadata.urn import ObjectType, Status


@unique
class ReturnType(StrEnum):
    """ResponseOption/@returnType (ITI TF-2, 3.18.4.1.2.4)."""

    LEAF_CLASS = "LeafClass"
    OBJECT_REF = "ObjectRef"


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a search, by key: `after` is the (time, id) of the last item of the page before."""

    size: int
    after: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class ReferenceId:
    """An identifier to find records by; `kind` and `authority` are None when the asker leaves them open."""

    value: str
    kind: str | None = None
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class FindDocuments:
    """FindDocuments and FindDocumentsByReferenceId (ITI TF-2, 3.18.4.1.2.3.7.1 and .14); also ITI-67.

    `patient_id` is canonical CX text. `reference_ids`, `event_codes` and `confidentiality_codes` are ANDs of ORs.
    `ids` (bare UUIDs), `unique_ids`, `updated_*` and `page` only FHIR asks for; `updated_*` is the time of registration
    in seconds since 1970. `author_persons` are LIKE patterns.
    """

    patient_id: str | None = None
    statuses: tuple[Status, ...] = (Status.APPROVED,)
    object_types: tuple[ObjectType, ...] = (ObjectType.STABLE_DOCUMENT,)
    class_codes: tuple[str, ...] = ()
    type_codes: tuple[str, ...] = ()
    practice_setting_codes: tuple[str, ...] = ()
    healthcare_facility_type_codes: tuple[str, ...] = ()
    format_codes: tuple[str, ...] = ()
    event_codes: tuple[tuple[str, ...], ...] = ()
    confidentiality_codes: tuple[tuple[str, ...], ...] = ()
    author_persons: tuple[str, ...] = ()
    reference_ids: tuple[tuple[ReferenceId, ...], ...] = ()
    creation_time_from: str | None = None
    creation_time_to: str | None = None
    service_start_time_from: str | None = None
    service_start_time_to: str | None = None
    service_stop_time_from: str | None = None
    service_stop_time_to: str | None = None
    ids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    updated_from: float | None = None
    updated_to: float | None = None
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class GetDocuments:
    """ITI TF-2, 3.18.4.1.2.3.7.5: by entryUUID, uniqueId or logicalID, one of the three."""

    ids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    logical_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GetAssociations:
    """ITI TF-2, 3.18.4.1.2.3.7.7: associations whose source or target is one of these objects."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GetSubmissionSetAndContents:
    """ITI TF-2, 3.18.4.1.2.3.7.10: one set, its members and the associations that hold them together."""

    id: str | None = None
    unique_id: str | None = None
    object_types: tuple[ObjectType, ...] = (ObjectType.STABLE_DOCUMENT,)
    format_codes: tuple[str, ...] = ()
    confidentiality_codes: tuple[tuple[str, ...], ...] = ()


StoredQuery = FindDocuments | GetDocuments | GetAssociations | GetSubmissionSetAndContents


@unique
class ResourceType(StrEnum):
    """FHIR R4 resource types that the registry keeps ready-made."""

    DOCUMENT_REFERENCE = "DocumentReference"
    IMAGING_STUDY = "ImagingStudy"
    DIAGNOSTIC_REPORT = "DiagnosticReport"
    PATIENT = "Patient"
    ENDPOINT = "Endpoint"


@dataclass(frozen=True, slots=True)
class FindResources:
    """A FHIR search of ImagingStudy, DiagnosticReport, Patient or Endpoint.

    `patient_ids` are canonical CX texts and None when the search names no patient; an empty tuple finds nothing.
    `identifiers` is an AND of ORs. `date_*` is ImagingStudy.started, DiagnosticReport.effective or
    Patient.birthDate, 14 digits; `updated_*` is in seconds since 1970. `modalities`, `codes` (of a report's type) and
    the parts of a patient's name narrow where the type has them. Names are beginnings of words, upper or lower case;
    `names` takes either part.
    """

    type: ResourceType
    ids: tuple[str, ...] = ()
    patient_ids: tuple[str, ...] | None = None
    identifiers: tuple[tuple[ReferenceId, ...], ...] = ()
    date_from: str | None = None
    date_to: str | None = None
    modalities: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    updated_from: float | None = None
    updated_to: float | None = None
    page: Page | None = None
