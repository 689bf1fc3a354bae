"""Patients: taken as they come, or known by what an identity feed told, for the authorities that the domain names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from database.engine import Unit
from registry import lifecycle
from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import DocumentEntry, PatientDetails
from registry.renderers import Renderers
from registry.store.fragments import compress, decompress
from registry.store.patients import BODY, FED, KNOWN
from registry.store.resource_rows import CHANGE_PATIENT, PATIENT_ROW
from registry.store.tables import PATIENT

FIELDS = ("family", "given", "birth_date", "sex")


@dataclass(frozen=True, slots=True)
class Told:
    """What a feed tells of one patient. `deleted` are the `FIELDS` that it says are known no longer."""

    patient: PatientDetails
    deleted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Admission:
    """Who counts as a patient here: the OIDs of the authorities, and whether a feed must have told of the patient."""

    authorities: tuple[str, ...]
    fed_only: bool = False


def problems(reader: Any, patient_ids: Iterable[str], admission: Admission) -> Iterator[tuple[str, Finding]]:
    """(patient, why nothing may be submitted for it) of those for whom that is so. `reader` is a Database or a Unit."""
    wanted = list(patient_ids)
    known = {patient: (fed, survivor) for patient, fed, survivor in reader.rows(KNOWN, patients=wanted)}
    for patient in wanted:
        is_fed, survivor = known.get(patient, (False, None))
        foreign = lifecycle.unknown_authority(patient, admission.authorities)
        if foreign:
            yield patient, foreign
        elif survivor not in (None, patient):
            # Which id it is now is not told: who submits may not be one to know.
            yield patient, _unknown("the patient id was merged into another: submit for the surviving id")
        elif admission.fed_only and not is_fed:
            yield patient, _unknown("no patient identity feed has told this registry of the patient (ITI-8, ITI-44)")


def not_told_of(reader: Any, patient_ids: Iterable[str]) -> list[str]:
    """Those of the patients that no feed told of."""
    wanted = list(patient_ids)
    fed = {patient for patient, is_fed, _ in reader.rows(KNOWN, patients=wanted) if is_fed}
    return [patient for patient in wanted if patient not in fed]


def _unknown(text: str) -> Finding:
    return Finding(ErrorCode.XDSUnknownPatientId, "patientId", text, "ITI TF-2, 3.42.4.1.3.3.1")


def tell(unit: Unit, told: Told, renderers: Renderers, now: float) -> str:
    """Keep what a feed tells of a patient, known before or not; the patient's FHIR id (ITI TF-2, 3.8.4.1.3).

    An empty value says nothing: what was known stays, unless its field is deleted.
    """
    patient = told.patient
    unit.lock(patient.patient_id)
    rows = unit.rows(PATIENT_ROW, patient=patient.patient_id)
    if rows:
        id_, *known, _ = rows[0]
        wanted = [
            "" if field in told.deleted else getattr(patient, field) or old
            for field, old in zip(FIELDS, known, strict=True)
        ]
        _change(unit, id_, patient, known, wanted, renderers, now)
    else:
        id_ = _add(unit, patient, renderers, now, str(uuid4()))
    unit.execute(FED, b_patient=patient.patient_id)
    return str(id_)


def take(unit: Unit, patient: PatientDetails, renderers: Renderers, now: float, new_id: str = "") -> str:
    """The patient's FHIR id; a new patient is added (as `new_id`, if given), what is newly said of a known one kept.

    An empty value says nothing: what was known stays; and so does what a feed told, which knows better than whoever
    submits. The patient is locked to the end of the unit, so that all that is written about one happens in some order.
    """
    unit.lock(patient.patient_id)
    rows = unit.rows(PATIENT_ROW, patient=patient.patient_id)
    if not rows:
        return _add(unit, patient, renderers, now, new_id or str(uuid4()))
    id_, *known, is_fed = rows[0]
    said = [getattr(patient, field) for field in FIELDS]
    wanted = [old or new if is_fed else new or old for new, old in zip(said, known, strict=True)]
    _change(unit, id_, patient, known, wanted, renderers, now)
    return str(id_)


def _change(
    unit: Unit,
    id_: str,
    patient: PatientDetails,
    known: list[str],
    wanted: list[str],
    renderers: Renderers,
    now: float,
) -> None:
    if wanted == known:
        return
    family, given, birth_date, sex = wanted
    details = replace(patient, family=family, given=given, birth_date=birth_date, sex=sex)
    before = decompress(unit.rows(BODY, id=id_)[0][0])
    unit.execute(
        CHANGE_PATIENT,
        b_id=id_,
        **{f"b_{field}": value for field, value in zip(FIELDS, wanted, strict=True)},
        **{f"b_{field}": value for field, value in folded(details).items()},
        body=compress(renderers.patient(details, before)),
        now=now,
    )


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
        "fhir": compress(renderers.patient(patient, None)),
    }
    unit.insert(PATIENT, [row])
    return id_


def details_of(entry: DocumentEntry) -> PatientDetails:
    """What an entry's sourcePatientInfo says about its patient (ITI TF-3, 4.2.3.2.23)."""
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
