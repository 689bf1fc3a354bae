"""The demonstration region: invented hospitals, patients and reports around real DICOM objects."""

from profiles.demo.loading import load

__all__ = ["load"]
