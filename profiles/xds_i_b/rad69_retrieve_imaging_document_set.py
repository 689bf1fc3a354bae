"""RAD-69, Retrieve Imaging Document Set (RAD TF-2, 4.69): the DICOM objects that a manifest names."""

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import imaging_request, retrieve
from profiles.document_sharing.imaging_request import ImagingRequest
from profiles.document_sharing.imaging_sources import of_this_community
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import Finding
from registry.metadata.urn import Action


def handle(asked: ImagingRequest, house: House, caller: Caller) -> list[retrieve.Document | Finding]:
    """Each instance in a transfer syntax of the list, of whatever source of this community, or why not."""
    return of_this_community(asked, house, caller)


TRANSACTION = Transaction(
    id="RAD-69",
    name="Retrieve Imaging Document Set",
    actor="Imaging Document Source",
    source="RAD TF-2, 4.69",
    face=Soap(
        service="imaging",
        action=Action.RETRIEVE_IMAGING_DOCUMENT_SET,
        request=imaging_request.REQUEST,
        response=retrieve.RESPONSE,
        mtom=True,
    ),
    decode=imaging_request.decode,
    handle=handle,
    encode=retrieve.answer,
    refuse=retrieve.refuse,
)
