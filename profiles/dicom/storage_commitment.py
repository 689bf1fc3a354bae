"""RAD-10, Storage Commitment (RAD TF-2, 4.10; PS3.4 J): may the sender delete its copy?

The request is answered when it is noted durably. What is really held is looked up when the report is made, and the
report goes to the peer's configured address until the peer has taken it.
"""

from pynetdicom.sop_class import StorageCommitmentPushModel

from profiles.catalog import Dimse, Transaction
from profiles.faces.dimse import Commit, Refused, Service, Status
from profiles.faces.dimse_status import PROCESSING_FAILURE
from profiles.house import House
from registry.access import Caller


def decode(request: Commit) -> Commit:
    """The request, as it was read."""
    return request


def handle(request: Commit, house: House, caller: Caller) -> None:
    """Note the request, unless there is nowhere to report to.

    Raises:
        Refused: no address is configured for the peer.
    """
    peer = house.settings.dimse.peers.get(request.peer.title)
    if peer is None or not peer.host:
        raise Refused(PROCESSING_FAILURE, "no address is configured to report to")
    references = [(one.sop_class_uid, one.sop_instance_uid) for one in request.references]
    house.imaging.commitments.note(request.peer.title, request.peer.called, request.transaction_uid, references, caller)


def encode(answer: None) -> Status:  # noqa: ARG001
    """Success: the request is taken on, which says nothing of its outcome."""
    return Status()


TRANSACTION = Transaction(
    id="RAD-10",
    name="Storage Commitment (N-ACTION, N-EVENT-REPORT)",
    actor="Image Manager/Archive",
    source="RAD TF-2, 4.10; PS3.4, J",
    face=Dimse(Service.COMMIT, (str(StorageCommitmentPushModel),)),
    decode=decode,
    handle=handle,
    encode=encode,
)
