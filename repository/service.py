"""The Repository: keep documents and register them, give them back.

The order is that of durability: bytes are received and hashed, everything that can be wrong is found, the bytes are
kept, and only then one unit of work writes the rows, the registry's and the audit record (ITI TF-2, 3.41.4.1.3).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import structlog

from database.engine import Database, Unit
from registry.access import Caller, OpenPolicy
from registry.audit import READ, AuditRecord, ReadAudit
from registry.metadata import formats
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.identify import canonical, with_uuids
from registry.metadata.model import DocumentEntry, Submission
from repository import removal
from repository.findings import Findings
from repository.manifests import Knowing, manifests_of
from repository.on_demand import Assembled, OnDemand
from repository.registrar import Registrar
from repository.store import documents
from repository.store.blobs import BlobStore, Incoming, is_whole

Received = Incoming
"""A document's bytes as `Repository.receive` gives them."""

PIECE = 128 * 1024  # bytes a read of a document that goes out
ITI_41 = "ITI TF-2, 3.41.4.1.3"


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """A document asked for (ITI TF-2, 3.43.4.1)."""

    repository_unique_id: str
    unique_id: str
    home: str | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A document given back. `size` in bytes, `sha1` hexadecimal; `open` gives its bytes.

    What was assembled for an on-demand entry has a uniqueId of its own, `new_unique_id`; it is kept, and can be asked
    for by that, where `new_repository_unique_id` says so (ITI TF-2, 3.43.4.2.2).
    """

    request: DocumentRequest
    mime_type: str
    size: int
    sha1: str
    open: Callable[[], BinaryIO]
    new_repository_unique_id: str | None = None
    new_unique_id: str | None = None

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces."""
        with self.open() as file:
            while piece := file.read(PIECE):
                yield piece


class Repository:
    """The Document Repository actor; `repository_unique_id` is its OID, `on_demand` what assembles documents for it."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        registrar: Registrar[Any],
        audit: ReadAudit,
        policy: OpenPolicy,
        repository_unique_id: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._registrar = registrar
        self._audit = audit
        self._policy = policy
        self._now = now
        self._findings = Findings(database, now)
        self.repository_unique_id = repository_unique_id
        self.on_demand: OnDemand | None = None

    def receive(self, chunks: Iterable[bytes]) -> Incoming:
        """A document's bytes, hashed and on disk, not yet kept.

        Raises:
            Rejected: XDSRepositoryOutOfResources.
        """
        return self._blobs.receive(chunks)

    def discard(self, incoming: Incoming) -> None:
        """Forget what was received and will not be provided."""
        self._blobs.discard(incoming)

    def provide(
        self,
        submission: Submission,
        received: Mapping[str, Incoming],
        caller: Caller,
        *,
        findings: Iterable[Finding] = (),
        also: Callable[[Unit, Submission], None] | None = None,
        explicit: bool = False,
    ) -> Submission:
        """Keep the documents (`received` by DocumentEntry id) and register the submission, all or nothing.

        `findings` are what is wrong with it already: the registry's are added, so that the sender hears all at once.
        `also` runs in the same unit of work, with the submission as registered, which is returned too. What was
        received is kept or gone afterwards, in either case. `explicit`: manifests take the place of those alone that
        their submission says.

        Raises:
            Rejected: with everything that is wrong.
        """
        incoming = tuple(received.values())
        try:
            wrong = [*findings, *self._pairing(submission, received)]
            filled, more = self._filled(submission, received)
            wrong += more
            if len(filled.submission_sets) == 1:
                wrong += self._registrar.check(filled, caller)
            manifests, more = manifests_of(filled, received)
            wrong += more
            if any(not f.warning for f in wrong):
                raise Rejected(wrong)
            self._blobs.keep(*incoming)
        except BaseException:
            self._blobs.discard(*incoming)
            raise
        ready = with_uuids(filled)
        entries = dict(zip((e.id for e in filled.entries), ready.entries, strict=True))
        prepared = self._registrar.prepare(ready)
        now = self._now()
        knowing = Knowing(self._registrar, self._findings, explicit=explicit)

        def work(unit: Unit) -> None:
            rows = [_row(e, received[e.id], now) for e in filled.entries]
            documents.add(unit, rows)
            self._check_bytes(rows)
            self._registrar.register(unit, prepared, caller)
            for entry_id, manifest in manifests.items():
                knowing.know(unit, ready, entries[entry_id], manifest, received[entry_id].sha256, caller)
            if also:
                also(unit, ready)

        self._database.transact(work)
        return ready

    def retrieve(self, requests: Iterable[DocumentRequest], caller: Caller) -> list[Retrieved | Finding]:
        """Each document that was asked for, or why not, in the order asked (ITI TF-2, 3.43.4.2.3)."""
        asked = list(requests)
        mine = [r.unique_id for r in asked if r.repository_unique_id == self.repository_unique_id]
        held = documents.find(self._database, mine, self._policy.visibility(caller))
        made = self._assembled([uid for uid in mine if uid not in held], caller)
        answers: list[Retrieved | Finding] = []
        for request in asked:
            row = held.get(request.unique_id)
            if request.repository_unique_id != self.repository_unique_id:
                text = f"the repository {request.repository_unique_id!r} is not this one, {self.repository_unique_id}"
                answers.append(
                    Finding(ErrorCode.XDSUnknownRepositoryId, request.unique_id, text, "ITI TF-2, 3.43.4.2.3")
                )
            elif request.unique_id in made:
                answers.append(self._made(request, made[request.unique_id]))
            elif row is None:
                text = "no document has this uniqueId here"
                answers.append(
                    Finding(ErrorCode.XDSDocumentUniqueIdError, request.unique_id, text, "ITI TF-2, 3.43.4.2.3")
                )
            elif not is_whole(self._blobs, row.sha256, row.size):
                structlog.get_logger(__name__).error("a document's bytes are missing or damaged", sha256=row.sha256)
                text = "the document's bytes cannot be read here; see `xdsi fsck`"
                answers.append(Finding(ErrorCode.XDSRepositoryError, request.unique_id, text, "ITI TF-2, 3.43.4.2.3"))
            else:
                answers.append(self._retrieved(request, row))
        given: list[documents.Held | Assembled] = list(held.values())
        given += [one for one in made.values() if isinstance(one, Assembled)]
        patients = tuple(sorted({one.patient_id for one in given if one.patient_id}))
        self._audit.keep(AuditRecord(caller, READ, patients, tuple(r.unique_id for r in asked), count=len(given)))
        return answers

    def remove(self, requests: Iterable[DocumentRequest], caller: Caller) -> None:
        """Remove documents for good, all or none; the registry is not told (ITI TF-2, 3.86.4.1.3).

        Raises:
            Rejected: with one finding a document: XDSUnknownRepositoryId, XDSDocumentUniqueIdError; or
                XDSRemoveDocumentsError, no document can be retrieved any more, but bytes could not be deleted.
        """
        asked = [(request.repository_unique_id, request.unique_id) for request in requests]
        visibility = self._policy.visibility(caller)
        hashes = self._database.transact(
            lambda unit: removal.forget(unit, asked, self.repository_unique_id, visibility, caller, self._now())
        )
        left = removal.remove_bytes(self._database, self._blobs, hashes)
        if left:
            text = f"removed, but the bytes of {len(left)} documents could not be deleted; see `xdsi fsck`"
            raise Rejected.because(ErrorCode.XDSRemoveDocumentsError, "", text, "ITI TF-2, 3.86.4.1.3")

    def moved(self, unit: Unit, unique_id: str, patient_id: str) -> None:
        """The registry was told that this document is another patient's."""
        documents.move(unit, unique_id, patient_id)

    def _check_bytes(self, rows: Iterable[documents.Held]) -> None:
        """Whether the bytes that were kept are there still: a removal of the same bytes may have come between."""
        if not all(is_whole(self._blobs, row.sha256, row.size) for row in rows):
            text = "the same document was being removed; send it again"
            raise Rejected.because(ErrorCode.XDSRepositoryBusy, "", text, "ITI TF-3, table 4.2.4.1-2")

    def document(self, unique_id: str, caller: Caller) -> Retrieved:
        """One document of this repository.

        Raises:
            Rejected: XDSDocumentUniqueIdError.
        """
        found = self.retrieve([DocumentRequest(self.repository_unique_id, unique_id)], caller)[0]
        if isinstance(found, Finding):
            raise Rejected([found])
        return found

    def _assembled(self, unique_ids: list[str], caller: Caller) -> Mapping[str, Assembled | Finding]:
        return self.on_demand.assemble(unique_ids, caller) if self.on_demand and unique_ids else {}

    def _made(self, request: DocumentRequest, made: Assembled | Finding) -> Retrieved | Finding:
        if isinstance(made, Finding):
            return made
        where = self.repository_unique_id if made.kept else None
        return Retrieved(request, made.mime_type, made.size, made.sha1, made.open, where, made.unique_id)

    def _retrieved(self, request: DocumentRequest, row: documents.Held) -> Retrieved:
        return Retrieved(request, row.mime_type, row.size, row.sha1, lambda: self._blobs.open(row.sha256))

    def _pairing(self, submission: Submission, received: Mapping[str, Incoming]) -> Iterator[Finding]:
        """Documents and entries pair up one to one."""
        ids = {e.id for e in submission.entries}
        for entry in submission.entries:
            if entry.id not in received:
                yield Finding(ErrorCode.XDSMissingDocument, entry.id, "its Document is missing", ITI_41)
        for document in received:
            if document not in ids:
                yield Finding(ErrorCode.XDSMissingDocumentMetadata, document, "its DocumentEntry is missing", ITI_41)

    def _same_patient(self, one: str | None, other: str | None) -> bool:
        """Whether two patient ids are one patient's: the two may have been merged since a document was kept."""
        if one == other or not one or not other:
            return one == other
        survivors = self._registrar.survivors(self._database, (one, other))
        return survivors.get(one, one) == survivors.get(other, other)

    def _filled(self, submission: Submission, received: Mapping[str, Incoming]) -> tuple[Submission, list[Finding]]:
        """The submission with hash, size and repositoryUniqueId of what was received; given values must agree."""
        wrong: list[Finding] = []
        held = documents.find(self._database, [e.unique_id for e in submission.entries if e.unique_id], None)
        entries = []
        for entry in submission.entries:
            document = received.get(entry.id)
            if document is None:
                entries.append(entry)
                continue
            wrong += _disagreements(entry, document, self.repository_unique_id)
            known = held.get(entry.unique_id or "")
            if known and not self._same_patient(known.patient_id, canonical(entry.patient_id)):
                text = "a document with this uniqueId is kept already, another patient's"
                source = "ITI TF-2, 3.42.4.1.3.3.1"
                wrong.append(Finding(ErrorCode.XDSPatientIdDoesNotMatch, f"{entry.id}.patientId", text, source))
            if known and known.sha256 != document.sha256:
                text = "another document with this uniqueId is kept already"
                wrong.append(
                    Finding(ErrorCode.XDSNonIdenticalHash, f"{entry.id}.uniqueId", text, "ITI TF-3, 4.2.3.2.10")
                )
            entries.append(
                replace(
                    entry,
                    hash=document.sha1,
                    size=str(document.size),
                    repository_unique_id=self.repository_unique_id,
                )
            )
        return replace(submission, entries=tuple(entries)), wrong


def _disagreements(entry: DocumentEntry, document: Incoming, repository: str) -> Iterator[Finding]:
    code = ErrorCode.XDSRepositoryMetadataError
    if entry.hash and entry.hash.lower() != document.sha1:
        text = f"is {entry.hash}, the document's SHA-1 is {document.sha1}"
        yield Finding(code, f"{entry.id}.hash", text, "ITI TF-3, 4.2.3.2.10")
    if entry.size and formats.digits(entry.size) is None and int(entry.size) != document.size:
        text = f"is {entry.size}, the document has {document.size} bytes"
        yield Finding(code, f"{entry.id}.size", text, "ITI TF-3, 4.2.3.2.21")
    if entry.repository_unique_id and entry.repository_unique_id != repository:
        text = f"is {entry.repository_unique_id}, this repository is {repository}"
        yield Finding(code, f"{entry.id}.repositoryUniqueId", text, "ITI TF-3, 4.2.3.2.18")


def _row(entry: DocumentEntry, document: Incoming, now: float) -> documents.Held:
    return documents.Held(
        str(entry.unique_id),
        canonical(entry.patient_id),
        document.sha256,
        document.sha1,
        document.size,
        entry.mime_type,
        now,
    )
