"""ITI-43, Retrieve Document Set (ITI TF-2, 3.43)."""

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import retrieve
from profiles.faces import soap
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action, Namespace
from repository.service import DocumentRequest

XDS_B = "{" + Namespace.XDS_B + "}"
SOURCE = "ITI TF-2, 3.43.4.1.2"
MOST_DOCUMENTS = 1000


def decode(request: soap.Request[object]) -> list[DocumentRequest]:
    """The documents that a RetrieveDocumentSetRequest asks for.

    Raises:
        Rejected: XDSRepositoryError, none or too many asked for, or a part of a request missing.
    """
    asked: list[DocumentRequest] = []
    findings: list[Finding] = []
    elements = list(request.body.iterchildren(XDS_B + "DocumentRequest"))
    for number, element in enumerate(elements, 1):
        parts = {}
        for name in ("RepositoryUniqueId", "DocumentUniqueId", "HomeCommunityId"):
            parts[name] = (element.findtext(XDS_B + name) or "").strip()
        for name in ("RepositoryUniqueId", "DocumentUniqueId"):
            if not parts[name]:
                where = f"DocumentRequest[{number}].{name}"
                findings.append(Finding(ErrorCode.XDSRepositoryError, where, "is required and missing", SOURCE))
        asked.append(
            DocumentRequest(parts["RepositoryUniqueId"], parts["DocumentUniqueId"], parts["HomeCommunityId"] or None)
        )
    if not elements or len(elements) > MOST_DOCUMENTS:
        text = f"ask for 1 to {MOST_DOCUMENTS} documents, not {len(elements)}"
        findings.append(Finding(ErrorCode.XDSRepositoryError, "DocumentRequest", text, SOURCE))
    if findings:
        raise Rejected(findings)
    return asked


def handle(asked: list[DocumentRequest], house: House, caller: Caller) -> list[retrieve.Document | Finding]:
    """Each document, or why not."""
    return [
        found
        if isinstance(found, Finding)
        else retrieve.Document(
            found.request.repository_unique_id,
            found.request.unique_id,
            found.mime_type,
            found.request.home,
            found.chunks,
            found.size,
        )
        for found in house.repository.retrieve(asked, caller)
    ]


TRANSACTION = Transaction(
    id="ITI-43",
    name="Retrieve Document Set",
    actor="Document Repository",
    source="ITI TF-2, 3.43",
    face=Soap(
        service="repository",
        action=Action.RETRIEVE_DOCUMENT_SET,
        request=XDS_B + "RetrieveDocumentSetRequest",
        response=XDS_B + "RetrieveDocumentSetResponse",
        mtom=True,
    ),
    decode=decode,
    handle=handle,
    encode=retrieve.answer,
    refuse=retrieve.refuse,
)
