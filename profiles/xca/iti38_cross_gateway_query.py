"""ITI-38, Cross Gateway Query (ITI TF-2, 3.38): what ITI-18 answers here, to other communities' gateways.

It is answered from this community's registry alone and never passed on, so that gateways that ask each other end.
"""

from dataclasses import dataclass, replace

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import stored_query
from profiles.document_sharing.query_tables import SINGLE_PATIENT
from profiles.document_sharing.stored_query import Asked, encode, refuse
from profiles.faces import soap
from profiles.house import House
from profiles.xca.homes import at_home, located, needs_home, rejected_at
from registry.access import Caller
from registry.answers import Answer
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action

SOURCE = "ITI TF-2, 3.38.4.1.3"


@dataclass(frozen=True, slots=True)
class CrossGatewayQuery:
    """A stored query for a community, which is "" when none is named; or, without `asked`, what is wrong with it.

    `must_name_home` tells whether the query may not leave the community out. The findings wait for `handle`, which
    knows the community that they are located in.
    """

    home: str
    must_name_home: bool
    asked: Asked | None = None
    findings: tuple[Finding, ...] = ()


def decode(request: soap.Request[object]) -> CrossGatewayQuery:
    """The question in an AdhocQueryRequest.

    Raises:
        Rejected: there is no AdhocQuery.
    """
    adhoc, _ = stored_query.parts(request.body)
    query = CrossGatewayQuery(adhoc.get("home", "").strip(), needs_home(adhoc.get("id", "")))
    try:
        return replace(query, asked=stored_query.decode(request, SINGLE_PATIENT))
    except Rejected as rejected:
        return replace(query, findings=tuple(rejected.findings))


def handle(query: CrossGatewayQuery, house: House, caller: Caller) -> Answer:
    """What the registry finds, each object with this community's `home`.

    Raises:
        Rejected: XDSMissingHomeCommunityId, XDSUnknownCommunity, and whatever ITI-18 refuses.
    """
    own = house.communities.own
    findings = [*query.findings, *_misaddressed(query, own)]
    if query.asked is None or findings:
        raise Rejected(located(findings, own))
    try:
        return at_home(house.registry.query(query.asked.query, query.asked.returns, caller), own)
    except Rejected as rejected:
        raise rejected_at(rejected, own) from None


def _misaddressed(query: CrossGatewayQuery, own: str) -> list[Finding]:
    where = "AdhocQuery.home"
    if query.home and query.home != own:
        text = f"{query.home[:100]!r} is not this community, {own}"
        return [Finding(ErrorCode.XDSUnknownCommunity, where, text, SOURCE)]
    if query.must_name_home and not query.home:
        text = f"is missing: a query without a patient id names the community that it asks, here {own}"
        return [Finding(ErrorCode.XDSMissingHomeCommunityId, where, text, SOURCE)]
    return []


TRANSACTION = Transaction(
    id="ITI-38",
    name="Cross Gateway Query",
    actor="Responding Gateway",
    source="ITI TF-2, 3.38",
    face=Soap(
        service="gateway",
        action=Action.CROSS_GATEWAY_QUERY,
        request=stored_query.REQUEST,
        response=stored_query.RESPONSE,
    ),
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
)
