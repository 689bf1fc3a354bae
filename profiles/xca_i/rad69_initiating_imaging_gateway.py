"""RAD-69 at the Initiating Imaging Gateway (RAD TF-1, 29; RAD TF-2, 4.69 and 4.75): instances of every community.

Each DocumentRequest says by its HomeCommunityId whose instance it is. Those of this community come from its imaging
sources, those of another by RAD-75, which no gateway passes on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog

from profiles.catalog import Soap, Transaction
from profiles.communities import Communities
from profiles.document_sharing import fetching, imaging_request, retrieve
from profiles.document_sharing.fetching import Fetched
from profiles.document_sharing.imaging_request import ImagingRequest, InstanceRequest
from profiles.document_sharing.retrieve import Document
from profiles.document_sharing.told import unavailable
from profiles.faces.soap_client import NoAnswer, Peer
from profiles.house import House
from profiles.xca_i.homes import in_this_community, located, misaddressed
from registry.access import Caller
from registry.audit import READ, AuditRecord
from registry.metadata.errors import Finding
from registry.metadata.urn import Action

log = structlog.get_logger(__name__)
SOURCE = "RAD TF-2, 4.75.4.1.3"
Requests = Mapping[str, Sequence[InstanceRequest]]
"""Requests by the homeCommunityId that they name, "" for none."""


def handle(asked: ImagingRequest, house: House, caller: Caller) -> list[Document | Finding]:
    """The instances, those of this community first, and what went wrong."""
    communities = house.communities
    groups: dict[str, list[InstanceRequest]] = defaultdict(list)
    for one in asked.instances:
        groups[one.home or ""].append(one)
    # Read by several threads from here on: a defaultdict could be written to by a look-up.
    requests = dict(groups)
    peers = _peers(requests, communities)
    pending = communities.ask(partial(_fetch, requests, asked.transfer_syntaxes, house), peers)
    here = in_this_community(requests.get(communities.own, []), asked.transfer_syntaxes, house, caller)
    elsewhere: list[Document | Finding] = []
    for home, answer in pending.answers():
        elsewhere += _given(home, answer)
    if peers:
        house.audit.keep(_record([one for home in peers for one in requests[home]], elsewhere, caller))
    nowhere = [_misaddressed(one, communities) for one in asked.instances if one.home not in (communities.own, *peers)]
    return [*here, *elsewhere, *nowhere]


def _peers(requests: Requests, communities: Communities) -> dict[str, Peer]:
    named = ((home, communities.others[home].imaging) for home in requests if home in communities.others)
    return {home: peer for home, peer in named if peer is not None}


def _fetch(requests: Requests, syntaxes: Sequence[str], house: House, home: str, peer: Peer) -> Fetched:
    body = imaging_request.question(requests[home], syntaxes)
    asked = fetching.Question(Action.CROSS_GATEWAY_RETRIEVE_IMAGING_DOCUMENT_SET, body, SOURCE)
    return fetching.fetch(peer, asked, requests[home], home, house.settings.data)


def _given(home: str, answer: Fetched | NoAnswer) -> Iterable[Document | Finding]:
    if isinstance(answer, NoAnswer):
        log.warning("community unavailable", home=home, transaction="RAD-75")
        return [unavailable(home, answer, SOURCE)]
    return [*(one for one in answer.documents if one is not None), *answer.findings]


def _misaddressed(one: InstanceRequest, communities: Communities) -> Finding:
    known = one.home in communities.others
    otherwise = "is of a community without an imaging gateway" if known else "is of no community known here"
    where = communities.own if one.home is None else one.home[:256]
    return located([misaddressed(one, otherwise, SOURCE)], where)[0]


def _record(asked: Sequence[InstanceRequest], found: Sequence[Document | Finding], caller: Caller) -> AuditRecord:
    """That other communities were asked; the image repository keeps the record of its own part."""
    failed = any(isinstance(one, Finding) and not one.warning for one in found)
    return AuditRecord(
        replace(caller, transaction="RAD-75"),
        READ,
        objects=tuple(one.unique_id for one in asked),
        outcome=4 if failed else 0,
        count=sum(isinstance(one, Document) for one in found),
    )


TRANSACTION = Transaction(
    id="RAD-69",
    name="Retrieve Imaging Document Set",
    actor="Initiating Imaging Gateway",
    source="RAD TF-2, 4.69",
    face=Soap(
        service="initiating-gateway",
        action=Action.RETRIEVE_IMAGING_DOCUMENT_SET,
        request=imaging_request.REQUEST,
        response=retrieve.RESPONSE,
        mtom=True,
    ),
    decode=imaging_request.decode,
    handle=handle,
    encode=retrieve.answer,
    refuse=retrieve.refuse,
)
