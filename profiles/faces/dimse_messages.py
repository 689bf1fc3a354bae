"""Messages out of P-DATA, within bounds (PS3.7 6.3.1): the data set of a C-STORE is handed on in pieces as it comes."""

import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from pynetdicom import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

COMMAND_BYTES = 64 * 1024
IDENTIFIER_BYTES = 1 << 20
OUTSTANDING = 8  # requests that wait while one is worked on; the operations window is 1
PIECES = 8  # of a data set, between the network and the disk
log = structlog.get_logger(__name__)


class Broken(Exception):
    """The association ended in the middle of a data set."""


class Excess(Exception):
    """A message breaks a bound."""


class Stream:
    """A data set on its way from the network to who stores it; few pieces of it are held at once."""

    def __init__(self, broken: Callable[[], bool]) -> None:
        self._pieces: queue.Queue[bytes | None] = queue.Queue(PIECES)
        self._broken = broken
        self._unwanted = False

    def put(self, piece: bytes | None) -> None:
        """The next piece, None after the last; waits while nobody takes them."""
        while not self._unwanted and not self._broken():
            with contextlib.suppress(queue.Full):
                self._pieces.put(piece, timeout=0.2)
                return

    def abandon(self) -> None:
        """No more is wanted; what still comes is thrown away."""
        self._unwanted = True

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                piece = self._pieces.get(timeout=0.2)
            except queue.Empty:
                if self._broken():
                    raise Broken from None
                continue
            if piece is None:
                return
            yield piece


class Messages(DIMSEServiceProvider):  # type: ignore[misc]
    """Messages out of P-DATA; a C-STORE request is handed on when its command is there, its data set as a `Stream`."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._stream: Stream | None = None
        self._gathered = 0
        pace(assoc)

    def receive_primitive(self, primitive: P_DATA) -> None:
        """See `DIMSEServiceProvider`. What breaks a bound or cannot be read has the association aborted."""
        try:
            for context_id, data in primitive.presentation_data_value_list:
                if self._stream is not None:
                    self._pass_on(data)
                else:
                    self._gather(context_id, data)
        except Exception as fault:
            # Whatever a library makes of the bytes of a peer; its text may quote them.
            reason = str(fault) if isinstance(fault, Excess) else type(fault).__name__
            log.warning("association cut: a message that cannot be read", reason=reason)
            self.dul.event_queue.put("Evt19")

    def _pass_on(self, data: bytes) -> None:
        stream = self._stream
        if data[0] & 1 or stream is None:
            raise Excess("a command came in the middle of a data set")
        stream.put(data[1:])
        if data[0] & 2:
            stream.put(None)
            self._stream = None

    def _gather(self, context_id: int, data: bytes) -> None:
        self._gathered += len(data)
        if self._gathered > (COMMAND_BYTES if data[0] & 1 else IDENTIFIER_BYTES):
            raise Excess("a command or an identifier is too long")
        one = P_DATA()
        one.presentation_data_value_list = [[context_id, data]]
        super().receive_primitive(one)
        message: Any = self.message
        if message is None:
            self._gathered = 0
            if self.msg_queue.qsize() > OUTSTANDING:
                raise Excess("too many requests at once")
        elif isinstance(message, C_STORE_RQ):
            self._begin_store(message)

    def _begin_store(self, message: DIMSEMessage) -> None:
        request: Any = message.message_to_primitive()
        request.stream = self._stream = Stream(lambda: is_over(self.assoc))
        self.message, self._gathered = None, 0
        self.msg_queue.put((message.context_id, request))


def is_over(assoc: Association) -> bool:
    """Whether the peer aborted, left, or has been silent for too long."""
    return bool(assoc.acse.is_aborted() or not assoc.dul.is_alive() or assoc.dul.idle_timer_expired())


def pace(assoc: Association) -> None:
    """Have who sends wait for the network, so that few PDUs of an object are in memory at once."""
    dul, at_once = assoc.dul, assoc.dul.send_pdu

    def send(primitive: Any) -> None:
        while dul.to_provider_queue.qsize() > PIECES and dul.is_alive() and not assoc.acse.is_aborted():
            time.sleep(0.001)
        at_once(primitive)

    dul.send_pdu = send
