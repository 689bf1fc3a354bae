"""KOS manifests built: what an Imaging Document Source submits for a study (RAD TF-2 4.68; PS3.3 A.35.4).

The document lists each instance twice, as the standard wants it: in the evidence with where to retrieve it, and in the
content tree. Identifiers and time are the caller's, so that the same study gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from io import BytesIO
from itertools import zip_longest

from pydicom.config import IGNORE
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from registry.metadata.datatypes import Cx, Dtm
from registry.metadata.model import Instance, PatientDetails, Series, StudyDescription
from repository.imaging.codes import MANIFEST_TITLE, PRIVATE_DISPLAY_URI_CREATOR, VOCABULARIES, ManifestStyle
from repository.imaging.kos_description import Describer
from repository.imaging.kos_items import authority, code, coded, item, reference

TEMPLATE = "2010"
# What would end a component, a group or a value of a person name (PS3.5 6.2.1).
NAME_SEPARATORS = str.maketrans("^=\\", "   ")
# Images whose names do not say so.
IMAGE_NAMES = (
    "Corneal Topography Map Storage",
    "Enhanced US Volume Storage",
    "Label Map Segmentation Storage",
    "Ophthalmic Optical Coherence Tomography B-scan Volume Analysis Storage",
    "Ophthalmic Thickness Map Storage",
    "Parametric Map Storage",
    "RT Dose Storage",
    "Segmentation Storage",
)
DISPLAY_URI = 0x0040E012
PRIVATE_GROUP, PRIVATE_DISPLAY_URI = 0x000D, 0x01


@dataclass(frozen=True, slots=True)
class Companion:
    """Another study that the same document references, and the UIDs of the copy of the document that lies in it."""

    study: StudyDescription
    sop_instance_uid: str
    series_instance_uid: str


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
    style: ManifestStyle = ManifestStyle.KOS,
    display_uri: str = "",
    companions: Sequence[Companion] = (),
) -> bytes:
    """The manifest of one study as a DICOM file, explicit VR little endian, in UTF-8.

    `retrieve_location_uid` is the OID of the source, RAD-69's repositoryUniqueId; `retrieve_url` the base of its
    WADO-RS service, or empty. `now` is aware; all dates and times are written in its zone. A study without instances
    gives the manifest that withdraws it. `display_uri` opens the study in a viewer, in a manifest with description
    only. `companions` are other studies that a plain manifest references too (PS3.3 C.17.6.2.1).

    Raises:
        ValueError: companions in a manifest with description, whose references are all of its own study.
    """
    vocabulary = VOCABULARIES.get(style)
    if vocabulary and companions:
        raise ValueError("a manifest with description is of one study")
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
    studies = [study, *(companion.study for companion in companions)]
    evidence = [_evidence(one, retrieve_location_uid, retrieve_url) for one in studies]
    data.CurrentRequestedProcedureEvidenceSequence = evidence
    if companions:
        data.IdenticalDocumentsSequence = [_copy(companion) for companion in companions]
    described: list[Dataset] = []
    if vocabulary:
        described += Describer(vocabulary, now.tzinfo or UTC, value_type, _local).items(study)
        _display(evidence[0], display_uri, style)
    title = vocabulary.title if vocabulary else MANIFEST_TITLE
    _content(data, title, described, [i for one in studies for s in one.series for i in s.instances])
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
        data.IssuerOfPatientIDQualifiersSequence = [authority(identifiers[0].authority)]
        data.OtherPatientIDsSequence = [
            item(
                PatientID=identifier.value,
                TypeOfPatientID="TEXT",
                IssuerOfPatientIDQualifiersSequence=[authority(identifier.authority)],
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
        data.IssuerOfAccessionNumberSequence = [authority(single[1])]
    if study.procedure_codes:
        data.ProcedureCodeSequence = list(filter(None, map(coded, study.procedure_codes)))


def _requests(study: StudyDescription) -> Iterable[Dataset]:
    """PS3.3 C.17.6.2: an item for each pair of accession and order number, in the order in which they are known.

    One number that several others share stands in each of their items (IHE RAD MADO, 6.X.2.8.1).
    """
    pairs = max(len(study.accessions), len(study.orders))
    accessions, orders = (
        numbers * pairs if len(numbers) == 1 else numbers for numbers in (study.accessions, study.orders)
    )
    for accession, order in zip_longest(accessions, orders, fillvalue=("", "")):
        request = item(
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
            request.IssuerOfAccessionNumberSequence = [authority(accession[1])]
        if order[1]:
            request.OrderPlacerIdentifierSequence = [authority(order[1])]
        yield request


def _series(series: Series, retrieve_location_uid: str, retrieve_url: str) -> Dataset:
    """PS3.3 C.17.2.1: the references of one series, and where they are to be had."""
    told = item(
        SeriesInstanceUID=series.uid,
        RetrieveLocationUID=retrieve_location_uid,
        ReferencedSOPSequence=[reference(instance) for instance in series.instances],
    )
    if retrieve_url:
        told.RetrieveURL = retrieve_url
    return told


def _evidence(study: StudyDescription, retrieve_location_uid: str, retrieve_url: str) -> Dataset:
    """PS3.3 C.17.2.1: the references of one study."""
    series = [_series(one, retrieve_location_uid, retrieve_url) for one in study.series if one.instances]
    return item(ReferencedSeriesSequence=series, StudyInstanceUID=study.uid)


def _copy(companion: Companion) -> Dataset:
    """PS3.3 C.17.6.2.1: where the same document lies in another study."""
    copy = item(
        ReferencedSOPClassUID=KeyObjectSelectionDocumentStorage, ReferencedSOPInstanceUID=companion.sop_instance_uid
    )
    series = item(SeriesInstanceUID=companion.series_instance_uid, ReferencedSOPSequence=[copy])
    return item(StudyInstanceUID=companion.study.uid, ReferencedSeriesSequence=[series])


def _display(evidence: Dataset, uri: str, style: ManifestStyle) -> None:
    """The viewer's address beside the study's references, in the trial in a private element."""
    if not uri:
        return
    if style is ManifestStyle.MADO_TRIAL:
        block = evidence.private_block(PRIVATE_GROUP, PRIVATE_DISPLAY_URI_CREATOR, create=True)
        block.add_new(PRIVATE_DISPLAY_URI, "UR", uri)
    else:
        evidence.add_new(DISPLAY_URI, "UR", uri)


def _content(
    data: Dataset, title: tuple[str, str, str], described: Sequence[Dataset], instances: Sequence[Instance]
) -> None:
    """PS3.16 TID 2010: a titled container, what describes the study, and a flat list of references."""
    data.ValueType = "CONTAINER"
    data.ConceptNameCodeSequence = [code(*title)]
    data.ContinuityOfContent = "SEPARATE"
    data.ContentTemplateSequence = [item(MappingResource="DCMR", TemplateIdentifier=TEMPLATE)]
    references = [
        item(
            RelationshipType="CONTAINS",
            ValueType=value_type(instance.sop_class_uid),
            ReferencedSOPSequence=[reference(instance)],
        )
        for instance in instances
    ]
    if instances:
        data.ContentSequence = [*described, *references]


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
