"""XDS-I.b: which of its actors are played here (RAD TF-1, 18)."""

from profiles.catalog import Profile
from profiles.xds_i_b import (
    publish_on_demand,
    publish_study,
    rad68_provide_and_register_imaging,
    rad69_retrieve_imaging_document_set,
)

PROFILE = Profile(
    id="XDS-I.b",
    name="Cross-Enterprise Document Sharing for Imaging",
    source="RAD TF-1, 18",
    actors=("Imaging Document Source", "Document Repository"),
    transactions=(
        rad68_provide_and_register_imaging.TRANSACTION,
        rad69_retrieve_imaging_document_set.TRANSACTION,
        publish_study.TRANSACTION,
        publish_on_demand.TRANSACTION,
    ),
    options=("Set of DICOM Instances", "PDF Report", "Text Report", "CDA Report"),
)
