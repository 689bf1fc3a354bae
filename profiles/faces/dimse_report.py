"""N-EVENT-REPORT of storage commitment, on an association of our own (PS3.4 J.3.3)."""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from profiles.faces.dimse import Destination, Reference
from profiles.faces.dimse_retrieve import Caller, Unreachable

ALL_COMMITTED, SOME_FAILED = 1, 2  # Event Type ID


def report(
    caller: Caller,
    destination: Destination,
    transaction_uid: str,
    committed: Sequence[Reference],
    failed: Sequence[tuple[Reference, int]],
) -> None:
    """Tell a peer what is committed, and what is not with its Failure Reason.

    Raises:
        Unreachable: the peer is not there, or did not take the report.
    """
    data_set = Dataset()
    data_set.TransactionUID = transaction_uid
    if committed:
        data_set.ReferencedSOPSequence = Items([_item(one) for one in committed])
    if failed:
        data_set.FailedSOPSequence = Items([_item(one, reason) for one, reason in failed])
    uid = str(StorageCommitmentPushModel)
    assoc = caller.associate(destination, [build_context(uid)], as_scp=[uid])
    try:
        kind = SOME_FAILED if failed else ALL_COMMITTED
        status, _ = assoc.send_n_event_report(data_set, kind, uid, str(StorageCommitmentPushModelInstance))
    except (RuntimeError, ValueError) as fault:
        raise Unreachable("the peer does not take reports of storage commitment") from fault
    finally:
        assoc.release()
    if getattr(status, "Status", None) != 0:
        raise Unreachable("the peer did not take the report")


def _item(one: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = one.sop_class_uid
    item.ReferencedSOPInstanceUID = one.sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item
