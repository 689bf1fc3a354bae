"""DICOM Part 10 files, read within bounds (PS3.10; PS3.5).

The one door for DICOM objects from outside. It reads lengths and metadata, never pixels, and gives the data set in
the DICOM JSON model, ready to be stored. Whatever the bytes are, the outcome is a `DicomObject` or `Rejected`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import BinaryIO

from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.imaging import attributes
from repository.imaging.attributes import Identifier
from repository.imaging.encapsulated import Span, items
from repository.imaging.part10 import FileMeta, is_encapsulated, is_uid, read_file_meta
from repository.imaging.tags import PIXEL_TAGS, Tag
from repository.imaging.values import Attribute
from repository.imaging.walk import EXPLICIT_BIG, Bulk, Limits, Walk

LIMITS = Limits()
REQUIRED = (
    (Tag.SOP_CLASS_UID, "SOP Class UID", "PS3.3 C.12.1"),
    (Tag.SOP_INSTANCE_UID, "SOP Instance UID", "PS3.3 C.12.1"),
    (Tag.STUDY_INSTANCE_UID, "Study Instance UID", "PS3.3 C.7.2.1"),
    (Tag.SERIES_INSTANCE_UID, "Series Instance UID", "PS3.3 C.7.3.1"),
)


@dataclass(frozen=True, slots=True)
class PixelData:
    """Where an object's pixels lie in its file; enough to cut frames from it.

    `offset` and `length` are in bytes; of encapsulated data from the first item's tag up to, not including, the
    Sequence Delimitation Item. `offsets` and `lengths` are the values of the Extended Offset Table, if there is one.
    """

    offset: int
    length: int
    vr: str
    encapsulated: bool
    big_endian: bool = False
    offsets: Span | None = None
    lengths: Span | None = None


@dataclass(frozen=True, slots=True)
class DicomObject:
    """One DICOM object: its identity, its data set as DICOM JSON without group 2 (PS3.18 F.2), and its pixels' place.

    BulkDataURIs are relative, `bulkdata/` and the path that `locate` takes.
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    json: dict[str, Attribute]
    pixel_data: PixelData | None

    def text(self, tag: str) -> str:
        """The first value as text, empty if there is none."""
        return attributes.text(self.json, tag)

    def number(self, tag: str) -> int | None:
        """The first value as an integer, None if it is none."""
        return attributes.number(self.json, tag)

    @property
    def patient(self) -> Identifier:
        """Patient ID and the OID of its issuer."""
        return attributes.patient_identifier(self.json)

    @property
    def accessions(self) -> tuple[Identifier, ...]:
        """Accession numbers of the study and of the requests that it fulfils."""
        return attributes.accessions(self.json)

    @property
    def orders(self) -> tuple[Identifier, ...]:
        """Placer order numbers of the requests that it fulfils."""
        return attributes.orders(self.json)

    @property
    def number_of_frames(self) -> int | None:
        """Number of Frames; None for a single-frame image and for what is no image."""
        return self.number(Tag.NUMBER_OF_FRAMES)

    def started(self, zone: tzinfo | None = None) -> str | None:
        """When the study began, a DTM in UTC; `zone` counts where the object names no offset."""
        return attributes.moment(self.json, Tag.STUDY_DATE, Tag.STUDY_TIME, zone)


def scan(file: BinaryIO, size: int, limits: Limits = LIMITS) -> DicomObject:
    """The object in a seekable file of `size` bytes.

    Raises:
        Rejected: with DicomUnreadable or DicomMismatch; each finding names the element and the section that it breaks.
    """
    meta = read_file_meta(file, size)
    walk = Walk(file, size, limits, meta.head)
    json = walk.data_set(meta.data_set, meta.encoding)
    findings = _identity(json, meta)
    pixels = _pixels(walk.bulk, meta)
    demanded = is_encapsulated(meta.transfer_syntax_uid)
    if pixels is not None and demanded not in (None, pixels.encapsulated):
        held = "in fragments" if demanded else "in one native value"
        text = f"The transfer syntax demands Pixel Data {held}, and it is not so."
        findings.append(Finding(ErrorCode.DicomUnreadable, "(7FE0,0010)", text, "PS3.5 A.4"))
    if findings:
        raise Rejected(findings)
    sop_class, sop_instance, study, series = (attributes.text(json, tag) for tag, _, _ in REQUIRED)
    return DicomObject(meta.transfer_syntax_uid, sop_class, sop_instance, study, series, json, pixels)


def locate(file: BinaryIO, size: int, path: str, limits: Limits = LIMITS) -> tuple[Span, ...]:
    """Where the bulk value named by a BulkDataURI's path lies; of encapsulated data, its fragments without the table.

    `path` is `7FE00010` or, within sequences, `00880200/0/7FE00010`.

    Raises:
        Rejected: with NotFound if the object has no such bulk value, with DicomUnreadable if it is none.
    """
    meta = read_file_meta(file, size)
    walk = Walk(file, size, limits, meta.head)
    walk.data_set(meta.data_set, meta.encoding)
    bulk = walk.bulk.get(path)
    if bulk is None:
        raise Rejected.because(ErrorCode.NotFound, "bulkdata", "The object has no bulk value there.", "PS3.18 F.2.6")
    if not bulk.encapsulated:
        return (bulk.span,)
    return tuple(items(file, bulk.span.offset, size))[1:]


def _identity(json: Mapping[str, Attribute], meta: FileMeta) -> list[Finding]:
    """What is wrong with the UIDs that name the object."""
    findings = []
    for tag, name, source in REQUIRED:
        value = attributes.text(json, tag)
        where = f"({tag[:4]},{tag[4:]})"
        if not value:
            findings.append(Finding(ErrorCode.DicomUnreadable, where, f"The {name} is missing.", source))
        elif not is_uid(value) or len(json[tag]["Value"]) > 1:
            text = f"The {name} must be one UID: digits and dots, at most 64 characters."
            findings.append(Finding(ErrorCode.DicomUnreadable, where, text, "PS3.5 9.1"))
    for tag, stated in ((Tag.SOP_CLASS_UID, meta.sop_class_uid), (Tag.SOP_INSTANCE_UID, meta.sop_instance_uid)):
        if stated and stated != (attributes.text(json, tag) or stated):
            text = "The File Meta Information names another object than the data set."
            findings.append(Finding(ErrorCode.DicomMismatch, f"({tag[:4]},{tag[4:]})", text, "PS3.10 7.1"))
    return findings


def _pixels(bulk: Mapping[str, Bulk], meta: FileMeta) -> PixelData | None:
    for tag in sorted(PIXEL_TAGS & bulk.keys()):
        vr, span, encapsulated = bulk[tag]
        tables = (
            found.span if (found := bulk.get(name)) else None
            for name in (Tag.EXTENDED_OFFSET_TABLE, Tag.EXTENDED_OFFSET_TABLE_LENGTHS)
        )
        return PixelData(*span, vr, encapsulated, meta.encoding is EXPLICIT_BIG, *tables)
    return None
