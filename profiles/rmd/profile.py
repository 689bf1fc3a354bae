"""Remove Metadata and Documents: which of its actors are played here (ITI TF-1, supplement RMD)."""

from profiles.catalog import Profile
from profiles.rmd import iti62_remove_metadata, iti86_remove_documents

PROFILE = Profile(
    id="RMD",
    name="Remove Metadata and Documents",
    source="ITI TF-1, Remove Metadata and Documents",
    actors=("Document Registry", "Document Repository"),
    transactions=(iti62_remove_metadata.TRANSACTION, iti86_remove_documents.TRANSACTION),
)
