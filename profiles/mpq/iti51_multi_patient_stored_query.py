"""ITI-51, Multi-Patient Stored Query (ITI TF-2, 3.51).

The message is ITI-18's; its queries are its own, and an answer may hold the objects of several patients.
"""

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import stored_query
from profiles.document_sharing.query_tables import MULTIPLE_PATIENTS
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
    return stored_query.decode(request, MULTIPLE_PATIENTS)


def handle(asked: Asked, house: House, caller: Caller) -> Answer:
    """What the registry finds."""
    return house.registry.query(asked.query, asked.returns, caller)


TRANSACTION = Transaction(
    id="ITI-51",
    name="Multi-Patient Stored Query",
    actor="Document Registry",
    source="ITI TF-2, 3.51",
    face=Soap(
        service="registry",
        action=Action.MULTI_PATIENT_STORED_QUERY,
        request=stored_query.REQUEST,
        response=stored_query.RESPONSE,
    ),
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
)
