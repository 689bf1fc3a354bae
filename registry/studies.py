"""Studies that are known: from objects held, or from a manifest that describes them."""

from collections.abc import Mapping

from database.engine import Unit
from registry import merges
from registry.identity import endpoint_id, study_id
from registry.metadata.datatypes import Dtm
from registry.metadata.model import StudyDescription
from registry.metadata.urn import ReferenceIdType
from registry.renderers import BASE, Renderers
from registry.store.fragments import compress
from registry.store.resource_rows import (
    CHANGE_STUDY,
    ENDPOINT_ROW,
    FORGET_STUDY_REFERENCES,
    PATIENT_ROW,
    SET_MANIFEST,
    STUDY,
    STUDY_REFERENCES,
    TOUCH_REPORTS,
)
from registry.store.tables import ENDPOINT, IMAGING_STUDY, REFERENCE_ID

HELD, MANIFEST = "held", "manifest"


def know(
    unit: Unit,
    study: StudyDescription,
    origin: str,
    modalities: tuple[str, ...],
    renderers: Renderers,
    locations: Mapping[str, str],
    now: float,
    manifest_id: str | None = None,
) -> str:
    """Add or change the ImagingStudy of `study`; its id.

    A held study is richer than what a manifest says of it, so a manifest of held objects only leaves its id there.
    The body of a held study is left stale: it is rendered when first read, so that the n-th instance costs no more
    than the first.
    """
    id_ = study_id(study.uid, study.source)
    rows = unit.rows(STUDY, uid=study.uid, source=study.source)
    known = rows[0] if rows else None
    if origin == MANIFEST and known and known[1] == HELD:
        unit.execute(SET_MANIFEST, b_id=id_, manifest=manifest_id)
        return id_
    body = compress(render(unit, study, renderers, locations, now)) if origin == MANIFEST else None
    started = Dtm.parse(study.started).first if study.started else None
    if known is None:
        row = {
            "id": id_,
            "patient_id": study.patient_id,
            "version": 1,
            "updated": now,
            "status": "available",
            "uid": study.uid,
            "source": study.source,
            "origin": origin,
            "manifest_id": manifest_id,
            "started": started,
            "modalities": _listed(modalities),
            "fhir": body,
        }
        unit.insert(IMAGING_STUDY, [row])
    else:
        unit.execute(
            CHANGE_STUDY,
            b_id=id_,
            patient=study.patient_id,
            from_=origin,
            manifest=manifest_id,
            at=started,
            kinds=_listed(modalities),
            body=body,
            now=now,
        )
    _index(unit, id_, study, now)
    return id_


def _listed(modalities: tuple[str, ...]) -> str:
    """`|CT|MR|`, so that one modality is found by a LIKE that has no exception."""
    return f"|{'|'.join(modalities)}|"


def _index(unit: Unit, id_: str, study: StudyDescription, now: float) -> None:
    """The study's identifiers in the cross-index; new ones make the reports that refer to them stale."""
    known = set(unit.rows(STUDY_REFERENCES, id=id_))
    before = {row[3] for row in known}
    if before - {study.patient_id}:
        # Corrected to another patient: whose reports linked it may do so no longer.
        unit.execute(TOUCH_REPORTS, study=id_, patients=list(merges.everyone(unit, before)), now=now)
        unit.execute(FORGET_STUDY_REFERENCES, id=id_)
        known = set()
    if study.patient_id is None:
        return
    wanted = [(ReferenceIdType.STUDY_INSTANCE_UID.value, study.uid, "")]
    wanted += [(ReferenceIdType.ACCESSION.value, value, authority) for value, authority in study.accessions]
    wanted += [(ReferenceIdType.ORDER.value, value, authority) for value, authority in study.orders]
    fresh = [one for one in dict.fromkeys(wanted) if (*one, study.patient_id) not in known]
    if not fresh:
        return
    unit.insert(
        REFERENCE_ID,
        [
            {"patient_id": study.patient_id, "kind": k, "value": v, "authority": a, "record": "study", "record_id": id_}
            for k, v, a in fresh
        ],
    )
    unit.execute(TOUCH_REPORTS, study=id_, patients=list(merges.everyone(unit, (study.patient_id,))), now=now)


def render(
    unit: Unit, study: StudyDescription, renderers: Renderers, locations: Mapping[str, str], now: float
) -> bytes:
    """The ImagingStudy's body; the Endpoints that it points to are made known on the way.

    `locations` is Retrieve Location UID -> WADO-RS base URL; a series that is in none keeps its own Retrieve URL.
    """
    patient = unit.rows(PATIENT_ROW, patient=study.patient_id) if study.patient_id else []
    places = {s.retrieve_location_uid: locations.get(s.retrieve_location_uid) or s.retrieve_url for s in study.series}
    endpoints = [(location, _endpoint(unit, location, address, renderers, now)) for location, address in places.items()]
    return renderers.imaging_study(study, patient[0][0] if patient else None, endpoints)


def _endpoint(unit: Unit, location_uid: str, address: str, renderers: Renderers, now: float) -> str:
    id_ = endpoint_id(location_uid, address)
    if unit.rows(ENDPOINT_ROW, id=id_):
        return id_
    unit.lock(id_)
    if not unit.rows(ENDPOINT_ROW, id=id_):
        row = {
            "id": id_,
            "patient_id": None,
            "version": 1,
            "updated": now,
            "status": "active",
            "location_uid": location_uid,
            "address": address.replace(BASE, ""),
            "fhir": compress(renderers.endpoint(location_uid, address)),
        }
        unit.insert(ENDPOINT, [row])
    return id_
