"""The gate before DICOM associations (PS3.8 9.3): nothing gets a thread before it has asked for an association.

One thread waits for all new connections. It reads an A-ASSOCIATE-RQ of at most 64 kB within ten seconds, asks whether
the peer may associate, and refuses here what is refused. A connection that says nothing costs a descriptor until its
time is over; when too many wait, the oldest goes first, so that they cannot keep anybody out.
"""

import selectors
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog

from profiles.faces.dimse import Peer

ASSOCIATE_RQ = 0x01
HEADER = 6  # bytes: type, reserved, length
TITLES = slice(10, 26), slice(26, 42)  # called, calling
SHORTEST, LONGEST = 68, 64 * 1024
TICK = 0.5  # seconds
log = structlog.get_logger(__name__)


class Rejection(NamedTuple):
    """An A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int

    def pdu(self) -> bytes:
        """The PDU."""
        return bytes((0x03, 0, 0, 0, 0, 4, 0, *self))


CALLING_UNKNOWN = Rejection(1, 1, 3)
CALLED_UNKNOWN = Rejection(1, 1, 7)
NO_REASON = Rejection(1, 1, 1)
CONGESTED = Rejection(2, 3, 1)
LIMIT_EXCEEDED = Rejection(2, 3, 2)


@dataclass(frozen=True, slots=True)
class Limits:
    """What peers may take: connections that have not yet asked, associations in all and from one address, seconds."""

    waiting: int = 512
    associations: int = 64
    associations_a_peer: int = 16
    request_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A peer that may associate: its connection, and what was read of it; `end` must be called once, at the end."""

    peer: Peer
    connection: socket.socket
    request: bytes
    end: Callable[[], None]


@dataclass(slots=True)
class _Waiting:
    connection: socket.socket
    address: str
    until: float
    shaken: bool
    rejected: bool = False
    data: bytearray = field(default_factory=bytearray)


class Gate:
    """Lets peers in on `listener`: `judge(calling, called, address, certificate)` says who may, `admit` takes them."""

    def __init__(
        self,
        listener: socket.socket,
        judge: Callable[[str, str, str, str], Peer | Rejection],
        admit: Callable[[Arrival], None],
        limits: Limits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listener, self._judge, self._admit, self._limits, self._tls = listener, judge, admit, limits, tls
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[socket.socket, _Waiting] = {}
        self._active: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set, or within half a second of it."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        while not stop.is_set():
            for key, _ in self._selector.select(TICK):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._attend(self._waiting.get(key.fileobj))  # type: ignore[call-overload]
            self._forget_late()
        for one in list(self._waiting.values()):
            self._drop(one)
        self._selector.close()

    def active(self) -> int:
        """Associations at this moment."""
        with self._lock:
            return self._active.total()

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                # Out of descriptors: the one that has waited longest makes room.
                if not self._drop_oldest():
                    time.sleep(0.05)
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            if len(self._waiting) >= self._limits.waiting:
                self._drop_oldest()
            until = time.monotonic() + self._limits.request_seconds
            one = _Waiting(connection, str(address[0]), until, shaken=self._tls is None)
            self._waiting[connection] = one
            self._selector.register(connection, selectors.EVENT_READ)

    def _attend(self, one: _Waiting | None) -> None:
        """Read on; a whole request is judged, and what can be none ends the connection."""
        if one is None:
            return
        try:
            whole = self._is_whole(one)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return
        except (OSError, ValueError) as fault:
            log.info("no association was asked for", address=one.address, reason=str(fault))
            self._drop(one)
            return
        if whole:
            self._forget(one)
            self._decide(one)

    def _is_whole(self, one: _Waiting) -> bool:
        if one.rejected:
            if one.connection.recv(HEADER):
                raise ValueError("a rejected peer goes on")
            raise ValueError("a rejected peer left")
        if not one.shaken:
            one.connection.do_handshake()  # type: ignore[attr-defined]
            one.shaken = True
        while True:
            wanted = HEADER
            if len(one.data) >= HEADER:
                wanted = HEADER + int.from_bytes(one.data[2:HEADER])
                if one.data[0] != ASSOCIATE_RQ or not SHORTEST <= wanted - HEADER <= LONGEST:
                    raise ValueError("an association begins with an A-ASSOCIATE-RQ of at most 64 kB")
                if len(one.data) == wanted:
                    return True
            piece = one.connection.recv(wanted - len(one.data))
            if not piece:
                raise ValueError("the peer left")
            one.data += piece

    def _decide(self, one: _Waiting) -> None:
        called, calling = (one.data[each].decode("latin-1").strip() for each in TITLES)
        judged = self._judge(calling, called, one.address, _common_name(one.connection))
        with self._lock:
            if isinstance(judged, Peer):
                if self._active.total() >= self._limits.associations:
                    judged = CONGESTED
                elif self._active[one.address] >= self._limits.associations_a_peer:
                    judged = LIMIT_EXCEEDED
                else:
                    self._active[one.address] += 1
        if isinstance(judged, Rejection):
            log.warning("association rejected", calling=calling, called=called, address=one.address, why=tuple(judged))
            self._reject(one, judged)
            return
        self._admit(Arrival(judged, one.connection, bytes(one.data), self._leaving(one.address)))

    def _reject(self, one: _Waiting, rejection: Rejection) -> None:
        """Say so, and leave it to the peer to close, for a while (PS3.8 9.2.3, AE-8 and Sta13).

        One that finds the connection closed together with the rejection may take it for an abort.
        """
        try:
            # Ten bytes fit any send buffer.
            one.connection.send(rejection.pdu())
        except OSError:
            one.connection.close()
            return
        one.rejected, one.until = True, time.monotonic() + self._limits.request_seconds
        self._waiting[one.connection] = one
        self._selector.register(one.connection, selectors.EVENT_READ)

    def _leaving(self, address: str) -> Callable[[], None]:
        def end() -> None:
            with self._lock:
                self._active[address] -= 1
                self._active += Counter()  # forget addresses that are gone

        return end

    def _forget_late(self) -> None:
        now = time.monotonic()
        # In the order of arrival, and all have the same time.
        for one in list(self._waiting.values()):
            if one.until > now:
                return
            self._drop(one)

    def _drop_oldest(self) -> bool:
        oldest = next(iter(self._waiting.values()), None)
        if oldest is not None:
            self._drop(oldest)
        return oldest is not None

    def _drop(self, one: _Waiting) -> None:
        self._forget(one)
        one.connection.close()

    def _forget(self, one: _Waiting) -> None:
        self._waiting.pop(one.connection, None)
        self._selector.unregister(one.connection)


def _common_name(connection: Any) -> str:
    """The name in the peer's certificate, empty if it showed none."""
    if not isinstance(connection, ssl.SSLSocket):
        return ""
    subject: Any = (connection.getpeercert() or {}).get("subject", ())
    return next((str(value) for names in subject for name, value in names if name == "commonName"), "")
