"""MPQ: which of its actors are played here (ITI TF-1, 25)."""

from profiles.catalog import Profile
from profiles.mpq import iti51_multi_patient_stored_query

PROFILE = Profile(
    id="MPQ",
    name="Multi-Patient Queries",
    source="ITI TF-1, 25",
    actors=("Document Registry",),
    transactions=(iti51_multi_patient_stored_query.TRANSACTION,),
)
