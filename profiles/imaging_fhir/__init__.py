"""FHIR R4 resources of imaging: ImagingStudy, DiagnosticReport, Patient and Endpoint."""
