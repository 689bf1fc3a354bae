"""What can be wrong with a message, said once for every wire.

An error code is a row: its name in the book (ITI TF-3, table 4.2.4.1-2), its HTTP status, its FHIR issue type and
its meaning. SOAP renders the name, FHIR the issue, DICOMweb the status; none invents a code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import NamedTuple


class Meaning(NamedTuple):
    """`status`: HTTP status. `issue`: FHIR R4 issue-type. `text`: the meaning. `wire`: the code, when not the name."""

    status: int
    issue: str
    text: str
    wire: str = ""


@unique
class ErrorCode(Enum):
    """One row an error; the member's name is what goes on the wire."""

    # fmt: off
    XDSMissingDocument = Meaning(400, "required", "Metadata is there, its document is not.")
    XDSMissingDocumentMetadata = Meaning(400, "required", "A document is there, its metadata is not.")
    XDSRegistryNotAvailable = Meaning(503, "transient", "The repository cannot reach its registry.")
    XDSRegistryError = Meaning(500, "exception", "The registry failed, or cannot read the question.")
    XDSRepositoryError = Meaning(500, "exception", "The repository failed, or cannot read the request.")
    XDSRegistryDuplicateUniqueIdInMessage = Meaning(400, "duplicate", "One uniqueId occurs twice in this submission.")
    XDSRepositoryDuplicateUniqueIdInMessage = Meaning(400, "duplicate", "One uniqueId occurs twice.")
    XDSDuplicateUniqueIdInRegistry = Meaning(409, "duplicate", "The uniqueId of a set or folder is registered.")
    XDSNonIdenticalHash = Meaning(409, "conflict", "The document's uniqueId is registered already, with another hash.")
    XDSNonIdenticalSize = Meaning(409, "conflict", "The document's uniqueId is registered already, with another size.")
    XDSRegistryBusy = Meaning(503, "throttled", "The registry has too much to do; try again.")
    XDSRepositoryBusy = Meaning(503, "throttled", "The repository has too much to do; try again.")
    XDSRegistryOutOfResources = Meaning(507, "no-store", "The registry has no room left.")
    XDSRepositoryOutOfResources = Meaning(507, "no-store", "The repository has no room left.")
    XDSRegistryMetadataError = Meaning(422, "invariant", "The metadata breaks a rule, found by the registry.")
    XDSRepositoryMetadataError = Meaning(422, "invariant", "The metadata breaks a rule, found by the repository.")
    XDSTooManyResults = Meaning(403, "too-costly", "The answer would be larger than this registry allows.")
    XDSExtraMetadataNotSaved = Meaning(200, "informational", "Extra metadata was not kept.")
    XDSUnknownPatientId = Meaning(422, "not-found", "The patient is not known here.")
    XDSPatientIdDoesNotMatch = Meaning(422, "business-rule", "Objects that must share one patient do not.")
    XDSUnknownStoredQuery = Meaning(400, "not-supported", "The query id is not known here.")
    XDSStoredQueryMissingParam = Meaning(400, "required", "A required query parameter is missing.")
    XDSStoredQueryParamNumber = Meaning(400, "structure", "A query parameter has too many values, or excludes another.")
    XDSResultNotSinglePatient = Meaning(400, "business-rule", "The answer would hold objects of several patients.")
    XDSRegistryDeprecatedDocumentError = Meaning(422, "business-rule", "A deprecated document is referred to.")
    XDSUnknownRepositoryId = Meaning(404, "not-found", "The repositoryUniqueId is not this repository's.")
    XDSDocumentUniqueIdError = Meaning(404, "not-found", "No document has this uniqueId here.")
    InvalidDocumentContent = Meaning(422, "invalid", "The document does not fit its metadata.")
    XDSMissingHomeCommunityId = Meaning(400, "required", "The homeCommunityId is missing.")
    XDSUnknownCommunity = Meaning(404, "not-found", "The homeCommunityId is of no community known here.")
    XDSUnavailableCommunity = Meaning(503, "transient", "A community could not be reached.")
    XDSMetadataUpdateError = Meaning(422, "invariant", "The metadata update breaks a rule.")
    XDSMetadataUpdateOperationError = Meaning(422, "not-supported", "What is to be updated how cannot be told.")
    XDSMetadataVersionError = Meaning(409, "conflict", "The version to be updated is not the latest one.")
    XDSPatientIDReconciliationError = Meaning(422, "business-rule", "The update would tie objects of two patients.")
    XDSMetadataAnnotationError = Meaning(422, "structure", "The HasMember of an update lacks what it must say.")
    XDSMetadataIdentifierError = Meaning(422, "business-rule", "The update changes what identifies the object.")
    XDSObjectTypeError = Meaning(422, "business-rule", "The update changes the objectType, or is of another object.")
    XDSInvalidRequestException = Meaning(422, "invalid", "A first version was sent as an update.")
    UnmodifiableMetadataError = Meaning(422, "business-rule", "The update changes what may not be changed.")
    LocalPolicyRestrictionError = Meaning(403, "forbidden", "A policy of this registry forbids it.")
    UnresolvedReferenceException = Meaning(404, "not-found", "No registered object has this id.")
    ReferencesExistException = Meaning(409, "conflict", "The object is an end of an association that would stay.")
    XDSUnreferencedObjectException = Meaning(409, "conflict", "An object would be left without an association.")
    XDSMetadataModelException = Meaning(422, "business-rule", "What would be left breaks the metadata model.")
    XDSRemoveDocumentsError = Meaning(500, "exception", "The document could not be removed.")
    WadoTransferSyntax = Meaning(406, "not-supported", "Not kept in a syntax asked for.", "urn:dicom:wado:0007")
    # Not of the book's table: what a DICOM or HTTP face refuses before any metadata rule is reached.
    InvalidRequest = Meaning(400, "invalid", "The request cannot be read.")
    Incomplete = Meaning(400, "required", "Something that the message must have is missing.")
    NotFound = Meaning(404, "not-found", "There is nothing here by this name.")
    Gone = Meaning(410, "deleted", "What was here is withdrawn.")
    NotAcceptable = Meaning(406, "not-supported", "None of the forms asked for can be given.")
    TooLarge = Meaning(413, "too-long", "The message is larger than this server allows.")
    RangeNotSatisfiable = Meaning(416, "value", "The value has no such bytes.")
    UnsupportedMediaType = Meaning(415, "not-supported", "The message is of a kind that this door does not take.")
    Forbidden = Meaning(403, "forbidden", "This is not allowed to the caller.")
    DicomUnreadable = Meaning(400, "structure", "The bytes are not a DICOM object that can be kept.")
    DicomMismatch = Meaning(400, "structure", "The object is named otherwise than its data set names itself.")
    PatientLinkConflict = Meaning(409, "conflict", "The patient ids are merged in another way, or not at all.")
    DicomConflict = Meaning(409, "conflict", "The object contradicts what is stored already.")
    DicomRejected = Meaning(409, "conflict", "The object was rejected by a rejection note.")
    # fmt: on

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.value.status

    @property
    def wire(self) -> str:
        """The code as RegistryError/@errorCode has it."""
        return self.value.wire or self.name

    @property
    def issue(self) -> str:
        """FHIR R4 issue-type code."""
        return self.value.issue


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what, where, and which sentence of which book says so.

    `where` names the object and the attribute as their sender knows them (`Document01.creationTime`), `text` is for
    the person who must mend it, `source` is book and section. A warning lets the message pass.
    """

    code: ErrorCode
    where: str
    text: str
    source: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.text} ({self.source})" if self.where else f"{self.text} ({self.source})"


class Rejected(Exception):
    """A request that cannot be done, with everything that is wrong with it; each face renders the findings its way."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: Sequence[Finding] = tuple(findings)
        super().__init__("; ".join(map(str, self.findings)))

    @classmethod
    def because(cls, code: ErrorCode, where: str, text: str, source: str) -> "Rejected":
        """A rejection with a single finding."""
        return cls([Finding(code, where, text, source)])

    @property
    def status(self) -> int:
        """HTTP status of the gravest finding."""
        return max((f.code.status for f in self.findings if not f.warning), default=500)
