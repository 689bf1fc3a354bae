"""XDS.b: which of its actors are played here (ITI TF-1, 10)."""

from profiles.catalog import Profile
from profiles.xds_b import (
    iti18_stored_query,
    iti41_provide_and_register,
    iti42_register_document_set,
    iti43_retrieve_document_set,
    iti61_register_on_demand,
)

PROFILE = Profile(
    id="XDS.b",
    name="Cross-Enterprise Document Sharing",
    source="ITI TF-1, 10",
    actors=("Document Registry", "Document Repository", "On-Demand Document Source"),
    transactions=(
        iti18_stored_query.TRANSACTION,
        iti41_provide_and_register.TRANSACTION,
        iti42_register_document_set.TRANSACTION,
        iti43_retrieve_document_set.TRANSACTION,
        iti61_register_on_demand.TRANSACTION,
    ),
    options=("Reference ID", "On-Demand Documents", "Persistence of Retrieved Documents"),
)
