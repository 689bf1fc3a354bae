"""ITI-57, Update Document Set (ITI TF-2, 3.57): new versions, statuses and associations of what is registered."""

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import outcome, updating
from profiles.document_sharing.transactions import UPDATE
from profiles.faces import soap
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import Finding
from registry.metadata.urn import Action


def decode(request: soap.Request[object]) -> updating.Updating:
    """The update in a SubmitObjectsRequest."""
    return updating.decode(request, UPDATE)


def handle(asked: updating.Updating, house: House, caller: Caller) -> tuple[Finding, ...]:
    """Do what is asked; the warnings that remain.

    Raises:
        Rejected: with everything that is wrong.
    """
    return updating.handle(asked, house, caller, UPDATE, restricted=False)


TRANSACTION = Transaction(
    id="ITI-57",
    name="Update Document Set",
    actor="Document Registry",
    source="ITI TF-2, 3.57",
    face=Soap(
        service="registry",
        action=Action.UPDATE_DOCUMENT_SET,
        request=updating.REQUEST,
        response=updating.RESPONSE,
    ),
    decode=decode,
    handle=handle,
    encode=outcome.succeed,
    refuse=outcome.refuse,
)
