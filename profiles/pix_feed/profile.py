"""Patient Identity Feed: how a Document Registry hears of patients (ITI TF-1, 10.1; ITI TF-2, 3.8 and 3.44)."""

from profiles.catalog import Profile
from profiles.pix_feed import iti8_patient_identity_feed, iti44_patient_identity_feed_v3

PROFILE = Profile(
    id="PIX-Feed",
    name="Patient Identity Feed",
    source="ITI TF-1, 10.1",
    actors=("Document Registry",),
    transactions=(iti8_patient_identity_feed.TRANSACTION, *iti44_patient_identity_feed_v3.TRANSACTIONS),
    options=("Patient Identity Feed", "Patient Identity Feed HL7v3"),
)
