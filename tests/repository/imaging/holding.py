"""An image repository on a real database and real files, a registry that takes notes, and DICOM objects to put in."""

import io
from dataclasses import dataclass, field

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from database.engine import Database
from registry.access import Caller, Visibility
from registry.metadata.model import Code
from repository.imaging.manifest_metadata import ManifestCodes
from repository.imaging.service import ImagingRepository
from repository.imaging.source import ImagingSource
from repository.service import Repository
from repository.store.files import FileBlobs

PNR = "1.2.752.129.2.1.3.1"
OTHER = "1.2.752.129.2.1.3.3"
SOURCE = "1.2.3.9"
PATIENT = f"191212121212^^^&{PNR}&ISO"
CALLER = Caller("tester", "127.0.0.1", "RAD-108")
STUDY = "1.2.3.4.1"
START = 1_700_000_000.0


def code(value):
    return Code(value, "1.2.3", value)


HERE = ImagingSource(
    retrieve_location_uid=SOURCE,
    wado_url="http://here/dicomweb",
    uid_root="1.2.3.8",
    patient_authorities=(PNR, OTHER),
    accession_authority="1.2.3.7",
    time_zone="Europe/Stockholm",
    quiet_seconds=60,
)
CODES = ManifestCodes("1.2.3.6", "sv-SE", *map(code, ("class", "type", "N", "facility", "practice", "content")))


def dataset(study=STUDY, series="1", number=1, **attributes):
    """A CT slice's data set; `series` and `number` end its UIDs. A None takes an attribute away."""
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = CTImageStorage
    data.StudyInstanceUID = study
    data.SeriesInstanceUID = f"{study}.{series}"
    data.SOPInstanceUID = f"{study}.{series}.{number}"
    data.PatientID, data.PatientName, data.PatientSex = "191212121212", "Tolvansson^Tolvan", "M"
    data.PatientBirthDate = "19121212"
    data.StudyDate, data.StudyTime, data.StudyDescription = "20240701", "083000", "Thorax"
    data.AccessionNumber, data.Modality, data.BodyPartExamined = "A1", "CT", "CHEST"
    data.ReferringPhysicianName, data.InstitutionName, data.StudyID = "Ek^Eva", "North", "S1"
    data.SeriesNumber, data.InstanceNumber, data.SeriesDescription = int(series), number, "axial"
    data.Rows = data.Columns = 2
    data.BitsAllocated, data.SamplesPerPixel, data.PhotometricInterpretation = 8, 1, "MONOCHROME2"
    data.PixelData = bytes([number, 1, 2, 3])
    for name, value in attributes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data


def part10(data):
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def ct(*args, **attributes):
    """The bytes of `dataset`."""
    return part10(dataset(*args, **attributes))


@dataclass
class NotingRegistrar:
    """Takes everything, and notes it."""

    patients: list = field(default_factory=list)
    touched: list = field(default_factory=list)
    submissions: list = field(default_factory=list)
    known: list = field(default_factory=list)
    withdrawn: list = field(default_factory=list)
    refusal: Exception | None = None

    def check(self, submission, caller):
        return []

    def prepare(self, submission):
        return submission

    def register(self, unit, submission, caller):
        if self.refusal:
            raise self.refusal
        self.submissions.append(submission)

    def know_patient(self, unit, patient, caller):
        self.patients.append(patient)

    def patient(self, reader, patient_id):
        return next((one for one in reversed(self.patients) if one.patient_id == patient_id), None)

    def unknown_patients(self, reader, patient_ids):
        return {}

    def survivors(self, reader, patient_ids):
        return {}

    def same_patient(self, value, authority):
        return ()

    def approved_entry(self, unique_id):
        entries = (entry for one in reversed(self.submissions) for entry in one.entries)
        return next((entry.id for entry in entries if entry.unique_id == unique_id), None)

    def withdraw(self, unit, entries, caller, *, remove=False):
        self.withdrawn += entries
        return ()

    def know_manifest(self, unit, note, caller):
        return True

    def know_study(self, unit, study, caller, *, manifest_id=None):
        self.known.append((study, manifest_id))

    def sources_of(self, unit, study_uid):
        return {study.source: study.patient_id for study, _ in [*self.known, *self.touched] if study.uid == study_uid}

    def touch_study(self, unit, study, modalities, caller):
        self.touched.append((study, modalities))


@dataclass
class NotingAudit:
    records: list = field(default_factory=list)

    def keep(self, record):
        self.records.append(record)


@dataclass
class Policy:
    patients: frozenset | None = None

    def visibility(self, caller):
        return Visibility(self.patients)


class Clock:
    def __init__(self):
        self.time = START

    def __call__(self):
        return self.time


class Holding:
    """Everything together. `clock.time` moves by hand."""

    def __init__(self, url, folder, source=HERE):
        self.database = Database(url)
        self.blobs = FileBlobs(folder / "blobs")
        self.registrar, self.audit, self.policy, self.clock = NotingRegistrar(), NotingAudit(), Policy(), Clock()
        common = (self.audit, self.policy)
        self.repository = Repository(self.database, self.blobs, self.registrar, *common, "1.2.3.5", self.clock)
        self.imaging = ImagingRepository(
            self.database,
            self.blobs,
            self.registrar,
            self.repository,
            *common,
            source=source,
            codes=CODES,
            now=self.clock,
        )

    def store(self, *objects, **options):
        return self.imaging.store([[data] for data in objects], CALLER, **options)

    def kept(self, *objects):
        """Store what must be accepted."""
        outcomes = self.store(*objects)
        assert [o.finding for o in outcomes] == [None] * len(objects)
        return outcomes
