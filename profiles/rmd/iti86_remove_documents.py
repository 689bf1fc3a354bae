"""ITI-86, Remove Documents (ITI TF-2, 3.86): documents are taken out of the repository, for good.

The registry keeps what it says of them until ITI-62 removes that too; the book leaves the order to the administrator.
"""

from collections.abc import Iterator

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import outcome
from profiles.faces import soap, xml
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action, Namespace
from repository.service import DocumentRequest

SOURCE = "ITI TF-2, 3.86.4.1.2"
CODE = ErrorCode.XDSRemoveDocumentsError
MOST_DOCUMENTS = 1000
# The supplement's schema takes the request's parts from XDS.b; senders write them in either namespace.
NAMESPACES = tuple("{" + namespace + "}" for namespace in (Namespace.XDS_B, Namespace.RMD))


def decode(request: soap.Request[object]) -> list[DocumentRequest]:
    """The documents that a RemoveDocumentsRequest names.

    Raises:
        Rejected: XDSRemoveDocumentsError, none or too many are named, or a part of a request is missing.
    """
    findings: list[Finding] = []
    asked: list[DocumentRequest] = []
    for number, element in enumerate(_children(request.body, "DocumentRequest"), 1):
        parts = {name: _text(element, name) for name in ("RepositoryUniqueId", "DocumentUniqueId", "HomeCommunityId")}
        for name in ("RepositoryUniqueId", "DocumentUniqueId"):
            if not parts[name]:
                where = f"DocumentRequest[{number}].{name}"
                findings.append(Finding(CODE, where, "is required and missing", SOURCE))
        asked.append(
            DocumentRequest(parts["RepositoryUniqueId"], parts["DocumentUniqueId"], parts["HomeCommunityId"] or None)
        )
    if not 0 < len(asked) <= MOST_DOCUMENTS:
        text = f"name 1 to {MOST_DOCUMENTS} documents, not {len(asked)}"
        findings.append(Finding(CODE, "DocumentRequest", text, SOURCE))
    if findings:
        raise Rejected(findings)
    return asked


def _children(element: xml.Element, name: str) -> Iterator[xml.Element]:
    return element.iterchildren(*(namespace + name for namespace in NAMESPACES))


def _text(element: xml.Element, name: str) -> str:
    return next(((child.text or "").strip() for child in _children(element, name)), "")


def handle(asked: list[DocumentRequest], house: House, caller: Caller) -> tuple[Finding, ...]:
    """Remove the documents, all or none; there are no warnings.

    Raises:
        Rejected: with one finding a document that cannot be removed, one that is asked of another community among them.
    """
    own = house.communities.own
    text = f"is another community's; this one is {own}"
    foreign = [Finding(CODE, one.unique_id, text, SOURCE) for one in asked if one.home not in (None, own)]
    if foreign:
        raise Rejected(foreign)
    house.repository.remove(asked, caller)
    return ()


TRANSACTION = Transaction(
    id="ITI-86",
    name="Remove Documents",
    actor="Document Repository",
    source="ITI TF-2, 3.86",
    face=Soap(
        service="repository",
        action=Action.REMOVE_DOCUMENTS,
        request="{" + Namespace.RMD + "}RemoveDocumentsRequest",
        response="{" + Namespace.RS + "}RegistryResponse",
    ),
    decode=decode,
    handle=handle,
    encode=outcome.succeed,
    refuse=outcome.refuse,
)
