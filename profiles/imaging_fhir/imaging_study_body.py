"""A study as ImagingStudy (FHIR R4, ImagingStudy; MADO, ImagingStudy of the manifest).

Rendered of what a study's objects, or a manifest of them, say. The id, meta and status are left to the face.
"""

from collections.abc import Mapping, Sequence

from profiles.faces.fhir_codes import (
    ABSENT_UNKNOWN,
    ACCESSION_TYPE,
    ORDER_TYPE,
    Json,
    coding,
    concept,
    dicom_code,
    identifier,
    order_reference,
    present,
    render,
    study_identifier,
)
from registry.metadata.datatypes import Dtm
from registry.metadata.model import Instance, Series, StudyDescription
from registry.metadata.urn import FhirExtension, FhirSystem

# Not acquired but derived or written about: ImagingStudy.modality is for modalities of acquisition (PS3.16, CID 29).
NOT_ACQUIRED = frozenset({"KO", "PR", "SR", "SEG", "REG", "RWV", "DOC", "PLAN", "AU"})


def render_imaging_study(
    study: StudyDescription, patient_id: str | None, endpoints: Sequence[tuple[str, str]]
) -> bytes:
    """The stored body of a study's ImagingStudy: JSON (UTF-8) without resourceType, id, meta and status.

    Args:
        study: the study.
        patient_id: FHIR id of its patient, None when it is not known whose it is.
        endpoints: (Retrieve Location UID, FHIR id of the Endpoint) of each source.
    """
    accessions = [identifier(value, authority, ACCESSION_TYPE) for value, authority in study.accessions]
    modalities = list(dict.fromkeys(series.modality for series in study.series if series.modality))
    acquired = [modality for modality in modalities if modality not in NOT_ACQUIRED]
    places = dict(endpoints)
    body = present(
        identifier=[study_identifier(study.uid), *accessions],
        modality=[dicom_code(modality) for modality in acquired or modalities],
        subject={"reference": f"Patient/{patient_id}"} if patient_id else ABSENT_UNKNOWN,
        started=_time(study.started),
        basedOn=_orders(study),
        referrer=present(display=_spoken(study.referrer)),
        endpoint=[_endpoint(id) for id in dict.fromkeys(places.values())],
        numberOfSeries=len(study.series),
        numberOfInstances=sum(len(series.instances) for series in study.series),
        procedureCode=[concept(code) | present(text=code.display) for code in study.procedure_codes],
        location={"display": study.institution} if study.institution else None,
        description=study.description,
        series=[_series(series, places) for series in study.series],
    )
    return render(body)


def _orders(study: StudyDescription) -> list[Json]:
    accessions = [order_reference(value, authority, ACCESSION_TYPE) for value, authority in study.accessions]
    return accessions + [order_reference(value, authority, ORDER_TYPE) for value, authority in study.orders]


def _endpoint(id: str) -> Json:
    return {"reference": f"Endpoint/{id}"}


def _series(series: Series, places: Mapping[str, str]) -> Json:
    place = places.get(series.retrieve_location_uid)
    return present(
        uid=series.uid,
        number=series.number,
        modality=dicom_code(series.modality) if series.modality else ABSENT_UNKNOWN,
        description=series.description,
        numberOfInstances=len(series.instances),
        endpoint=[_endpoint(place)] if place else None,
        bodySite=_body_site(series),
        started=_time(series.started),
        instance=[_instance(instance) for instance in series.instances],
    )


def _body_site(series: Series) -> Json | None:
    if series.region:
        return coding(series.region)
    return {"display": series.body_part} if series.body_part else None


def _instance(instance: Instance) -> Json:
    frames = [{"url": FhirExtension.NUMBER_OF_FRAMES, "valueInteger": instance.frames}] if instance.frames else None
    return present(
        extension=frames,
        uid=instance.sop_instance_uid,
        sopClass={"system": FhirSystem.URI, "code": FhirSystem.OID_PREFIX + instance.sop_class_uid},
        number=instance.number,
        title=_title(instance),
    )


def _title(instance: Instance) -> str:
    """A key object document's, and what it says of its choice; nothing else has one."""
    said = (instance.title.display or instance.title.code if instance.title else "", instance.description)
    return ": ".join(filter(None, said))


def _time(text: str | None) -> str | None:
    try:
        return Dtm.parse(text).fhir() if text else None
    except ValueError:
        return None


def _spoken(name: str) -> str:
    """A DICOM person name (PS3.5, 6.2.1) as it is said: prefix, given, middle, family, suffix."""
    family, given, middle, prefix, suffix = (name.split("=")[0].split("^") + [""] * 5)[:5]
    return " ".join(part for part in (prefix, given, middle, family, suffix) if part)
