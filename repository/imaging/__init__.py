"""DICOM: the bounded scanner, the study index, manifests, publishing."""
