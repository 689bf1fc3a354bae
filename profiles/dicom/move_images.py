"""RAD-16, Retrieve Images (RAD TF-2, 4.16; PS3.4 C.4.2): C-MOVE to a configured destination.

Where an object may go is decided for who receives it, not for who asks: the destination must be a peer of the settings
that listens somewhere, and it is sent only what it might see itself.
"""

from dataclasses import replace
from typing import Final

from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelMove,
)

from profiles.catalog import Dimse, Transaction
from profiles.dicom.retrieving import Wanted, held_of, instances_of, wanted_of
from profiles.faces.dimse import Destination, Refused, Retrieval, Retrieve, Service
from profiles.faces.dimse_status import DESTINATION_UNKNOWN
from profiles.house import House
from registry.access import Caller
from registry.audit import READ, AuditRecord
from repository.imaging.query import Level

SENT: Final = "C-MOVE"


def decode(request: Retrieve) -> Wanted:
    """The request. Raises Refused: A900, the identifier is not as the information model has it."""
    root = request.sop_class_uid == PatientRootQueryRetrieveInformationModelMove
    return wanted_of(request, Level.PATIENT if root else Level.STUDY)


def handle(wanted: Wanted, house: House, caller: Caller) -> Retrieval:
    """What is sent, and where to; who asked and who receives it is on record before the first byte leaves.

    Raises:
        Refused: A801, the destination is none of the settings; A701, too much is asked for.
    """
    destination = _destination(wanted.retrieve.destination, house)
    held = held_of(wanted, house, caller)
    receiver = replace(caller, name=destination.title, address=destination.host)
    visibility = house.policy.visibility(receiver)
    held = [each for each in held if visibility.admits(each.patient_id)]
    patients = tuple(sorted({each.patient_id for each in held if each.patient_id}))
    studies = tuple(sorted({each.study_uid for each in held}))
    house.audit.keep(AuditRecord(receiver, READ, patients, studies, count=len(held), detail=SENT))
    return Retrieval(instances_of(held, house), destination)


def encode(retrieval: Retrieval) -> Retrieval:
    """The answer is what is sent."""
    return retrieval


def _destination(title: str, house: House) -> Destination:
    peer = house.settings.dimse.peers.get(title.strip())
    if peer is None or not peer.host:
        raise Refused(DESTINATION_UNKNOWN, "The move destination is not configured here")
    return Destination(title.strip(), peer.host, peer.port, peer.tls)


TRANSACTION = Transaction(
    id="RAD-16",
    name="Retrieve Images (C-MOVE)",
    actor="Image Manager/Archive",
    source="RAD TF-2, 4.16; PS3.4, C.4.2",
    face=Dimse(
        Service.MOVE,
        (
            str(PatientRootQueryRetrieveInformationModelMove),
            str(StudyRootQueryRetrieveInformationModelMove),
        ),
    ),
    decode=decode,
    handle=handle,
    encode=encode,
)
