"""ITI-43, Retrieve Document Set (ITI TF-2, 3.43).

A document that is asked for by the uniqueId of an on-demand entry is assembled now, and comes with a uniqueId of its
own; with Persistence of Retrieved Documents it is a document like any other from then on.
"""

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import retrieve
from profiles.faces import soap
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import Finding, Rejected
from registry.metadata.urn import Action
from repository.service import DocumentRequest


def decode(request: soap.Request[object]) -> list[DocumentRequest]:
    """The documents that a RetrieveDocumentSetRequest asks for.

    Raises:
        Rejected: XDSRepositoryError, none or too many asked for, or a part of a request missing.
    """
    asked, findings = retrieve.requested(request.body)
    if findings:
        raise Rejected(findings)
    return asked


def handle(asked: list[DocumentRequest], house: House, caller: Caller) -> list[retrieve.Document | Finding]:
    """Each document, or why not."""
    return [retrieve.document_of(found) for found in house.repository.retrieve(asked, caller)]


TRANSACTION = Transaction(
    id="ITI-43",
    name="Retrieve Document Set",
    actor="Document Repository",
    source="ITI TF-2, 3.43",
    face=Soap(
        service="repository",
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
