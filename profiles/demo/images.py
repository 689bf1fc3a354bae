"""DICOM objects of the demonstration region: real ones of the pydicom package, or drawn, given to invented people."""

from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from io import BytesIO

from pydicom import Dataset, Sequence, dcmread
from pydicom.data import get_testdata_file

from profiles.demo.made import MADE
from profiles.demo.region import Study, uid_of
from profiles.demo.tables import Images

LATIN, UNICODE = "ISO_IR 100", "ISO_IR 192"
PATIENT_GROUP = 0x0010
# What may still tell of the object's first life.
FORGOTTEN = (
    "InstitutionAddress", "InstitutionalDepartmentName", "StationName", "PhysiciansOfRecord", "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy", "OperatorsName", "RequestAttributesSequence", "RequestedProcedureDescription",
    "RequestedProcedureID", "PerformedProcedureStepID", "ReferencedStudySequence", "AdmissionID", "RequestingPhysician",
    "ReferencedPerformedProcedureStepSequence", "ReviewerName", "TimezoneOffsetFromUTC",
)  # fmt: skip


@lru_cache(maxsize=64)
def original(name: str) -> Dataset:
    """The object that ships with pydicom under `name`, or is drawn under it; nothing is downloaded.

    Raises:
        FileNotFoundError: this pydicom does not bring it.
    """
    if name in MADE:
        return MADE[name]()
    path = get_testdata_file(name, download=False)
    if path is None:
        raise FileNotFoundError(f"pydicom's test data has no {name}")
    return dcmread(str(path))


def objects(study: Study, authority: str) -> Iterator[bytes]:
    """The DICOM files of `study`, whose patient is identified by `authority`, series by series."""
    for number, series in enumerate(study.examination.series, 1):
        yield from _series(study, authority, number, series)


def _series(study: Study, authority: str, number: int, series: Images) -> Iterator[bytes]:
    instance = 0
    for name in series.files:
        for _ in range(series.copies):
            instance += 1
            grown = deepcopy(original(name))
            _belong(grown, study, authority)
            grown.SeriesInstanceUID = uid_of(f"study {study.number} series {number}")
            grown.SeriesNumber = number
            grown.SeriesDescription = series.description
            grown.InstanceNumber = instance
            grown.SOPInstanceUID = uid_of(f"study {study.number} series {number} instance {instance}")
            grown.file_meta.MediaStorageSOPInstanceUID = grown.SOPInstanceUID
            if "Modality" not in grown:
                grown.Modality = study.examination.modality
            yield _written(grown)


def _belong(grown: Dataset, study: Study, authority: str) -> None:
    """Take the object from its first patient and study and give it to this one."""
    for element in list(grown.group_dataset(PATIENT_GROUP)):
        del grown[element.tag]
    for keyword in FORGOTTEN:
        if keyword in grown:
            delattr(grown, keyword)
    if grown.get("SpecificCharacterSet") != UNICODE:
        grown.SpecificCharacterSet = LATIN
    person, hospital, examination = study.person, study.hospital, study.examination
    grown.PatientName = f"{person.family}^{person.given}"
    grown.PatientID = person.personnummer
    grown.IssuerOfPatientIDQualifiersSequence = Sequence([_issuer(authority)])
    grown.PatientBirthDate = person.birth_date
    grown.PatientSex = person.sex
    grown.StudyInstanceUID = study.uid
    grown.StudyID = str(study.number)
    grown.StudyDate = grown.SeriesDate = grown.ContentDate = f"{study.performed:%Y%m%d}"
    grown.StudyTime = grown.SeriesTime = grown.ContentTime = f"{study.performed:%H%M%S}"
    grown.StudyDescription = examination.title
    grown.AccessionNumber = study.accession
    grown.IssuerOfAccessionNumberSequence = Sequence([_issuer(hospital.oid)])
    grown.InstitutionName = hospital.name
    grown.ReferringPhysicianName = "^".join(study.referrer)
    grown.BodyPartExamined = examination.body_part
    if examination.code[0]:
        grown.ProcedureCodeSequence = Sequence([_code(*examination.code)])


def _issuer(oid: str) -> Dataset:
    item = Dataset()
    item.UniversalEntityID = oid
    item.UniversalEntityIDType = "ISO"
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def _written(grown: Dataset) -> bytes:
    buffer = BytesIO()
    grown.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
