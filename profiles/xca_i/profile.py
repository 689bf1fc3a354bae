"""XCA-I: which of its actors are played here (RAD TF-1, 29)."""

from profiles.catalog import Profile
from profiles.xca_i import rad69_initiating_imaging_gateway, rad75_cross_gateway_retrieve_imaging

PROFILE = Profile(
    id="XCA-I",
    name="Cross-Community Access for Imaging",
    source="RAD TF-1, 29",
    actors=("Responding Imaging Gateway", "Initiating Imaging Gateway"),
    transactions=(rad75_cross_gateway_retrieve_imaging.TRANSACTION, rad69_initiating_imaging_gateway.TRANSACTION),
)
