"""What the tests of gateways send, and the communities that they are about."""

from collections.abc import Iterable
from html import escape
from typing import Any

from conformance import messages
from registry.metadata.urn import Action, Namespace, Status, StoredQueryId

HOME, NORTH, SOUTH, ELSEWHERE = "1.2.752.129.2.9.1", "1.2.3.101", "1.2.3.201", "1.2.3.301"
"""OIDs of communities; the repository of each but the first is one more."""
REPOSITORY = {HOME: "1.2.752.129.2.9.2", NORTH: "1.2.3.102", SOUTH: "1.2.3.202", ELSEWHERE: "1.2.3.302"}


def urn(oid: str) -> str:
    return f"urn:oid:{oid}"


def domain(oid: str) -> dict[str, Any]:
    return {"home_community_id": oid, "repository_unique_id": REPOSITORY[oid]}


def community(oid: str, url: str, **more: Any) -> dict[str, Any]:
    return {"home_community_id": oid, "query_url": url, "retrieve_url": url, **more}


def query(
    id_: str, parameters: Iterable[tuple[str, str]], home: str = "", returns: str = "LeafClass", action: str = ""
) -> bytes:
    """A stored query; as ITI-18 unless `action` says otherwise."""
    message = messages.stored_query(StoredQueryId(id_), list(parameters), returns)
    if home:
        message = message.replace(b"<rim:AdhocQuery ", f'<rim:AdhocQuery home="{escape(home)}" '.encode())
    return message.replace(Action.REGISTRY_STORED_QUERY.encode(), action.encode()) if action else message


def find(patient: str | None, home: str = "", returns: str = "LeafClass", action: str = "", **more: str) -> bytes:
    parameters = [("$XDSDocumentEntryPatientId", f"'{patient}'"), ("$XDSDocumentEntryStatus", f"('{Status.APPROVED}')")]
    parameters += [(f"${name}", value) for name, value in more.items()]
    return query(StoredQueryId.FIND_DOCUMENTS, parameters, home, returns, action)


def retrieve(*wanted: tuple[str | None, str, str], action: Action = Action.RETRIEVE_DOCUMENT_SET) -> bytes:
    """A retrieve of (homeCommunityId, repositoryUniqueId, uniqueId); None leaves the first out."""
    asked = ""
    for home, repository, unique_id in wanted:
        named = "" if home is None else f"<x:HomeCommunityId>{escape(home)}</x:HomeCommunityId>"
        asked += (
            f"<x:DocumentRequest>{named}<x:RepositoryUniqueId>{escape(repository)}</x:RepositoryUniqueId>"
            f"<x:DocumentUniqueId>{escape(unique_id)}</x:DocumentUniqueId></x:DocumentRequest>"
        )
    body = f'<x:RetrieveDocumentSetRequest xmlns:x="{Namespace.XDS_B}">{asked}</x:RetrieveDocumentSetRequest>'
    return messages.envelope(action, body)
