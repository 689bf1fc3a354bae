"""Rejection notes as a PACS writes them, made with pydicom alone."""

from io import BytesIO
from typing import Any

import pydicom
from examination import Study, authority, new_uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

QUALITY, SAFETY, WORKLIST, EXPIRED = "113001", "113037", "113038", "113039"


def note(study: Study, code: str, *objects: bytes, **attributes: Any) -> bytes:
    """A rejection note of `study` that names these objects, by their own study and series."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = KeyObjectSelectionDocumentStorage, new_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = study.uid, new_uid()
    data.PatientID, data.PatientName = study.who.number, f"{study.who.family}^{study.who.given}"
    data.IssuerOfPatientIDQualifiersSequence = [authority(study.who.cx.split("&")[1])]
    data.PatientBirthDate, data.PatientSex = "18120304", "F"
    data.StudyDate, data.StudyTime, data.AccessionNumber = study.date, study.time, study.accession
    data.Modality, data.SeriesNumber, data.InstanceNumber = "KO", 99, 1
    data.ContentDate, data.ContentTime = "20240705", "101500"
    data.ValueType, data.ContinuityOfContent = "CONTAINER", "SEPARATE"
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = code, "DCM", "Rejected"
    data.ConceptNameCodeSequence = [title]
    data.CurrentRequestedProcedureEvidenceSequence = _evidence(objects)
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    out = BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _evidence(objects: tuple[bytes, ...]) -> list[Dataset]:
    studies: dict[str, dict[str, list[Dataset]]] = {}
    for one in objects:
        header = pydicom.dcmread(BytesIO(one), stop_before_pixels=True)
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
        studies.setdefault(header.StudyInstanceUID, {}).setdefault(header.SeriesInstanceUID, []).append(item)
    evidence = []
    for study_uid, all_series in studies.items():
        of_study = Dataset()
        of_study.StudyInstanceUID, of_study.ReferencedSeriesSequence = study_uid, []
        for series_uid, items in all_series.items():
            of_series = Dataset()
            of_series.SeriesInstanceUID, of_series.ReferencedSOPSequence = series_uid, items
            of_study.ReferencedSeriesSequence.append(of_series)
        evidence.append(of_study)
    return evidence
