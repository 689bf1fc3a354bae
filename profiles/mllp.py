"""The HL7 v2 side of the server: messages that come over MLLP go to the installed transactions, by MSH-9.

One process of its own (`xdsi serve mllp`, or a part of `xdsi serve`). A message is acknowledged when what it asked for
is committed, with its audit record, or refused; there is no third answer.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Mapping

import structlog

from profiles.addresses import Address, Refused, at_home
from profiles.catalog import Mllp, Transaction
from profiles.composition import compose
from profiles.faces import hl7v2, hl7v2_ack
from profiles.faces.hl7v2 import NO_HEADER, Header
from profiles.faces.mllp import Limits, Peer, Server
from profiles.house import House
from profiles.installed import PROFILES
from profiles.settings import Settings
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected

OFF = "off"
APPLICATION, FACILITY = "OPENXDSI", "XDS"  # who answers a message that names no receiver
PROCESSING = ("P", "T", "D", "")  # HL7 table 0103
log = structlog.get_logger(__name__)


def address_of(settings: Settings) -> Address | None:
    """Where to listen; None when this side is off.

    Raises:
        Refused: not an address, or one that others can reach while nobody need show a certificate.
    """
    if settings.mllp == OFF:
        return None
    tls = settings.hl7v2
    if bool(tls.certificate) != bool(tls.key) or (tls.client_ca and not tls.certificate):
        raise Refused("hl7v2: TLS needs `certificate` and `key`; `client_ca` besides asks peers for theirs")
    return Address.parse(settings.mllp) if tls.client_ca else at_home(settings.mllp)


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """TLS as the settings ask for it; None for plain TCP.

    Raises:
        Refused: a file cannot be used.
    """
    files = settings.hl7v2
    if not files.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise Refused(f"hl7v2: certificate, key or client_ca cannot be used: {error}") from error
    return context


def run(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGTERM; messages under way are answered first."""
    asyncio.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server_of(settings, compose(settings)).run(listener, stop)


def server_of(settings: Settings, house: House) -> Server:
    """The server, not yet listening."""
    ours = settings.hl7v2
    limits = Limits(
        message_bytes=ours.message_bytes,
        connections=ours.connections,
        connections_a_peer=ours.connections_a_peer,
        message_seconds=ours.message_seconds,
        idle_seconds=ours.idle_seconds,
    )
    return Server(Door(house), limits, tls=tls_of(settings))


class Door:
    """Answers messages by the installed transactions. A `profiles.faces.mllp.Service`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._senders: Mapping[str, tuple[str, ...]] = house.settings.hl7v2.senders
        self._by_event = {
            (face.message, event): transaction
            for profile in PROFILES
            for transaction in profile.transactions
            if isinstance(face := transaction.face, Mllp)
            for event in face.events
        }

    def answer(self, message: bytes, peer: Peer) -> bytes:
        """The acknowledgement of a message that has been done, or refused."""
        header, caller = NO_HEADER, Caller(peer.name or "anonymous", peer.address, "HL7 v2")
        try:
            header = hl7v2.header_of(message)
            transaction = self._transaction(header)
            self._trust(header, peer)
            caller = Caller(_name(header, peer), peer.address, transaction.id, caller.request_id)
            self._run(transaction, message, header, caller)
        except Rejected as rejected:
            codes = sorted({f.code.name for f in rejected.findings})
            log.info("refused", transaction=caller.transaction, codes=codes, request=caller.request_id)
            return hl7v2_ack.refused(header, rejected, (APPLICATION, FACILITY))
        except Exception:
            log.exception("failed", transaction=caller.transaction, request=caller.request_id)
            text = f"an internal error, logged under {caller.request_id}"
            failed = Rejected.because(ErrorCode.XDSRegistryError, "", text, "HL7 v2.5.1, 2.9.2.2")
            return hl7v2_ack.refused(header, failed, (APPLICATION, FACILITY))
        log.info("done", transaction=caller.transaction, request=caller.request_id)
        return hl7v2_ack.accepted(header, (APPLICATION, FACILITY))

    def refuse(self, beginning: bytes, reason: str) -> bytes:
        """The acknowledgement of what is no message."""
        header = NO_HEADER
        with contextlib.suppress(Rejected):
            header = hl7v2.header_of(beginning)
        rejected = Rejected.because(ErrorCode.InvalidRequest, "", reason, "HL7 v2.5.1, C.2")
        return hl7v2_ack.refused(header, rejected, (APPLICATION, FACILITY))

    def _run(self, transaction: Transaction, message: bytes, header: Header, caller: Caller) -> None:
        face, decode, handle = transaction.face, transaction.decode, transaction.handle
        if not isinstance(face, Mllp) or decode is None or handle is None:
            raise TypeError(f"{transaction.id} is no transaction of HL7 v2")
        handle(decode(hl7v2.read(message, header, face.segments)), self._house, caller)

    def _transaction(self, header: Header) -> Transaction:
        """The transaction that a message asks for, with everything in its header that keeps it from being done."""
        kind, event = header.part(9, 1), header.part(9, 2)
        transaction = self._by_event.get((kind, event))
        findings = []
        if transaction is None:
            known = ", ".join(sorted(f"{k}^{e}" for k, e in self._by_event))
            where = "MSH-9.2" if any(k == kind for k, _ in self._by_event) else "MSH-9"
            findings.append(_wrong(where, f"not spoken here; these messages are: {known}", "2.14.9.9"))
        if header.part(12, 1) not in hl7v2_ack.VERSIONS:
            findings.append(_wrong("MSH-12", f"these versions are read: {', '.join(hl7v2_ack.VERSIONS)}", "2.14.9.12"))
        if header.part(11, 1) not in PROCESSING:
            findings.append(_wrong("MSH-11", "P, T or D is expected", "2.14.9.11"))
        if not header.raw(10):
            text = "the message control id is missing: an answer could not name the message"
            findings.append(Finding(ErrorCode.Incomplete, "MSH-10", text, "HL7 v2.5.1, 2.14.9.10"))
        if findings or transaction is None:
            raise Rejected(findings)
        return transaction

    def _trust(self, header: Header, peer: Peer) -> None:
        """Whoever may connect must not speak for everybody: a merge changes what is shown of patients."""
        if not self._senders:
            return
        allowed = self._senders.get(header.part(4, 1), ())
        if peer.address not in allowed and f"CN={peer.name}" not in allowed:
            log.warning("a peer speaks for a facility that settings do not bind it to", address=peer.address)
            text = "the settings of this registry do not let this peer speak for this facility"
            raise Rejected.because(ErrorCode.Forbidden, "MSH-4", text, "ITI TF-2, 3.8.5")


def _name(header: Header, peer: Peer) -> str:
    """Who asks, for the audit: the certificate's name, else application and facility as the sender calls itself."""
    said = "|".join(filter(None, (header.part(3, 1)[:64], header.part(4, 1)[:64])))
    return peer.name or said or "anonymous"


def _wrong(where: str, text: str, section: str) -> Finding:
    return Finding(ErrorCode.InvalidRequest, where, text, f"HL7 v2.5.1, {section}")
