"""ITI-43 at the Initiating Gateway (ITI TF-1, 18; ITI TF-2, 3.43 and 3.39): documents of whatever community has them.

Each DocumentRequest says by its HomeCommunityId whose document it is. This community's come from its repository, those
of another by ITI-39, which no gateway passes on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

import structlog

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import retrieve
from profiles.document_sharing.retrieve import Document
from profiles.document_sharing.told import unavailable
from profiles.faces import soap
from profiles.faces.soap_client import NoAnswer
from profiles.house import House
from profiles.xca.fetching import fetch
from profiles.xca.homes import in_this_community, located
from registry.access import Caller
from registry.audit import READ, AuditRecord
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action
from repository.service import DocumentRequest

log = structlog.get_logger(__name__)
SOURCE = "ITI TF-2, 3.43.4.1.3"
Numbered = Mapping[int, DocumentRequest]
"""Requests by their places in the message."""


def decode(request: soap.Request[object]) -> list[DocumentRequest]:
    """The documents that a RetrieveDocumentSetRequest asks for.

    Raises:
        Rejected: XDSRepositoryError, none or too many asked for, or a part of a request missing.
    """
    asked, findings = retrieve.requested(request.body)
    if findings:
        raise Rejected(findings)
    return asked


def handle(asked: list[DocumentRequest], house: House, caller: Caller) -> list[Document | Finding]:
    """The documents in the order asked, and what went wrong."""
    communities = house.communities
    groups: dict[str, dict[int, DocumentRequest]] = defaultdict(dict)
    for number, request in enumerate(asked):
        groups[request.home or ""][number] = request
    peers = {home: communities.others[home].retrieve for home in groups if home in communities.others}
    # Read by several threads from here on: a defaultdict could be written to by a look-up.
    requests = {home: list(numbered.values()) for home, numbered in groups.items()}
    folder = house.settings.data
    pending = communities.ask(lambda home, peer: fetch(peer, home, requests[home], folder), peers)
    documents: dict[int, Document] = {}
    findings = [_misaddressed(one, communities.own) for one in asked if one.home not in (communities.own, *peers)]
    here = groups.get(communities.own, {})
    for number, found in zip(here, in_this_community(list(here.values()), house, caller), strict=True):
        if isinstance(found, Finding):
            findings.append(found)
        else:
            documents[number] = found
    for home, answer in pending.answers():
        if isinstance(answer, NoAnswer):
            log.warning("community unavailable", home=home, transaction="ITI-39")
            findings.append(unavailable(home, answer, SOURCE))
            continue
        findings += answer.findings
        documents |= {n: d for n, d in zip(groups[home], answer.documents, strict=True) if d is not None}
    if peers:
        elsewhere = [one for home in peers for one in requests[home]]
        house.audit.keep(_record(elsewhere, documents.values(), findings, house, caller))
    return [*(documents[number] for number in sorted(documents)), *findings]


def _misaddressed(request: DocumentRequest, own: str) -> Finding:
    if request.home is None:
        text = "its HomeCommunityId is missing: a gateway must be told whose document it is"
        finding = Finding(ErrorCode.XDSMissingHomeCommunityId, request.unique_id, text, SOURCE)
        return located([finding], own)[0]
    text = "no community of this homeCommunityId is known here"
    finding = Finding(ErrorCode.XDSUnknownCommunity, request.unique_id, text, SOURCE)
    return located([finding], request.home[:256])[0]


def _record(
    elsewhere: list[DocumentRequest],
    documents: Iterable[Document],
    findings: list[Finding],
    house: House,
    caller: Caller,
) -> AuditRecord:
    """That other communities were asked; the repository keeps the record of its own part. The patient is not known."""
    return AuditRecord(
        replace(caller, transaction="ITI-39"),
        READ,
        objects=tuple(one.unique_id for one in elsewhere),
        outcome=0 if all(f.warning for f in findings) else 4,
        count=sum(1 for one in documents if one.home != house.communities.own),
    )


TRANSACTION = Transaction(
    id="ITI-43",
    name="Retrieve Document Set",
    actor="Initiating Gateway",
    source="ITI TF-2, 3.43",
    face=Soap(
        service="initiating-gateway",
        action=Action.RETRIEVE_DOCUMENT_SET,
        request=retrieve.REQUEST,
        response=retrieve.RESPONSE,
        mtom=True,
    ),
    decode=decode,
    handle=handle,
    encode=retrieve.answer,
    refuse=retrieve.refuse,
)
