"""A scanned object as rows of the index, and the index's rows as the kernel describes a study."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from pydicom.uid import KeyObjectSelectionDocumentStorage

from registry.metadata.model import Instance, PatientDetails, StudyDescription
from repository.imaging import attributes, describe
from repository.imaging.attributes import Identifier
from repository.imaging.codes import Kind, kind_of
from repository.imaging.packing import pack
from repository.imaging.query import folded
from repository.imaging.scanner import DicomObject
from repository.imaging.source import ImagingSource
from repository.imaging.tags import Tag
from repository.imaging.values import Attribute, Json

Row = dict[str, Any]

SEPARATOR = "\\"
STUDY_ID = "00200010"
COMMON: frozenset[str] = frozenset({Tag.SPECIFIC_CHARACTER_SET, Tag.TIMEZONE_OFFSET_FROM_UTC})
# The patient's attributes are a group of their own; these are the study's (PS3.3 C.7.2.1, C.7.2.2; PS3.18 10.6.3).
PATIENT_GROUP = "0010"
STUDY_TAGS = COMMON | {
    Tag.STUDY_DATE,
    Tag.STUDY_TIME,
    Tag.ACCESSION_NUMBER,
    Tag.ISSUER_OF_ACCESSION_NUMBER,
    Tag.INSTITUTION_NAME,
    Tag.REFERRING_PHYSICIAN_NAME,
    Tag.STUDY_DESCRIPTION,
    Tag.PROCEDURE_CODE_SEQUENCE,
    Tag.STUDY_INSTANCE_UID,
    Tag.ORDER_PLACER_IDENTIFIER,
    Tag.PLACER_ORDER_NUMBER,
    Tag.REFERENCED_REQUEST_SEQUENCE,
    STUDY_ID,
    "00080081",  # Institution Address
    "00081048",  # Physician(s) of Record
    "00081060",  # Name of Physician(s) Reading Study
    "00321032",  # Requesting Physician
    "00321060",  # Requested Procedure Description
    "00321064",  # Requested Procedure Code Sequence
}
# PS3.3 C.7.3.1 and C.7.5.1; what a study should have but once is kept for each series too, since senders vary it.
SERIES_TAGS = COMMON | {
    Tag.SERIES_DATE,
    Tag.SERIES_TIME,
    Tag.ACCESSION_NUMBER,
    Tag.ISSUER_OF_ACCESSION_NUMBER,
    Tag.MODALITY,
    Tag.MANUFACTURER,
    Tag.INSTITUTION_NAME,
    Tag.SERIES_DESCRIPTION,
    Tag.PROCEDURE_CODE_SEQUENCE,
    Tag.BODY_PART_EXAMINED,
    Tag.SERIES_INSTANCE_UID,
    Tag.SERIES_NUMBER,
    Tag.REQUEST_ATTRIBUTES_SEQUENCE,
    "00081010",  # Station Name
    "00081050",  # Performing Physician's Name
    "00081070",  # Operators' Name
    "00081090",  # Manufacturer's Model Name
    "00082218",  # Anatomic Region Sequence
    "00181030",  # Protocol Name
    "00185100",  # Patient Position
    "00200052",  # Frame of Reference UID
    "00200060",  # Laterality
    "00400244",  # Performed Procedure Step Start Date
    "00400245",  # Performed Procedure Step Start Time
    "00400253",  # Performed Procedure Step ID
    "00400254",  # Performed Procedure Step Description
}

HEADER_TAGS = STUDY_TAGS | SERIES_TAGS


@dataclass(frozen=True, slots=True)
class Requests:
    """The accession and order numbers of a study, over all its series so far."""

    accessions: tuple[Identifier, ...] = ()
    orders: tuple[Identifier, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Requests":
        """From the column `requests`."""
        data = json.loads(text)
        return cls(*(tuple(Identifier(*pair) for pair in data[name]) for name in ("accessions", "orders")))

    def plus(self, data: Json) -> "Requests":
        """With those of one more object."""
        return Requests(
            attributes.once((*self.accessions, *attributes.accessions(data))),
            attributes.once((*self.orders, *attributes.orders(data))),
        )

    def __str__(self) -> str:
        return json.dumps({"accessions": self.accessions, "orders": self.orders})


def study_row(found: DicomObject, source: str, patient: PatientDetails | None, zone: tzinfo | None, now: float) -> Row:
    """The study's row as its first object tells it, with no series and no instance yet."""
    data = found.json
    return {
        "uid": found.study_instance_uid,
        "source": source,
        "patient_id": patient.patient_id if patient else None,
        **demographic_columns(data),
        "study_date": _date(data, Tag.STUDY_DATE),
        "study_time": _time(data, Tag.STUDY_TIME),
        "started": found.started(zone),
        "study_id": found.text(STUDY_ID),
        "description": found.text(Tag.STUDY_DESCRIPTION),
        "referring_physician": _name(data, Tag.REFERRING_PHYSICIAN_NAME),
        "institution": found.text(Tag.INSTITUTION_NAME),
        "modalities": "",
        "requests": str(Requests()),
        "series_count": 0,
        "instance_count": 0,
        "received": now,
        "changed": now,
        "version": 0,
        "manifest_uid": None,
        "manifest_entry_id": None,
        "manifest_version": None,
        "shrunk": 0,
        "correction": None,
        "stated_patient_id": None,
        "attributes": pack(_kept(data, STUDY_TAGS, PATIENT_GROUP)),
    }


def demographic_columns(data: Json) -> Row:
    """What of a study's row a correction of its demographics changes."""
    return {
        "dicom_patient_id": attributes.text(data, Tag.PATIENT_ID),
        "patient_name": _name(data, Tag.PATIENT_NAME),
        "patient_birth_date": _date(data, Tag.PATIENT_BIRTH_DATE),
        "patient_sex": attributes.text(data, Tag.PATIENT_SEX),
        "accession_number": attributes.text(data, Tag.ACCESSION_NUMBER),
    }


def series_row(found: DicomObject, source: str, patient_id: str | None) -> Row:
    """The series' row as its first object tells it, with no instance yet."""
    return {
        "study_uid": found.study_instance_uid,
        "source": source,
        "uid": found.series_instance_uid,
        "patient_id": patient_id,
        "modality": found.text(Tag.MODALITY),
        "number": found.number(Tag.SERIES_NUMBER),
        "description": found.text(Tag.SERIES_DESCRIPTION),
        "body_part": found.text(Tag.BODY_PART_EXAMINED),
        "performed_date": _date(found.json, "00400244"),
        "performed_time": _time(found.json, "00400245"),
        "instance_count": 0,
        "attributes": pack(_kept(found.json, SERIES_TAGS)),
    }


def request_rows(found: DicomObject, source: str) -> list[Row]:
    """A row for each item of the series' Request Attributes Sequence, as its first object tells them."""
    return [
        {
            "study_uid": found.study_instance_uid,
            "source": source,
            "series_uid": found.series_instance_uid,
            "item": place,
            "accession_number": attributes.text(item, Tag.ACCESSION_NUMBER),
            "requested_procedure_id": attributes.text(item, "00401001"),
            "scheduled_procedure_step_id": attributes.text(item, "00400009"),
        }
        for place, item in enumerate(attributes.items(found.json, Tag.REQUEST_ATTRIBUTES_SEQUENCE))
    ]


def instance_row(found: DicomObject, source: str, patient_id: str | None, sha256: str, size: int, now: float) -> Row:
    """The instance's row; its DICOM JSON says that its text is UTF-8, as JSON is (PS3.18 F.2)."""
    return {
        "study_uid": found.study_instance_uid,
        "source": source,
        "series_uid": found.series_instance_uid,
        "uid": found.sop_instance_uid,
        "patient_id": patient_id,
        "sop_class_uid": found.sop_class_uid,
        "transfer_syntax_uid": found.transfer_syntax_uid,
        "number": found.number(Tag.INSTANCE_NUMBER),
        "frames": found.number_of_frames,
        "sha256": sha256,
        "size": size,
        "stored": now,
        "pixels": json.dumps(_pixels(found)) if found.pixel_data else None,
        "withheld": int(_is_withheld(found)),
        "correction": None,
        "rejected": None,
        "hidden": int(title_kind(found) is Kind.REJECTION),
        "attributes": pack(_in_utf8(found.json)),
    }


def header(data: Json) -> dict[str, Attribute]:
    """What of an object's data set the rows of its study and series are made from."""
    return {tag: value for tag, value in data.items() if tag in HEADER_TAGS or tag.startswith(PATIENT_GROUP)}


def study_only(
    study: Json, source: ImagingSource, patient: PatientDetails | None, requests: Requests
) -> StudyDescription:
    """A study without its series, from its own attributes. An accession number without issuer gets the source's."""
    described = describe.study([study], source=source.retrieve_location_uid, patient=patient, zone=source.zone)
    issued = (Identifier(a.value, a.authority or source.accession_authority) for a in requests.accessions)
    return replace(
        described,
        patient_id=patient.patient_id if patient else None,
        patient=patient,
        accessions=attributes.once(issued),
        orders=requests.orders,
        series=(),
    )


def with_series(
    bare: StudyDescription,
    study: Json,
    contents: Sequence[tuple[Json, tuple[Instance, ...]]],
    source: ImagingSource,
) -> StudyDescription:
    """`bare` with its series: their data sets, and the instances of each."""
    members = {attributes.text(data, Tag.SERIES_INSTANCE_UID): instances for data, instances in contents}
    headers = [{**study, **data} for data, _ in contents]
    if not headers:
        return bare
    full = describe.study(
        headers,
        source=source.retrieve_location_uid,
        patient=bare.patient,
        retrieve_url=source.wado_url,
        zone=source.zone,
    )
    return replace(
        bare,
        procedure_codes=full.procedure_codes,
        institution=full.institution,
        series=tuple(replace(one, instances=members[one.uid]) for one in full.series),
    )


def modalities_of(column: str) -> tuple[str, ...]:
    """The values of the column `modalities`."""
    return tuple(part for part in column.split(SEPARATOR) if part)


def _kept(data: Json, tags: frozenset[str], group: str = "none") -> Mapping[str, Attribute]:
    return _in_utf8({tag: value for tag, value in data.items() if tag in tags or tag.startswith(group)})


def _in_utf8(data: Json) -> dict[str, Attribute]:
    if Tag.SPECIFIC_CHARACTER_SET not in data:
        return dict(data)
    return {**data, str(Tag.SPECIFIC_CHARACTER_SET): {"vr": "CS", "Value": ["ISO_IR 192"]}}


def _pixels(found: DicomObject) -> list[Any]:
    at = found.pixel_data
    return [at.offset, at.length, at.vr, at.encapsulated, at.big_endian, at.offsets, at.lengths] if at else []


def title_kind(found: DicomObject) -> Kind | None:
    """What a key object selection document is by its title; None for any other object, and for an untitled one."""
    if found.sop_class_uid != KeyObjectSelectionDocumentStorage:
        return None
    title = attributes.code(found.json, Tag.CONCEPT_NAME_CODE_SEQUENCE)
    return kind_of(title.code, title.display) if title else None


def _is_withheld(found: DicomObject) -> bool:
    """Manifests and rejection notes tell of objects and are none to look at; key images are (RAD TF-2, 4.66)."""
    return title_kind(found) in (Kind.MANIFEST, Kind.REJECTION)


def _name(data: Json, tag: str) -> str:
    found = attributes.values(data, tag)
    return folded(found[0]) if found else ""


def _date(data: Json, tag: str) -> str:
    read = attributes.DATE.fullmatch(attributes.text(data, tag))
    return "".join(read.groups()) if read else ""


def _time(data: Json, tag: str) -> str:
    read = attributes.TIME.fullmatch(attributes.text(data, tag))
    return "".join(part or "00" for part in read.groups()) if read else ""
