"""Documents taken out of the repository (ITI TF-2, 3.86.4.1.3).

The order is that of durability, backwards: rows and audit record go first, in one unit of work, then the bytes. After a
crash between the two the bytes lie there without a row, which `xdsi fsck` finds; a row without bytes there never is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import uuid4

import structlog

from database import outbox
from database.engine import Database, Unit
from registry.access import Caller, Visibility
from registry.audit import DELETE, AuditRecord, audit_write
from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.fsck import STILL
from repository.store import documents
from repository.store.blobs import BlobStore
from repository.store.documents import Held

log = structlog.get_logger(__name__)
SOURCE = "ITI TF-2, 3.86.4.1.3"
BYTES, JOB_HASHES = "delete-bytes", 100


def problems(
    asked: Sequence[tuple[str, str]], held: Mapping[str, Held], repository_unique_id: str
) -> Iterator[Finding]:
    """One finding for each of `asked`, (repositoryUniqueId, uniqueId), that cannot be removed."""
    for repository, unique_id in asked:
        if repository != repository_unique_id:
            text = f"the repository {repository!r} is not this one, {repository_unique_id}"
            yield Finding(ErrorCode.XDSUnknownRepositoryId, unique_id, text, SOURCE)
        elif unique_id not in held:
            yield Finding(ErrorCode.XDSDocumentUniqueIdError, unique_id, "no document has this uniqueId here", SOURCE)


def forget(
    unit: Unit,
    asked: Sequence[tuple[str, str]],
    repository_unique_id: str,
    visibility: Visibility,
    caller: Caller,
    now: float,
) -> set[str]:
    """Take out the rows of these documents, all or none; the SHA-256 of their bytes.

    Raises:
        Rejected: with one finding a document that is not here.
    """
    unique_ids = list(dict.fromkeys(unique_id for _, unique_id in asked))
    documents.lock(unit, unique_ids)
    held = documents.find(unit, unique_ids, visibility)
    wrong = list(problems(asked, held, repository_unique_id))
    if wrong:
        raise Rejected(wrong)
    documents.forget(unit, unique_ids)
    patients = tuple(sorted({row.patient_id for row in held.values() if row.patient_id}))
    audit_write(unit, AuditRecord(caller, DELETE, patients, tuple(unique_ids), count=len(held)), now)
    return {row.sha256 for row in held.values()}


def take_out(unit: Unit, unique_ids: Sequence[str]) -> set[str]:
    """Take out those of these documents that are here, whose entries are gone already; the SHA-256 of their bytes."""
    documents.lock(unit, unique_ids)
    held = documents.find(unit, list(unique_ids), None)
    documents.forget(unit, list(unique_ids))
    return {row.sha256 for row in held.values()}


def delete_later(unit: Unit, hashes: Iterable[str], now: float) -> None:
    """Have the worker delete these bytes, as far as no row names them then."""
    ordered = sorted(set(hashes))
    for start in range(0, len(ordered), JOB_HASHES):
        outbox.put(unit, BYTES, str(uuid4()), {"hashes": ordered[start : start + JOB_HASHES]}, due=now, now=now)


def remove_bytes(database: Database, blobs: BlobStore, hashes: Iterable[str]) -> list[str]:
    """Remove the blobs that no row names; those that could not be, which are left to `fsck`.

    Other documents and DICOM objects may be the same bytes. Whoever registers such a document meanwhile holds the same
    lock, and looks again whether the bytes are there (`documents.lock_bytes`).
    """
    left = []
    for sha256 in sorted(hashes):

        def work(unit: Unit, sha256: str = sha256) -> None:
            documents.lock_bytes(unit, [sha256])
            if not any(unit.rows(statement, hashes=[sha256]) for statement in STILL):
                blobs.remove(sha256)

        try:
            database.transact(work)
        except KeyError:
            log.warning("the bytes of a removed document were gone already", sha256=sha256)
        except (OSError, Rejected) as error:
            log.error("the bytes of a removed document are left over; see `xdsi fsck`", sha256=sha256, error=str(error))
            left.append(sha256)
    return left
