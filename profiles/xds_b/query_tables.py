"""The stored queries and their parameters, as the book lists them (ITI TF-2, 3.18.4.1.2.3.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from functools import cached_property

from registry.metadata.urn import StoredQueryId


@unique
class Kind(Enum):
    """How a parameter's text is read."""

    TEXT = "text"
    CODE = "code^^scheme"
    TIME = "time"
    STATUS = "status"
    TYPE = "object type"
    REFERENCE = "CXi"
    PATIENT = "CX"
    AUTHOR = "LIKE pattern"
    UUID = "UUID"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its slot, the field of the query that it fills, and how many values it takes.

    `many`: a list, any of which may match. `ands`: the slot may be repeated, and each of its lists must match.
    """

    name: str
    field: str
    kind: Kind
    many: bool = False
    ands: bool = False
    required: bool = False


@dataclass(frozen=True)
class QueryShape:
    """A stored query: its parameters, and groups of which exactly one must be there."""

    name: str
    parameters: tuple[Parameter, ...]
    one_of: tuple[str, ...] = ()
    source: str = ""

    @cached_property
    def by_name(self) -> Mapping[str, Parameter]:
        """The parameters by their slots."""
        return {p.name: p for p in self.parameters}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The slots that must be there."""
        return tuple(p.name for p in self.parameters if p.required)


P = Parameter

# fmt: off
FIND_DOCUMENTS = (
    P("$XDSDocumentEntryPatientId",                  "patient_id",                     Kind.PATIENT, required=True),
    P("$XDSDocumentEntryStatus",                     "statuses",                       Kind.STATUS, True, False, True),
    P("$XDSDocumentEntryClassCode",                  "class_codes",                    Kind.CODE, many=True),
    P("$XDSDocumentEntryTypeCode",                   "type_codes",                     Kind.CODE, many=True),
    P("$XDSDocumentEntryPracticeSettingCode",        "practice_setting_codes",         Kind.CODE, many=True),
    P("$XDSDocumentEntryCreationTimeFrom",           "creation_time_from",             Kind.TIME),
    P("$XDSDocumentEntryCreationTimeTo",             "creation_time_to",               Kind.TIME),
    P("$XDSDocumentEntryServiceStartTimeFrom",       "service_start_time_from",        Kind.TIME),
    P("$XDSDocumentEntryServiceStartTimeTo",         "service_start_time_to",          Kind.TIME),
    P("$XDSDocumentEntryServiceStopTimeFrom",        "service_stop_time_from",         Kind.TIME),
    P("$XDSDocumentEntryServiceStopTimeTo",          "service_stop_time_to",           Kind.TIME),
    P("$XDSDocumentEntryHealthcareFacilityTypeCode", "healthcare_facility_type_codes", Kind.CODE, many=True),
    P("$XDSDocumentEntryEventCodeList",              "event_codes",                    Kind.CODE, many=True, ands=True),
    P("$XDSDocumentEntryConfidentialityCode",        "confidentiality_codes",          Kind.CODE, many=True, ands=True),
    P("$XDSDocumentEntryAuthorPerson",               "author_persons",                 Kind.AUTHOR, many=True),
    P("$XDSDocumentEntryFormatCode",                 "format_codes",                   Kind.CODE, many=True),
    P("$XDSDocumentEntryType",                       "object_types",                   Kind.TYPE, many=True),
)
BY_REFERENCE_ID = (
    P("$XDSDocumentEntryReferenceIdList",            "reference_ids",                  Kind.REFERENCE, True, True, True),  # noqa: E501
)
CONTENTS = (
    P("$XDSDocumentEntryFormatCode",                 "format_codes",                   Kind.CODE, many=True),
    P("$XDSDocumentEntryConfidentialityCode",        "confidentiality_codes",          Kind.CODE, many=True, ands=True),
    P("$XDSDocumentEntryType",                       "object_types",                   Kind.TYPE, many=True),
)
# fmt: on

SHAPES = {
    StoredQueryId.FIND_DOCUMENTS: QueryShape("FindDocuments", FIND_DOCUMENTS, source="ITI TF-2, 3.18.4.1.2.3.7.1"),
    StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID: QueryShape(
        "FindDocumentsByReferenceId", FIND_DOCUMENTS + BY_REFERENCE_ID, source="ITI TF-2, 3.18.4.1.2.3.7.14"
    ),
    StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID_DCM4CHE: QueryShape(
        "FindDocumentsByReferenceId", FIND_DOCUMENTS + BY_REFERENCE_ID, source="ITI TF-2, 3.18.4.1.2.3.7.14"
    ),
    StoredQueryId.GET_DOCUMENTS: QueryShape(
        "GetDocuments",
        (
            P("$XDSDocumentEntryEntryUUID", "ids", Kind.UUID, many=True),
            P("$XDSDocumentEntryUniqueId", "unique_ids", Kind.TEXT, many=True),
            P("$XDSDocumentEntryLogicalID", "logical_ids", Kind.UUID, many=True),
        ),
        one_of=("$XDSDocumentEntryEntryUUID", "$XDSDocumentEntryUniqueId", "$XDSDocumentEntryLogicalID"),
        source="ITI TF-2, 3.18.4.1.2.3.7.5",
    ),
    StoredQueryId.GET_ASSOCIATIONS: QueryShape(
        "GetAssociations",
        (P("$uuid", "ids", Kind.UUID, many=True, required=True),),
        source="ITI TF-2, 3.18.4.1.2.3.7.7",
    ),
    StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS: QueryShape(
        "GetSubmissionSetAndContents",
        (
            P("$XDSSubmissionSetEntryUUID", "id", Kind.UUID),
            P("$XDSSubmissionSetUniqueId", "unique_id", Kind.TEXT),
            *CONTENTS,
        ),
        one_of=("$XDSSubmissionSetEntryUUID", "$XDSSubmissionSetUniqueId"),
        source="ITI TF-2, 3.18.4.1.2.3.7.10",
    ),
}
# Known, without an effect here: the versions and communities that they choose among are one.
IGNORED = {"$MetadataLevel", "$homeCommunityId", "$XDSDocumentEntryStatusScheme"}
