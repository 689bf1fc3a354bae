"""The DICOM side of the server: associations go to the installed transactions, by service and SOP class.

One process of its own (`xdsi serve dimse`, or a part of `xdsi serve`): a gate in front (`faces/dimse_gate.py`), which
asks `dimse_access` who may associate, and threads behind it, two for each association.
"""

import signal
import socket
import sys
import threading
import warnings
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from pynetdicom import _config

from profiles.catalog import Dimse
from profiles.composition import compose
from profiles.dimse_access import Peers, outward, tls_of
from profiles.faces import dimse_gate
from profiles.faces.dimse import Refused as RefusedRequest
from profiles.faces.dimse import Request, Service, Status
from profiles.faces.dimse_association import Acceptors
from profiles.faces.dimse_gate import Gate
from profiles.faces.dimse_retrieve import Sender
from profiles.faces.dimse_serving import Serving
from profiles.faces.dimse_socket import Bounds
from profiles.house import House
from profiles.installed import PROFILES
from profiles.settings import Settings
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected

GRACE = 20.0  # seconds for associations under way when the server is asked to stop
SWITCH_INTERVAL = 0.001
log = structlog.get_logger(__name__)


def run(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGTERM; associations under way may end first."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sys.setswitchinterval(SWITCH_INTERVAL)
    # They quote values that peers sent.
    warnings.filterwarnings("ignore", module="pydicom")
    _config.STORE_SEND_CHUNKED_DATASET = True
    house, ours = compose(settings), settings.dimse
    actors = Actors(house)
    serving = Serving(actors, Sender(outward(settings)))
    bounds = Bounds(ours.pdu_bytes, ours.idle_seconds)
    acceptors = Acceptors(settings.ae_title, bounds, actors.sop_classes, serving.serve)
    limits = dimse_gate.Limits(associations=ours.associations, associations_a_peer=ours.associations_a_peer)
    Gate(listener, Peers(settings).judge, acceptors.admit, limits, tls_of(settings)).run(stop)
    listener.close()
    acceptors.stop(GRACE)


class Actors:
    """Answers requests by the installed transactions. A `profiles.faces.dimse_serving.Actors`."""

    def __init__(self, house: House) -> None:
        self._house = house
        registry = CollectorRegistry()
        labels = ("transaction", "outcome")
        self._requests = Counter("xdsi_dimse_requests", "DIMSE requests answered", labels, registry=registry)
        self._seconds = Histogram("xdsi_dimse_seconds", "Time of a request", ("transaction",), registry=registry)
        faced = [(t, t.face) for profile in PROFILES for t in profile.transactions if isinstance(t.face, Dimse)]
        self._by_class = {(face.service, uid): t for t, face in faced for uid in face.sop_classes}
        self._by_service = {face.service: t for t, face in faced if not face.sop_classes}

    @property
    def sop_classes(self) -> frozenset[str]:
        """The SOP classes that are answered, besides those of storage."""
        return frozenset(uid for _, uid in self._by_class)

    def answer(self, service: Service, sop_class_uid: str, request: Request) -> Any:
        """See `profiles.faces.dimse_serving.Actors`."""
        transaction = self._by_class.get((service, sop_class_uid)) or self._by_service.get(service)
        if transaction is None or transaction.decode is None or transaction.encode is None:
            text = f"{service.value} is not given for this SOP class"
            raise Rejected.because(ErrorCode.InvalidRequest, "(0000,0002)", text, "PS3.7 C.5.6")
        peer = request.peer
        name = f"{peer.title} CN={peer.certificate}" if peer.certificate else peer.title
        caller = Caller(name, peer.address, transaction.id)
        try:
            with self._seconds.labels(transaction.id).time():
                answer = transaction.handle(transaction.decode(request), self._house, caller)  # type: ignore[misc]
                told = transaction.encode(answer)
        except RefusedRequest as refused:
            self._counted(caller, "refused", status=f"{refused.status.code:04X}")
            raise
        except Rejected as rejected:
            self._counted(caller, "refused", codes=sorted({finding.code.name for finding in rejected.findings}))
            raise
        except Exception:
            self._counted(caller, "failed")
            raise
        if isinstance(told, Status) and told.code:
            self._counted(caller, "refused", status=f"{told.code:04X}")
        else:
            self._counted(caller, "done")
        return told

    def _counted(self, caller: Caller, outcome: str, **more: Any) -> None:
        self._requests.labels(caller.transaction, outcome).inc()
        about = {"transaction": caller.transaction, "calling": caller.name, "request": caller.request_id}
        log.info(outcome, **about, **more)
