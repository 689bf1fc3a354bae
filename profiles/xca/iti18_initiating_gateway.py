"""ITI-18 at the Initiating Gateway (ITI TF-1, 18; ITI TF-2, 3.18.4.1.2.3.8 and 3.38): one question, all communities.

A query that names a patient goes to this community's registry and to every community that the settings list, one that
names a community to that one alone. The same patient identifier is sent to all: which identifiers a patient has
elsewhere is for Cross-Community Patient Discovery to find out, which is not played here. What is asked of others is
ITI-38, which no gateway passes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from profiles.catalog import Soap, Transaction
from profiles.communities import Communities
from profiles.document_sharing import stored_query
from profiles.document_sharing.query_tables import SINGLE_PATIENT
from profiles.document_sharing.query_values import Malformed, parse
from profiles.document_sharing.stored_query import Asked, refuse
from profiles.document_sharing.told import unavailable
from profiles.faces import ebrim_write, soap
from profiles.faces.ebrim_read import slots_of
from profiles.faces.soap_client import NoAnswer
from profiles.house import House
from profiles.xca.asking import Given, ask, question
from profiles.xca.homes import at_home, located, needs_home
from registry.access import Caller
from registry.audit import EXECUTE, AuditRecord
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.model import Slots
from registry.metadata.urn import Action, ResponseStatus

log = structlog.get_logger(__name__)
SOURCE = "ITI TF-2, 3.18.4.1.2.3.8"
TARGETS = "$targetCommunityIdList"
OBJECT_LIST = b"<rim:RegistryObjectList>"
OUTCOME = {ResponseStatus.SUCCESS: 0, ResponseStatus.PARTIAL_SUCCESS: 4, ResponseStatus.FAILURE: 8}


@dataclass(frozen=True, slots=True)
class GatewayQuery:
    """A stored query, as a question and as it came, and the communities that it is for; none named means all."""

    asked: Asked
    query_id: str
    slots: Slots
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consolidated:
    """What all communities gave."""

    given: tuple[Given, ...]

    @property
    def findings(self) -> list[Finding]:
        """What went wrong, everywhere."""
        return [f for one in self.given for f in one.findings]

    @property
    def status(self) -> ResponseStatus:
        """PartialSuccess when some failed and some did not (ITI TF-2, 3.38.4.1.3)."""
        if all(f.warning for f in self.findings):
            return ResponseStatus.SUCCESS
        return ResponseStatus.PARTIAL_SUCCESS if any(one.succeeded for one in self.given) else ResponseStatus.FAILURE


def decode(request: soap.Request[object]) -> GatewayQuery:
    """The question in an AdhocQueryRequest.

    Raises:
        Rejected: with everything that is wrong with it.
    """
    asked = stored_query.decode(request, SINGLE_PATIENT)
    asked = replace(asked, home=asked.home.strip())
    adhoc, _ = stored_query.parts(request.body)
    slots = slots_of(adhoc)
    targets = [value for name, values in slots if name == TARGETS for value in values]
    rest = tuple(slot for slot in slots if slot[0] != TARGETS)
    return GatewayQuery(asked, adhoc.get("id", ""), rest, _targets(targets, asked.home))


def _targets(values: list[str], home: str) -> tuple[str, ...]:
    try:
        targets = tuple(dict.fromkeys(item for value in values for item in parse(value)[1]))
    except Malformed as error:
        raise Rejected.because(ErrorCode.XDSRegistryError, TARGETS, str(error), SOURCE) from None
    if targets and home:
        text = "excludes AdhocQuery.home: name the community in one of the two"
        raise Rejected.because(ErrorCode.XDSStoredQueryParamNumber, TARGETS, text, SOURCE)
    return targets


def handle(query: GatewayQuery, house: House, caller: Caller) -> Consolidated:
    """What the communities give, this one's first.

    Raises:
        Rejected: XDSMissingHomeCommunityId, XDSUnknownCommunity: nobody can be asked.
    """
    communities = house.communities
    homes, unknown = _route(query, communities)
    if not homes:
        raise Rejected(unknown)
    peers = {home: communities.others[home].query for home in homes if home != communities.own}
    asked = question(query.query_id, query.slots, query.asked.returns, query.asked.home)
    pending = communities.ask(lambda home, peer: ask(peer, home, asked), peers)
    here = [_here(query.asked, house, caller)] if communities.own in homes else []
    elsewhere = Consolidated(tuple(_given(home, answer) for home, answer in pending.answers()))
    nowhere = [Given(findings=tuple(unknown), succeeded=False)] if unknown else []
    if peers:
        house.audit.keep(_record(query.asked, peers, elsewhere, caller))
    return Consolidated((*here, *elsewhere.given, *nowhere))


def _route(query: GatewayQuery, communities: Communities) -> tuple[list[str], list[Finding]]:
    """The communities to ask, and what is wrong with those that the query names."""
    own = communities.own
    if not query.asked.home and needs_home(query.query_id):
        text = "AdhocQuery.home: is missing: a query without a patient id must say which community it asks"
        return [], [Finding(ErrorCode.XDSMissingHomeCommunityId, own, text, SOURCE)]
    known = [own, *communities.others]
    named = (query.asked.home,) if query.asked.home else query.targets
    unknown = [
        Finding(ErrorCode.XDSUnknownCommunity, home[:256], "no community of this homeCommunityId is known here", SOURCE)
        for home in named
        if home not in known
    ]
    return [home for home in known if not named or home in named], unknown


def _here(asked: Asked, house: House, caller: Caller) -> Given:
    own = house.communities.own
    try:
        answer = at_home(house.registry.query(asked.query, asked.returns, caller), own)
    except Rejected as rejected:
        return Given(findings=tuple(located(rejected.findings, own)), succeeded=False)
    refs = (ebrim_write.object_refs([ref]) for ref in answer.refs)
    return Given((*map(ebrim_write.element, answer.objects), *refs))


def _given(home: str, answer: Given | NoAnswer) -> Given:
    if isinstance(answer, Given):
        return answer
    log.warning("community unavailable", home=home, transaction="ITI-38")
    return Given(findings=(unavailable(home, answer, SOURCE),), succeeded=False)


def _record(asked: Asked, peers: Mapping[str, object], found: Consolidated, caller: Caller) -> AuditRecord:
    """That other communities were asked, and what they gave; the registry keeps the record of its own part."""
    patient = getattr(asked.query, "patient_id", None)
    return AuditRecord(
        replace(caller, transaction="ITI-38"),
        EXECUTE,
        (patient,) if patient else (),
        (type(asked.query).__name__, *peers),
        outcome=OUTCOME[found.status],
        count=sum(len(one.objects) for one in found.given),
    )


def encode(found: Consolidated) -> soap.Answer:
    """The AdhocQueryResponse."""
    findings = found.findings
    errors = [ebrim_write.error_list(findings)] if findings else []
    objects = [element for one in found.given for element in one.objects]
    head = (stored_query.HEAD % found.status).encode()
    return soap.Answer([head, *errors, OBJECT_LIST, *objects, stored_query.END])


TRANSACTION = Transaction(
    id="ITI-18",
    name="Registry Stored Query",
    actor="Initiating Gateway",
    source="ITI TF-2, 3.18",
    face=Soap(
        service="initiating-gateway",
        action=Action.REGISTRY_STORED_QUERY,
        request=stored_query.REQUEST,
        response=stored_query.RESPONSE,
    ),
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
)
