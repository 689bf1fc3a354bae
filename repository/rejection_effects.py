"""What follows when instances of a study are hidden, shown again or deleted: counts, resource, manifest, entries.

All in the unit of work that is the reason: no question finds the old state beside the new (RAD TF-2, 4.68.4.1.2). A new
manifest is made by the publisher afterwards, for its bytes must be durable first; where the old one would name the
wrong patient's objects meanwhile, its entry is withdrawn at once.
"""

from collections.abc import Iterable
from typing import Any

from database import outbox
from database.engine import Unit
from registry.access import Caller
from registry.metadata.model import PatientDetails
from repository import removal
from repository.imaging import rows
from repository.imaging.packing import read
from repository.imaging.rows import Requests
from repository.imaging.source import ImagingSource
from repository.registrar import Registrar
from repository.rejection_policy import EXPIRED, Policies
from repository.store import imaging as index
from repository.store import on_demand
from repository.store import rejections as store

PUBLISH = "publish-study"


class Effects:
    """The studies of one source, after something became of their instances."""

    def __init__(self, registrar: Registrar[Any], source: ImagingSource, policies: Policies) -> None:
        self._registrar = registrar
        self._source = source
        self._policies = policies

    @property
    def removes(self) -> bool:
        """Whether entries of which nothing is left are removed, rather than deprecated."""
        return self._policies.remove

    def changed(
        self, unit: Unit, study_uid: str, series_uids: Iterable[str], code: str, caller: Caller, now: float
    ) -> None:
        """Instances of these series of a held study were hidden for `code`, or shown again where it is empty."""
        source = self._source.retrieve_location_uid
        left = store.recount(unit, source, study_uid, series_uids, now)
        held = index.study_row(unit.rows, study_uid, source)
        if held is None:
            return
        if left.visible:
            patient = PatientDetails(held.patient_id) if held.patient_id else None
            study = rows.study_only(read(held.attributes), self._source, patient, Requests.parse(held.requests))
            self._registrar.touch_study(unit, study, store.modalities(unit.rows, source, study_uid), caller)
        else:
            self._registrar.withdraw_study(unit, study_uid, source, expired=code == EXPIRED)
        key = f"{study_uid}|{source}"
        if left.shared == 0:
            # Nothing waits for a manifest any more; one that is being made meanwhile is overtaken.
            outbox.drop(unit, PUBLISH, key)
            self.withdraw(unit, study_uid, caller, now)
            return
        if code and self._policies.of(code).at_once:
            self._registrar.withdraw(unit, self.entries(unit, study_uid, lasting=False), caller)
        if held.patient_id and (held.manifest_uid or self._source.automatic):
            outbox.put(unit, PUBLISH, key, {"study_uid": study_uid, "source": source}, due=now, now=now)

    def withdraw(self, unit: Unit, study_uid: str, caller: Caller, now: float) -> None:
        """Withdraw all entries of a study of which nothing is left to share; with those removed go their documents."""
        entries = self.entries(unit, study_uid)
        gone = self._registrar.withdraw(unit, entries, caller, remove=self._policies.remove)
        if gone:
            removal.delete_later(unit, removal.take_out(unit, gone), now)

    def entries(self, unit: Unit, study_uid: str, *, lasting: bool = True) -> list[str]:
        """The entries (bare UUIDs) of a study's manifest and snapshots; of on-demand ones too if `lasting`.

        An on-demand entry is right whatever the study holds, as long as that is anything.
        """
        source = self._source.retrieve_location_uid
        held = index.study_row(unit.rows, study_uid, source)
        offered = on_demand.of_study(unit.rows, study_uid, source)
        documents = [held.manifest_uid if held else None, *(row.snapshot_unique_id for row in offered)]
        documents += [row.unique_id for row in offered] if lasting else []
        found = [self._registrar.approved_entry(uid) for uid in documents if uid]
        # What was withdrawn before is no longer approved, and goes with the rest where that is removed.
        found += [held.manifest_entry_id if held else None, *(row.snapshot_entry_id for row in offered)]
        return list(dict.fromkeys(entry for entry in found if entry))
