"""Which code a SOAP answer has for what has none of its own (ITI TF-3, table 4.2.4.1-2).

The table of the book says for each code in which transactions it may be: XDSRegistryMetadataError, for example, is for
submissions alone. What the product names for itself (`TooLarge`) is in no table of the book and never goes out by SOAP.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import Action


@dataclass(frozen=True, slots=True)
class Generic:
    """The codes of a transaction: of a request that breaks a rule, and of a failure of this server's own."""

    refused: ErrorCode
    failed: ErrorCode


_REGISTRY = Generic(ErrorCode.XDSRegistryError, ErrorCode.XDSRegistryError)
_REPOSITORY = Generic(ErrorCode.XDSRepositoryError, ErrorCode.XDSRepositoryError)
_REGISTERING = Generic(ErrorCode.XDSRegistryMetadataError, ErrorCode.XDSRegistryError)
_UPDATING = Generic(ErrorCode.XDSMetadataUpdateError, ErrorCode.XDSRegistryError)

GENERIC: Final[Mapping[str, Generic]] = {
    Action.REGISTER_DOCUMENT_SET: _REGISTERING,
    Action.REGISTER_ON_DEMAND_DOCUMENT_ENTRY: _REGISTERING,
    Action.PROVIDE_AND_REGISTER_DOCUMENT_SET: Generic(
        ErrorCode.XDSRepositoryMetadataError, ErrorCode.XDSRepositoryError
    ),
    Action.UPDATE_DOCUMENT_SET: _UPDATING,
    Action.RESTRICTED_UPDATE_DOCUMENT_SET: _UPDATING,
    Action.RETRIEVE_DOCUMENT_SET: _REPOSITORY,
    Action.RETRIEVE_IMAGING_DOCUMENT_SET: _REPOSITORY,
    Action.CROSS_GATEWAY_RETRIEVE: _REPOSITORY,
    Action.CROSS_GATEWAY_RETRIEVE_IMAGING_DOCUMENT_SET: _REPOSITORY,
    Action.REMOVE_DOCUMENTS: Generic(ErrorCode.XDSRemoveDocumentsError, ErrorCode.XDSRepositoryError),
}
"""By wsa:Action; the registry's for all others."""

OF_THIS_SERVER: Final = frozenset(
    {
        ErrorCode.InvalidRequest,
        ErrorCode.Incomplete,
        ErrorCode.NotFound,
        ErrorCode.Gone,
        ErrorCode.NotAcceptable,
        ErrorCode.TooLarge,
        ErrorCode.UnsupportedMediaType,
        ErrorCode.Forbidden,
        ErrorCode.DicomUnreadable,
        ErrorCode.PatientLinkConflict,
        ErrorCode.DicomConflict,
        ErrorCode.DicomRejected,
        ErrorCode.DicomMismatch,
        ErrorCode.RangeNotSatisfiable,
    }
)
"""Codes that the book does not know."""

_OF_THE_REPOSITORY: Final = {
    ErrorCode.XDSRegistryBusy: ErrorCode.XDSRepositoryBusy,
    ErrorCode.XDSRegistryOutOfResources: ErrorCode.XDSRepositoryOutOfResources,
}


def of(action: str) -> Generic:
    """The codes of the transaction that `action` asks for."""
    return GENERIC.get(action, _REGISTRY)


def in_the_book(rejected: Rejected, action: str) -> Rejected:
    """`rejected` with codes that the answer to `action` may have."""
    generic = of(action)
    swaps = dict.fromkeys(OF_THIS_SERVER, generic.refused)
    if generic.failed is ErrorCode.XDSRepositoryError and action != Action.PROVIDE_AND_REGISTER_DOCUMENT_SET:
        # A submission may name either actor; a retrieve knows the repository alone.
        swaps |= _OF_THE_REPOSITORY
    if not any(f.code in swaps for f in rejected.findings):
        return rejected
    return Rejected([replace(f, code=swaps.get(f.code, f.code)) for f in rejected.findings])
