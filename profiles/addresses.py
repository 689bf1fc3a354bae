"""Where a server listens: HOST:PORT as people write it, and the rule that without authentication it stays at home."""

import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import Self

BACKLOG = 64  # connections that may wait to be accepted; more are the peer's to retry
TAKEN_FOR = 5.0  # seconds that a predecessor's socket may need to go away


class Refused(Exception):
    """The server cannot start as it was told to; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address; port 0 asks the system for a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `HOST:PORT` or `[IPV6]:PORT`.

        Raises:
            Refused: not written so.
        """
        host, colon, port = text.rpartition(":")
        if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
            raise Refused(f"{text!r} is not an address: write HOST:PORT, for example 127.0.0.1:8080")
        return cls(host.strip("[]"), int(port))

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def at_home(text: str) -> Address:
    """The loopback address that `text` names.

    Raises:
        Refused: not an address, or one that other machines can reach: this release authenticates nobody.
    """
    address = Address.parse(text)
    if not address.is_loopback:
        raise Refused(
            f"{address} can be reached from other machines, and this release has no authentication: whoever connects "
            f"would see every patient. Listen on 127.0.0.1:{address.port} or [::1]:{address.port}, and let a front "
            "that authenticates its users (nginx, Caddy, HAProxy) forward to it."
        )
    return address


def listen(address: Address) -> socket.socket:
    """A listening socket, free for the next server as soon as this one is gone.

    Raises:
        Refused: another process listens there, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    give_up = time.monotonic() + TAKEN_FOR
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            # Without it, connections that a killed predecessor left in TIME_WAIT would hold the port for a minute.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.host, address.port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if time.monotonic() > give_up or address.port == 0:
                raise Refused(f"cannot listen on {address}: {error.strerror or error}") from error
            time.sleep(0.1)
        else:
            return listener
