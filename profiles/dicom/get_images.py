"""C-GET (PS3.4 C.4.3): retrieve on the association that asks, for those whom no connection can reach.

The book has no transaction for it; it is RAD-16's question with another way for the answer.
"""

from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelGet,
)

from profiles.catalog import Dimse, Transaction
from profiles.dicom.retrieving import Wanted, held_of, instances_of, wanted_of
from profiles.faces.dimse import Retrieval, Retrieve, Service
from profiles.house import House
from registry.access import Caller
from repository.imaging.query import Level


def decode(request: Retrieve) -> Wanted:
    """The request. Raises Refused: A900, the identifier is not as the information model has it."""
    root = request.sop_class_uid == PatientRootQueryRetrieveInformationModelGet
    return wanted_of(request, Level.PATIENT if root else Level.STUDY)


def handle(wanted: Wanted, house: House, caller: Caller) -> Retrieval:
    """What is sent; the audit of it is durable when this returns. Raises Refused: A701, too much is asked for."""
    return Retrieval(instances_of(held_of(wanted, house, caller), house))


def encode(retrieval: Retrieval) -> Retrieval:
    """The answer is what is sent."""
    return retrieval


TRANSACTION = Transaction(
    id="C-GET",
    name="Retrieve on the same association",
    actor="Image Manager/Archive",
    source="DICOM PS3.4, C.4.3",
    face=Dimse(
        Service.GET,
        (
            str(PatientRootQueryRetrieveInformationModelGet),
            str(StudyRootQueryRetrieveInformationModelGet),
        ),
    ),
    decode=decode,
    handle=handle,
    encode=encode,
)
