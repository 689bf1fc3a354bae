"""Key object selection documents read: manifests, rejection notes and key images (RAD TF-2 4.68; PS3.3 A.35.4).

All three are of one SOP class; their title tells them apart (PS3.16 TID 2010). Attributes are read by tag and judged
apart: what is odd becomes a warning, so that a manifest of the field is never lost for an odd VR.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from pydicom.uid import KeyObjectSelectionDocumentStorage

from registry.metadata.datatypes import is_oid
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.model import Code, Instance, PatientDetails, Series, StudyDescription
from repository.imaging import attributes, kos_library
from repository.imaging.codes import PRIVATE_DISPLAY_URI_CREATOR, Kind, kind_of
from repository.imaging.describe import patient_details
from repository.imaging.kos_library import NOTHING, Library
from repository.imaging.scanner import DicomObject, scan
from repository.imaging.tags import Tag
from repository.imaging.values import Json


@dataclass(frozen=True, slots=True)
class Manifest:
    """A key object selection document.

    `title` is its Concept Name, `content_time` a DTM in UTC. `studies` holds the references, described as far as the
    document's image library does; a study's `source` is the Retrieve Location UID of its first series that has one
    in the form of an OID, else empty. `display_uri` opens a viewer, if the document names one. `findings` are warnings.
    `differing` says how the evidence and the content tree differ, where they list other instances each.
    """

    kind: Kind
    title: Code
    sop_instance_uid: str
    study_instance_uid: str
    patient: PatientDetails
    content_time: str | None
    studies: tuple[StudyDescription, ...]
    display_uri: str = ""
    findings: tuple[Finding, ...] = ()
    differing: Finding | None = None

    @property
    def is_manifest(self) -> bool:
        """Whether it announces what a study's consumers may retrieve, rather than rejecting or picking instances."""
        return self.kind is Kind.MANIFEST

    @property
    def withdraws(self) -> bool:
        """Whether it is a manifest without a single instance: how some archives say that all are gone."""
        return self.is_manifest and not any(series.instances for study in self.studies for series in study.series)


def is_manifest(obj: DicomObject) -> bool:
    """Whether a scanned object is a key object selection document with the title of a manifest."""
    title = attributes.code(obj.json, Tag.CONCEPT_NAME_CODE_SEQUENCE)
    is_key_object = obj.sop_class_uid == KeyObjectSelectionDocumentStorage
    return is_key_object and title is not None and kind_of(title.code, title.display) is Kind.MANIFEST


def read_manifest(file: BinaryIO, size: int) -> Manifest:
    """The document in a DICOM file of `size` bytes.

    Raises:
        Rejected: DicomUnreadable from the scanner; InvalidDocumentContent if it is no key object document or untitled.
    """
    return manifest_of(scan(file, size))


def manifest_of(obj: DicomObject) -> Manifest:
    """The document in a scanned object.

    Raises:
        Rejected: with InvalidDocumentContent if it is no key object selection document, or has no title.
    """
    data = obj.json
    if obj.sop_class_uid != KeyObjectSelectionDocumentStorage:
        raise _invalid("(0008,0016)", "The object is no Key Object Selection Document.", "RAD TF-2, 4.68")
    title = attributes.code(data, Tag.CONCEPT_NAME_CODE_SEQUENCE)
    if title is None:
        raise _invalid(
            "(0040,A043)", "The document has no title, so that it cannot be told what it is.", "PS3.16 TID 2010"
        )
    library = kos_library.read(data)
    # A withdrawal may list nothing at all, not even its study.
    evidence = list(_evidence(data)) or [{str(Tag.STUDY_INSTANCE_UID): data[Tag.STUDY_INSTANCE_UID]}]
    studies = tuple(_study(data, item, library) for item in evidence)
    differing = _differing(studies, library)
    return Manifest(
        kind=kind_of(title.code, title.display),
        title=title,
        sop_instance_uid=obj.sop_instance_uid,
        study_instance_uid=obj.study_instance_uid,
        patient=patient_details(data),
        content_time=attributes.moment(data, Tag.CONTENT_DATE, Tag.CONTENT_TIME),
        studies=studies,
        display_uri=_display_uri(data),
        findings=(*_findings(data, studies, library), *((differing,) if differing else ())),
        differing=differing,
    )


def _evidence(data: Json) -> Iterator[Json]:
    return attributes.items(data, Tag.CURRENT_REQUESTED_PROCEDURE_EVIDENCE)


def _study(data: Json, item: Json, library: Library) -> StudyDescription:
    """One study of the evidence; what the document says of its own study counts for that one only."""
    uid = attributes.text(item, Tag.STUDY_INSTANCE_UID)
    series = tuple(_series(found, library) for found in attributes.items(item, Tag.REFERENCED_SERIES_SEQUENCE))
    source = next((s.retrieve_location_uid for s in series if is_oid(s.retrieve_location_uid)), "")
    if uid != attributes.text(data, Tag.STUDY_INSTANCE_UID):
        return StudyDescription(uid, source, series=series)
    return StudyDescription(
        uid=uid,
        source=source,
        started=attributes.moment(data, Tag.STUDY_DATE, Tag.STUDY_TIME),
        description=attributes.text(data, Tag.STUDY_DESCRIPTION),
        accessions=attributes.accessions(data),
        orders=attributes.orders(data),
        procedure_codes=tuple(attributes.codes(data, Tag.PROCEDURE_CODE_SEQUENCE)) or library.procedure_codes,
        referrer=attributes.text(data, Tag.REFERRING_PHYSICIAN_NAME),
        institution=attributes.text(data, Tag.INSTITUTION_NAME),
        series=series,
    )


def _series(item: Json, library: Library) -> Series:
    uid = attributes.text(item, Tag.SERIES_INSTANCE_UID)
    told = library.series.get(uid, Series(uid))
    return replace(
        told,
        retrieve_location_uid=attributes.text(item, Tag.RETRIEVE_LOCATION_UID),
        retrieve_url=attributes.text(item, Tag.RETRIEVE_URL),
        instances=tuple(_instances(item, library)),
    )


def _instances(item: Json, library: Library) -> Iterator[Instance]:
    for found in attributes.items(item, Tag.REFERENCED_SOP_SEQUENCE):
        uid = attributes.text(found, Tag.REFERENCED_SOP_INSTANCE_UID)
        yield Instance(attributes.text(found, Tag.REFERENCED_SOP_CLASS_UID), uid, *library.instances.get(uid, NOTHING))


def _display_uri(data: Json) -> str:
    """A viewer's address, at the study or beside its references, standard or in the trial's private block."""
    for place in (*_evidence(data), data):
        found = attributes.text(place, Tag.DISPLAY_URI)
        for block in range(0x10, 0x100):
            if not found and attributes.text(place, f"000D00{block:02X}") == PRIVATE_DISPLAY_URI_CREATOR:
                found = attributes.text(place, f"000D{block:02X}01")
        if found:
            return found
    return ""


def _differing(studies: tuple[StudyDescription, ...], library: Library) -> Finding | None:
    listed = {i.sop_instance_uid for study in studies for series in study.series for i in series.instances}
    only_listed, only_told = len(listed - library.references), len(library.references - listed)
    if not only_listed and not only_told:
        return None
    text = f"{only_listed} instances are in the evidence alone, {only_told} in the content tree alone."
    return _warning("(0040,A730)", text, "PS3.3 C.17.6.2")


def _findings(data: Json, studies: tuple[StudyDescription, ...], library: Library) -> Iterator[Finding]:
    """What is odd in the document; all warnings."""
    referenced = [i.sop_instance_uid for study in studies for series in study.series for i in series.instances]
    if not attributes.text(data, Tag.PATIENT_ID):
        yield _warning("(0010,0020)", "The document names no patient.", "RAD TF-2, 4.68")
    if not referenced:
        yield _warning("(0040,A375)", "The document references no instance.", "PS3.16 TID 2010")
    if len(studies) > 1 and not any(attributes.items(data, Tag.IDENTICAL_DOCUMENTS_SEQUENCE)):
        text = f"The document references {len(studies)} studies and names no copy of itself in the others."
        yield _warning("(0040,A525)", text, "PS3.3 C.17.6.2.1")
    if len(set(referenced)) < len(referenced):
        yield _warning("(0040,A375)", "An instance is referenced more than once.", "PS3.3 C.17.2.1")
    for series in (series for study in studies for series in study.series):
        where = f"series {series.uid}"
        if series.retrieve_location_uid and not is_oid(series.retrieve_location_uid):
            yield _warning(where, "The Retrieve Location UID is not a UID.", "PS3.5 9.1")
        counted = library.counts.get(series.uid)
        if counted is not None and counted != len(series.instances):
            text = f"The image library counts {counted} instances, the evidence has {len(series.instances)}."
            yield _warning(where, text, "PS3.16 TID 1600")


def _warning(where: str, text: str, source: str) -> Finding:
    return Finding(ErrorCode.InvalidDocumentContent, where, text, source, warning=True)


def _invalid(where: str, text: str, source: str) -> Rejected:
    return Rejected.because(ErrorCode.InvalidDocumentContent, where, text, source)
