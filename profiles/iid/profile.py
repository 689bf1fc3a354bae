"""IID: which of its actors are played here (RAD TF-1, 35)."""

from profiles.catalog import Profile
from profiles.iid import rad106_invoke_image_display

PROFILE = Profile(
    id="IID",
    name="Invoke Image Display",
    source="RAD TF-1, 35",
    actors=("Image Display",),
    transactions=rad106_invoke_image_display.TRANSACTIONS,
)
