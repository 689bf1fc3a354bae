"""The post office: answers that go to another address than the connection's, kept in the outbox until delivered.

What is kept and when stands in `faces/soap_async.py`. A receiver that cannot be reached is tried again with the
outbox's back-off; a letter that stays undelivered becomes a dead letter that people can see.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import structlog

from database.engine import Database
from database.outbox import Job, Outbox, put
from profiles.catalog import Soap, Transaction
from profiles.faces import soap, soap_async, soap_http, xml
from profiles.faces.mtom import Message
from profiles.faces.reply import Reply
from profiles.faces.soap_async import Letter, Posted, Undelivered
from profiles.faces.soap_faults import Fault
from profiles.house import House
from profiles.installed import PROFILES
from registry.access import Caller
from registry.metadata.identify import fresh_uuid

TOPIC = "soap-answer"
log = structlog.get_logger(__name__)


class OutboxPost:
    """A `PostOffice` in the outbox of `database`."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def post(self, letter: Posted) -> None:
        """See `PostOffice.post`.

        Raises:
            Rejected: XDSRegistryBusy, XDSRegistryOutOfResources; then nothing is accepted.
        """
        now = self._now()
        self._database.transact(lambda unit: put(unit, TOPIC, fresh_uuid(), letter.as_dict(), due=now, now=now))


class Postman:
    """Delivers what is due; `deliver(address, message)` sends one answer or raises Undelivered."""

    def __init__(
        self, house: House, database: Database, deliver: Callable[[str, Reply], None] = soap_async.deliver
    ) -> None:
        self._house = house
        self._outbox = Outbox(database)
        self._deliver = deliver
        self._services: defaultdict[str, dict[Any, Transaction]] = defaultdict(dict)
        for transaction in (t for profile in PROFILES for t in profile.transactions):
            if isinstance(transaction.face, Soap):
                self._services[transaction.face.service][transaction.face.action] = transaction

    def work_once(self) -> bool:
        """Deliver one answer, or put its next try off; False when none is due."""
        job = self._outbox.take([TOPIC])
        if job is None:
            return False
        posted = Posted.from_dict(job.payload)
        try:
            self._deliver(*self._addressed(posted))
        except Undelivered as error:
            self._later(job, posted, str(error))
        except Exception as error:
            # Its message may quote what was asked.
            log.exception("failed", transaction=posted.transaction)
            self._later(job, posted, type(error).__name__)
        else:
            self._outbox.done(job)
        return True

    def _later(self, job: Job, posted: Posted, reason: str) -> None:
        log.warning("answer undelivered", transaction=posted.transaction, attempt=job.attempts + 1, reason=reason)
        self._outbox.failed(job, reason)

    def _addressed(self, posted: Posted) -> tuple[str, Reply]:
        """The address and the answer or fault that goes there."""
        if posted.letter is Letter.ANSWER:
            return posted.to, soap_async.answer_to(posted, soap.Answer([posted.content.encode()]))
        try:
            answer = self._asked(posted)
        except Fault as fault:
            return posted.fault_to, soap_async.fault_to(posted, fault)
        return posted.to, soap_async.answer_to(posted, answer)

    def _asked(self, posted: Posted) -> soap.Answer:
        limit = self._house.settings.limits.envelope_bytes
        # A tree that was printed again may have grown; it was within the limit when it came in.
        root = xml.parse(posted.content.encode(), limit=2 * limit + 4096)
        asked: soap.Request[Any] = soap.open_envelope(Message(root, {}, posted.packaged), soap.SOAP_TYPE)
        caller = Caller("anonymous", posted.address, posted.transaction)
        return soap_http.perform(soap_http.chosen(self._services[posted.service], asked), asked, self._house, caller)
