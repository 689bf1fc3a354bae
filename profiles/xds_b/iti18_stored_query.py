"""ITI-18, Registry Stored Query (ITI TF-2, 3.18)."""

from dataclasses import dataclass

from profiles.catalog import Soap, Transaction
from profiles.faces import ebrim_write, soap
from profiles.faces.ebrim_read import RIM, slots_of
from profiles.house import House
from profiles.xds_b.query_decode import decode_query
from registry.access import Caller
from registry.answers import Answer
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action, Namespace, ResponseStatus
from registry.queries import ReturnType, StoredQuery

QUERY = "{" + Namespace.QUERY + "}"
RETURN_TYPES = frozenset(ReturnType)
ADHOC_QUERY, RESPONSE_OPTION = RIM + "AdhocQuery", QUERY + "ResponseOption"
HEAD = (
    f'<query:AdhocQueryResponse xmlns:query="{Namespace.QUERY}" xmlns:rim="{Namespace.RIM}" xmlns:rs="{Namespace.RS}"'
    ' status="%s">'
)
SUCCESS = (HEAD % ResponseStatus.SUCCESS + "<rim:RegistryObjectList>").encode()
FAILURE = (HEAD % ResponseStatus.FAILURE).encode()
EMPTY_LIST = b"<rim:RegistryObjectList/></query:AdhocQueryResponse>"
END = b"</rim:RegistryObjectList></query:AdhocQueryResponse>"


@dataclass(frozen=True, slots=True)
class Asked:
    """A stored query, and whether objects or references are wanted."""

    query: StoredQuery
    returns: ReturnType


def decode(request: soap.Request[object]) -> Asked:
    """The question in an AdhocQueryRequest.

    Raises:
        Rejected: with everything that is wrong with it.
    """
    adhoc, wanted = None, ReturnType.OBJECT_REF.value
    for child in request.body:
        if child.tag == ADHOC_QUERY:
            adhoc = child
        elif child.tag == RESPONSE_OPTION:
            wanted = child.get("returnType", "")
    findings: list[Finding] = []
    if adhoc is None:
        text = "the AdhocQuery is missing"
        raise Rejected.because(ErrorCode.XDSRegistryError, "AdhocQueryRequest", text, "ITI TF-2, 3.18.4.1.2")
    if wanted not in RETURN_TYPES:
        text = f"{wanted!r} is not LeafClass or ObjectRef"
        findings.append(
            Finding(ErrorCode.XDSRegistryError, "ResponseOption.returnType", text, "ITI TF-2, 3.18.4.1.2.5")
        )
    try:
        query = decode_query(adhoc.get("id", ""), slots_of(adhoc))
    except Rejected as rejected:
        raise Rejected([*findings, *rejected.findings]) from None
    if findings:
        raise Rejected(findings)
    return Asked(query, ReturnType(wanted))


def handle(asked: Asked, house: House, caller: Caller) -> Answer:
    """What the registry finds."""
    return house.registry.query(asked.query, asked.returns, caller)


def encode(answer: Answer) -> soap.Answer:
    """The AdhocQueryResponse."""
    if answer.refs:
        return soap.Answer([SUCCESS, ebrim_write.object_refs(answer.refs), END])
    return soap.Answer([SUCCESS, *map(ebrim_write.element, answer.objects), END])


def refuse(rejected: Rejected) -> soap.Answer:
    """The AdhocQueryResponse that says what is wrong."""
    return soap.Answer([FAILURE, ebrim_write.error_list(rejected.findings), EMPTY_LIST])


TRANSACTION = Transaction(
    id="ITI-18",
    name="Registry Stored Query",
    actor="Document Registry",
    source="ITI TF-2, 3.18",
    face=Soap(
        service="registry",
        action=Action.REGISTRY_STORED_QUERY,
        request=QUERY + "AdhocQueryRequest",
        response=QUERY + "AdhocQueryResponse",
    ),
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
)
