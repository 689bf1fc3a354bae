"""Mobile access to Health Documents (ITI, MHD): the Document Responder."""

from profiles.catalog import Profile
from profiles.mhd import iti67_find_document_references, iti68_retrieve_document, read_document_reference

PROFILE = Profile(
    id="MHD",
    name="Mobile access to Health Documents",
    source="MHD 4.2",
    actors=("Document Responder",),
    transactions=(
        iti67_find_document_references.TRANSACTION,
        iti68_retrieve_document.TRANSACTION,
        read_document_reference.TRANSACTION,
    ),
)
