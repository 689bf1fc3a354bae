"""ITI-39, Cross Gateway Retrieve (ITI TF-2, 3.39): what ITI-43 gives here, to other communities' gateways.

It is answered from this community's repository alone and never passed on, so that gateways that ask each other end.
"""

from dataclasses import dataclass

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import retrieve
from profiles.faces import soap
from profiles.house import House
from profiles.xca.homes import in_this_community, located
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action
from repository.service import DocumentRequest

SOURCE = "ITI TF-2, 3.39.4.1.2"


@dataclass(frozen=True, slots=True)
class CrossGatewayRetrieve:
    """The documents asked for, and what is wrong with the request as a whole.

    The findings wait for `handle`, which knows the community that they are located in.
    """

    requests: tuple[DocumentRequest, ...]
    findings: tuple[Finding, ...]


def decode(request: soap.Request[object]) -> CrossGatewayRetrieve:
    """The documents that a RetrieveDocumentSetRequest asks for."""
    asked, findings = retrieve.requested(request.body)
    return CrossGatewayRetrieve(tuple(asked), tuple(findings))


def handle(asked: CrossGatewayRetrieve, house: House, caller: Caller) -> list[retrieve.Document | Finding]:
    """Each document, or why not, in the order asked.

    Raises:
        Rejected: XDSRepositoryError, the request asks for nothing or too much, or names a document by half.
    """
    own = house.communities.own
    if asked.findings:
        raise Rejected(located(asked.findings, own))
    ours = [request for request in asked.requests if request.home == own]
    found = iter(in_this_community(ours, house, caller))
    return [
        next(found) if request.home == own else located([_misaddressed(request, own)], own)[0]
        for request in asked.requests
    ]


def _misaddressed(request: DocumentRequest, own: str) -> Finding:
    if request.home is None:
        text = f"its HomeCommunityId is missing, which is {own} here"
        return Finding(ErrorCode.XDSMissingHomeCommunityId, request.unique_id, text, SOURCE)
    text = f"the HomeCommunityId {request.home[:100]!r} is not this community, {own}"
    return Finding(ErrorCode.XDSUnknownCommunity, request.unique_id, text, SOURCE)


TRANSACTION = Transaction(
    id="ITI-39",
    name="Cross Gateway Retrieve",
    actor="Responding Gateway",
    source="ITI TF-2, 3.39",
    face=Soap(
        service="gateway",
        action=Action.CROSS_GATEWAY_RETRIEVE,
        request=retrieve.REQUEST,
        response=retrieve.RESPONSE,
        mtom=True,
    ),
    decode=decode,
    handle=handle,
    encode=retrieve.answer,
    refuse=retrieve.refuse,
)
