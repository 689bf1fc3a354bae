"""Peers that misbehave, on real sockets: what each connection gets is a function of the test's own."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket, bytes], None]
"""Given the connection and the whole request that came by it."""


@dataclass
class Stub:
    """A listening peer, and the requests that it got."""

    url: str
    stopping: threading.Event
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def stub(behaviour: Behaviour, wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain) -> Iterator[Stub]:
    """A peer that behaves so until the block ends; `wrap` puts TLS on a connection."""
    stopping = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        found = Stub(f"http://127.0.0.1:{listener.getsockname()[1]}/service", stopping)
        threads: list[threading.Thread] = []

        def serve(plain: socket.socket) -> None:
            with suppress(OSError), closing(wrap(plain)) as connection:
                request = _request(connection)
                found.requests.append(request)
                behaviour(connection, request)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[0].start()
        try:
            yield found
        finally:
            stopping.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(5)


def _request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        got += _some(connection)
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += _some(connection)
    return head + b"\r\n\r\n" + body


def _some(connection: socket.socket) -> bytes:
    block = connection.recv(65536)
    if not block:
        raise OSError
    return block


def answering(
    body: bytes, content_type: str = "application/soap+xml; charset=UTF-8", status: str = "200 OK", headers: str = ""
) -> Behaviour:
    """The same answer to every request."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return lambda connection, _: connection.sendall(head.encode() + body)
