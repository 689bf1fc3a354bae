"""How Metadata Update and Restricted Metadata Update name what is wrong (ITI TF-3, table 4.2.4.1-2).

Each transaction says what is wrong by codes of its own: `UPDATE` has the four of Metadata Update, `RESTRICTED` those
that Restricted Metadata Update adds.
"""

from dataclasses import dataclass

from registry.metadata.errors import ErrorCode

FAULT, VERSION = ErrorCode.XDSMetadataUpdateError, ErrorCode.XDSMetadataVersionError
PATIENTS = ErrorCode.XDSPatientIDReconciliationError
# Where the book speaks of all operations, and of each.
COMMON, ENTRY, STATUS, FOLDERS, SUBMITTED = (
    f"ITI TF-2, 3.57.4.1.3.{part}" for part in ("1", "3.1", "3.2", "3.3", "3.5")
)
RESTRICTED_SOURCE = "ITI TF-2, 3.92.4.1.3"


@dataclass(frozen=True, slots=True)
class Codes:
    """One transaction's error codes, by what is wrong; `restricted` when it is ITI-92."""

    operation: ErrorCode
    first_version: ErrorCode
    annotation: ErrorCode
    identifier: ErrorCode
    object_type: ErrorCode
    restricted: bool


UPDATE = Codes(ErrorCode.XDSMetadataUpdateOperationError, FAULT, FAULT, FAULT, FAULT, restricted=False)
RESTRICTED = Codes(
    ErrorCode.XDSObjectTypeError,
    ErrorCode.XDSInvalidRequestException,
    ErrorCode.XDSMetadataAnnotationError,
    ErrorCode.XDSMetadataIdentifierError,
    ErrorCode.XDSObjectTypeError,
    restricted=True,
)
