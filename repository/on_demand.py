"""The On-Demand Document Source of what is held here: manifests of studies as they are when they are asked for.

An on-demand entry stands in the registry before any document does (ITI TF-2, 3.61). ITI-43 of its uniqueId assembles
the manifest of the study's present state, which has a uniqueId of its own (3.43.4.1.3). With Persistence of Retrieved
Documents that snapshot is a stable document from then on: kept, registered with IsSnapshotOf, replacing the snapshot
before it, and given again as long as the study does not change (ITI TF-1, 10.2). What a snapshot is made of and its
uniqueId follow from the version of the study and whose it is, so that another try gives the same bytes under the same
name.

An entry stands as long as it is the study's patient's. A merge or its undoing may part the two, and so may a correction
of either: then the entry gives nothing, and the study can be offered anew.
"""

import hashlib
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO

from database.engine import Database, Unit
from registry.access import Caller, OpenPolicy
from registry.metadata.datatypes import Dtm
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.identify import with_uuids
from registry.metadata.model import StudyDescription, Submission
from repository.imaging.manifest_metadata import (
    DOCUMENT,
    MIME_TYPE,
    ManifestCodes,
    manifest_submission,
    on_demand_submission,
)
from repository.imaging.publishing import (
    Overtaken,
    Provider,
    derived_uid,
    held_study,
    manifest_of,
    new_uid,
    shared_study,
)
from repository.imaging.source import ImagingSource
from repository.registrar import Registrar
from repository.store import documents
from repository.store import on_demand as store
from repository.store.blobs import BlobStore, is_whole
from repository.store.imaging import HeldStudy
from repository.store.on_demand import OnDemandRow

SOURCE = "ITI TF-2, 3.43.4.1.3"
TRIES = 3  # of consumers that ask for the same new snapshot at once, each but one is overtaken
# What the registry or the index says, as this repository's own answer to ITI-43 may say it (ITI TF-3, 4.2.4.1).
AS_RETRIEVAL = {
    ErrorCode.XDSDocumentUniqueIdError: ErrorCode.XDSDocumentUniqueIdError,
    ErrorCode.NotFound: ErrorCode.XDSDocumentUniqueIdError,
    ErrorCode.InvalidRequest: ErrorCode.XDSDocumentUniqueIdError,
    ErrorCode.XDSRegistryBusy: ErrorCode.XDSRepositoryBusy,
    ErrorCode.XDSRegistryNotAvailable: ErrorCode.XDSRepositoryBusy,
    ErrorCode.XDSRegistryOutOfResources: ErrorCode.XDSRepositoryOutOfResources,
    ErrorCode.XDSRepositoryOutOfResources: ErrorCode.XDSRepositoryOutOfResources,
}


@dataclass(frozen=True, slots=True)
class OnDemandEntry:
    """A study's on-demand entry: uniqueId and entryUUID (bare). `unchanged` when it was registered before."""

    unique_id: str
    entry_id: str
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Assembled:
    """The document of an on-demand entry. `kept`: it is a document of the repository, by `unique_id`, its own.

    `patient_id` is canonical CX text, `size` in bytes, `sha1` hexadecimal; `open` gives its bytes.
    """

    unique_id: str
    patient_id: str
    mime_type: str
    size: int
    sha1: str
    open: Callable[[], BinaryIO]
    kept: bool


class OnDemand:
    """The on-demand entries of the studies of one source, and their documents."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        registrar: Registrar[Any],
        repository: Provider,
        policy: OpenPolicy,
        *,
        source: ImagingSource,
        codes: ManifestCodes,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._registrar = registrar
        self._repository = repository
        self._policy = policy
        self._source = source
        self._codes = codes
        self._now = now

    def register(self, study_uid: str, caller: Caller) -> OnDemandEntry:
        """Register an on-demand entry of the study's manifest, unless one stands already.

        Raises:
            Rejected: NotFound; XDSUnknownPatientId, the study names no patient; InvalidRequest, it has nothing to
                share; and what the registry refuses.
        """
        held = held_study(self._database.rows, study_uid, self._source)
        study = shared_study(self._database.rows, study_uid, self._source, held)
        submission = with_uuids(
            on_demand_submission(
                replace(study, patient_id=self._survivor(str(study.patient_id))),
                self._codes,
                document_uid=new_uid(self._source.uid_root),
                submission_uid=new_uid(self._source.uid_root),
                submitted=self._moment(self._now()),
                repository_unique_id=self._repository.repository_unique_id,
            )
        )
        wrong = self._registrar.check(submission, caller)
        if wrong:
            raise Rejected(wrong)
        prepared = self._registrar.prepare(submission)
        entry = submission.entries[0]
        row = OnDemandRow(str(entry.unique_id), str(entry.patient_id), study_uid, study.source, self._now())

        def work(unit: Unit) -> OnDemandEntry:
            store.lock(unit, study_uid, study.source)
            standing = self._standing(unit, study, caller)
            if standing:
                return standing
            self._registrar.register(unit, prepared, caller)
            store.add(unit, row)
            return OnDemandEntry(row.unique_id, entry.id)

        return self._database.transact(work)

    def assemble(self, unique_ids: Sequence[str], caller: Caller) -> Mapping[str, Assembled | Finding]:
        """The documents of those of the uniqueIds that are on-demand entries of this source, or why there is none.

        An entry that the caller may not see is not there.
        """
        visibility = self._policy.visibility(caller)
        found = store.find(self._database.rows, unique_ids)
        return {id_: self._answer(row, caller) for id_, row in found.items() if visibility.admits(row.patient_id)}

    def _standing(self, unit: Unit, study: StudyDescription, caller: Caller) -> OnDemandEntry | None:
        """The study's on-demand entry, if the registry has it still, for the patient whose the study is now."""
        survivor = self._survivor(str(study.patient_id))
        for row in store.of_study(unit.rows, study.uid, study.source):
            entry_id = self._entry_of(survivor, row.unique_id, caller)
            if entry_id:
                return OnDemandEntry(row.unique_id, entry_id, unchanged=True)
        return None

    def _entry_of(self, survivor: str, unique_id: str, caller: Caller) -> str | None:
        """The approved entry (bare entryUUID) with this uniqueId, if it is this patient's, before a merge or since."""
        entry_id = self._registrar.approved_entry(unique_id)
        known = self._registrar.entries([entry_id], caller) if entry_id else ()
        return entry_id if known and self._survivor(known[0].patient_id) == survivor else None

    def _answer(self, row: OnDemandRow, caller: Caller) -> Assembled | Finding:
        try:
            return self._assembled(row, caller)
        except Rejected as rejected:
            first = next(f for f in rejected.findings if not f.warning)
            code = AS_RETRIEVAL.get(first.code, ErrorCode.XDSRepositoryError)
            return Finding(code, row.unique_id, f"the manifest cannot be assembled: {rejected}", SOURCE)

    def _assembled(self, row: OnDemandRow, caller: Caller) -> Assembled:
        for _ in range(TRIES):
            held = held_study(self._database.rows, row.study_uid, self._source)
            survivor = self._survivor(str(held.patient_id))
            entry_id = self._entry_of(survivor, row.unique_id, caller)
            if entry_id is None:
                text = "its on-demand entry is withdrawn or replaced, or the study is another patient's now"
                raise Rejected.because(ErrorCode.XDSDocumentUniqueIdError, row.unique_id, text, SOURCE)
            try:
                return self._kept(row, held, survivor) or self._new(row, held, survivor, entry_id, caller)
            except (Overtaken, Rejected) as error:
                now = store.find(self._database.rows, [row.unique_id])[row.unique_id]
                # The registry refuses to replace a snapshot that another consumer's has replaced in the meantime.
                if isinstance(error, Rejected) and now.snapshot_entry_id == row.snapshot_entry_id:
                    raise
                row = now
        raise Rejected.because(ErrorCode.XDSRepositoryBusy, row.unique_id, "the study changes too fast", SOURCE)

    def _kept(self, row: OnDemandRow, held: HeldStudy, survivor: str) -> Assembled | None:
        """The last snapshot, if it still shows the study and is its patient's, and its bytes are there."""
        if row.snapshot_unique_id is None or row.snapshot_version != held.version:
            return None
        found = documents.find(self._database, [row.snapshot_unique_id], None).get(row.snapshot_unique_id)
        if found is None or self._survivor(str(found.patient_id)) != survivor:
            return None
        if not is_whole(self._blobs, found.sha256, found.size):
            return None
        return self._stored(row, found.unique_id, found.sha256, found.sha1, found.size)

    def _new(self, row: OnDemandRow, held: HeldStudy, survivor: str, entry_id: str, caller: Caller) -> Assembled:
        """A snapshot of the study as it is at `held`, for the patient that its own was merged into, if it was."""
        study = shared_study(self._database.rows, row.study_uid, self._source, held)
        # The addresses stand in the manifest too: with another address, or style, it is another document.
        written = (self._source.wado_url, self._source.style, self._source.display_uri)
        version = (row.study_uid, study.source, held.version, held.changed, *written)
        uid = derived_uid(self._source.uid_root, "snapshot", row.unique_id, survivor, *version)
        if held_study(self._database.rows, row.study_uid, self._source).version != held.version:
            raise Overtaken  # what was read may be newer than its name
        content = manifest_of(study, uid, held, self._source)
        if not self._source.persist_on_demand:
            sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            return Assembled(uid, row.patient_id, MIME_TYPE, len(content), sha1, lambda: io.BytesIO(content), False)
        before = row.snapshot_unique_id
        submission = manifest_submission(
            replace(study, patient_id=survivor),
            self._codes,
            document_uid=uid,
            submission_uid=new_uid(self._source.uid_root),
            created=self._moment(held.changed),
            submitted=self._moment(self._now()),
            # One that was registered during a merge, for who is another patient again, stays that patient's.
            replaces=self._entry_of(survivor, before, caller) if before else None,
            snapshot_of=entry_id,
        )

        def note(unit: Unit, registered: Submission) -> None:
            if not store.keep_snapshot(unit, row, uid, registered.entries[0].id, held.version):
                raise Overtaken

        incoming = self._blobs.receive([content])
        self._repository.provide(submission, {DOCUMENT: incoming}, caller, also=note, explicit=True)
        return self._stored(row, uid, incoming.sha256, incoming.sha1, incoming.size)

    def _stored(self, row: OnDemandRow, unique_id: str, sha256: str, sha1: str, size: int) -> Assembled:
        return Assembled(unique_id, row.patient_id, MIME_TYPE, size, sha1, lambda: self._blobs.open(sha256), kept=True)

    def _survivor(self, patient_id: str) -> str:
        """The patient that this one was merged into, or itself: nothing is submitted for another."""
        return self._registrar.survivors(self._database, (patient_id,)).get(patient_id, patient_id)

    def _moment(self, seconds: float) -> str:
        return str(Dtm.of(datetime.fromtimestamp(seconds, UTC)))
