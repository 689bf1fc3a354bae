"""XDS.b: which of its actors are played here (ITI TF-1, 10)."""

from profiles.catalog import Profile
from profiles.xds_b import (
    iti18_stored_query,
    iti41_provide_and_register,
    iti42_register_document_set,
    iti43_retrieve_document_set,
)

PROFILE = Profile(
    id="XDS.b",
    name="Cross-Enterprise Document Sharing",
    source="ITI TF-1, 10",
    actors=("Document Registry", "Document Repository"),
    transactions=(
        iti18_stored_query.TRANSACTION,
        iti41_provide_and_register.TRANSACTION,
        iti42_register_document_set.TRANSACTION,
        iti43_retrieve_document_set.TRANSACTION,
    ),
    options=("Reference ID",),
)
