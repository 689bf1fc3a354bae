"""ITI-39 as an Initiating Gateway asks it, and what another community's gateway gives (ITI TF-2, 3.39)."""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from profiles.document_sharing import retrieve
from profiles.document_sharing.retrieve import XDS_B, Document
from profiles.faces import mtom, soap_client, xml
from profiles.faces.mtom import Message
from profiles.faces.soap_client import NoAnswer, Peer
from profiles.xca.spool import Piece, Spool
from profiles.xca.told import RESPONSE, errors_of, misattributed, status_of
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action, Namespace
from repository.service import DocumentRequest

SOURCE = "ITI TF-2, 3.39.4.1.3"
UNTYPED = "application/octet-stream"
# It becomes a header of a part, where a line end would begin another header.
MIME_TYPE = re.compile(r"[\x20-\x7e]{1,256}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one community gave: for each request in its order the document or None, and what went wrong there."""

    documents: tuple[Document | None, ...]
    findings: tuple[Finding, ...] = ()


def question(requests: Sequence[DocumentRequest]) -> bytes:
    """A RetrieveDocumentSetRequest."""
    asked = "".join(
        f"<xdsb:DocumentRequest><xdsb:HomeCommunityId>{xml.escaped(one.home or '')}</xdsb:HomeCommunityId>"
        f"<xdsb:RepositoryUniqueId>{xml.escaped(one.repository_unique_id)}</xdsb:RepositoryUniqueId>"
        f"<xdsb:DocumentUniqueId>{xml.escaped(one.unique_id)}</xdsb:DocumentUniqueId></xdsb:DocumentRequest>"
        for one in requests
    )
    head = f'<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="{Namespace.XDS_B}">'
    return f"{head}{asked}</xdsb:RetrieveDocumentSetRequest>".encode()


def fetch(peer: Peer, home: str, requests: Sequence[DocumentRequest], folder: Path) -> Fetched:
    """The documents as the gateway of `home` gives them, spooled in `folder`.

    Raises:
        NoAnswer: nothing that can be used.
    """
    spool = Spool(folder)
    answered = soap_client.call(
        peer,
        Action.CROSS_GATEWAY_RETRIEVE,
        question(requests),
        retrieve.RESPONSE,
        spool.receive,
        lambda _: None,  # the spool ends as a whole
        packaged=True,
    )
    return _Reading(home, requests, answered.message).run(answered.body)


class _Reading:
    """One RetrieveDocumentSetResponse while its documents are matched with what was asked for."""

    def __init__(self, home: str, requests: Sequence[DocumentRequest], message: Message[Piece]) -> None:
        self._home, self._requests, self._message = home, requests, message
        self._open: dict[tuple[str, str], deque[int]] = defaultdict(deque)
        for number, one in enumerate(requests):
            self._open[one.repository_unique_id, one.unique_id].append(number)
        self._documents: list[Document | None] = [None] * len(requests)
        self._findings: list[Finding] = []
        self._missing: list[str] = []
        self._strange: list[str] = []

    def run(self, body: xml.Element) -> Fetched:
        """What is given.

        Raises:
            NoAnswer: it is not what the book says.
        """
        response = body.find(RESPONSE)
        if response is None:
            raise NoAnswer("its answer has no RegistryResponse")
        told = errors_of(response, self._home, ErrorCode.XDSRepositoryError)
        status_of(response, told)
        for element in body.iterchildren(XDS_B + "DocumentResponse"):
            self._take(element)
        findings = [*told, *self._findings, *misattributed(self._missing, self._strange, self._home, SOURCE)]
        if all(f.warning for f in findings):
            findings += self._forgotten()
        return Fetched(tuple(self._documents), tuple(findings))

    def _take(self, element: xml.Element) -> None:
        home, repository, unique_id = (
            _text(element, name) for name in ("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId")
        )
        waiting = self._open.get((repository, unique_id))
        if home != self._home:
            (self._strange if home else self._missing).append(f"DocumentResponse {unique_id}")
        elif not waiting:
            self._fault("its gateway gave a document that was not asked for, which is not shown", unique_id)
        else:
            self._documents[waiting[0]] = self._document(element, repository, unique_id)
            waiting.popleft()

    def _document(self, element: xml.Element, repository: str, unique_id: str) -> Document | None:
        holder = element.find(XDS_B + "Document")
        try:
            if holder is None:
                raise NoAnswer("there is no Document in it")
            chunks, size = _content(holder, self._message)
        except (Rejected, NoAnswer) as error:
            self._fault(f"its gateway gave a document that cannot be read: {error}", unique_id)
            return None
        mime_type = _text(element, "mimeType")
        return Document(
            repository,
            unique_id,
            mime_type if MIME_TYPE.fullmatch(mime_type) else UNTYPED,
            self._home,
            chunks,
            size,
            _text(element, "NewRepositoryUniqueId") or None,
            _text(element, "NewDocumentUniqueId") or None,
        )

    def _forgotten(self) -> Iterator[Finding]:
        for request, document in zip(self._requests, self._documents, strict=True):
            if document is None:
                text = f"{request.unique_id}: its gateway neither gave the document nor said why"
                yield Finding(ErrorCode.XDSDocumentUniqueIdError, self._home, text, SOURCE)

    def _fault(self, text: str, unique_id: str) -> None:
        self._findings.append(Finding(ErrorCode.XDSRepositoryError, self._home, f"{unique_id[:256]}: {text}", SOURCE))


def _text(element: xml.Element, name: str) -> str:
    return (element.findtext(XDS_B + name) or "").strip()


def _content(holder: xml.Element, message: Message[Piece]) -> tuple[Callable[[], Iterator[bytes]], int]:
    piece = mtom.included(holder, message)
    if piece is not None:
        return piece.chunks, piece.size
    content = mtom.inline(holder)
    return (lambda: iter((content,))), len(content)
