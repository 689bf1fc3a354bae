"""Manifests of held studies, made and registered: the Imaging Document Source's RAD-68 (RAD TF-2, 4.68).

A manifest describes one version of a study. What it is made of, its UIDs and its time follow from that version, so
that making it again after a crash gives the same bytes under the same name. That it is published is written in the
unit of work that registers it: either both are so, or neither, and another try does what is left to do.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

import structlog

from database.engine import Database, Unit
from database.outbox import Job, Outbox
from registry.access import Caller
from registry.metadata.datatypes import Dtm
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import PatientDetails, StudyDescription, Submission
from repository.imaging import contents
from repository.imaging.ingest import PUBLISH
from repository.imaging.kos_builder import build_manifest
from repository.imaging.manifest_metadata import DOCUMENT, ManifestCodes, manifest_submission
from repository.imaging.source import ImagingSource
from repository.store import imaging as index
from repository.store.blobs import BlobStore, Incoming
from repository.store.imaging import HeldStudy

SOURCE = "RAD TF-2, 4.68.4.1.1"
WORKER = "publisher"
UID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Published:
    """A study's manifest: SOP Instance UID and entryUUID (bare).

    `replaced` when it took the place of an older one, `unchanged` when it was published before and is still right,
    `withdrawn` when nothing is left to share: then it is the one that was published last.
    """

    document_unique_id: str
    entry_id: str
    replaced: bool = False
    unchanged: bool = False
    withdrawn: bool = False


class Provider(Protocol):
    """A document repository, as publishing needs it. See `repository.service.Repository.provide`."""

    repository_unique_id: str

    def provide(
        self,
        submission: Submission,
        received: Mapping[str, Incoming],
        caller: Caller,
        *,
        also: Callable[[Unit, Submission], None] | None = None,
        explicit: bool = False,
    ) -> Submission:
        """Keep the documents and register the submission, all or nothing; `also` runs in the same unit of work.

        With `explicit` a manifest takes the place of those alone that its submission says.
        """


class Overtaken(Exception):
    """Another worker published the study while this one was at it."""


class Publisher:
    """What publishes the studies of one source, at once or from the outbox.

    `survivor_of` gives the patient id to submit for, where the objects' patient was merged into another. `standing`
    gives the UUID (bare) of the approved DocumentEntry of a manifest's uniqueId: the one last published, a version of
    it that somebody corrected since, or none, where it was withdrawn. `withdraw` takes a study's entries back.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        repository: Provider,
        outbox: Outbox,
        *,
        source: ImagingSource,
        codes: ManifestCodes,
        now: Callable[[], float] = time.time,
        survivor_of: Callable[[str], str] = str,
        standing: Callable[[str], str | None] | None = None,
        withdraw: Callable[[Unit, str, Caller, float], None] | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._repository = repository
        self._outbox = outbox
        self._source = source
        self._codes = codes
        self._survivor_of = survivor_of
        self._standing = standing
        self._withdraw = withdraw
        self._now = now

    def publish(self, study_uid: str, caller: Caller) -> Published:
        """Publish what is held of the study now; a manifest of an older state is replaced (RPLC).

        Where nothing is left to share, the manifest that stands is withdrawn (RAD TF-2, 4.68.4.1.2).

        Raises:
            Rejected: NotFound; XDSUnknownPatientId, the study names no patient; InvalidRequest, it has nothing to
                share; and what repository and registry refuse.
        """
        held = self._held(study_uid)
        done = _unchanged(held)
        if done:
            return done
        try:
            return self._publish(study_uid, held, caller)
        except (Overtaken, Rejected):
            # The registry refuses to replace a manifest that another worker has replaced in the meantime.
            now = self._held(study_uid)
            done = _unchanged(now) if now.manifest_entry_id != held.manifest_entry_id else None
            if done:
                return done
            raise

    def work_once(self) -> bool:
        """Publish one study that came to rest; False when none is due. What fails is tried again by the outbox."""
        job = self._outbox.take([PUBLISH])
        if job is None:
            return False
        try:
            self.publish(str(job.payload["study_uid"]), Caller(WORKER, "", "RAD-68"))
        except Rejected as rejected:
            # What is wrong with the study itself does not mend by waiting; a busy or full server does.
            self._failed(job, str(rejected), for_good=rejected.status < 500)
        except Exception as error:
            # The worker lives on for the other studies; this one is tried again, and shows in the outbox.
            self._failed(job, f"{type(error).__name__}: {error}")
        else:
            self._outbox.done(job)
        return True

    def _publish(self, study_uid: str, held: HeldStudy, caller: Caller) -> Published:
        study = contents.of_row(self._database.rows, study_uid, self._source, held)
        root, replaces = self._source.uid_root, self._replaced(held)
        if not study.series and replaces and self._withdraw:
            withdraw = self._withdraw
            self._database.transact(lambda unit: withdraw(unit, study_uid, caller, self._now()))
            return Published(str(held.manifest_uid), replaces, withdrawn=True)
        if not study.series:
            raise nothing_shared(study_uid)
        uid = derived_uid(root, "manifest", study_uid, study.source, held.version, held.changed)
        submission = manifest_submission(
            replace(study, patient_id=self._survivor_of(str(study.patient_id))),
            self._codes,
            document_uid=uid,
            submission_uid=new_uid(root),
            created=str(Dtm.of(datetime.fromtimestamp(held.changed, UTC))),
            submitted=str(Dtm.of(datetime.fromtimestamp(self._now(), UTC))),
            replaces=replaces,
        )

        def note(unit: Unit, registered: Submission) -> None:
            entry_id = registered.entries[0].id
            if not index.published(
                unit, study_uid, study.source, held, manifest_uid=uid, entry_id=entry_id, version=held.version
            ):
                raise Overtaken

        incoming = self._blobs.receive([self._manifest(study, uid, held)])
        registered = self._repository.provide(submission, {DOCUMENT: incoming}, caller, also=note, explicit=True)
        return Published(uid, registered.entries[0].id, replaced=replaces is not None)

    def _replaced(self, held: HeldStudy) -> str | None:
        """The entry that the new manifest's will replace."""
        if self._standing is None or not held.manifest_uid:
            return held.manifest_entry_id
        return self._standing(held.manifest_uid)

    def _manifest(self, study: StudyDescription, uid: str, held: HeldStudy) -> bytes:
        return manifest_of(study, uid, held, self._source)

    def _held(self, study_uid: str) -> HeldStudy:
        return held_study(self._database.rows, study_uid, self._source)

    def _failed(self, job: Job, reason: str, *, for_good: bool = False) -> None:
        structlog.get_logger(__name__).warning("manifest not published", attempts=job.attempts + 1, for_good=for_good)
        self._outbox.failed(job, reason, for_good=for_good)


def held_study(rows: index.Rows, study_uid: str, source: ImagingSource) -> HeldStudy:
    """The row of a study that can be published.

    Raises:
        Rejected: NotFound; XDSUnknownPatientId, the study names no patient.
    """
    held = index.study_row(rows, study_uid, source.retrieve_location_uid)
    if held is None:
        raise contents.not_held(study_uid)
    if held.patient_id is None:
        text = "the study's objects have no Patient ID, so that nobody could find it"
        raise Rejected.because(ErrorCode.XDSUnknownPatientId, study_uid, text, SOURCE)
    return held


def shared_study(rows: index.Rows, study_uid: str, source: ImagingSource, held: HeldStudy) -> StudyDescription:
    """What the study shares.

    Raises:
        Rejected: InvalidRequest, that is nothing.
    """
    study = contents.of_row(rows, study_uid, source, held)
    if not study.series:
        raise nothing_shared(study_uid)
    return study


def nothing_shared(study_uid: str) -> Rejected:
    """The refusal of a study without an object to share."""
    return Rejected.because(ErrorCode.InvalidRequest, study_uid, "the study has no object to share", SOURCE)


def manifest_of(study: StudyDescription, uid: str, held: HeldStudy, source: ImagingSource) -> bytes:
    """The manifest of a study as it was at `held`, under the SOP Instance UID `uid`: the same bytes at every try."""
    return build_manifest(
        study,
        sop_instance_uid=uid,
        series_instance_uid=derived_uid(source.uid_root, "manifest series", uid),
        patient=study.patient or PatientDetails(study.patient_id or ""),
        retrieve_location_uid=source.retrieve_location_uid,
        retrieve_url=source.wado_url,
        institution=study.institution,
        # When the contents became what they are.
        now=datetime.fromtimestamp(held.changed, source.zone),
        style=source.style,
        display_uri=source.display_uri.replace("{study}", study.uid),
    )


def derived_uid(root: str, *parts: object) -> str:
    """A UID under `root` that follows from `parts`."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return _under(root, int.from_bytes(digest[:16], "big"))


def new_uid(root: str) -> str:
    """A UID under `root` that nobody else has."""
    return _under(root, uuid4().int)


def _under(root: str, number: int) -> str:
    """With as many digits as a UID has room for (PS3.5 9.1); at most 39 are needed for 128 bits."""
    room = UID_LENGTH - len(root) - 1
    return f"{root}.{number % 10**room}"


def _unchanged(held: HeldStudy) -> Published | None:
    if held.manifest_version != held.version or not held.manifest_uid or not held.manifest_entry_id:
        return None
    return Published(held.manifest_uid, held.manifest_entry_id, unchanged=True)
