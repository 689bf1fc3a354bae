"""The AdhocQueryRequest and its answer, which every stored-query transaction speaks (ITI TF-2, 3.18, 3.38 and 3.51)."""

from collections.abc import Mapping
from dataclasses import dataclass

from profiles.document_sharing.query_decode import decode_query
from profiles.document_sharing.query_tables import QueryShape
from profiles.faces import ebrim_write, soap, xml
from profiles.faces.ebrim_read import RIM, slots_of
from registry.answers import Answer
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Namespace, ResponseStatus, StoredQueryId
from registry.queries import ReturnType, StoredQuery

QUERY = "{" + Namespace.QUERY + "}"
REQUEST, RESPONSE = QUERY + "AdhocQueryRequest", QUERY + "AdhocQueryResponse"
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
    """A stored query, whether objects or references are wanted, and the community that AdhocQuery/@home names."""

    query: StoredQuery
    returns: ReturnType
    home: str = ""


def decode(request: soap.Request[object], shapes: Mapping[StoredQueryId, QueryShape]) -> Asked:
    """The question in an AdhocQueryRequest; `shapes` are the stored queries that the transaction knows.

    Raises:
        Rejected: with everything that is wrong with it.
    """
    adhoc, wanted = parts(request.body)
    findings: list[Finding] = []
    if wanted not in RETURN_TYPES:
        text = f"{wanted!r} is not LeafClass or ObjectRef"
        findings.append(
            Finding(ErrorCode.XDSRegistryError, "ResponseOption.returnType", text, "ITI TF-2, 3.18.4.1.2.3.1")
        )
    try:
        query = decode_query(adhoc.get("id", ""), slots_of(adhoc), shapes)
    except Rejected as rejected:
        raise Rejected([*findings, *rejected.findings]) from None
    if findings:
        raise Rejected(findings)
    return Asked(query, ReturnType(wanted), adhoc.get("home", ""))


def parts(body: xml.Element) -> tuple[xml.Element, str]:
    """The AdhocQuery of an AdhocQueryRequest, and its returnType; ebRS 3.0 6.1.1 makes ObjectRef the default.

    Raises:
        Rejected: XDSRegistryError, there is no AdhocQuery.
    """
    adhoc, wanted = None, ReturnType.OBJECT_REF.value
    for child in body:
        if child.tag == ADHOC_QUERY:
            adhoc = child
        elif child.tag == RESPONSE_OPTION:
            wanted = child.get("returnType", "")
    if adhoc is None:
        text = "the AdhocQuery is missing"
        raise Rejected.because(ErrorCode.XDSRegistryError, "AdhocQueryRequest", text, "ITI TF-2, 3.18.4.1.2")
    return adhoc, wanted


def encode(answer: Answer) -> soap.Answer:
    """The AdhocQueryResponse."""
    if answer.refs:
        return soap.Answer([SUCCESS, ebrim_write.object_refs(answer.refs), END])
    return soap.Answer([SUCCESS, *map(ebrim_write.element, answer.objects), END])


def refuse(rejected: Rejected) -> soap.Answer:
    """The AdhocQueryResponse that says what is wrong."""
    return soap.Answer([FAILURE, ebrim_write.error_list(rejected.findings), EMPTY_LIST])
