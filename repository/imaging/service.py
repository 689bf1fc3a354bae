"""The image repository: the DICOM objects that this imaging source holds, their index, and what is read of them.

Bytes are in the blob store, everything that questions and metadata need is in the index. Each read takes the caller's
visibility in its SQL and is audited before it is answered; each write is audited in its own unit of work.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO

from pydicom.uid import ExplicitVRBigEndian

from database.engine import Database
from database.outbox import Outbox
from registry.access import Caller, OpenPolicy
from registry.audit import EXECUTE, READ, AuditRecord, ReadAudit
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import StudyDescription
from repository.corrections import Corrections
from repository.decisions import Decisions
from repository.deletion import Deletion
from repository.findings import Findings
from repository.imaging import contents
from repository.imaging.answers import answer, asks_for_classes, together
from repository.imaging.arrivals import Outcome
from repository.imaging.bulk import Bulk, word_of
from repository.imaging.commitment import Commitments
from repository.imaging.decoder import Decoder
from repository.imaging.encapsulated import Span
from repository.imaging.frames import frames_of
from repository.imaging.ingest import Ingest
from repository.imaging.manifest_metadata import ManifestCodes
from repository.imaging.packing import read
from repository.imaging.publishing import Provider, Published, Publisher
from repository.imaging.query import DicomQuery, Level
from repository.imaging.scanner import PixelData, locate
from repository.imaging.source import ImagingSource
from repository.imaging.whose import settled
from repository.imaging.wrapping import Context, Wrapped, wrap
from repository.on_demand import OnDemand, OnDemandEntry
from repository.registrar import Registrar
from repository.rejection import words
from repository.rejection_effects import Effects
from repository.rejection_policy import Policies
from repository.store import imaging as index
from repository.store import rejections as tombstones
from repository.store.blobs import BlobStore, is_whole
from repository.store.imaging import HeldInstance
from repository.store.imaging_search import find, patients_of, sop_classes

__all__ = ["Found", "Frame", "HeldInstance", "ImagingRepository", "OnDemandEntry", "Outcome", "Published"]


@dataclass(frozen=True, slots=True)
class Found:
    """Matches as data sets of the DICOM JSON model, and whether there are more after them.

    `note` is what the asker should know about how the question was read, for people; else empty.
    """

    matches: list[dict[str, Any]]
    more: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its bytes in pieces, encoded as the transfer syntax says."""

    pieces: Iterator[bytes]
    transfer_syntax_uid: str


class ImagingRepository:
    """The objects of one source. `publisher` makes their manifests, `on_demand` those of on-demand entries;
    `commitments` are the promises to keep them.

    `findings` are the contradictions that were met, `decisions` does what people decide on them, `corrections` are the
    corrected demographics of studies.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        registrar: Registrar[Any],
        repository: Provider,
        audit: ReadAudit,
        policy: OpenPolicy,
        *,
        source: ImagingSource,
        codes: ManifestCodes,
        rejections: Policies | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self.decoder = Decoder()
        self._registrar = registrar
        self._audit = audit
        self._policy = policy
        self._source = source
        self.commitments = Commitments(database, blobs, source.retrieve_location_uid, now)
        self._ingest = Ingest(database, blobs, registrar, source, now, rejections or Policies())
        self.findings = Findings(database, now)
        self.corrections = Corrections(database, registrar, source, now)
        self.decisions = Decisions(
            database, blobs, registrar, source, self._ingest, self.findings, self.corrections, now
        )
        effects = Effects(registrar, source, rejections or Policies())
        self.publisher = Publisher(
            database,
            blobs,
            repository,
            Outbox(database, now),
            source=source,
            codes=codes,
            now=now,
            survivor_of=self._survivor_of,
            standing=lambda unique_id: registrar.approved_entry(unique_id),
            withdraw=effects.withdraw,
        )
        self.deletion = Deletion(database, blobs, registrar, source, effects, now)
        self.on_demand = OnDemand(database, blobs, registrar, repository, policy, source=source, codes=codes, now=now)

    def store(
        self,
        objects: Iterable[Iterable[bytes]],
        caller: Caller,
        *,
        study_uid: str | None = None,
        authority: str = "",
    ) -> list[Outcome]:
        """Keep and index the objects of one request, each a stream of a DICOM file's bytes; an outcome for each.

        An object that is refused leaves the others alone. `study_uid` is the only study that the request may add to;
        `authority` is the OID whose a Patient ID without issuer is, empty for the source's own default.

        Raises:
            Rejected: the store or the database cannot take more; what earlier batches of the request kept stays kept,
                and the request may be sent again whole. Also what reading `objects` raises.
        """
        return self._ingest.store(objects, caller, study_uid, authority)

    def find_patients(self, query: DicomQuery, caller: Caller) -> Found:
        """Patients that match, by name and id (PS3.4 C.6.1.1.2)."""
        return self._find(replace(query, level=Level.PATIENT), caller)

    def find_studies(self, query: DicomQuery, caller: Caller) -> Found:
        """Studies that match (PS3.18 10.6)."""
        return self._find(replace(query, level=Level.STUDY), caller)

    def find_series(self, query: DicomQuery, caller: Caller) -> Found:
        """Series that match."""
        return self._find(replace(query, level=Level.SERIES), caller)

    def find_instances(self, query: DicomQuery, caller: Caller) -> Found:
        """Instances that match."""
        return self._find(replace(query, level=Level.INSTANCE), caller)

    def instances(
        self, caller: Caller, study_uid: str, series_uid: str | None = None, sop_instance_uid: str | None = None
    ) -> list[HeldInstance]:
        """The held objects of a study, of one of its series, or one of them, by series and number.

        Raises:
            Rejected: NotFound, also for what the caller may not see: the two answers must not differ.
        """
        visibility = self._policy.visibility(caller)
        found = index.held_instances(self._database.rows, visibility, study_uid, series_uid, sop_instance_uid)
        asked = tuple(uid for uid in (study_uid, series_uid, sop_instance_uid) if uid)
        patients = tuple(sorted({held.patient_id for held in found if held.patient_id}))
        self._audit.keep(AuditRecord(caller, READ, patients, asked, count=len(found)))
        if not found:
            told = self.rejected(caller, study_uid, asked[1:][-1:]).get(asked[-1], "no such object is held here")
            raise Rejected.because(ErrorCode.NotFound, asked[-1], told, "PS3.18 10.4")
        return found

    def rejected(self, caller: Caller, study_uid: str, uids: Iterable[str]) -> Mapping[str, str]:
        """SOP Instance UID -> why it is not given, of those of a study's `uids` that were rejected and are hidden.

        Whoever may not see all patients is told of objects alone that are here and that they might see.
        """
        admitted_study = self._policy.visibility(caller).admits_study(study_uid)
        wanted, rows, source = list(uids), self._database.rows, self._source.retrieve_location_uid
        found = tombstones.find(rows, source, study_uid, wanted) if wanted and admitted_study else {}
        visibility = self._policy.visibility(caller)
        if found and visibility.patients is not None:
            seen = tombstones.held(rows, source, study_uid, wanted)
            admitted = {one.uid for one in seen if visibility.admits(one.patient_id)}
            found = {uid: one for uid, one in found.items() if uid in admitted}
        return {uid: words(uid, one.code) for uid, one in found.items() if one.hidden}

    def metadata(self, held: HeldInstance) -> bytes:
        """The object's data set as DICOM JSON text; the URLs of bulk values are relative to the instance's own.

        Corrected demographics are laid over it; the object itself is given as it was stored (`open`).
        """
        return self.corrections.metadata(held)

    def open(self, held: HeldInstance) -> BinaryIO:
        """The object's bytes as they were stored, seekable.

        Raises:
            Rejected: XDSRepositoryError, the blob was found damaged and is set aside.
        """
        try:
            return self._blobs.open(held.sha256)
        except KeyError:
            text = "the object's bytes are damaged and set aside; sending it again mends it"
            raise Rejected.because(ErrorCode.XDSRepositoryError, held.uid, text, "PS3.18 10.4") from None

    def is_whole(self, held: HeldInstance) -> bool:
        """Whether the object's bytes are there, see `repository.store.blobs.is_whole`."""
        return is_whole(self._blobs, held.sha256, held.size)

    def frames(self, held: HeldInstance, numbers: Sequence[int]) -> list[Frame]:
        """Frames by their numbers, from 1, in the order asked for.

        Raises:
            Rejected: NotFound for a frame that is not there; NotAcceptable where frames cannot be told apart.
        """
        if held.pixels is None:
            raise Rejected.because(ErrorCode.NotFound, held.uid, "the object has no Pixel Data", "PS3.18 10.4")
        *place, offsets, lengths = json.loads(held.pixels)
        pixels = PixelData(*place, *(Span(*table) if table else None for table in (offsets, lengths)))
        # The file lives as long as its frames: it is closed with the last one, read to its end or not.
        frames = frames_of(self.open(held), pixels, read(held.attributes))
        return [Frame(frames.read(number), held.transfer_syntax_uid) for number in numbers]

    def bulk(self, held: HeldInstance, path: str) -> Iterator[bytes]:
        """As `bulk_value`, all of it in pieces."""
        return self.bulk_value(held, path).read()

    def bulk_value(self, held: HeldInstance, path: str) -> Bulk:
        """A bulk value by the path in its BulkDataURI; of encapsulated pixels, the fragments.

        Raises:
            Rejected: NotFound when the object has none there.
        """
        with self.open(held) as file:
            spans = locate(file, held.size, path)
        big_endian = held.transfer_syntax_uid == ExplicitVRBigEndian
        return Bulk(spans, lambda: self.open(held), word_of(read(held.attributes), path) if big_endian else 1)

    def describe(self, study_uid: str, source: str) -> StudyDescription:
        """The present contents of a held study, for the registry, which asks on behalf of its own callers.

        Raises:
            Rejected: NotFound.
        """
        return contents.describe(self._database.rows, study_uid, self._source, source)

    def wrap(self, chunks: Iterable[bytes], context: Context, caller: Caller) -> Wrapped:
        """Make a DICOM object of a plain file, and store it. See `wrapping.wrap`."""
        return wrap(self, self._source, chunks, context, caller)

    def publish(self, study_uid: str, caller: Caller) -> Published:
        """Publish the study's manifest at once. See `Publisher.publish`."""
        self._must_see(study_uid, caller)
        return self.publisher.publish(study_uid, caller)

    def publish_on_demand(self, study_uid: str, caller: Caller) -> OnDemandEntry:
        """Register the study's manifest as an on-demand entry. See `OnDemand.register`."""
        self._must_see(study_uid, caller)
        return self.on_demand.register(study_uid, caller)

    def _must_see(self, study_uid: str, caller: Caller) -> None:
        held = index.study_row(self._database.rows, study_uid, self._source.retrieve_location_uid)
        if held is None or not self._policy.visibility(caller).admits(held.patient_id):
            raise contents.not_held(study_uid)

    def _survivor_of(self, patient_id: str) -> str:
        return self._registrar.survivors(self._database, (patient_id,)).get(patient_id, patient_id)

    def _find(self, query: DicomQuery, caller: Caller) -> Found:
        visibility, asked = self._policy.visibility(caller), ",".join(match.keyword for match in query.matches)
        holders = partial(patients_of, self._database, visibility)
        if visibility.studies is not None:
            query = replace(query, viewed=tuple(sorted(visibility.studies)))
        query, note = settled(query, self._source, holders, self._registrar.same_patient)
        rows = find(self._database, query, visibility)
        shown = rows[: query.limit]
        patients = tuple(sorted({row.study.patient_id for row in shown if row.study.patient_id}))
        self._audit.keep(AuditRecord(caller, EXECUTE, patients, (query.level.value,), count=len(shown), detail=asked))
        survivors = self._registrar.survivors(self._database, patients) if patients else {}
        classes = sop_classes(self._database, [row.study.uid for row in shown]) if asks_for_classes(query) else {}
        matches = [
            answer(row, query, self._source.wado_url, survivors.get(row.study.patient_id or ""), classes)
            for row in (
                together(shown, survivors) if query.level is Level.PATIENT else map(self.corrections.row, shown)
            )
        ]
        # Who sees certain studies alone is not told that others have such a number.
        return Found(matches, len(rows) > len(shown), note if visibility.studies is None else "")
