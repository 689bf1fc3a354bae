"""What is played of Web-based Image Access, with the store service beside it (RAD TF-1, 44)."""

from profiles.catalog import Profile
from profiles.wia import (
    rad55_wado_uri,
    rad107_bulkdata,
    rad107_frames,
    rad107_metadata,
    rad107_rendered,
    rad107_wado_rs,
    rad108_stow_rs,
    rad129_qido_rs,
    wrap,
)

PROFILE = Profile(
    id="WIA",
    name="Web-based Image Access",
    source="RAD TF-1, 44",
    actors=("Imaging Document Source", "Imaging Document Responder", "Image Manager/Archive"),
    transactions=(
        *rad108_stow_rs.TRANSACTIONS,
        *rad129_qido_rs.TRANSACTIONS,
        *rad107_wado_rs.TRANSACTIONS,
        *rad107_metadata.TRANSACTIONS,
        *rad107_frames.TRANSACTIONS,
        *rad107_bulkdata.TRANSACTIONS,
        *rad107_rendered.TRANSACTIONS,
        *rad55_wado_uri.TRANSACTIONS,
        wrap.TRANSACTION,
    ),
)
