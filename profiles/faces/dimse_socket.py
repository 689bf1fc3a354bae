"""An association's connection: each PDU is judged by its first six bytes, before more is read (PS3.8 9.3.1)."""

import select
import socket
import time
from dataclasses import dataclass

import structlog
from pynetdicom import Association
from pynetdicom.transport import AssociationSocket

P_DATA_TF = 0x04
CONTROL_BYTES = 64 * 1024  # every other PDU
PDU_TYPES = range(0x01, 0x08)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Largest P-DATA-TF in bytes; seconds of silence, and for one PDU to come whole."""

    pdu_bytes: int
    idle_seconds: float
    pdu_seconds: float = 30.0


class GatedSocket(AssociationSocket):  # type: ignore[misc]
    """A connection whose beginning has been read already, and whose PDUs are judged by their first six bytes."""

    def __init__(self, assoc: Association, connection: socket.socket, begun: bytes, bounds: Bounds) -> None:
        super().__init__(assoc, client_socket=connection)
        connection.settimeout(bounds.pdu_seconds)
        self._begun = memoryview(begun)
        self._bounds = bounds
        self._left = 0  # of the present PDU
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    @property
    def ready(self) -> bool:
        """Whether something can be read. Unlike the one inherited it works above 1024 descriptors."""
        if self.socket is None or not self._is_connected:
            return False
        pending = getattr(self.socket, "pending", None)
        try:
            return bool(self._begun) or bool(pending and pending()) or bool(self._poll.poll(0))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """The next bytes, in one allocation.

        Raises:
            OSError: the peer left or was too slow, or no PDU begins so; the connection is closed.
        """
        data = self._read(nr_bytes)
        if self._left:
            self._left -= len(data)
        elif len(data) == nr_bytes:
            self._left = self._judged(data)
        return data

    def send(self, bytestream: bytes) -> None:
        """See `AssociationSocket`."""
        try:
            if self.socket is not None:
                self.socket.sendall(bytestream)
        except OSError:
            self.event_queue.put("Evt17")

    def _judged(self, header: bytearray) -> int:
        kind, length = header[0], int.from_bytes(header[2:6])
        if kind not in PDU_TYPES or length > (self._bounds.pdu_bytes if kind == P_DATA_TF else CONTROL_BYTES):
            self._shutdown_socket()
            log.warning("association cut: no PDU of a known type and an agreed length", kind=kind, length=length)
            raise OSError("no PDU of a known type and an agreed length")
        return length

    def _read(self, wanted: int) -> bytearray:
        if self._begun:
            data, self._begun = bytearray(self._begun[:wanted]), self._begun[wanted:]
            return data
        data, got = bytearray(wanted), 0
        view = memoryview(data)
        until = time.monotonic() + self._bounds.pdu_seconds
        while got < wanted and self.socket is not None:
            more = self.socket.recv_into(view[got:])
            if not more:
                break
            got += more
            if time.monotonic() > until:
                self._shutdown_socket()
                raise OSError("a PDU came too slowly")
        view.release()
        del data[got:]
        return data
