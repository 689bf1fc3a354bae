"""XCA: which of its actors are played here (ITI TF-1, 18)."""

from profiles.catalog import Profile
from profiles.xca import (
    iti18_initiating_gateway,
    iti38_cross_gateway_query,
    iti39_cross_gateway_retrieve,
    iti43_initiating_gateway,
)

PROFILE = Profile(
    id="XCA",
    name="Cross-Community Access",
    source="ITI TF-1, 18",
    actors=("Responding Gateway", "Initiating Gateway"),
    transactions=(
        iti38_cross_gateway_query.TRANSACTION,
        iti39_cross_gateway_retrieve.TRANSACTION,
        iti18_initiating_gateway.TRANSACTION,
        iti43_initiating_gateway.TRANSACTION,
    ),
    options=("XDS Affinity Domain",),
)
