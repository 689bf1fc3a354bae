"""Imaging as FHIR resources: studies, reports, patients and endpoints (FHIR R4; RAD IMR and MADO, HL7 EU imaging)."""

from profiles.catalog import Profile
from profiles.imaging_fhir import diagnostic_report, endpoint, imaging_study, patient
from profiles.imaging_fhir.answering import ACTOR

PROFILE = Profile(
    id="Imaging-FHIR",
    name="Imaging resources on FHIR R4",
    source="FHIR R4; HL7 EU imaging",
    actors=(ACTOR,),
    transactions=(
        imaging_study.TRANSACTION,
        imaging_study.READ,
        diagnostic_report.TRANSACTION,
        diagnostic_report.READ,
        patient.TRANSACTION,
        patient.READ,
        endpoint.TRANSACTION,
        endpoint.READ,
    ),
)
