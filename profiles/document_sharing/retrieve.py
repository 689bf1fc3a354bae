"""RetrieveDocumentSetRequest and its answer: what ITI-43, ITI-39 and RAD-69 share.

ITI TF-2, 3.43.4 and 3.39.4; RAD TF-2, 4.69.4.2. RAD-69 has a request of its own and the same answer.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from profiles.faces import ebrim_write, mtom, soap, xml
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Namespace, ResponseStatus
from repository.service import DocumentRequest, Retrieved

XDS_B = "{" + Namespace.XDS_B + "}"
REQUEST, RESPONSE = XDS_B + "RetrieveDocumentSetRequest", XDS_B + "RetrieveDocumentSetResponse"
SOURCE = "ITI TF-2, 3.43.4.1.2"
MOST_DOCUMENTS = 1000
HEAD = f'<xdsb:RetrieveDocumentSetResponse xmlns:xdsb="{Namespace.XDS_B}">'.encode()
END = b"</xdsb:RetrieveDocumentSetResponse>"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the answer; the ids are echoed from the request.

    `chunks` gives its bytes, `size` many, when they are sent. `new_unique_id` names what was assembled for an
    on-demand entry, `new_repository_unique_id` where it can be had again (ITI TF-2, 3.43.4.2.2).
    """

    repository_unique_id: str
    unique_id: str
    mime_type: str
    home: str | None
    chunks: Callable[[], Iterator[bytes]]
    size: int | None = None
    new_repository_unique_id: str | None = None
    new_unique_id: str | None = None


def requested(body: xml.Element) -> tuple[list[DocumentRequest], list[Finding]]:
    """The documents that a RetrieveDocumentSetRequest asks for, and what is wrong with it.

    XDSRepositoryError: none or too many are asked for, or a part of a request is missing.
    """
    asked: list[DocumentRequest] = []
    findings: list[Finding] = []
    elements = list(body.iterchildren(XDS_B + "DocumentRequest"))
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
    return asked, findings


def document_of(found: Retrieved | Finding) -> Document | Finding:
    """What the repository found, as the answer has it."""
    if isinstance(found, Finding):
        return found
    request = found.request
    return Document(
        request.repository_unique_id,
        request.unique_id,
        found.mime_type,
        request.home,
        found.chunks,
        found.size,
        found.new_repository_unique_id,
        found.new_unique_id,
    )


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
    texts = (
        ("HomeCommunityId", document.home),
        ("RepositoryUniqueId", document.repository_unique_id),
        ("DocumentUniqueId", document.unique_id),
        ("NewRepositoryUniqueId", document.new_repository_unique_id),
        ("NewDocumentUniqueId", document.new_unique_id),
        ("mimeType", document.mime_type),
    )
    front = "".join(f"<xdsb:{name}>{xml.escaped(text)}</xdsb:{name}>" for name, text in texts if text is not None)
    return b"<xdsb:DocumentResponse>%b<xdsb:Document>%b</xdsb:Document></xdsb:DocumentResponse>" % (
        front.encode(),
        include,
    )


@dataclass(frozen=True, slots=True)
class _Lazy:
    """Opens the document only when its part is sent, so that a long answer holds one file open at a time."""

    chunks: Callable[[], Iterator[bytes]]

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks()
