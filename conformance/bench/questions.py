"""Questions to the registry, in requests for each second of CPU time, of the server and of PostgreSQL alike.

The floor is the same answer from memory, through the same server: a POST's body is read in either case.
"""

from dataclasses import replace
from statistics import median
from uuid import uuid4

from conformance import messages
from conformance.bench import data, machine
from conformance.bench.client import Question, Wrong, ask
from conformance.bench.floors import CONSTANT
from conformance.bench.loop import Expected, closed_loop, expected
from conformance.bench.stand import Figures, Stand, figures
from conformance.synthetic import patient_id
from registry.metadata.urn import Action

CONNECTIONS = 4
WARM_UP = 0.2  # seconds


def find_documents(number: int, count: int, returns: str, stand: Stand) -> Figures:
    """FindDocuments of the n-th patient, who has `count` documents."""
    body = messages.find_documents(patient_id(number), returns)
    question = Question("POST", "/xds/registry", messages.headers(Action.REGISTRY_STORED_QUERY), body)
    element = b"<rim:ExtrinsicObject " if returns == "LeafClass" else b"<rim:ObjectRef "
    return _measure(stand, question, element, count)


def find_studies(number: int, count: int, stand: Stand) -> Figures:
    """The ImagingStudy search of the n-th patient, who has `count` studies."""
    path = f"/fhir/ImagingStudy?patient=Patient/{data.fhir_id(stand.house, number)}"
    return _measure(stand, Question("GET", path), b'"mode":"match"', count)


def _measure(stand: Stand, question: Question, says: bytes, times: int) -> Figures:
    where = stand.server.where
    answer = ask(where, question)
    if answer.count(says) != times:
        raise Wrong(f"{question.path} does not say {says!r} {times} times: {answer[:500]!r}")
    # The server reads it once, so it needs a name that no other answer had.
    name = uuid4().hex
    (stand.folder / name).write_bytes(answer)
    floor = replace(question, path=f"{CONSTANT}/{name}")
    if ask(where, floor) != answer:
        raise Wrong("the floor does not send the bytes of the answer")
    both = [(each, expected(where, each)) for each in (floor, question)]
    for each, answers in both:
        _run(stand, each, answers, min(WARM_UP, stand.sizes.seconds))
    runs = [[_run(stand, *each, stand.sizes.seconds) for each in both] for _ in range(stand.sizes.repeats)]
    floor_wall, wall = (median(run[side][1] for run in runs) for side in (0, 1))
    note = f"{len(answer):,} bytes; by the wall {wall:,.0f}/s, floor {floor_wall:,.0f}/s"
    return figures("/s/core", ((run[0][0], run[1][0]) for run in runs), note=note)


def _run(stand: Stand, question: Question, answers: Expected, seconds: float) -> tuple[float, float]:
    """Requests for a second of CPU time, and for a second by the wall."""
    before = machine.cpu_seconds(stand.measured)
    work = stand.by_client(closed_loop, stand.server.where, question, answers, CONNECTIONS, seconds)
    spent = machine.cpu_seconds(stand.measured) - before
    return work.requests / max(spent, 1 / machine.TICKS), work.requests / work.seconds
