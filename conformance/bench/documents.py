"""A large document in (ITI-41 by MTOM) and out (ITI-43): bytes a second, and how far the server's memory grows."""

from collections.abc import Iterator

from conformance import messages
from conformance.bench import data, floors, machine, transfer
from conformance.bench.client import Question, Wrong
from conformance.bench.stand import Figures, Stand, figures
from registry.metadata.urn import Action, ResponseStatus

MEGABYTE = 1_000_000
SUCCESS = f'status="{ResponseStatus.SUCCESS}"'.encode()
SMALL = 1000


def provide(stand: Stand) -> Figures:
    """In; the floor is SHA-1 and SHA-256 of the same bytes in one thread.

    Raises:
        Wrong: a document was not kept as it was sent.
    """
    _provide(stand, data.document(SMALL))
    before = machine.forget_peak(stand.server.worker)

    def runs() -> Iterator[tuple[float, float]]:
        for _ in range(stand.sizes.repeats):
            pieces = data.document(stand.sizes.document)
            yield floors.hashing(pieces), _provide(stand, pieces)

    rates = list(_rates(stand, runs()))
    return figures("MB/s", rates, machine.peak(stand.server.worker) - before)


def _provide(stand: Stand, pieces: data.Pieces) -> float:
    submission = data.report()
    content_type, body = data.with_bytes(submission, pieces)
    question = Question("POST", "/xds/repository", {"Content-Type": content_type})
    seconds = stand.by_client(transfer.send, stand.server.where, question, body, SUCCESS, 1)
    kept = stand.house.repository.document(str(submission.entries[0].unique_id), data.CALLER)
    if transfer.digest(kept.chunks()) != transfer.digest(pieces):
        raise Wrong("the document that was kept is not the one that was sent")
    return seconds


def retrieve(stand: Stand) -> Figures:
    """Out; the floor is the same file through the web server's own `wsgi.file_wrapper`.

    Raises:
        Wrong: what comes back is not what was put in.
    """
    repository, where = stand.house.repository, stand.server.where
    submission, pieces = data.report(), data.document(stand.sizes.document)
    repository.provide(submission, {submission.entries[0].id: repository.receive(pieces)}, data.CALLER)
    with (stand.folder / "document").open("wb") as copy:
        copy.writelines(pieces)
    asked = messages.retrieve_document_set([(repository.repository_unique_id, str(submission.entries[0].unique_id))])
    question = Question("POST", "/xds/repository", messages.headers(Action.RETRIEVE_DOCUMENT_SET), asked)
    floor = Question("GET", f"{floors.FILE}/document")
    if transfer.digest(pieces) not in stand.by_client(transfer.digests, where, question):
        raise Wrong("the document that came back is not the one that was put in")
    if stand.by_client(transfer.fingerprint, where, floor) != transfer.digest(pieces):
        raise Wrong("the floor does not send the document")
    length, _ = stand.by_client(transfer.take, where, question)
    before = machine.forget_peak(stand.server.worker)

    def runs() -> Iterator[tuple[float, float]]:
        for _ in range(stand.sizes.repeats):
            _, least = stand.by_client(transfer.take, where, floor, stand.sizes.document, transfer.AGAIN)
            yield least, stand.by_client(transfer.take, where, question, length, transfer.AGAIN)[1]

    rates = list(_rates(stand, runs()))
    return figures("MB/s", rates, machine.peak(stand.server.worker) - before)


def _rates(stand: Stand, runs: Iterator[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    size = stand.sizes.document / MEGABYTE
    return ((size / least, size / seconds) for least, seconds in runs)
