"""KOS manifests built: what an Imaging Document Source submits for a study (RAD TF-2 4.68; PS3.3 A.35.4).

The document lists each instance twice, as the standard wants it: in the evidence with where to retrieve it, and in the
content tree. Identifiers and time are the caller's, so that the same study gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from io import BytesIO
from itertools import zip_longest

from pydicom.config import IGNORE
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from registry.metadata.datatypes import Cx, Dtm
from registry.metadata.model import Instance, PatientDetails, Series, StudyDescription
from repository.imaging import attributes
from repository.imaging.codes import MANIFEST_TITLE

TEMPLATE = "2010"
SH_LENGTH = 16
# What would end a component, a group or a value of a person name (PS3.5 6.2.1).
NAME_SEPARATORS = str.maketrans("^=\\", "   ")
IMAGE_NAMES = ("Segmentation Storage", "Label Map Segmentation Storage", "Parametric Map Storage", "RT Dose Storage")


def build_manifest(
    study: StudyDescription,
    *,
    sop_instance_uid: str,
    series_instance_uid: str,
    patient: PatientDetails,
    retrieve_location_uid: str,
    retrieve_url: str,
    now: datetime,
    manufacturer: str = "OpenXDS-I",
    institution: str = "",
) -> bytes:
    """The manifest of one study as a DICOM file, explicit VR little endian, in UTF-8.

    `retrieve_location_uid` is the OID of the source, RAD-69's repositoryUniqueId; `retrieve_url` the base of its
    WADO-RS service, or empty. `now` is aware; all dates and times are written in its zone. A study without instances
    gives the manifest that withdraws it.
    """
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = KeyObjectSelectionDocumentStorage
    data.SOPInstanceUID = sop_instance_uid
    data.TimezoneOffsetFromUTC = now.strftime("%z")[:5]
    _patient(data, patient)
    _study(data, study, now.tzinfo or UTC)
    data.Modality = "KO"
    data.SeriesInstanceUID = series_instance_uid
    data.SeriesNumber = 1
    data.ReferencedPerformedProcedureStepSequence = []
    data.Manufacturer = manufacturer
    data.InstitutionName = institution or study.institution
    data.InstanceNumber = 1
    data.ContentDate, data.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    if study.accessions or study.orders:
        data.ReferencedRequestSequence = list(_requests(study))
    series = [_series(s, retrieve_location_uid, retrieve_url) for s in study.series if s.instances]
    data.CurrentRequestedProcedureEvidenceSequence = [
        _item(ReferencedSeriesSequence=series, StudyInstanceUID=study.uid)
    ]
    _content(data, [instance for s in study.series for instance in s.instances])
    return _written(data)


def value_type(sop_class_uid: str) -> str:
    """How a content item points to an instance of the class: IMAGE, WAVEFORM, or COMPOSITE (PS3.3 C.18.3 to C.18.5)."""
    name = UID(sop_class_uid, IGNORE).name
    if " Image Storage" in name or name in IMAGE_NAMES:
        return "IMAGE"
    return "WAVEFORM" if name.endswith("Waveform Storage") else "COMPOSITE"


def _patient(data: Dataset, patient: PatientDetails) -> None:
    """PS3.3 C.7.1.1; the source's own identifier first, and every identifier among the others too (IHE RAD MADO)."""
    known = [text for text in (patient.source_patient_id, patient.patient_id) if text]
    identifiers = [Cx.parse(text) for text in dict.fromkeys(known)]
    family, given = (part.translate(NAME_SEPARATORS) for part in (patient.family, patient.given))
    data.PatientName = f"{family}^{given}".rstrip("^")
    data.PatientBirthDate = patient.birth_date if len(patient.birth_date) == 8 else ""
    data.PatientSex = patient.sex if patient.sex in ("M", "F", "O") else ""
    data.PatientID = identifiers[0].value if identifiers else ""
    if identifiers:
        data.IssuerOfPatientIDQualifiersSequence = [_authority(identifiers[0].authority)]
        data.OtherPatientIDsSequence = [
            _item(
                PatientID=identifier.value,
                TypeOfPatientID="TEXT",
                IssuerOfPatientIDQualifiersSequence=[_authority(identifier.authority)],
            )
            for identifier in identifiers
        ]


def _study(data: Dataset, study: StudyDescription, zone: tzinfo) -> None:
    """PS3.3 C.7.2.1; the accession number only if the study has no more than one, the rest are in the requests."""
    data.StudyInstanceUID = study.uid
    data.StudyDate, data.StudyTime = _local(study.started or "", zone)
    data.StudyID = ""
    data.ReferringPhysicianName = study.referrer
    if study.description:
        data.StudyDescription = study.description
    single = study.accessions[0] if len(study.accessions) == 1 else ("", "")
    data.AccessionNumber = single[0]
    if single[1]:
        data.IssuerOfAccessionNumberSequence = [_authority(single[1])]
    if study.procedure_codes:
        data.ProcedureCodeSequence = [
            _code(c.code, scheme, c.display)
            for c in study.procedure_codes
            if len(scheme := attributes.designator(c.scheme)) <= SH_LENGTH
        ]


def _requests(study: StudyDescription) -> Iterable[Dataset]:
    """PS3.3 C.17.6.2: an item for each pair of accession and order number, in the order in which they are known."""
    for accession, order in zip_longest(study.accessions, study.orders, fillvalue=("", "")):
        item = _item(
            StudyInstanceUID=study.uid,
            ReferencedStudySequence=[],
            AccessionNumber=accession[0],
            PlacerOrderNumberImagingServiceRequest=order[0],
            FillerOrderNumberImagingServiceRequest="",
            RequestedProcedureID="",
            RequestedProcedureDescription="",
            RequestedProcedureCodeSequence=[],
        )
        if accession[1]:
            item.IssuerOfAccessionNumberSequence = [_authority(accession[1])]
        if order[1]:
            item.OrderPlacerIdentifierSequence = [_authority(order[1])]
        yield item


def _series(series: Series, retrieve_location_uid: str, retrieve_url: str) -> Dataset:
    """PS3.3 C.17.2.1: the references of one series, and where they are to be had."""
    item = _item(
        SeriesInstanceUID=series.uid,
        RetrieveLocationUID=retrieve_location_uid,
        ReferencedSOPSequence=[_reference(instance) for instance in series.instances],
    )
    if retrieve_url:
        item.RetrieveURL = retrieve_url
    return item


def _content(data: Dataset, instances: Sequence[Instance]) -> None:
    """PS3.16 TID 2010: a titled container and a flat list of references."""
    data.ValueType = "CONTAINER"
    data.ConceptNameCodeSequence = [_code(*MANIFEST_TITLE)]
    data.ContinuityOfContent = "SEPARATE"
    data.ContentTemplateSequence = [_item(MappingResource="DCMR", TemplateIdentifier=TEMPLATE)]
    if instances:
        data.ContentSequence = [
            _item(
                RelationshipType="CONTAINS",
                ValueType=value_type(instance.sop_class_uid),
                ReferencedSOPSequence=[_reference(instance)],
            )
            for instance in instances
        ]


def _reference(instance: Instance) -> Dataset:
    return _item(ReferencedSOPClassUID=instance.sop_class_uid, ReferencedSOPInstanceUID=instance.sop_instance_uid)


def _authority(oid: str) -> Dataset:
    return _item(UniversalEntityID=oid, UniversalEntityIDType="ISO")


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = _item(CodingSchemeDesignator=scheme, CodeMeaning=meaning)
    setattr(item, "CodeValue" if len(value) <= SH_LENGTH else "LongCodeValue", value)
    return item


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _local(moment: str, zone: tzinfo) -> tuple[str, str]:
    """DA and TM of a DTM in UTC, in `zone` and with its precision; a month or a year is no DA."""
    if len(moment) < 8:
        return "", ""
    if len(moment) == 8:
        return moment, ""
    there = datetime.strptime(Dtm(moment).first, "%Y%m%d%H%M%S").replace(tzinfo=UTC).astimezone(zone)
    return there.strftime("%Y%m%d"), there.strftime("%H%M%S")[: max(len(moment) - 8, 4 if there.minute else 2)]


def _written(data: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta = meta
    out = BytesIO()
    dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()
