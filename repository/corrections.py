"""Corrected demographics: an overlay with versions, laid over what the objects of a study say of its patient.

The stored objects stay as they came, byte for byte (a retrieve of the object gives these bytes); answers to questions,
metadata, resources and new manifests show the corrected values. Each version is a whole overlay of what the objects
say, which is version 0; going back to a version adds one that says the same. A study that is corrected to another
patient leaves the first one's answers in the unit of work that moves it, and its manifest is withdrawn there (RAD TF-2,
4.66: the wrong patient's entry goes first).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from database import outbox
from database.engine import Database, Unit
from registry.access import Caller
from registry.audit import UPDATE, AuditRecord, audit_write
from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import PatientDetails
from repository.imaging import rows
from repository.imaging.contents import not_held
from repository.imaging.demographics import IDENTITY, Change, laid_over, overlay_of
from repository.imaging.ingest import PUBLISH
from repository.imaging.packing import pack, read, unpack
from repository.imaging.rows import Requests
from repository.imaging.source import ImagingSource
from repository.imaging.tags import Tag
from repository.registrar import Registrar
from repository.store import corrections as store
from repository.store import imaging as index
from repository.store import on_demand
from repository.store.corrections import CorrectedStudy, DemographicsRow
from repository.store.imaging import HeldInstance
from repository.store.imaging_search import Row

SOURCE = "PS3.3 C.7.1.1"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a study's demographics: whose it is (canonical CX text), what it lays over the objects, and why.

    `attributes` are DICOM JSON; of version 0 they are what the objects say. `made` is seconds since 1970.
    """

    number: int
    patient_id: str | None
    attributes: Mapping[str, Any]
    reason: str
    made_by: str
    made: float


class Corrections:
    """The corrected demographics of the studies of one source."""

    def __init__(
        self,
        database: Database,
        registrar: Registrar[Any],
        source: ImagingSource,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._registrar = registrar
        self._source = source
        self._now = now

    def correct(self, study_uid: str, change: Change, caller: Caller, reason: str) -> int:
        """Correct the demographics of a study; the version that says so now.

        Raises:
            Rejected: NotFound; XDSUnknownPatientId; InvalidRequest, there is no reason, or a value cannot be one.
        """
        change = change.checked()
        _must_say_why(study_uid, reason)

        def work(unit: Unit) -> int:
            study = self._locked(unit, study_uid)
            known = self._known_patient(unit, study, change)
            before = self._overlay_before(unit, study_uid, study)
            overlay = before | overlay_of(change, known)
            patient = change.patient_id or study.patient_id
            return self.lay(unit, study_uid, overlay, patient, caller, reason)

        return self._database.transact(work)

    def restore(self, study_uid: str, version: int, caller: Caller, reason: str) -> int:
        """Go back to a version, 0 being what the objects say; the new version that says the same.

        Raises:
            Rejected: NotFound, there is no such study or version; XDSUnknownPatientId; InvalidRequest, no reason.
        """
        _must_say_why(study_uid, reason)

        def work(unit: Unit) -> int:
            self._locked(unit, study_uid)
            kept = store.versions(unit.rows, study_uid, self._source.retrieve_location_uid)
            wanted = next((one for one in kept if one.version == version), None)
            if wanted is None:
                text = f"the study has no version {version} of its demographics"
                raise Rejected.because(ErrorCode.NotFound, study_uid, text, SOURCE)
            overlay = read(wanted.attributes) if version else {}
            return self.lay(unit, study_uid, overlay, wanted.patient_id, caller, reason)

        return self._database.transact(work)

    def overlay_of_study(self, unit: Unit, study_uid: str) -> dict[str, Any]:
        """What is laid over the objects of a study now, as DICOM JSON; nothing of one that was never corrected.

        Raises:
            Rejected: NotFound.
        """
        return self._overlay_before(unit, study_uid, self._study(unit, study_uid))

    def history(self, study_uid: str) -> list[Version]:
        """All versions of a study's demographics, from 0 on; empty for one that was never corrected."""
        found = store.versions(self._database.rows, study_uid, self._source.retrieve_location_uid)
        return [Version(row.version, row.patient_id, read(row.attributes), *row[3:]) for row in found]

    def studies_of(self, patient_id: str) -> list[str]:
        """The Study Instance UIDs held for a patient (canonical CX text), by any of the ids merged with it."""
        cx = Cx.parse(patient_id)
        ids = self._registrar.same_patient(cx.value, cx.authority) or (patient_id,)
        return store.studies_of(self._database.rows, ids, self._source.retrieve_location_uid)

    def metadata(self, held: HeldInstance) -> bytes:
        """The object's data set as DICOM JSON text, with the corrected values laid over it."""
        if held.correction is None:
            return unpack(held.attributes)
        return orjson.dumps(laid_over(read(held.attributes), self._overlay(held.study_uid, held.correction)))

    def row(self, row: Row) -> Row:
        """A match with the corrected values laid over its series and instance; its study has them."""
        if row.series is None or row.series.correction is None:
            return row
        overlay = self._overlay(row.study.uid, row.series.correction)
        series = row.series._replace(attributes=pack(laid_over(read(row.series.attributes), overlay)))
        if row.instance is None:
            return row._replace(series=series)
        instance = row.instance._replace(attributes=pack(laid_over(read(row.instance.attributes), overlay)))
        return row._replace(series=series, instance=instance)

    def lay(
        self,
        unit: Unit,
        study_uid: str,
        overlay: Mapping[str, Any],
        patient_id: str | None,
        caller: Caller,
        reason: str,
        *,
        stated: str | None = None,
    ) -> int:
        """Make `overlay` (DICOM JSON) the demographics of a study whose lock is held, and `patient_id` its patient.

        `stated` is whom its objects name, where that is not whom the index had it for. Saying it twice changes nothing.

        Raises:
            Rejected: NotFound; XDSUnknownPatientId.
        """
        source, now = self._source.retrieve_location_uid, self._now()
        study = self._study(unit, study_uid)
        base = self._base(unit, study_uid, study)
        if study.correction is None:
            first = DemographicsRow(0, study.patient_id, base, "as its objects say", "", now)
            store.add(unit, study_uid, source, first)
        elif patient_id == study.patient_id and overlay == self._overlay_before(unit, study_uid, study):
            return study.correction
        version = len(store.versions(unit.rows, study_uid, source))
        row = DemographicsRow(version, patient_id, pack(dict(overlay)), reason, caller.name, now)
        store.add(unit, study_uid, source, row)
        attributes = laid_over(read(base), overlay)
        requests = self._requests(unit, study_uid, read(base), overlay)
        store.correct(
            unit,
            study_uid,
            source,
            version=version,
            patient=patient_id,
            moves=patient_id != study.patient_id,
            stated=study.stated_patient_id if study.correction is not None else stated or study.patient_id,
            now=now,
            columns={
                **rows.demographic_columns(attributes),
                "requests": str(requests),
                "attributes": pack(attributes),
            },
        )
        self._tell(unit, study_uid, study, attributes, requests, patient_id, caller)
        whose = tuple(sorted({one for one in (study.patient_id, patient_id) if one}))
        audit_write(
            unit, AuditRecord(caller, UPDATE, whose, (study_uid,), count=1, detail=f"demographics {version}"), now
        )
        return version

    def _tell(
        self,
        unit: Unit,
        study_uid: str,
        before: CorrectedStudy,
        attributes: Mapping[str, Any],
        requests: Requests,
        patient_id: str | None,
        caller: Caller,
    ) -> None:
        """Let the registry know, and the wrong patient's documents go, before the new manifest is made."""
        patient = PatientDetails(patient_id) if patient_id else None
        if patient and patient_id != before.patient_id:
            self._registrar.know_patient(unit, patient, caller)
        study = rows.study_only(attributes, self._source, patient, requests)
        self._registrar.touch_study(unit, study, rows.modalities_of(before.modalities), caller)
        if self._is_another(unit, before.patient_id, patient_id):
            self._registrar.withdraw(unit, self._entries(unit, study_uid), caller)
        if self._source.automatic and patient_id:
            payload = {"study_uid": study_uid, "source": study.source}
            outbox.put(unit, PUBLISH, f"{study_uid}|{study.source}", payload, due=self._now(), now=self._now())

    def _entries(self, unit: Unit, study_uid: str) -> list[str]:
        """The approved entries (bare UUIDs) of the study's manifest, its on-demand entries and their snapshots.

        The study's row is written by now, so that no other manifest is published until the unit ends.
        """
        offered = on_demand.of_study(unit.rows, study_uid, self._source.retrieve_location_uid)
        documents = [self._study(unit, study_uid).manifest_uid]
        documents += [uid for row in offered for uid in (row.unique_id, row.snapshot_unique_id)]
        found = (self._registrar.approved_entry(uid) for uid in documents if uid)
        return list(dict.fromkeys(entry for entry in found if entry))

    def _is_another(self, unit: Unit, one: str | None, other: str | None) -> bool:
        """Whether these are two patients: ids that were merged are one."""
        if one == other or one is None:
            return False
        ends = self._registrar.survivors(unit, [patient for patient in (one, other) if patient])
        return ends.get(one, one) != ends.get(other or "", other)

    def _known_patient(self, unit: Unit, study: CorrectedStudy, change: Change) -> PatientDetails | None:
        """What the registry knows of the patient whom a study is given to; None where the patient stays."""
        if change.patient_id is None or change.patient_id == study.patient_id:
            return None
        wrong = self._registrar.unknown_patients(unit, (change.patient_id,))
        if wrong:
            raise Rejected(wrong.values())
        return self._registrar.patient(unit, change.patient_id) or PatientDetails(change.patient_id)

    def _requests(self, unit: Unit, study_uid: str, base: Mapping[str, Any], overlay: Mapping[str, Any]) -> Requests:
        """Accession and order numbers: what the objects say, but for a corrected accession number."""
        found = Requests().plus(base)
        for packed in store.series_attributes(unit.rows, study_uid, self._source.retrieve_location_uid):
            found = found.plus(read(packed))
        if Tag.ACCESSION_NUMBER in overlay:
            return Requests(Requests().plus(overlay).accessions, found.orders)
        return found

    def _base(self, unit: Unit, study_uid: str, study: CorrectedStudy) -> bytes:
        """What the objects of the study say, packed."""
        if study.correction is None:
            return study.attributes
        found = store.overlay(unit.rows, study_uid, self._source.retrieve_location_uid, 0)
        return found if found is not None else study.attributes

    def _overlay_before(self, unit: Unit, study_uid: str, study: CorrectedStudy) -> dict[str, Any]:
        if not study.correction:
            return {}
        packed = store.overlay(unit.rows, study_uid, self._source.retrieve_location_uid, study.correction)
        return read(packed) if packed else {}

    def _overlay(self, study_uid: str, version: int) -> Mapping[str, Any]:
        packed = store.overlay(self._database.rows, study_uid, self._source.retrieve_location_uid, version)
        return read(packed) if packed else {}

    def _locked(self, unit: Unit, study_uid: str) -> CorrectedStudy:
        index.lock(unit, self._source.retrieve_location_uid, (study_uid,))
        return self._study(unit, study_uid)

    def _study(self, unit: Unit, study_uid: str) -> CorrectedStudy:
        found = store.get(unit.rows, study_uid, self._source.retrieve_location_uid)
        if found is None:
            raise not_held(study_uid)
        return found


def identity(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What of a study's attributes says who its patient is: laid over an object, it names that patient."""
    return {str(tag): attributes.get(tag, {"vr": vr}) for tag, vr in IDENTITY.items()}


def _must_say_why(study_uid: str, reason: str) -> None:
    if not reason.strip():
        raise Rejected.because(ErrorCode.InvalidRequest, study_uid, "a correction must say why it is made", SOURCE)


__all__ = ["Change", "Corrections", "Version", "identity"]
