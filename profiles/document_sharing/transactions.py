"""What each transaction that submits metadata takes and refuses, and by which error codes it says so.

One `Rules` a transaction: the rules themselves are written once (`submission` and the modules beside it) and read from
here what differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from profiles.document_sharing import attributes
from profiles.faces.ebrim_tables import CARRIERS
from registry.metadata.errors import ErrorCode
from registry.metadata.rules import Row
from registry.metadata.urn import DOCUMENT_RELATIONS, AssociationType, ObjectType

Tables = Mapping[str, tuple[Row, ...]]

STABLE: Tables = {ObjectType.STABLE_DOCUMENT: attributes.DOCUMENT_ENTRY}
PROVIDED: Tables = {ObjectType.STABLE_DOCUMENT: attributes.PROVIDED_DOCUMENT_ENTRY}
ON_DEMAND_ENTRY: Tables = {ObjectType.ON_DEMAND_DOCUMENT: attributes.ON_DEMAND_DOCUMENT_ENTRY}

FIRST_VERSIONS = frozenset({AssociationType.HAS_MEMBER, AssociationType.IS_SNAPSHOT_OF, *DOCUMENT_RELATIONS})
ON_DEMAND_ASSOCIATIONS = frozenset({AssociationType.HAS_MEMBER, *DOCUMENT_RELATIONS})


@dataclass(frozen=True, slots=True)
class Rules:
    """What one transaction takes.

    `entries` is the attribute table of each objectType of DocumentEntry that may be submitted, `submission_set` the
    SubmissionSet's; `associations` are the types that may be. `updates` tells that the objects are new versions of
    registered ones; of those, what they must say of the version before is told with the registry's state
    (`registry.update_rules`). Elsewhere objects must be first versions.

    The codes: `metadata_error` for every rule without a code of its own, `duplicate` for a uniqueId that occurs twice,
    `other_patient` for a patientId that is not the SubmissionSet's, `annotation` for the SubmissionSet's HasMember,
    `object_type` for an entry of a kind that the transaction does not take (ITI TF-3, table 4.2.4.1-2). `carriers` says
    of each kind of object what carries an attribute on the wire, for the sender who left it out.
    """

    transaction: str
    source: str
    metadata_error: ErrorCode
    duplicate: ErrorCode
    other_patient: ErrorCode
    annotation: ErrorCode
    object_type: ErrorCode
    submission_set: tuple[Row, ...]
    entries: Tables
    associations: frozenset[AssociationType]
    updates: bool
    carriers: Mapping[type, Mapping[str, str]] = field(default_factory=lambda: CARRIERS)


REGISTER = Rules(
    transaction="ITI-42",
    source="ITI TF-2, 3.42.4.1.2",
    metadata_error=ErrorCode.XDSRegistryMetadataError,
    duplicate=ErrorCode.XDSRegistryDuplicateUniqueIdInMessage,
    other_patient=ErrorCode.XDSPatientIdDoesNotMatch,
    annotation=ErrorCode.XDSRegistryMetadataError,
    object_type=ErrorCode.XDSRegistryMetadataError,
    submission_set=attributes.SUBMISSION_SET,
    entries=STABLE,
    associations=FIRST_VERSIONS,
    updates=False,
)
PROVIDE = Rules(
    transaction="ITI-41",
    source="ITI TF-2, 3.41.4.1.2",
    metadata_error=ErrorCode.XDSRepositoryMetadataError,
    duplicate=ErrorCode.XDSRepositoryDuplicateUniqueIdInMessage,
    other_patient=ErrorCode.XDSPatientIdDoesNotMatch,
    annotation=ErrorCode.XDSRepositoryMetadataError,
    object_type=ErrorCode.XDSRepositoryMetadataError,
    submission_set=attributes.SUBMISSION_SET,
    entries=PROVIDED,
    associations=FIRST_VERSIONS,
    updates=False,
)
ON_DEMAND = Rules(
    transaction="ITI-61",
    source="ITI TF-2, 3.61.4.1.2",
    metadata_error=ErrorCode.XDSRegistryMetadataError,
    duplicate=ErrorCode.XDSRegistryDuplicateUniqueIdInMessage,
    other_patient=ErrorCode.XDSPatientIdDoesNotMatch,
    annotation=ErrorCode.XDSRegistryMetadataError,
    object_type=ErrorCode.XDSRegistryMetadataError,
    submission_set=attributes.SUBMISSION_SET,
    entries=ON_DEMAND_ENTRY,
    associations=ON_DEMAND_ASSOCIATIONS,
    updates=False,
)
UPDATE = Rules(
    transaction="ITI-57",
    source="ITI TF-2, 3.57.4.1.2",
    metadata_error=ErrorCode.XDSMetadataUpdateError,
    duplicate=ErrorCode.XDSMetadataUpdateError,
    other_patient=ErrorCode.XDSPatientIDReconciliationError,
    annotation=ErrorCode.XDSMetadataUpdateError,
    object_type=ErrorCode.XDSMetadataUpdateError,
    submission_set=attributes.SUBMISSION_SET,
    entries={**STABLE, **ON_DEMAND_ENTRY},
    associations=frozenset(AssociationType),
    updates=True,
)
RESTRICTED_UPDATE = Rules(
    transaction="ITI-92",
    source="ITI TF-2, 3.92.4.1.2",
    metadata_error=ErrorCode.XDSMetadataUpdateError,
    duplicate=ErrorCode.XDSMetadataUpdateError,
    other_patient=ErrorCode.XDSPatientIDReconciliationError,
    annotation=ErrorCode.XDSMetadataAnnotationError,
    object_type=ErrorCode.XDSObjectTypeError,
    # The book asks for the homeCommunityId so that an update can be forwarded to its community (3.92.4.1.3.1); to a
    # registry that forwards nothing, the clients of the field leave it out.
    submission_set=attributes.SUBMISSION_SET,
    entries={**STABLE, **ON_DEMAND_ENTRY},
    associations=frozenset({AssociationType.HAS_MEMBER}),
    updates=True,
)
