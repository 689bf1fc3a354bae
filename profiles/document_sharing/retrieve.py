"""RetrieveDocumentSetResponse, the answer of ITI-43 and RAD-69 alike (ITI TF-2, 3.43.4.2; RAD TF-2, 4.69.4.2)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from profiles.faces import ebrim_write, mtom, soap, xml
from registry.metadata.errors import Finding, Rejected
from registry.metadata.urn import Namespace, ResponseStatus

HEAD = f'<xdsb:RetrieveDocumentSetResponse xmlns:xdsb="{Namespace.XDS_B}">'.encode()
END = b"</xdsb:RetrieveDocumentSetResponse>"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the answer; the ids are echoed from the request.

    `chunks` gives its bytes, `size` many, when they are sent.
    """

    repository_unique_id: str
    unique_id: str
    mime_type: str
    home: str | None
    chunks: Callable[[], Iterator[bytes]]
    size: int | None = None


def status(documents: int, findings: Iterable[Finding]) -> ResponseStatus:
    """Success without errors, PartialSuccess with errors and documents, else Failure (ITI TF-2, 3.43.4.2.3)."""
    if all(f.warning for f in findings):
        return ResponseStatus.SUCCESS
    return ResponseStatus.PARTIAL_SUCCESS if documents else ResponseStatus.FAILURE


def answer(found: Iterable[Document | Finding]) -> soap.Answer:
    """The body, and the documents beside it; each error has the document's uniqueId for its location."""
    parts = list(found)
    documents = [p for p in parts if isinstance(p, Document)]
    findings = [p for p in parts if isinstance(p, Finding)]
    head = ebrim_write.registry_response(status(len(documents), findings), findings)
    body = [HEAD, head]
    attachments = []
    for document in documents:
        attachment = mtom.Attachment(mtom.new_content_id(), _Lazy(document.chunks), document.mime_type, document.size)
        attachments.append(attachment)
        body.append(_response(document, mtom.include(attachment.content_id)))
    return soap.Answer([*body, END], tuple(attachments))


def refuse(rejected: Rejected) -> soap.Answer:
    """A response without documents, and why."""
    return soap.Answer([HEAD, ebrim_write.registry_response(ResponseStatus.FAILURE, rejected.findings), END])


def _response(document: Document, include: bytes) -> bytes:
    home = f"<xdsb:HomeCommunityId>{xml.escaped(document.home)}</xdsb:HomeCommunityId>" if document.home else ""
    front = (
        f"<xdsb:DocumentResponse>{home}<xdsb:RepositoryUniqueId>{xml.escaped(document.repository_unique_id)}"
        f"</xdsb:RepositoryUniqueId><xdsb:DocumentUniqueId>{xml.escaped(document.unique_id)}</xdsb:DocumentUniqueId>"
        f"<xdsb:mimeType>{xml.escaped(document.mime_type)}</xdsb:mimeType><xdsb:Document>"
    )
    return b"%b%b</xdsb:Document></xdsb:DocumentResponse>" % (front.encode(), include)


@dataclass(frozen=True, slots=True)
class _Lazy:
    """Opens the document only when its part is sent, so that a long answer holds one file open at a time."""

    chunks: Callable[[], Iterator[bytes]]

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks()
