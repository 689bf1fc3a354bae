"""How the repository reaches a registry: the one in this process, or one reached by ITI-42."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from database.engine import Database, Unit
from registry.access import Caller
from registry.manifests import ManifestNote
from registry.metadata.errors import Finding
from registry.metadata.model import PatientDetails, StudyDescription, Submission

P = TypeVar("P")


class RegisteredEntry(Protocol):
    """A registered DocumentEntry, as the repository needs it."""

    @property
    def patient_id(self) -> str:
        """Canonical CX text of the id that it is filed under, which may have been merged into another since."""


class Registrar(Protocol[P]):
    """A registry, as the repository needs it. `unit` is the unit of work that a registry in this process joins."""

    def check(self, submission: Submission, caller: Caller) -> list[Finding]:
        """Everything that would keep `submission` from being registered, found before any byte is kept."""

    def prepare(self, submission: Submission) -> P:
        """What `register` takes: `submission` made ready as far as that asks nothing of a unit of work."""

    def register(self, unit: Unit, prepared: P, caller: Caller) -> None:
        """Register what was prepared, all or nothing.

        Raises:
            Rejected: with everything that is wrong.
        """

    def approved_entry(self, unique_id: str) -> str | None:
        """The entryUUID (bare) of the approved DocumentEntry with this uniqueId, in its latest version, or None.

        For the sources behind this repository, which ask about what they registered themselves.
        """

    def entries(self, ids: Iterable[str], caller: Caller) -> Sequence[RegisteredEntry]:
        """Those of the DocumentEntries (bare entryUUIDs) that are registered and that the caller may see."""

    def know_patient(self, unit: Unit, patient: PatientDetails, caller: Caller) -> None:
        """Take a patient as it comes, and what is newly said about it.

        Raises:
            Rejected: XDSUnknownPatientId, nothing may be submitted for the patient: see `unknown_patients`.
        """

    def patient(self, reader: Database | Unit, patient_id: str) -> PatientDetails | None:
        """What is known of a patient (canonical CX text), None if nothing is."""

    def unknown_patients(self, reader: Database | Unit, patient_ids: Iterable[str]) -> dict[str, Finding]:
        """Patient -> why nothing may be submitted for it (XDSUnknownPatientId), of those for whom that is so."""

    def survivors(self, reader: Database | Unit, patient_ids: Iterable[str]) -> dict[str, str]:
        """Patient id -> the one that it was merged into in the end, of those that were merged away."""

    def same_patient(self, value: str, authority: str | None) -> tuple[str, ...]:
        """Canonical CX texts of all ids of whoever has this identifier (of any authority for None); empty for none.

        Empty also where there was no merge: then the identifier says all.
        """

    def know_study(
        self, unit: Unit, study: StudyDescription, caller: Caller, *, manifest_id: str | None = None
    ) -> None:
        """Make a study known that a manifest describes: series and instances are all in `study`.

        `manifest_id` is the entryUUID (bare) of the manifest's DocumentEntry.
        """

    def know_manifest(self, unit: Unit, note: ManifestNote, caller: Caller) -> bool:
        """Let a manifest, registered in this unit, take its place among those of its study and source.

        Whether it stands: False where it withdraws the study, or a newer one stands already.
        """

    def withdraw(self, unit: Unit, entries: Sequence[str], caller: Caller, *, remove: bool = False) -> tuple[str, ...]:
        """Deprecate those of the DocumentEntries (bare entryUUIDs) that are approved; nothing takes their place.

        To `remove` them is to remove what they replaced, too. The uniqueIds of documents that no entry is left of.
        The caller is a source behind this repository, which does so with what it registered itself.
        """

    def withdraw_study(self, unit: Unit, uid: str, source: str, *, expired: bool) -> None:
        """Nothing of a held study is left to be seen: rejected, or `expired` by a retention rule."""

    def forget_study(self, unit: Unit, uid: str, source: str) -> None:
        """A held study was deleted: no one is told any more that it was there."""

    def sources_of(self, unit: Unit, study_uid: str) -> dict[str, str | None]:
        """The sources that tell of a study, with the patient (canonical CX text) that each says it is of."""

    def touch_study(self, unit: Unit, study: StudyDescription, modalities: tuple[str, ...], caller: Caller) -> None:
        """Make a held study known, or known to have changed; its series are asked for when it is read."""
