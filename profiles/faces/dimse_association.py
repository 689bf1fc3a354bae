"""Associations on pynetdicom, within bounds (PS3.8, PS3.7 6.3).

pynetdicom keeps the state machine, negotiates, and encodes messages. What it leaves open is closed in `dimse_socket`
(each PDU's type and length are judged before it is read) and `dimse_messages` (commands and queries have a largest
size, and a data set that is stored is never gathered).
"""

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import structlog
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, UID_dictionary
from pynetdicom import AE, Association
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class
from pynetdicom.transport import AddressInformation

from profiles.faces.dimse import Peer
from profiles.faces.dimse_gate import Arrival
from profiles.faces.dimse_messages import Broken, Messages
from profiles.faces.dimse_socket import Bounds, GatedSocket
from repository.imaging.part10 import is_deflated

NOT_TAKEN = ("Deflated", "JPIP", "SMPTE", "RFC 2557", "XML", "Papyrus")
PLAIN = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian), str(ExplicitVRBigEndian))
ACSE_SECONDS = 5.0
log = structlog.get_logger(__name__)


def transfer_syntaxes() -> tuple[str, ...]:
    """Every transfer syntax that objects are taken in: all of PS3.6, except deflated ones and those of no object.

    Of several in one context the first of these is chosen: Implicit VR last, for it loses the VRs of private elements.
    """
    known = (
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind == "Transfer Syntax" and not is_deflated(uid) and not any(each in name for each in NOT_TAKEN)
    )
    return tuple(sorted(known, key=lambda uid: (uid != ExplicitVRLittleEndian, uid == ImplicitVRLittleEndian)))


def is_storage(uid: str) -> bool:
    """Whether objects of this class may be stored: a storage class of patients' objects, a retired or a private one."""
    if uid not in UID_dictionary:
        return True
    name, kind, _, retired, _ = UID_dictionary[uid]
    of_old = kind == "SOP Class" and bool(retired) and "Storage" in name and "Commitment" not in name
    return of_old or uid_to_service_class(uid) is StorageServiceClass


class Acceptor(Association):  # type: ignore[misc]
    """One association that a peer asked for; `serve(association, message, context)` answers its requests."""

    def __init__(self, ae: AE, arrival: Arrival, bounds: Bounds, serve: Callable[["Acceptor", Any, Any], None]) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self.peer: Peer = arrival.peer
        self.busy = False
        self._arrival, self._serve = arrival, serve
        self.dimse = Messages(self)
        self.set_socket(GatedSocket(self, arrival.connection, arrival.request, bounds))
        self.network_timeout = bounds.idle_seconds

    def run_reactor(self) -> None:
        """See `Association`; the place is given back when it ends, however it ends."""
        try:
            super().run_reactor()
        finally:
            with contextlib.suppress(OSError):
                self._arrival.connection.close()
            self._arrival.end()

    def _bind_defaults(self) -> None:
        """No handlers of pynetdicom's own: they describe every message in words, for a log that is off."""

    def _serve_request(self, msg: Any, context_id: int) -> None:
        context = self._accepted_cx.get(context_id)
        if context is None or not msg.is_valid_request:
            log.warning("association aborted: a message of no accepted context, or no request", calling=self.peer.title)
            self.abort()
            return
        self._is_paused = self.busy = True
        self.dimse.cancel_req = {}
        try:
            self._serve(self, msg, context)
        except Broken:
            log.warning("association broken within a data set", calling=self.peer.title)
        except Exception:
            log.exception("failed", calling=self.peer.title)
            self.abort()
        finally:
            self._is_paused = self.busy = False
            self.dimse.cancel_req = {}
            # What took long here was no silence of the peer's.
            self.dul._idle_timer.restart()


class Acceptors:
    """Makes associations of arrivals; `served` are the abstract syntaxes, besides storage, that are answered."""

    def __init__(
        self, ae_title: str, bounds: Bounds, served: frozenset[str], serve: Callable[[Acceptor, Any, Any], None]
    ) -> None:
        # Its lines would hold what peers sent; ours say what happened.
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
        self._ae = AE(ae_title)
        self._ae.maximum_pdu_size = bounds.pdu_bytes
        self._ae.network_timeout = bounds.idle_seconds
        self._ae.dimse_timeout = bounds.idle_seconds
        # The request has been read already: what does not become an association soon is a request that cannot.
        self._ae.acse_timeout = ACSE_SECONDS
        self._bounds, self._served, self._serve = bounds, served, serve
        self._syntaxes = list(transfer_syntaxes())

    def admit(self, arrival: Arrival) -> None:
        """Answer the association request, in threads of its own from here on."""
        try:
            proposed = _proposed(arrival.request)
            assoc = Acceptor(self._ae, arrival, self._bounds, self._serve)
            acceptor = assoc.acceptor
            acceptor.maximum_length = self._bounds.pdu_bytes
            acceptor.ae_title = arrival.peer.called
            acceptor.address_info = AddressInformation.from_tuple(arrival.connection.getsockname())
            acceptor.implementation_class_uid = self._ae.implementation_class_uid
            acceptor.implementation_version_name = self._ae.implementation_version_name
            acceptor.supported_contexts = [each for uid in proposed if (each := self._context(uid))]
            assoc.requestor.address_info = AddressInformation.from_tuple(arrival.connection.getpeername())
            assoc.start()
        except Exception as fault:
            log.warning("an association request cannot be read", calling=arrival.peer.title, kind=type(fault).__name__)
            arrival.connection.close()
            arrival.end()

    def stop(self, seconds: float) -> None:
        """End associations: those that do nothing at once, the others when their request is answered, or in time."""
        until = time.monotonic() + seconds
        while (active := self._ae.active_associations) and time.monotonic() < until:
            for assoc in active:
                if not getattr(assoc, "busy", False):
                    assoc.abort(block=False)
            time.sleep(0.05)
        for assoc in self._ae.active_associations:
            assoc.abort(block=False)

    def _context(self, uid: str) -> PresentationContext | None:
        if uid in self._served:
            return build_context(uid, list(PLAIN))
        if not is_storage(uid):
            return None
        context = build_context(uid, self._syntaxes)
        # Either side may store: ours when the peer retrieves by C-GET.
        context.scu_role = context.scp_role = True
        return context


def _proposed(request: bytes) -> tuple[str, ...]:
    """The abstract syntaxes that an A-ASSOCIATE-RQ proposes."""
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(request)
    contexts = pdu.to_primitive().presentation_context_definition_list
    return tuple(dict.fromkeys(str(context.abstract_syntax) for context in contexts))
