"""Verification (PS3.4 A): whether this application entity answers. No transaction of the book; all of them ask it."""

from pynetdicom.sop_class import Verification

from profiles.catalog import Dimse, Transaction
from profiles.faces.dimse import Echo, Service, Status
from profiles.house import House
from registry.access import Caller


def decode(request: Echo) -> Echo:
    """The request; it says nothing."""
    return request


def handle(request: Echo, house: House, caller: Caller) -> None:
    """Nothing to do: that the answer comes is the answer."""


def encode(answer: None) -> Status:  # noqa: ARG001
    """Success."""
    return Status()


TRANSACTION = Transaction(
    id="C-ECHO",
    name="Verification",
    actor="Image Manager/Archive",
    source="DICOM PS3.4, A",
    face=Dimse(Service.ECHO, (str(Verification),)),
    decode=decode,
    handle=handle,
    encode=encode,
)
