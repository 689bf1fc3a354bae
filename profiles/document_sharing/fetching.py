"""A RetrieveDocumentSet as it is asked of another system, and what that system gives.

ITI TF-2, 3.43.4 and 3.39.4 (ITI-39), RAD TF-2, 4.69.4 and 4.75.4 (RAD-69, RAD-75): one answer for all four.
"""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from profiles.document_sharing import retrieve
from profiles.document_sharing.retrieve import XDS_B, Document
from profiles.document_sharing.spool import Piece, Spool
from profiles.document_sharing.told import RESPONSE, errors_of, misattributed, status_of
from profiles.faces import mtom, soap_client, xml
from profiles.faces.mtom import Message
from profiles.faces.soap_client import NoAnswer, Peer
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action

UNTYPED = "application/octet-stream"
# It becomes a header of a part, where a line end would begin another header.
MIME_TYPE = re.compile(r"[\x20-\x7e]{1,256}")


class Wanted(Protocol):
    """One document that is asked for."""

    @property
    def repository_unique_id(self) -> str:
        """Whose it is."""

    @property
    def unique_id(self) -> str:
        """Which it is."""

    @property
    def home(self) -> str | None:
        """Its homeCommunityId."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: its action, its body, and for whoever has to mend the answer the section of the book."""

    action: Action
    body: bytes
    source: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one system gave: for each request in its order the document or None, and what went wrong there."""

    documents: tuple[Document | None, ...]
    findings: tuple[Finding, ...] = ()


def fetch(peer: Peer, question: Question, requests: Sequence[Wanted], home: str | None, folder: Path) -> Fetched:
    """The documents as `peer` gives them, spooled in `folder`.

    `home` is the community whose gateway it is: only documents of that are taken, and every finding is located there.
    None asks a system of this community: findings are located at the document that they are about.

    Raises:
        NoAnswer: nothing that can be used.
    """
    spool = Spool(folder)
    answered = soap_client.call(
        peer,
        question.action,
        question.body,
        retrieve.RESPONSE,
        spool.receive,
        lambda _: None,  # the spool ends as a whole
        packaged=True,
    )
    return _Reading(home, requests, answered.message, question.source).run(answered.body)


class _Reading:
    """One RetrieveDocumentSetResponse while its documents are matched with what was asked for."""

    def __init__(self, home: str | None, requests: Sequence[Wanted], message: Message[Piece], source: str) -> None:
        self._home, self._requests, self._message, self._source = home, requests, message, source
        self._who = "its gateway" if home else "the imaging source"
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
        strange = misattributed(self._missing, self._strange, self._home, self._source) if self._home else []
        findings = [*told, *self._findings, *strange]
        if all(f.warning for f in findings):
            findings += self._forgotten()
        return Fetched(tuple(self._documents), tuple(findings))

    def _take(self, element: xml.Element) -> None:
        home, repository, unique_id = (
            _text(element, name) for name in ("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId")
        )
        waiting = self._open.get((repository, unique_id))
        if self._home and home != self._home:
            (self._strange if home else self._missing).append(f"DocumentResponse {unique_id}")
        elif not waiting:
            self._fault("gave a document that was not asked for, which is not shown", unique_id)
        else:
            self._documents[waiting[0]] = self._document(element, self._requests[waiting[0]])
            waiting.popleft()

    def _document(self, element: xml.Element, request: Wanted) -> Document | None:
        holder = element.find(XDS_B + "Document")
        try:
            if holder is None:
                raise NoAnswer("there is no Document in it")
            chunks, size = _content(holder, self._message)
        except (Rejected, NoAnswer) as error:
            self._fault(f"gave a document that cannot be read: {error}", request.unique_id)
            return None
        mime_type = _text(element, "mimeType")
        return Document(
            request.repository_unique_id,
            request.unique_id,
            mime_type if MIME_TYPE.fullmatch(mime_type) else UNTYPED,
            request.home,
            chunks,
            size,
            _text(element, "NewRepositoryUniqueId") or None,
            _text(element, "NewDocumentUniqueId") or None,
        )

    def _forgotten(self) -> Iterator[Finding]:
        for request, document in zip(self._requests, self._documents, strict=True):
            if document is None:
                text = "neither gave the document nor said why"
                yield self._finding(ErrorCode.XDSDocumentUniqueIdError, text, request.unique_id)

    def _fault(self, text: str, unique_id: str) -> None:
        self._findings.append(self._finding(ErrorCode.XDSRepositoryError, text, unique_id[:256]))

    def _finding(self, code: ErrorCode, text: str, unique_id: str) -> Finding:
        if self._home is None:
            return Finding(code, unique_id, f"{self._who} {text}", self._source)
        return Finding(code, self._home, f"{unique_id}: {self._who} {text}", self._source)


def _text(element: xml.Element, name: str) -> str:
    return (element.findtext(XDS_B + name) or "").strip()


def _content(holder: xml.Element, message: Message[Piece]) -> tuple[Callable[[], Iterator[bytes]], int]:
    piece = mtom.included(holder, message)
    if piece is not None:
        return piece.chunks, piece.size
    content = mtom.inline(holder)
    return (lambda: iter((content,))), len(content)
