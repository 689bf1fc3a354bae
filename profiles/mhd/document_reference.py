"""DocumentEntry as DocumentReference (MHD, 2:3.65.4.1.2 and the field map of appendix Z; MADO, envelope).

Rendered once, when the entry is registered. What may change later, id, meta and status, is left to the face.
"""

import base64
from collections.abc import Sequence

import orjson

from profiles.faces.fhir import ROOT, instant
from profiles.faces.fhir_codes import (
    Json,
    coding,
    concept,
    identifier,
    present,
    reference_identifier,
    render,
    system_of,
)
from profiles.mhd.people import authenticator_resource, author_resources, source_patient
from registry.metadata.datatypes import Cxi, Dtm, is_oid, uuid_urn
from registry.metadata.model import Code, DocumentEntry
from registry.metadata.urn import AssociationType, CodingScheme, FhirExtension, FhirSystem, ReferenceIdType
from registry.renderers import BASE, Related

# MHD, field map of associations; IsSnapshotOf has no equal, transforms is the nearest.
RELATIONS = {
    AssociationType.RPLC: "replaces",
    AssociationType.XFRM_RPLC: "replaces",
    AssociationType.APND: "appends",
    AssociationType.XFRM: "transforms",
    AssociationType.SIGNS: "signs",
    AssociationType.IS_SNAPSHOT_OF: "transforms",
}


def render_document_reference(
    entry: DocumentEntry, patient_id: str, related: Sequence[Related], registered: float
) -> bytes:
    """The stored body of an entry's DocumentReference: JSON (UTF-8) without resourceType, id, meta and status.

    Args:
        entry: with its UUID (bare, or `urn:uuid:`) as id.
        patient_id: FHIR id of its patient.
        related: the associations that it is the source of.
        registered: time of registration, seconds since 1970.
    """
    uuid = entry.id.removeprefix(FhirSystem.UUID_PREFIX)
    unique_id = _unique_id(entry.unique_id or "")
    authors, contained = author_resources(entry.authors)
    authenticator = authenticator_resource(entry.legal_authenticator)
    patient = source_patient(entry)
    contained += [one for one in (authenticator, patient) if one]
    body = present(
        contained=contained,
        extension=_extensions(entry),
        masterIdentifier=unique_id,
        identifier=[one for one in (unique_id, _entry_uuid(uuid)) if one],
        type=_concept(entry.type_code),
        category=[concept(entry.class_code)] if entry.class_code else None,
        subject={"reference": f"Patient/{patient_id}"},
        date=instant(registered),
        author=[{"reference": f"#{id}"} for id in authors],
        authenticator={"reference": f"#{authenticator['id']}"} if authenticator else None,
        relatesTo=_relations(related),
        description=entry.comments,
        securityLabel=[concept(code) for code in entry.confidentiality_codes],
        content=[
            present(
                attachment=_attachment(entry, uuid), format=coding(entry.format_code) if entry.format_code else None
            )
        ],
        context=_context(entry, patient),
    )
    return render(body)


def related_otherwise(body: bytes, related: Sequence[Related]) -> bytes:
    """A stored body with these relations instead of those it has."""
    known: Json = orjson.loads(body)
    relations = _relations(related)
    if known.get("relatesTo", []) == relations:
        return body
    return render(present(**{**known, "relatesTo": relations}))


def _concept(code: Code | None) -> Json | None:
    return concept(code) if code else None


def _identifier_type(code: str) -> Json:
    return {"coding": [{"system": FhirSystem.MHD_IDENTIFIER_TYPE, "code": code}]}


def _unique_id(unique_id: str) -> Json | None:
    """uniqueId is an OID, an OID with an extension (`root^extension`), or a UUID URN (ITI TF-3, 4.2.3.2.26)."""
    if not unique_id:
        return None
    root, caret, extension = unique_id.partition("^")
    kind = _identifier_type("uniqueId")
    if caret and is_oid(root):
        return {"type": kind, "system": system_of(root), "value": extension}
    value = FhirSystem.OID_PREFIX + unique_id if is_oid(unique_id) else unique_id
    return {"type": kind, "system": FhirSystem.URI, "value": value}


def _entry_uuid(uuid: str) -> Json | None:
    urn = uuid_urn(FhirSystem.UUID_PREFIX + uuid)
    return {"type": _identifier_type("entryUUID"), "system": FhirSystem.URI, "value": urn} if urn else None


def _extensions(entry: DocumentEntry) -> list[Json]:
    home = [{"url": FhirExtension.HOME_COMMUNITY_ID, "valueOid": entry.home}] if entry.home else []
    modalities = [
        {"url": FhirExtension.MODALITY, "valueCodeableConcept": concept(code)}
        for code in entry.event_codes
        if code.scheme in (CodingScheme.DICOM_CONTROLLED_TERMINOLOGY, "DCM") and code.code.isalpha()
    ]
    return home + modalities


def _relations(related: Sequence[Related]) -> list[Json]:
    return [
        {"code": RELATIONS[AssociationType(one.type)], "target": {"reference": f"DocumentReference/{one.target}"}}
        for one in related
        if one.type in RELATIONS
    ]


def _attachment(entry: DocumentEntry, uuid: str) -> Json:
    return present(
        contentType=entry.mime_type,
        language=entry.language_code,
        url=f"{BASE}{ROOT}/Binary/{uuid}",
        size=_size(entry.size),
        hash=_hash(entry.hash),
        title=entry.title,
        creation=_time(entry.creation_time),
    )


def _size(digits: str | None) -> int | None:
    """Bytes; None beyond what FHIR's unsignedInt holds (FHIR R4, 2.24.0.1)."""
    size = int(digits) if digits and digits.isdecimal() and len(digits) <= 18 else None
    return size if size is not None and size < 2**31 else None


def _hash(digits: str | None) -> str | None:
    """SHA-1 in hexadecimal, as metadata has it, in base64, as FHIR has it."""
    try:
        return base64.b64encode(bytes.fromhex(digits or "")).decode()
    except ValueError:
        return None


def _time(text: str | None) -> str | None:
    try:
        return Dtm.parse(text).fhir() if text else None
    except ValueError:
        return None


def _context(entry: DocumentEntry, patient: Json | None) -> Json:
    encounters, related = _references(entry.reference_ids)
    return present(
        encounter=encounters,
        event=[concept(code) for code in entry.event_codes],
        period=present(start=_time(entry.service_start_time), end=_time(entry.service_stop_time)),
        facilityType=_concept(entry.healthcare_facility_type_code),
        practiceSetting=_concept(entry.practice_setting_code),
        sourcePatientInfo={"reference": f"#{patient['id']}"} if patient else None,
        related=related,
    )


def _references(reference_ids: Sequence[str]) -> tuple[list[Json], list[Json]]:
    """referenceIdList as (encounters, other references), each by identifier alone (MHD, 2:3.65.4.1.2.2)."""
    encounters, related = [], []
    for text in reference_ids:
        try:
            cxi = Cxi.parse(text)
        except ValueError:
            continue
        if cxi.kind == ReferenceIdType.ENCOUNTER_ID:
            encounters.append({"type": "Encounter", "identifier": identifier(cxi.value, cxi.authority)})
        else:
            related.append({"identifier": reference_identifier(cxi.value, cxi.authority, cxi.kind)})
    return encounters, related
