"""The stored queries and their parameters, as the book lists them (ITI TF-2, 3.18.4.1.2.3.7 and 3.51.4.1.2.1).

`$MetadataLevel`, `$XDSAssociationStatus` and the LogicalIDs are XDS Metadata Update's (3.18.4.1.2.3.5.1 there), the
`...Exclude` parameters CP-ITI-1323's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from functools import cached_property
from typing import Any

from registry.metadata.urn import StoredQueryId
from registry.queries import (
    FindDocuments,
    FindFolders,
    FindSubmissionSets,
    GetAll,
    GetAssociations,
    GetDocuments,
    GetDocumentsAndAssociations,
    GetFolderAndContents,
    GetFolders,
    GetFoldersForDocument,
    GetRelatedDocuments,
    GetSubmissionSetAndContents,
    GetSubmissionSets,
    StoredQuery,
)


@unique
class Kind(Enum):
    """How a parameter's text is read."""

    TEXT = "text"
    CODE = "code^^scheme"
    TIME = "time"
    STATUS = "status"
    TYPE = "object type"
    RELATION = "association type"
    REFERENCE = "CXi"
    REFERENCE_PATTERN = "CXi or LIKE pattern"
    PATIENT = "CX"
    AUTHOR = "LIKE pattern"
    UUID = "UUID"
    LEVEL = "1 or 2"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its slot, the field of the query that it fills, and how many values it takes.

    `many`: a list, any of which may match. `ands`: the slot may be repeated, and each of its lists must match. A field
    `excluding.x` is the field `x` of `registry.queries.Excluded`.
    """

    name: str
    field: str
    kind: Kind
    many: bool = False
    ands: bool = False
    required: bool = False


@dataclass(frozen=True)
class QueryShape:
    """A stored query: the value that it becomes, and its parameters.

    Of `one_of` exactly one must be there, of `any_of` one at least. `fixed` are fields that the query itself sets.
    """

    name: str
    makes: Callable[..., StoredQuery]
    parameters: tuple[Parameter, ...]
    source: str
    one_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> Mapping[str, Parameter]:
        """The parameters by their slots."""
        return {p.name: p for p in self.parameters}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The slots that must be there."""
        return tuple(p.name for p in self.parameters if p.required)

    @cached_property
    def names_patient(self) -> bool:
        """Whether the query cannot be asked without a patient, so that no community need be named (3.38.4.1.2)."""
        return any(p.kind is Kind.PATIENT and p.required for p in self.parameters)


def P(name: str, field: str, kind: Kind, marks: str = "") -> Parameter:  # noqa: N802
    """A row of the book's tables; `marks` are R for required, M for many values, A for AND by repeated slots."""
    return Parameter(name, field, kind, many="M" in marks, ands="A" in marks, required="R" in marks)


SECTION = "ITI TF-2, 3.18.4.1.2.3.7"
MULTIPLE_SECTION = "ITI TF-2, 3.51.4.1.2.1"

# fmt: off
LEVEL = P("$MetadataLevel", "all_versions", Kind.LEVEL)
WHICH_ASSOCIATIONS = P("$XDSAssociationStatus", "association_statuses", Kind.STATUS, "M")
ENTRY_TYPE = P("$XDSDocumentEntryType", "object_types", Kind.TYPE, "M")

ENTRY_PATIENT = P("$XDSDocumentEntryPatientId", "patient_id", Kind.PATIENT, "R")
ENTRY_STATUS = P("$XDSDocumentEntryStatus", "statuses", Kind.STATUS, "RM")
ENTRY_CODES = (
    P("$XDSDocumentEntryClassCode",                    "class_codes",                     Kind.CODE, "M"),
    P("$XDSDocumentEntryTypeCode",                     "type_codes",                      Kind.CODE, "M"),
    P("$XDSDocumentEntryPracticeSettingCode",          "practice_setting_codes",          Kind.CODE, "M"),
    P("$XDSDocumentEntryHealthcareFacilityTypeCode",   "healthcare_facility_type_codes",  Kind.CODE, "M"),
    P("$XDSDocumentEntryEventCodeList",                "event_codes",                     Kind.CODE, "MA"),
    P("$XDSDocumentEntryConfidentialityCode",          "confidentiality_codes",           Kind.CODE, "MA"),
    P("$XDSDocumentEntryAuthorPerson",                 "author_persons",                  Kind.AUTHOR, "M"),
    P("$XDSDocumentEntryFormatCode",                   "format_codes",                    Kind.CODE, "M"),
    ENTRY_TYPE,
)
ENTRY_TIMES = (
    P("$XDSDocumentEntryCreationTimeFrom",             "creation_time_from",              Kind.TIME),
    P("$XDSDocumentEntryCreationTimeTo",               "creation_time_to",                Kind.TIME),
    P("$XDSDocumentEntryServiceStartTimeFrom",         "service_start_time_from",         Kind.TIME),
    P("$XDSDocumentEntryServiceStartTimeTo",           "service_start_time_to",           Kind.TIME),
    P("$XDSDocumentEntryServiceStopTimeFrom",          "service_stop_time_from",          Kind.TIME),
    P("$XDSDocumentEntryServiceStopTimeTo",            "service_stop_time_to",            Kind.TIME),
)
REFERENCES = P("$XDSDocumentEntryReferenceIdList", "reference_ids", Kind.REFERENCE_PATTERN, "MA")
FIND_DOCUMENTS = (ENTRY_PATIENT, ENTRY_STATUS, *ENTRY_CODES, *ENTRY_TIMES, LEVEL)
BY_REFERENCE_ID = replace(REFERENCES, required=True)
EXCLUDE = tuple(
    replace(one, name=f"{one.name}Exclude", field=f"excluding.{one.field}") for one in (*ENTRY_CODES, REFERENCES)
)
CONTENTS = (
    P("$XDSDocumentEntryFormatCode",                   "format_codes",                    Kind.CODE, "M"),
    P("$XDSDocumentEntryConfidentialityCode",          "confidentiality_codes",           Kind.CODE, "MA"),
    ENTRY_TYPE, WHICH_ASSOCIATIONS, LEVEL,
)
FIND_SUBMISSION_SETS = (
    P("$XDSSubmissionSetPatientId",                    "patient_id",                      Kind.PATIENT, "R"),
    P("$XDSSubmissionSetStatus",                       "statuses",                        Kind.STATUS, "RM"),
    P("$XDSSubmissionSetSourceId",                     "source_ids",                      Kind.TEXT, "M"),
    P("$XDSSubmissionSetSubmissionTimeFrom",           "submission_time_from",            Kind.TIME),
    P("$XDSSubmissionSetSubmissionTimeTo",             "submission_time_to",              Kind.TIME),
    P("$XDSSubmissionSetAuthorPerson",                 "author_person",                   Kind.AUTHOR),
    P("$XDSSubmissionSetContentType",                  "content_type_codes",              Kind.CODE, "M"),
    LEVEL,
)
FOLDER_PATIENT = P("$XDSFolderPatientId", "patient_id", Kind.PATIENT, "R")
FIND_FOLDERS = (
    P("$XDSFolderStatus",                              "statuses",                        Kind.STATUS, "RM"),
    P("$XDSFolderLastUpdateTimeFrom",                  "last_update_time_from",           Kind.TIME),
    P("$XDSFolderLastUpdateTimeTo",                    "last_update_time_to",             Kind.TIME),
    P("$XDSFolderCodeList",                            "codes",                           Kind.CODE, "MA"),
    LEVEL,
)
GET_ALL = (
    P("$patientId",                                    "patient_id",                      Kind.PATIENT, "R"),
    P("$XDSDocumentEntryStatus",                       "entry_statuses",                  Kind.STATUS, "RM"),
    P("$XDSSubmissionSetStatus",                       "set_statuses",                    Kind.STATUS, "RM"),
    P("$XDSFolderStatus",                              "folder_statuses",                 Kind.STATUS, "RM"),
    *CONTENTS,
)
ENTRY_IDS = (
    P("$XDSDocumentEntryEntryUUID",                    "ids",                             Kind.UUID, "M"),
    P("$XDSDocumentEntryUniqueId",                     "unique_ids",                      Kind.TEXT, "M"),
)
ENTRY_ID = (
    P("$XDSDocumentEntryEntryUUID",                    "id",                              Kind.UUID),
    P("$XDSDocumentEntryUniqueId",                     "unique_id",                       Kind.TEXT),
)
SET_ID = (
    P("$XDSSubmissionSetEntryUUID",                    "id",                              Kind.UUID),
    P("$XDSSubmissionSetUniqueId",                     "unique_id",                       Kind.TEXT),
)
FOLDER_ID = (
    P("$XDSFolderEntryUUID",                           "id",                              Kind.UUID),
    P("$XDSFolderUniqueId",                            "unique_id",                       Kind.TEXT),
)
FOLDER_IDS = (
    P("$XDSFolderEntryUUID",                           "ids",                             Kind.UUID, "M"),
    P("$XDSFolderUniqueId",                            "unique_ids",                      Kind.TEXT, "M"),
    P("$XDSFolderLogicalID",                           "logical_ids",                     Kind.UUID, "M"),
)
ENTRY_LOGICAL_IDS = P("$XDSDocumentEntryLogicalID", "logical_ids", Kind.UUID, "M")
UUIDS = P("$uuid", "ids", Kind.UUID, "RM")
RELATIONS = P("$AssociationTypes", "types", Kind.RELATION, "RM")
# fmt: on


def _names(parameters: tuple[Parameter, ...]) -> tuple[str, ...]:
    return tuple(p.name for p in parameters)


def _by_id(
    name: str, makes: Callable[..., StoredQuery], ids: tuple[Parameter, ...], *more: Parameter, section: int
) -> QueryShape:
    """A query that one of several kinds of id selects its objects by."""
    return QueryShape(name, makes, (*ids, *more), f"{SECTION}.{section}", one_of=_names(ids))


SINGLE_PATIENT: Mapping[StoredQueryId, QueryShape] = {
    StoredQueryId.FIND_DOCUMENTS: QueryShape("FindDocuments", FindDocuments, FIND_DOCUMENTS, f"{SECTION}.1"),
    StoredQueryId.FIND_SUBMISSION_SETS: QueryShape(
        "FindSubmissionSets", FindSubmissionSets, FIND_SUBMISSION_SETS, f"{SECTION}.2"
    ),
    StoredQueryId.FIND_FOLDERS: QueryShape("FindFolders", FindFolders, (FOLDER_PATIENT, *FIND_FOLDERS), f"{SECTION}.3"),
    StoredQueryId.GET_ALL: QueryShape("GetAll", GetAll, GET_ALL, f"{SECTION}.4"),
    StoredQueryId.GET_DOCUMENTS: _by_id(
        "GetDocuments", GetDocuments, (*ENTRY_IDS, ENTRY_LOGICAL_IDS), LEVEL, section=5
    ),
    StoredQueryId.GET_FOLDERS: _by_id("GetFolders", GetFolders, FOLDER_IDS, LEVEL, section=6),
    StoredQueryId.GET_ASSOCIATIONS: QueryShape(
        "GetAssociations", GetAssociations, (UUIDS, WHICH_ASSOCIATIONS, LEVEL), f"{SECTION}.7"
    ),
    StoredQueryId.GET_DOCUMENTS_AND_ASSOCIATIONS: _by_id(
        "GetDocumentsAndAssociations", GetDocumentsAndAssociations, ENTRY_IDS, WHICH_ASSOCIATIONS, LEVEL, section=8
    ),
    StoredQueryId.GET_SUBMISSION_SETS: QueryShape(
        "GetSubmissionSets", GetSubmissionSets, (UUIDS, WHICH_ASSOCIATIONS, LEVEL), f"{SECTION}.9"
    ),
    StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS: _by_id(
        "GetSubmissionSetAndContents", GetSubmissionSetAndContents, SET_ID, *CONTENTS, section=10
    ),
    StoredQueryId.GET_FOLDER_AND_CONTENTS: _by_id(
        "GetFolderAndContents", GetFolderAndContents, FOLDER_ID, *CONTENTS, section=11
    ),
    StoredQueryId.GET_FOLDERS_FOR_DOCUMENT: _by_id(
        "GetFoldersForDocument", GetFoldersForDocument, ENTRY_ID, WHICH_ASSOCIATIONS, LEVEL, section=12
    ),
    StoredQueryId.GET_RELATED_DOCUMENTS: _by_id(
        "GetRelatedDocuments",
        GetRelatedDocuments,
        ENTRY_ID,
        RELATIONS,
        ENTRY_TYPE,
        WHICH_ASSOCIATIONS,
        LEVEL,
        section=13,
    ),
    **dict.fromkeys(
        (StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID_DCM4CHE),
        QueryShape("FindDocumentsByReferenceId", FindDocuments, (*FIND_DOCUMENTS, BY_REFERENCE_ID), f"{SECTION}.14"),
    ),
    StoredQueryId.FIND_DOCUMENTS_EXCLUDE: QueryShape(
        "FindDocumentsExclude", FindDocuments, (*FIND_DOCUMENTS, REFERENCES, *EXCLUDE), f"{SECTION}.15"
    ),
}
"""The queries of ITI-18, about one patient each."""

ENTRY_PATIENTS = P("$XDSDocumentEntryPatientId", "patient_ids", Kind.PATIENT, "M")
FOLDER_PATIENTS = P("$XDSFolderPatientId", "patient_ids", Kind.PATIENT, "M")
SEVERAL = {"patient_id": None, "several_patients": True}
FIND_FOR_PATIENTS = (ENTRY_PATIENTS, ENTRY_STATUS, *ENTRY_CODES, *ENTRY_TIMES, LEVEL)

MULTIPLE_PATIENTS: Mapping[StoredQueryId, QueryShape] = {
    StoredQueryId.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS: QueryShape(
        "FindDocumentsForMultiplePatients",
        FindDocuments,
        FIND_FOR_PATIENTS,
        f"{MULTIPLE_SECTION}.1",
        any_of=(
            "$XDSDocumentEntryPatientId",
            "$XDSDocumentEntryClassCode",
            "$XDSDocumentEntryEventCodeList",
            "$XDSDocumentEntryHealthcareFacilityTypeCode",
        ),
        fixed=SEVERAL,
    ),
    StoredQueryId.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS: QueryShape(
        "FindFoldersForMultiplePatients",
        FindFolders,
        (FOLDER_PATIENTS, *FIND_FOLDERS),
        f"{MULTIPLE_SECTION}.2",
        any_of=("$XDSFolderPatientId", "$XDSFolderCodeList"),
        fixed=SEVERAL,
    ),
    StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS: QueryShape(
        "FindDocumentsByReferenceIdForMultiplePatients",
        FindDocuments,
        # A pattern would be looked for in the identifiers of everybody, so here each value stands for itself.
        (*FIND_FOR_PATIENTS, replace(BY_REFERENCE_ID, kind=Kind.REFERENCE)),
        f"{MULTIPLE_SECTION}.1",
        fixed=SEVERAL,
    ),
}
"""The queries of ITI-51, whose answers may hold several patients."""

# Known, without an effect: the community is a matter of gateways, and a status has no scheme.
IGNORED = frozenset({"$homeCommunityId", "$targetCommunityIdList", "$XDSDocumentEntryStatusScheme"})
