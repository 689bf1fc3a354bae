"""Every question, as a frozen value: the stored queries of ITI-18 and ITI-51, and the searches of FHIR.

Two faces that ask the same thing make equal values. Codes are `code^^scheme`; times are 14 digits UTC, `..._from`
inclusive and `..._to` exclusive (ITI TF-2, 3.18.4.1.2.3.3); an AND of ORs is a tuple of tuples.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from registry.metadata.urn import AssociationType, ObjectType, Status


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


STABLE = (ObjectType.STABLE_DOCUMENT,)
APPROVED = (Status.APPROVED,)


@dataclass(frozen=True, slots=True)
class ReferenceId:
    """An identifier to find records by; `kind` and `authority` are None when the asker leaves them open.

    With `pattern` set, `value` is a LIKE pattern of the whole CXi text (ITI TF-2, 3.18.4.1.2.3.7.14, footnote 5).
    """

    value: str
    kind: str | None = None
    authority: str | None = None
    pattern: bool = False


@dataclass(frozen=True, slots=True)
class Excluded:
    """What FindDocumentsExclude leaves out: a document that matches one of these is not found (CP-ITI-1323).

    Fields are those of `FindDocuments`; an AND of ORs leaves out what matches all of it.
    """

    object_types: tuple[ObjectType, ...] = ()
    class_codes: tuple[str, ...] = ()
    type_codes: tuple[str, ...] = ()
    practice_setting_codes: tuple[str, ...] = ()
    healthcare_facility_type_codes: tuple[str, ...] = ()
    format_codes: tuple[str, ...] = ()
    event_codes: tuple[tuple[str, ...], ...] = ()
    confidentiality_codes: tuple[tuple[str, ...], ...] = ()
    author_persons: tuple[str, ...] = ()
    reference_ids: tuple[tuple[ReferenceId, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class FindDocuments:
    """FindDocuments, ...ByReferenceId and ...Exclude (ITI TF-2, 3.18.4.1.2.3.7.1 and .14); also ITI-51 and ITI-67.

    `patient_id` is canonical CX text; `patient_ids` are several of which any may match, and `several_patients` lets one
    answer hold them (ITI-51). `reference_ids`, `event_codes` and `confidentiality_codes` are ANDs of ORs.
    `author_persons` are LIKE patterns, of which a backslash takes the next character for itself. `ids` (bare UUIDs),
    `unique_ids`, `registered_*`, `updated_*` and `page` only FHIR asks for; `updated_*` is the time of the last change
    and like that of registration in seconds since 1970. `all_versions` is `$MetadataLevel` 2, here and in every query:
    superseded versions are found as well.
    """

    patient_id: str | None = None
    statuses: tuple[Status, ...] = APPROVED
    object_types: tuple[ObjectType, ...] = STABLE
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
    registered_from: float | None = None
    registered_to: float | None = None
    updated_from: float | None = None
    updated_to: float | None = None
    page: Page | None = None
    all_versions: bool = False
    excluding: Excluded | None = None
    patient_ids: tuple[str, ...] = ()
    several_patients: bool = False


@dataclass(frozen=True, slots=True)
class FindSubmissionSets:
    """ITI TF-2, 3.18.4.1.2.3.7.2; `author_person` is a LIKE pattern."""

    patient_id: str | None = None
    statuses: tuple[Status, ...] = APPROVED
    source_ids: tuple[str, ...] = ()
    submission_time_from: str | None = None
    submission_time_to: str | None = None
    author_person: str | None = None
    content_type_codes: tuple[str, ...] = ()
    patient_ids: tuple[str, ...] = ()
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class FindFolders:
    """ITI TF-2, 3.18.4.1.2.3.7.3, and 3.51.4.1.2.1.2 for several patients; `codes` is an AND of ORs."""

    patient_id: str | None = None
    statuses: tuple[Status, ...] = APPROVED
    last_update_time_from: str | None = None
    last_update_time_to: str | None = None
    codes: tuple[tuple[str, ...], ...] = ()
    patient_ids: tuple[str, ...] = ()
    several_patients: bool = False
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetAll:
    """ITI TF-2, 3.18.4.1.2.3.7.4: what is registered for a patient, and the associations around it."""

    patient_id: str | None = None
    entry_statuses: tuple[Status, ...] = APPROVED
    set_statuses: tuple[Status, ...] = APPROVED
    folder_statuses: tuple[Status, ...] = APPROVED
    object_types: tuple[ObjectType, ...] = STABLE
    format_codes: tuple[str, ...] = ()
    confidentiality_codes: tuple[tuple[str, ...], ...] = ()
    patient_ids: tuple[str, ...] = ()
    association_statuses: tuple[Status, ...] = APPROVED
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetDocuments:
    """ITI TF-2, 3.18.4.1.2.3.7.5: by entryUUID, uniqueId or logicalID, one of the three."""

    ids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    logical_ids: tuple[str, ...] = ()
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetFolders:
    """ITI TF-2, 3.18.4.1.2.3.7.6: by entryUUID, uniqueId or logicalID, one of the three."""

    ids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    logical_ids: tuple[str, ...] = ()
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetAssociations:
    """ITI TF-2, 3.18.4.1.2.3.7.7: associations whose source or target is one of these objects."""

    ids: tuple[str, ...]
    association_statuses: tuple[Status, ...] = APPROVED
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetDocumentsAndAssociations:
    """ITI TF-2, 3.18.4.1.2.3.7.8: documents by entryUUID or uniqueId, and the associations around them."""

    ids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    association_statuses: tuple[Status, ...] = APPROVED
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetSubmissionSets:
    """ITI TF-2, 3.18.4.1.2.3.7.9: the sets that submitted these objects, and the HasMember associations that say so."""

    ids: tuple[str, ...]
    association_statuses: tuple[Status, ...] = APPROVED
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetSubmissionSetAndContents:
    """ITI TF-2, 3.18.4.1.2.3.7.10: one set, its members and the associations that hold them together."""

    id: str | None = None
    unique_id: str | None = None
    object_types: tuple[ObjectType, ...] = STABLE
    format_codes: tuple[str, ...] = ()
    confidentiality_codes: tuple[tuple[str, ...], ...] = ()
    association_statuses: tuple[Status, ...] = APPROVED
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetFolderAndContents:
    """ITI TF-2, 3.18.4.1.2.3.7.11: one folder, its documents and the associations that put them there."""

    id: str | None = None
    unique_id: str | None = None
    object_types: tuple[ObjectType, ...] = STABLE
    format_codes: tuple[str, ...] = ()
    confidentiality_codes: tuple[tuple[str, ...], ...] = ()
    association_statuses: tuple[Status, ...] = APPROVED
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetFoldersForDocument:
    """ITI TF-2, 3.18.4.1.2.3.7.12: the folders that a document is in."""

    id: str | None = None
    unique_id: str | None = None
    association_statuses: tuple[Status, ...] = APPROVED
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class GetRelatedDocuments:
    """ITI TF-2, 3.18.4.1.2.3.7.13: a document, those related to it by associations of `types`, and these."""

    id: str | None = None
    unique_id: str | None = None
    types: tuple[AssociationType, ...] = ()
    object_types: tuple[ObjectType, ...] = STABLE
    association_statuses: tuple[Status, ...] = APPROVED
    all_versions: bool = False


StoredQuery = (
    FindDocuments
    | FindSubmissionSets
    | FindFolders
    | GetAll
    | GetDocuments
    | GetFolders
    | GetAssociations
    | GetDocumentsAndAssociations
    | GetSubmissionSets
    | GetSubmissionSetAndContents
    | GetFolderAndContents
    | GetFoldersForDocument
    | GetRelatedDocuments
)


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
