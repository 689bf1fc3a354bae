"""Reports of storage commitment: judged when they are due, and sent until the peer has taken them (RAD TF-2, 4.10)."""

from collections.abc import Callable

import structlog

from profiles.dimse_access import outward
from profiles.faces.dimse import Destination, Reference
from profiles.faces.dimse_report import report
from profiles.faces.dimse_retrieve import Unreachable
from profiles.house import House
from repository.imaging.commitment import Commitment

log = structlog.get_logger(__name__)


class Reporter:
    """Sends what is due."""

    def __init__(self, house: House) -> None:
        self._house = house

    def work_once(self) -> bool:
        """Send one report, or put its next try off; False when none is due."""
        commitments = self._house.imaging.commitments
        taken = commitments.take()
        if taken is None:
            return False
        job, commitment = taken
        try:
            self._send(commitment)
        except Unreachable as fault:
            self._later(str(fault), lambda reason: commitments.failed(job, reason))
        except Exception as fault:
            log.exception("failed", transaction="RAD-10")
            self._later(type(fault).__name__, lambda reason: commitments.failed(job, reason))
        else:
            commitments.done(job)
            counts = {"committed": len(commitment.committed), "failed": len(commitment.failed)}
            log.info("storage commitment reported", peer=commitment.title, **counts)
        return True

    def _later(self, reason: str, put_off: Callable[[str], None]) -> None:
        log.warning("storage commitment not reported", reason=reason)
        put_off(reason)

    def _send(self, commitment: Commitment) -> None:
        settings = self._house.settings
        peer = settings.dimse.peers.get(commitment.title)
        if peer is None or not peer.host:
            raise Unreachable("no address is configured for the peer any more")
        committed = [Reference(*one) for one in commitment.committed]
        failed = [(Reference(*one), int(reason)) for one, reason in commitment.failed]
        destination = Destination(commitment.title, peer.host, peer.port, peer.tls)
        report(outward(settings, commitment.called), destination, commitment.transaction_uid, committed, failed)
