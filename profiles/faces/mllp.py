"""MLLP: HL7 v2 messages over TCP, framed by <VT> and <FS><CR> (HL7 v2.5.1, appendix C; ITI TF-2, C.2).

An asyncio server that holds each peer to limits of size, number and time; what cannot be a message is answered once and
the connection closed. It knows bytes and frames only: a `Service` makes the answers, in threads of their own.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import structlog

START, END, CR = b"\x0b", b"\x1c", b"\r"
BETWEEN = b"\r\n"  # what senders put between frames; <CR> belongs to the frame before, and some leave it out
CHUNK = 64 * 1024
LINGER = 1.0  # seconds
BEGINNING = 8 * 1024  # bytes of a message that cannot be read, enough to find who sent it

log = structlog.get_logger(__name__)


class Peer(NamedTuple):
    """Who is connected: its address, and the common name in its certificate, if it showed one."""

    address: str
    name: str = ""


class Service(Protocol):
    """What a server does with messages. Both are called in a thread and must not raise."""

    def answer(self, message: bytes, peer: Peer) -> bytes:
        """The answer to a message; what it asked for is done and durable then, or refused."""

    def refuse(self, beginning: bytes, reason: str) -> bytes:
        """The answer to what is no message, by the beginning of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may take: bytes, connections, seconds."""

    message_bytes: int = 4 * 2**20
    connections: int = 256
    connections_a_peer: int = 8
    first_byte_seconds: float = 10.0
    message_seconds: float = 30.0
    idle_seconds: float = 600.0
    send_seconds: float = 10.0
    grace_seconds: float = 20.0


class Unframed(Exception):
    """What came is no frame; `beginning` is what came of it."""

    def __init__(self, reason: str, beginning: bytes = b"") -> None:
        super().__init__(reason)
        self.reason, self.beginning = reason, beginning


class Frames:
    """The messages of one connection, however they are cut into packets."""

    def __init__(self, reader: asyncio.StreamReader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._buffer = bytearray()
        self._first = True

    async def next(self) -> bytes | None:
        """The next message without its frame; None when the peer has no more to say.

        Raises:
            Unframed: no frame, too long, or not whole in time.
        """
        limits = self._limits
        patience = limits.first_byte_seconds if self._first else limits.idle_seconds
        try:
            async with asyncio.timeout(patience):
                if not await self._begun():
                    return None
        except TimeoutError:
            return None
        self._first = False
        try:
            async with asyncio.timeout(limits.message_seconds):
                return await self._message()
        except TimeoutError:
            text = f"the message was not whole within {limits.message_seconds:g} seconds"
            raise Unframed(text, bytes(self._buffer[:BEGINNING])) from None

    async def drain(self) -> None:
        """Take what the peer still sends, for a moment: closing at once would take the answer away from it."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(LINGER):
                while await self._reader.read(CHUNK):
                    pass

    async def _begun(self) -> bool:
        """Whether a frame begins; what lies between frames is passed over."""
        while True:
            while self._buffer[:1] and self._buffer[:1] in BETWEEN:
                del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(BETWEEN))]
            if self._buffer:
                if self._buffer[:1] != START:
                    raise Unframed("a message begins with the byte 0x0B (MLLP)")
                del self._buffer[:1]
                return True
            if not await self._more():
                return False

    async def _message(self) -> bytes | None:
        seen = 0
        while True:
            end = self._buffer.find(END, seen)
            again = self._buffer.find(START, seen, end if end >= 0 else len(self._buffer))
            if again >= 0:
                raise Unframed("a message holds the byte 0x0B, which begins another", bytes(self._buffer[:BEGINNING]))
            if max(end, len(self._buffer) if end < 0 else 0) > self._limits.message_bytes:
                text = f"a message has at most {self._limits.message_bytes} bytes"
                raise Unframed(text, bytes(self._buffer[:BEGINNING]))
            if end >= 0:
                message = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return message
            seen = len(self._buffer)
            if not await self._more():
                log.info("a peer left in the middle of a message")
                return None

    async def _more(self) -> bool:
        data = await self._reader.read(CHUNK)
        self._buffer += data
        return bool(data)


class Server:
    """Answers frames on `listener` until it is stopped; `tls` when peers must speak TLS."""

    def __init__(
        self, service: Service, limits: Limits, *, tls: ssl.SSLContext | None = None, threads: int = 4
    ) -> None:
        self._service = service
        self._limits = limits
        self._tls = tls
        self._threads = ThreadPoolExecutor(threads, "mllp")
        self._peers: Counter[str] = Counter()
        self._waiting: set[asyncio.Task[Any]] = set()
        self._working: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; messages under way are answered first, within the grace."""
        handshake = self._limits.first_byte_seconds if self._tls else None
        server = await asyncio.start_server(
            self._connected, sock=listener, ssl=self._tls, ssl_handshake_timeout=handshake
        )
        try:
            await stop.wait()
        finally:
            self._stopping = True
            server.close()
            for task in self._waiting:
                task.cancel()
            if self._working:
                await asyncio.wait(self._working, timeout=self._limits.grace_seconds)
            left = {*self._waiting, *self._working}
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=2 * LINGER)
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer(writer)
        limits = self._limits
        if self._peers.total() >= limits.connections or self._peers[peer.address] >= limits.connections_a_peer:
            log.warning("connection refused: there are too many", of_peer=self._peers[peer.address])
            await _closed(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._peers[peer.address] += 1
        try:
            await self._converse(task, Frames(reader, limits), writer, peer)
        except (OSError, TimeoutError):
            log.info("a peer did not take its answer")
        except asyncio.CancelledError:
            # Only stopping does this, and then the task ends as it would anyway.
            if not self._stopping:
                raise
        finally:
            self._waiting.discard(task)
            self._working.discard(task)
            self._peers[peer.address] -= 1
            self._peers += Counter()  # forget addresses that are gone
            await _closed(writer)

    async def _converse(
        self, task: "asyncio.Task[Any]", frames: Frames, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            self._waiting.add(task)
            try:
                message = await frames.next()
            except Unframed as fault:
                log.info("not a message", reason=fault.reason)
                refusal = await loop.run_in_executor(self._threads, self._service.refuse, fault.beginning, fault.reason)
                await self._send(writer, refusal)
                if writer.can_write_eof():
                    writer.write_eof()
                await frames.drain()
                return
            if message is None:
                return
            self._waiting.discard(task)
            self._working.add(task)
            try:
                answer = await loop.run_in_executor(self._threads, self._service.answer, message, peer)
                await self._send(writer, answer)
            finally:
                self._working.discard(task)

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(START + answer + END + CR)
        async with asyncio.timeout(self._limits.send_seconds):
            await writer.drain()


def _peer(writer: asyncio.StreamWriter) -> Peer:
    address = writer.get_extra_info("peername")
    certificate = writer.get_extra_info("peercert") or {}
    subject = [pair for names in certificate.get("subject", ()) for pair in names]
    return Peer(str(address[0]) if address else "", next((v for name, v in subject if name == "commonName"), ""))


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
