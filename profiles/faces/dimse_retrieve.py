"""The sub-operations of C-MOVE and C-GET: objects to a peer by C-STORE (PS3.4 C.4.2, C.4.3)."""

import ssl
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, Association
from pynetdicom.presentation import PresentationContext, build_context, build_role

from profiles.faces.dimse import Destination, Instance, Retrieval, Status
from registry.metadata.errors import Rejected

PENDING, CANCELLED, WARNED, UNABLE, UNREACHABLE = 0xFF00, 0xFE00, 0xB000, 0xA702, 0xA702
MOST_CONTEXTS = 128
WARNINGS = range(0xB000, 0xC000)
PLAIN = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
Told = Callable[[Status, dict[str, int], Any], None]
log = structlog.get_logger(__name__)


class Unreachable(Exception):
    """A peer does not take our association."""


class Caller:
    """Opens associations as `ae_title`; `tls` is shown to peers that want it."""

    def __init__(self, ae_title: str, tls: ssl.SSLContext | None = None, seconds: float = 30.0) -> None:
        self._title, self._tls, self._seconds = ae_title, tls, seconds

    def associate(
        self, destination: Destination, contexts: Sequence[PresentationContext], *, as_scp: Sequence[str] = ()
    ) -> Association:
        """An association for `contexts`; of the classes `as_scp` we are the provider.

        Raises:
            Unreachable: refused, not there, or TLS is wanted and not set up.
        """
        if destination.tls and self._tls is None:
            raise Unreachable("TLS is to be spoken to the peer, and no certificate is configured")
        entity = AE(self._title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = self._seconds
        entity.connection_timeout = min(self._seconds, 10.0)
        assoc = entity.associate(
            destination.host,
            destination.port,
            contexts=list(contexts),
            ae_title=destination.title,
            ext_neg=[build_role(uid, scp_role=True) for uid in as_scp],
            tls_args=(self._tls, destination.host) if destination.tls and self._tls else None,
        )
        if not assoc.is_established:
            raise Unreachable("the peer cannot be reached, or refuses the association")
        return assoc


class Sender:
    """Sends what is retrieved."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def send(
        self, asker: Association, retrieval: Retrieval, message_id: int, cancelled: Callable[[], bool], told: Told
    ) -> None:
        """Send every instance; `told` gets a pending status after each, and the last one at the end."""
        destination, run = retrieval.destination, _Run(retrieval.instances, message_id, cancelled, told)
        if destination is None:
            run.over(asker, None)
            return
        if not retrieval.instances:
            run.end()
            return
        try:
            assoc = self._caller.associate(destination, contexts_for(retrieval.instances))
        except Unreachable as fault:
            log.warning("a move destination cannot be reached", destination=destination.title, reason=str(fault))
            run.all_failed("the destination cannot be reached")
            return
        try:
            run.over(assoc, asker.requestor.ae_title)
        finally:
            assoc.release()


class _Run:
    """One retrieval under way."""

    def __init__(
        self, instances: Sequence[Instance], message_id: int, cancelled: Callable[[], bool], told: Told
    ) -> None:
        self._instances, self._message_id, self._cancelled, self._told = instances, message_id, cancelled, told
        self._done = self._warned = 0
        self._failed: list[str] = []

    def over(self, assoc: Association, originator: str | None) -> None:
        for number, instance in enumerate(self._instances, 1):
            if self._cancelled():
                self._told(Status(CANCELLED), self._counts(len(self._instances) - number + 1), self._failures())
                return
            self._note(instance, _sent(assoc, instance, number, originator, self._message_id))
            if number < len(self._instances):
                self._told(Status(PENDING), self._counts(len(self._instances) - number), None)
        self.end()

    def all_failed(self, comment: str) -> None:
        self._failed = [one.sop_instance_uid for one in self._instances]
        self._told(Status(UNREACHABLE, comment), self._counts(None), self._failures())

    def end(self) -> None:
        code = 0
        if self._failed:
            code = WARNED if self._done or self._warned else UNABLE
        self._told(Status(code), self._counts(None), self._failures())

    def _note(self, instance: Instance, status: int) -> None:
        if status == 0:
            self._done += 1
        elif status in WARNINGS:
            self._warned += 1
        else:
            log.info("an object could not be sent", status=f"{status:04X}")
            self._failed.append(instance.sop_instance_uid)

    def _counts(self, remaining: int | None) -> dict[str, int]:
        counts = {
            "NumberOfCompletedSuboperations": self._done,
            "NumberOfFailedSuboperations": len(self._failed),
            "NumberOfWarningSuboperations": self._warned,
        }
        return counts if remaining is None else {"NumberOfRemainingSuboperations": remaining, **counts}

    def _failures(self) -> Dataset | None:
        if not self._failed:
            return None
        data_set = Dataset()
        data_set.FailedSOPInstanceUIDList = self._failed
        return data_set


def contexts_for(instances: Iterable[Instance]) -> list[PresentationContext]:
    """For each class the syntaxes that its objects are kept in, each alone, and the plain ones."""
    kept: dict[str, dict[str, None]] = {}
    for one in instances:
        kept.setdefault(one.sop_class_uid, {})[one.transfer_syntax_uid] = None
    contexts = [build_context(sop_class, list(PLAIN)) for sop_class in kept]
    contexts += [build_context(uid, [each]) for uid, syntaxes in kept.items() for each in syntaxes if each not in PLAIN]
    # Two contexts that differ in their syntax alone: the stored one goes first, should there be too many.
    contexts += [build_context(uid, [each]) for uid, syntaxes in kept.items() for each in syntaxes if each in PLAIN]
    return contexts[:MOST_CONTEXTS]


def _sent(assoc: Association, instance: Instance, number: int, originator: str | None, message_id: int) -> int:
    """The status of one C-STORE; 0xC001 when it could not even be asked."""
    accepted = [
        str(context.transfer_syntax[0])
        for context in assoc.accepted_contexts
        if context.abstract_syntax == instance.sop_class_uid and context.as_scu
    ]
    if not accepted or not assoc.is_established:
        return 0x0122
    try:
        _, pieces = instance.read(accepted)
        with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
            file.writelines(pieces)
            file.flush()
            asked = {} if originator is None else {"originator_aet": originator, "originator_id": message_id}
            status = assoc.send_c_store(Path(file.name), msg_id=number % 65535 + 1, **asked)
    except (Rejected, ValueError, RuntimeError) as fault:
        log.warning("an object cannot be sent", kind=type(fault).__name__)
        return 0xC001
    return int(status.Status) if "Status" in status else 0xC001
