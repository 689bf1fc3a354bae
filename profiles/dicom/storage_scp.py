"""RAD-8, Modality Images/Evidence Stored (RAD TF-2, 4.8; PS3.4 B): an object is kept as it was sent.

Success is answered when the object is durable with its rows and its audit record, and again whenever the same bytes
come again. What is refused leaves what is held as it is.
"""

from profiles.catalog import Dimse, Transaction
from profiles.faces.dimse import Service, Status, Store
from profiles.faces.dimse_status import of_findings
from profiles.house import House
from registry.access import Caller
from repository.imaging.service import Outcome


def decode(request: Store) -> Store:
    """The request; its data set is read when it is stored."""
    return request


def handle(request: Store, house: House, caller: Caller) -> Outcome:
    """Keep the object.

    Raises:
        Rejected: the store or the database cannot take more.
    """
    (outcome,) = house.imaging.store([request.file], caller, authority=request.peer.authority)
    return outcome


def encode(outcome: Outcome) -> Status:
    """The status (PS3.4 B.2.3)."""
    return of_findings([outcome.finding]) if outcome.finding else Status()


TRANSACTION = Transaction(
    id="RAD-8",
    name="Modality Images/Evidence Stored (C-STORE)",
    actor="Image Manager/Archive",
    source="RAD TF-2, 4.8; PS3.4, B",
    face=Dimse(Service.STORE),
    decode=decode,
    handle=handle,
    encode=encode,
)
