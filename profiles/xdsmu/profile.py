"""XDS Metadata Update: which of its actors are played here (ITI TF-1, supplement XDS Metadata Update)."""

from profiles.catalog import Profile
from profiles.xdsmu import iti57_update_document_set

PROFILE = Profile(
    id="XDS Metadata Update",
    name="XDS Metadata Update",
    source="ITI TF-1, XDS Metadata Update",
    actors=("Document Registry",),
    transactions=(iti57_update_document_set.TRANSACTION,),
)
