"""Patients: taken as they come, for the assigning authorities that the affinity domain names."""

from dataclasses import replace
from uuid import uuid4

from database.engine import Unit
from registry.metadata.datatypes import Cx
from registry.metadata.model import DocumentEntry, PatientDetails
from registry.renderers import Renderers
from registry.store.fragments import compress
from registry.store.resource_rows import CHANGE_PATIENT, PATIENT_ROW
from registry.store.tables import PATIENT

FIELDS = ("family", "given", "birth_date", "sex")


def take(unit: Unit, patient: PatientDetails, renderers: Renderers, now: float, new_id: str = "") -> str:
    """The patient's FHIR id; a new patient is added (as `new_id`, if given), what is newly said of a known one kept.

    An empty value says nothing: what was known stays. The patient is locked to the end of the unit, so that all that
    is written about one patient happens in some order.
    """
    unit.lock(patient.patient_id)
    rows = unit.rows(PATIENT_ROW, patient=patient.patient_id)
    if not rows:
        return _add(unit, patient, renderers, now, new_id or str(uuid4()))
    id_, *known = rows[0]
    merged = [new or old for new, old in zip((getattr(patient, f) for f in FIELDS), known, strict=True)]
    if merged != known:
        details = replace(patient, **dict(zip(FIELDS, merged, strict=True)))
        unit.execute(
            CHANGE_PATIENT,
            b_id=id_,
            **{f"b_{field}": value for field, value in zip(FIELDS, merged, strict=True)},
            **{f"b_{field}": value for field, value in folded(details).items()},
            body=compress(renderers.patient(details)),
            now=now,
        )
    return str(id_)


def folded(patient: PatientDetails) -> dict[str, str]:
    """The names as searches compare them."""
    return {"folded_family": patient.family.casefold(), "folded_given": patient.given.casefold()}


def _add(unit: Unit, patient: PatientDetails, renderers: Renderers, now: float, id_: str) -> str:
    cx = Cx.parse(patient.patient_id)
    row = {
        "id": id_,
        "patient_id": patient.patient_id,
        "version": 1,
        "updated": now,
        "status": "active",
        "value": cx.value,
        "authority": cx.authority,
        **{field: getattr(patient, field) for field in FIELDS},
        **folded(patient),
        "is_fed": False,
        "survivor": None,
        "fhir": compress(renderers.patient(patient)),
    }
    unit.insert(PATIENT, [row])
    return id_


def details_of(entry: DocumentEntry) -> PatientDetails:
    """What an entry's sourcePatientInfo says about its patient (ITI TF-3, 4.2.3.2.26)."""
    said: dict[str, str] = {}
    for line in entry.source_patient_info:
        field, _, value = line.partition("|")
        said.setdefault(field, value)
    family, given = (said.get("PID-5", "").split("~")[0] + "^^").split("^")[:2]
    sex = said.get("PID-8", "")[:1].upper()
    birth = said.get("PID-7", "")[:8]
    return PatientDetails(
        patient_id=str(entry.patient_id),
        family=family.split("&")[0].strip(),
        given=given.strip(),
        birth_date=birth if birth.isdigit() and len(birth) in (4, 6, 8) else "",
        sex=sex if sex in "MFOUAN" else "",
        source_patient_id=entry.source_patient_id or "",
    )
