"""A plain file made a DICOM object: a photograph, a document or a model, with its patient and its context.

What kind of file it is, its own bytes say. The object's UID and all its bytes follow from the file, its context and
nothing else, no clock and no chance: wrapping the same again gives the same object, and storing that changes nothing.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from registry.access import Caller
from registry.metadata.datatypes import Cx, is_oid
from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.imaging.matching import matches_of
from repository.imaging.publishing import derived_uid
from repository.imaging.query import DicomQuery, Level
from repository.imaging.source import ImagingSource
from repository.imaging.wrapped_document import document_of
from repository.imaging.wrapped_photograph import photograph_of

# It is held in memory some times over while it is made.
MOST_BYTES = 64 << 20
BOOK = "PS3.5 6.2"
# PS3.5 6.2, without the characters that end a value or ask for anything.
TEXT = re.compile(r"[^\\*?\x00-\x1f\x7f]*")
MODALITY = re.compile(r"[A-Z0-9_]{1,16}")
MOMENT = re.compile(r"(?:\d{8}(?:\d{6})?)?")
LENGTHS = {"accession": 16, "title": 64, "study_description": 64, "name": 194}


@dataclass(frozen=True, slots=True)
class Context:
    """Whose a file is, and what it belongs to.

    `patient` is a CX, or a number of the affinity domain's first authority; `name` is a PN (`Family^Given`),
    `birth_date` YYYYMMDD, `sex` M, F or O. The study is named by `study_uid` or by `accession`. `modality` is DICOM's
    code, else the kind's own; `taken` is YYYYMMDD or YYYYMMDDHHMMSS in local time, else what the file says.
    """

    patient: str
    name: str = ""
    birth_date: str = ""
    sex: str = ""
    study_uid: str = ""
    accession: str = ""
    study_description: str = ""
    title: str = ""
    modality: str = ""
    taken: str = ""

    def problems(self) -> Iterable[Finding]:
        """What is wrong with it, all of it."""
        if not self.patient:
            yield _finding("patient", "whose the file is must be said", ErrorCode.Incomplete)
        if not (self.study_uid or self.accession):
            yield _finding("study", "a Study Instance UID or an accession number must be given", ErrorCode.Incomplete)
        if self.study_uid and not is_oid(self.study_uid):
            yield _finding("study", "this is no UID")
        if self.modality and not MODALITY.fullmatch(self.modality):
            yield _finding("modality", "a modality is 1 to 16 capital letters, digits and _")
        if self.sex not in ("", "M", "F", "O"):
            yield _finding("sex", "it is M, F or O")
        if self.birth_date and not re.fullmatch(r"\d{8}", self.birth_date):
            yield _finding("birth_date", "it is written YYYYMMDD")
        if not MOMENT.fullmatch(self.taken):
            yield _finding("taken", "it is written YYYYMMDD or YYYYMMDDHHMMSS")
        for field, longest in LENGTHS.items():
            if len(value := getattr(self, field)) > longest or not TEXT.fullmatch(value):
                yield _finding(field, f"it has at most {longest} characters, none of them a control, \\, * or ?")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """What was made of a file: its kind in words, its SOP Class, its transfer syntax and its UIDs."""

    kind: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str


def wrap(imaging: Any, source: ImagingSource, chunks: Iterable[bytes], context: Context, caller: Caller) -> Wrapped:
    """Make an object of a file and store it. `imaging` is the `ImagingRepository`.

    Raises:
        Rejected: a wrong context (all findings), UnsupportedMediaType for a file of no kind that is taken, TooLarge,
            NotAcceptable for a picture that cannot be decoded; and what storing it may raise or find.
    """
    if problems := list(context.problems()):
        raise Rejected(problems)
    patient = _patient(context, source)
    content = _content(chunks)
    data = photograph_of(content, imaging.decoder) or document_of(content, context.title)
    if data is None:
        text = "the file is none of JPEG, PNG, PDF, CDA (XML in UTF-8, without a document type) and STL"
        raise Rejected.because(ErrorCode.UnsupportedMediaType, "file", text, "PS3.3 A")
    kind, syntax = data.kind, data.transfer_syntax
    study = context.study_uid or _study(imaging, source, patient, context.accession, caller)
    _complete(data.dataset, context, patient, study, source.uid_root, hashlib.sha256(content).hexdigest())
    (outcome,) = imaging.store([[written(data.dataset, syntax)]], caller)
    if outcome.finding:
        raise Rejected([outcome.finding])
    return Wrapped(kind, outcome.sop_class_uid, syntax, outcome.study_uid, outcome.series_uid, outcome.sop_instance_uid)


def written(data: Dataset, syntax: str) -> bytes:
    """The object as a file (PS3.10 7)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    data.file_meta = meta
    out = BytesIO()
    dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()


def _complete(data: Dataset, context: Context, patient: Cx, study: str, root: str, digest: str) -> None:
    """Patient, study, series and identity; a series for each modality and kind of a study, made by this server."""
    taken = context.taken or data.get("ContentDate", "") + data.get("ContentTime", "")
    if context.modality:
        data.Modality = context.modality
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName, data.PatientID = context.name, patient.value
    data.PatientBirthDate, data.PatientSex = context.birth_date, context.sex
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = patient.authority, "ISO"
    data.IssuerOfPatientIDQualifiersSequence = [issuer]
    data.StudyInstanceUID, data.StudyID, data.AccessionNumber = study, "", context.accession
    data.ReferringPhysicianName = ""
    if context.study_description:
        data.StudyDescription = context.study_description
    data.StudyDate = data.ContentDate = taken[:8]
    data.StudyTime = data.ContentTime = taken[8:14]
    if "EncapsulatedDocument" in data:
        data.AcquisitionDateTime = taken
    data.Manufacturer, data.SeriesNumber, data.InstanceNumber = "OpenXDS-I", None, 1
    data.SeriesInstanceUID = derived_uid(root, "wrapped series", study, data.SOPClassUID, data.Modality)
    if context.title:
        data.SeriesDescription = context.title
    said = (getattr(context, name) for name in Context.__slots__)
    data.SOPInstanceUID = derived_uid(root, "wrapped", digest, study, str(patient), *said)


def _patient(context: Context, source: ImagingSource) -> Cx:
    number, separator, _ = context.patient.partition("^")
    try:
        patient = Cx.parse(context.patient) if separator else Cx(number, source.default_authority)
    except ValueError:
        patient = Cx("", "")
    if not patient.value or not patient.authority or len(patient.value) > 64 or not TEXT.fullmatch(patient.value):
        raise Rejected([_finding("patient", "it is written number^^^&OID&ISO, or as a number alone")])
    return patient


def _study(imaging: Any, source: ImagingSource, patient: Cx, accession: str, caller: Caller) -> str:
    """The patient's held study with the accession number, or the one that follows from both.

    Raises:
        Rejected: several are held.
    """
    asked = (("PatientID", patient.value), ("IssuerOfPatientID", patient.authority), ("AccessionNumber", accession))
    query = DicomQuery(level=Level.STUDY, matches=matches_of(Level.STUDY, asked), limit=2)
    held = [match["0020000D"]["Value"][0] for match in imaging.find_studies(query, caller).matches]
    if len(held) > 1:
        raise Rejected([_finding("accession", "several studies of the patient have it; give the Study Instance UID")])
    return held[0] if held else derived_uid(source.uid_root, "wrapped study", str(patient), accession)


def _content(chunks: Iterable[bytes]) -> bytes:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) > MOST_BYTES:
            text = f"a file of more than {MOST_BYTES} bytes is not wrapped"
            raise Rejected.because(ErrorCode.TooLarge, "file", text, "limit of this server")
    return bytes(held)


def _finding(where: str, text: str, code: ErrorCode = ErrorCode.InvalidRequest) -> Finding:
    return Finding(code, where, text, BOOK)
