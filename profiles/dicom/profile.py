"""What is played of Scheduled Workflow.b on DICOM associations (RAD TF-1, 34)."""

from profiles.catalog import Profile
from profiles.dicom import get_images, move_images, query_images, storage_commitment, storage_scp, verification

PROFILE = Profile(
    id="SWF.b",
    name="Scheduled Workflow.b",
    source="RAD TF-1, 34",
    actors=("Image Manager/Archive",),
    transactions=(
        verification.TRANSACTION,
        storage_scp.TRANSACTION,
        storage_commitment.TRANSACTION,
        query_images.TRANSACTION,
        move_images.TRANSACTION,
        get_images.TRANSACTION,
    ),
)
