"""Web-based Image Access and the DICOMweb services beside it (RAD TF-1, 44; DICOM PS3.18)."""
