"""The read of one DocumentReference (FHIR R4, 3.1.0.2): what an ITI-67 answer refers to can be opened by itself."""

from flask import Request

from profiles.catalog import Fhir, Transaction
from profiles.faces import fhir
from profiles.faces.fhir import Read, Shown
from profiles.faces.reply import Reply
from profiles.house import House
from registry.access import Caller
from registry.queries import ResourceType


def decode(request: Request, id: str) -> Read:
    """The resource that is asked for.

    Raises:
        Rejected: NotAcceptable or NotFound.
    """
    return fhir.read_of(request, id)


def handle(read: Read, house: House, caller: Caller) -> Shown:
    """Ask the registry.

    Raises:
        Rejected: NotFound or Gone.
    """
    stored = house.registry.read(ResourceType.DOCUMENT_REFERENCE, read.id, caller)
    return Shown(stored, read.held, house.settings.base_url)


def encode(answer: Shown) -> Reply:
    """The resource, or 304."""
    return fhir.shown(answer)


TRANSACTION = Transaction(
    id="FHIR-DocumentReference-read",
    name="Read DocumentReference",
    actor="Document Responder",
    source="FHIR R4, 3.1.0.2",
    face=Fhir("DocumentReference", "read"),
    decode=decode,
    handle=handle,
    encode=encode,
)
