"""ITI-42 through HTTP, durable when answered: registrations a second of eight clients that wait for their answers."""

import random
from statistics import median

from sqlalchemy import func, select

from conformance import messages
from conformance.bench.client import Question, Where, Wrong
from conformance.bench.loop import Work, each_once, raw_answer
from conformance.bench.stand import Figures, Stand
from conformance.synthetic import patient_id, submission
from database.engine import Database
from database.statement import Statement
from registry.metadata.urn import Action, ResponseStatus
from registry.store.tables import DOCUMENT_ENTRY

CLIENTS = 8
DOCUMENTS, IN_BULK = 2, 50  # in a submission
PATIENTS = range(100_000, 110_000)
COUNT = Statement(select(func.count()).select_from(DOCUMENT_ENTRY))


def measure(stand: Stand) -> Figures:
    """Registrations of a SubmissionSet with two DocumentEntries each.

    Raises:
        Wrong: not every registration that was acknowledged is in the database.
    """
    return _measure(stand, DOCUMENTS, stand.sizes.registrations, 1)


def in_bulk(stand: Stand) -> Figures:
    """Documents a second, in SubmissionSets of fifty, as an archive is taken over.

    Raises:
        Wrong: not every registration that was acknowledged is in the database.
    """
    return _measure(stand, IN_BULK, max(stand.sizes.registrations * DOCUMENTS // IN_BULK, CLIENTS), IN_BULK)


def _measure(stand: Stand, documents: int, requests: int, times: int) -> Figures:
    """`requests` of so many documents each; the rate is that of requests, `times` over."""
    database = Database(stand.house.settings.database)
    before = database.rows(COUNT)[0][0]
    runs = [stand.by_client(register, stand.server.where, requests, documents) for _ in range(stand.sizes.repeats)]
    added = database.rows(COUNT)[0][0] - before
    database.close()
    # One more in each run: the first, which shows what an answer looks like.
    acknowledged = documents * sum(run.requests + 1 for run in runs)
    if added != acknowledged:
        raise Wrong(f"{acknowledged} documents were acknowledged, {added} are there")
    rate = median(times * run.requests / run.seconds for run in runs)
    return Figures("/s", rate, note=f"{added:,} documents counted")


def register(where: Where, count: int, documents: int) -> Work:
    """Make `count` requests of so many documents, then send them. Runs in the client's process."""
    rng, headers = random.Random(), messages.headers(Action.REGISTER_DOCUMENT_SET)  # noqa: S311
    first, *questions = [
        Question("POST", "/xds/registry", headers, messages.register_document_set(submission(rng, patient, documents)))
        for patient in (patient_id(rng.choice(PATIENTS)) for _ in range(count + 1))
    ]
    answer, says = raw_answer(where, first), f'status="{ResponseStatus.SUCCESS}"'.encode()
    if says not in answer:
        raise Wrong(f"the registration failed: {answer[:1000]!r}")
    return each_once(where, questions, says, len(answer), CLIENTS)
