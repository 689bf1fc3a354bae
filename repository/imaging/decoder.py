"""Decoding at arm's length: frames go to a process that may break, and come back as samples, pictures or a refusal.

`decoder_host.py` says what a job may cost. Here it is started when it is first needed, once a process of the server,
and started anew should it be gone; a codec that crashes, hangs or eats memory costs its own job alone.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.metadata.errors import ErrorCode, Rejected

PROGRAM = Path(__file__).with_name("decoder_host.py")
AT_ONCE = 2
WAIT_SECONDS = 10.0
JOB_SECONDS = 20.0
LARGEST_ANSWER = 600 * 2**20
OWN_LIMIT = "limit of this server"
_LENGTH = struct.Struct("<I")
_READ = 1 << 20


class Decoder:
    """The decoding process of one server process. Nothing is started before the first job."""

    def __init__(self, at_once: int = AT_ONCE, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._host: _Host | None = None

    def run(self, work: str, frame: bytes, **job: Any) -> tuple[Mapping[str, Any], bytes]:
        """What a job gives: its attributes, and its bytes. `job` is JSON; see `decoder_host.py`.

        Raises:
            Rejected: NotAcceptable when the frame cannot be decoded within bounds; XDSRepositoryBusy when no place
                comes free.
        """
        if not self._places.acquire(timeout=self._wait_seconds):
            text = "Too many images are being decoded; try again"
            raise Rejected.because(ErrorCode.XDSRepositoryBusy, "pixels", text, OWN_LIMIT)
        try:
            head = json.dumps({**job, "work": work, "size": len(frame)}).encode()
            return _answer(self._answered(_LENGTH.pack(len(head)) + head, frame))
        finally:
            self._places.release()

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            host, self._host = self._host, None
        if host:
            host.close()

    def _answered(self, head: bytes, frame: bytes) -> bytes:
        try:
            with self._connection() as connection:
                return _exchange(connection, head, frame)
        except OSError:
            # A child that is killed while it is still being sent to shows itself as a broken pipe.
            return b""

    def _connection(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            for _ in range(2):
                host = self._running()
                try:
                    socket.send_fds(host.channel, [b"j"], [theirs.fileno()])
                except OSError:
                    self.close()
                else:
                    return ours
        ours.close()
        raise OSError("the decoding process does not run")

    def _running(self) -> "_Host":
        with self._lock:
            # A process that was forked has its parent's handles, and may not use them.
            if self._host is None or self._host.owner != os.getpid() or self._host.process.poll() is not None:
                self._host = _Host()
            return self._host


class _Host:
    """A running host: it ends when `channel` is closed, by us or with this process."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", str(PROGRAM), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": os.environ.get("PATH", "")},
            )
        self._ended = weakref.finalize(self, _end, self.channel, self.process, self.owner)

    def close(self) -> None:
        self._ended()


def _end(channel: socket.socket, process: "subprocess.Popen[bytes]", owner: int) -> None:
    channel.close()
    if owner == os.getpid():
        process.kill()
        process.wait()


def _exchange(connection: socket.socket, head: bytes, frame: bytes) -> bytes:
    """Send the job, and read to the end what comes back; b"" for nothing in time."""
    until = time.monotonic() + JOB_SECONDS
    connection.settimeout(JOB_SECONDS)
    connection.sendall(head)
    connection.sendall(frame)
    held = bytearray()
    while len(held) <= LARGEST_ANSWER:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        block = connection.recv(_READ)
        if not block:
            return bytes(held)
        held += block
    return b""


def _answer(raw: bytes) -> tuple[Mapping[str, Any], bytes]:
    if len(raw) < 5:
        text = "The pixels cannot be decoded within the memory and time that decoding may take, or break the decoder"
        raise undecodable(text)
    (size,) = _LENGTH.unpack_from(raw, 1)
    meta = json.loads(raw[5 : 5 + size])
    if raw[:1] != b"0":
        raise undecodable(f"The pixels cannot be decoded: {meta['text']}")
    return meta, raw[5 + size :]


def undecodable(text: str) -> Rejected:
    """The refusal of pixels that cannot be given decoded."""
    return Rejected.because(ErrorCode.NotAcceptable, "pixels", text, "PS3.18, 8.7.3")
