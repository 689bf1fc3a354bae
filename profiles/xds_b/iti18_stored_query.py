"""ITI-18, Registry Stored Query (ITI TF-2, 3.18)."""

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import stored_query
from profiles.document_sharing.query_tables import SINGLE_PATIENT
from profiles.document_sharing.stored_query import Asked, encode, refuse
from profiles.faces import soap
from profiles.house import House
from registry.access import Caller
from registry.answers import Answer
from registry.metadata.urn import Action


def decode(request: soap.Request[object]) -> Asked:
    """The question in an AdhocQueryRequest.

    Raises:
        Rejected: with everything that is wrong with it.
    """
    return stored_query.decode(request, SINGLE_PATIENT)


def handle(asked: Asked, house: House, caller: Caller) -> Answer:
    """What the registry finds. Within one community nobody needs to name it, so `asked.home` says nothing here."""
    return house.registry.query(asked.query, asked.returns, caller)


TRANSACTION = Transaction(
    id="ITI-18",
    name="Registry Stored Query",
    actor="Document Registry",
    source="ITI TF-2, 3.18",
    face=Soap(
        service="registry",
        action=Action.REGISTRY_STORED_QUERY,
        request=stored_query.REQUEST,
        response=stored_query.RESPONSE,
    ),
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
)
