"""DICOM objects as the kernel describes a study, its series, instances and patient.

Pure functions over the DICOM JSON model, so that they serve a scan and a stored object alike. What differs between
the objects of a study is taken from the first that has it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo

from registry.metadata.datatypes import Cx
from registry.metadata.model import Code, Instance, PatientDetails, Series, StudyDescription
from repository.imaging import attributes
from repository.imaging.attributes import Identifier
from repository.imaging.tags import Tag
from repository.imaging.values import Json

SEXES = {"M": "M", "F": "F", "O": "O"}


def person_name(name: str) -> tuple[str, str]:
    """Family and given names, middle names among the given, of a PN's alphabetic group (PS3.5 6.2.1)."""
    family, given, middle = [*name.split("^"), "", ""][:3]
    return family.strip(), " ".join(part for part in (given.strip(), middle.strip()) if part)


def patient_details(data: Json, patient_id: str = "", authority: str = "") -> PatientDetails:
    """The patient of one object.

    `patient_id` is the affinity domain's identifier as CX text, if it is known already; else the object's own stands
    for it. `authority` is the OID of the source's issuer, for objects that do not name theirs. An identifier whose
    issuer stays unknown is left empty: a bare number names no one.
    """
    own = cx(attributes.patient_identifier(data), authority)
    family, given = person_name(attributes.text(data, Tag.PATIENT_NAME))
    day = attributes.DATE.fullmatch(attributes.text(data, Tag.PATIENT_BIRTH_DATE))
    return PatientDetails(
        patient_id=patient_id or own,
        family=family,
        given=given,
        birth_date="".join(day.groups()) if day else "",
        sex=SEXES.get(attributes.text(data, Tag.PATIENT_SEX), ""),
        source_patient_id=own,
    )


def cx(identifier: Identifier, authority: str = "") -> str:
    """Canonical CX text; `authority` stands in for a missing one; empty without value or authority."""
    issuer = identifier.authority or authority
    return str(Cx(identifier.value, issuer)) if identifier.value and issuer and "^" not in identifier.value else ""


def instance(data: Json) -> Instance:
    """One instance's row."""
    return Instance(
        attributes.text(data, Tag.SOP_CLASS_UID),
        attributes.text(data, Tag.SOP_INSTANCE_UID),
        attributes.number(data, Tag.INSTANCE_NUMBER),
        attributes.number(data, Tag.NUMBER_OF_FRAMES),
    )


def series(
    objects: Sequence[Json], *, retrieve_location_uid: str = "", retrieve_url: str = "", zone: tzinfo | None = None
) -> Series:
    """One series from its objects (one at least), instances by number and then by UID."""
    instances = {row.sop_instance_uid: row for row in map(instance, objects)}
    order = sorted(instances.values(), key=lambda row: (row.number is None, row.number or 0, row.sop_instance_uid))
    return Series(
        uid=attributes.text(objects[0], Tag.SERIES_INSTANCE_UID),
        modality=_first(objects, Tag.MODALITY),
        number=attributes.integer(_first(objects, Tag.SERIES_NUMBER)),
        description=_first(objects, Tag.SERIES_DESCRIPTION),
        body_part=_first(objects, Tag.BODY_PART_EXAMINED),
        region=next(iter(_codes(objects, Tag.ANATOMIC_REGION_SEQUENCE)), None),
        started=_moment(objects, Tag.SERIES_DATE, Tag.SERIES_TIME, zone),
        retrieve_location_uid=retrieve_location_uid,
        retrieve_url=retrieve_url,
        instances=tuple(order),
    )


def study(
    objects: Sequence[Json],
    *,
    source: str,
    patient: PatientDetails | None = None,
    retrieve_url: str = "",
    zone: tzinfo | None = None,
) -> StudyDescription:
    """One study from its objects (one at least, all of one Study Instance UID), series by number and then by UID.

    `source` is the OID of the imaging source and so the Retrieve Location UID of every series; `zone` is what its
    clocks show. Without `patient`, the first object's patient is described.
    """
    by_series: dict[str, list[Json]] = {}
    for data in objects:
        by_series.setdefault(attributes.text(data, Tag.SERIES_INSTANCE_UID), []).append(data)
    described = [
        series(members, retrieve_location_uid=source, retrieve_url=retrieve_url, zone=zone)
        for members in by_series.values()
    ]
    who = patient or patient_details(objects[0])
    return StudyDescription(
        uid=attributes.text(objects[0], Tag.STUDY_INSTANCE_UID),
        source=source,
        patient_id=who.patient_id or None,
        started=_moment(objects, Tag.STUDY_DATE, Tag.STUDY_TIME, zone),
        description=_first(objects, Tag.STUDY_DESCRIPTION),
        accessions=_identifiers(objects, attributes.accessions),
        orders=_identifiers(objects, attributes.orders),
        procedure_codes=_codes(objects, Tag.PROCEDURE_CODE_SEQUENCE),
        referrer=_first(objects, Tag.REFERRING_PHYSICIAN_NAME),
        institution=_first(objects, Tag.INSTITUTION_NAME),
        patient=who,
        series=tuple(sorted(described, key=lambda row: (row.number is None, row.number or 0, row.uid))),
    )


def _first(objects: Iterable[Json], tag: str) -> str:
    return next((found for data in objects if (found := attributes.text(data, tag))), "")


def _moment(objects: Iterable[Json], date_tag: str, time_tag: str, zone: tzinfo | None) -> str | None:
    found = (attributes.moment(data, date_tag, time_tag, zone) for data in objects)
    return next((moment for moment in found if moment), None)


def _identifiers(
    objects: Iterable[Json], read: Callable[[Json], tuple[Identifier, ...]]
) -> tuple[tuple[str, str], ...]:
    return attributes.once(identifier for data in objects for identifier in read(data))


def _codes(objects: Iterable[Json], tag: str) -> tuple[Code, ...]:
    return tuple({code.key: code for data in objects for code in attributes.codes(data, tag)}.values())
