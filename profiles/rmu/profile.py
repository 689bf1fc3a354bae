"""Restricted Metadata Update: which of its actors are played here (ITI TF-1, supplement RMU)."""

from profiles.catalog import Profile
from profiles.rmu import iti92_restricted_update_document_set

PROFILE = Profile(
    id="RMU",
    name="Restricted Metadata Update",
    source="ITI TF-1, Restricted Metadata Update",
    actors=("Update Responder",),
    transactions=(iti92_restricted_update_document_set.TRANSACTION,),
    options=("XDS Persistence",),
)
