"""Who may come to the DICOM side and where it listens, by the settings: addresses, TLS, and the peers' rows.

A row ties calling title, called title and address or certificate together. A calling AE title alone is never a login.
"""

import ssl
from collections.abc import Mapping

from profiles.addresses import Address, Refused, at_home
from profiles.faces.dimse import Peer, Right, is_ae_title
from profiles.faces.dimse_gate import CALLED_UNKNOWN, CALLING_UNKNOWN, Rejection
from profiles.faces.dimse_retrieve import Caller as Outward
from profiles.settings import DicomPeer, Settings

OFF = "off"
USUAL = "127.0.0.1:11112"
RIGHTS = {
    Right.STORE: "may_store",
    Right.QUERY: "may_query",
    Right.MOVE: "may_move",
    Right.COMMIT: "may_commit",
}


def address_of(settings: Settings) -> Address | None:
    """Where to listen; None when this side is off.

    Raises:
        Refused: not an address, or one that others can reach while any peer is let in.
    """
    if settings.dicom == OFF:
        return None
    ours = settings.dimse
    if bool(ours.certificate) != bool(ours.key) or (ours.client_ca and not ours.certificate):
        raise Refused("dimse: TLS needs `certificate` and `key`; `client_ca` besides asks peers for theirs")
    for title, peer in ours.peers.items():
        if not peer.addresses and not (peer.certificates and ours.client_ca):
            text = "needs `addresses`, or `certificates` with `client_ca`: an AE title is no login"
            raise Refused(f"dimse.peers.{title}: {text}")
    return Address.parse(settings.dicom) if ours.peers else at_home(settings.dicom)


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """TLS for those who come, as the settings ask for it; None for plain TCP.

    Raises:
        Refused: a file cannot be used.
    """
    return _tls(settings, ssl.Purpose.CLIENT_AUTH) if settings.dimse.certificate else None


def outward(settings: Settings, title: str = "") -> Outward:
    """Who opens associations to peers, as `title`, or as our AE title.

    Raises:
        Refused: a file cannot be used.
    """
    context = _tls(settings, ssl.Purpose.SERVER_AUTH) if settings.dimse.certificate else None
    return Outward(title or settings.ae_title, context)


def _tls(settings: Settings, purpose: ssl.Purpose) -> ssl.SSLContext:
    files = settings.dimse
    try:
        context = ssl.create_default_context(purpose)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(str(files.certificate), files.key)
        if files.client_ca:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise Refused(f"dimse: certificate, key or client_ca cannot be used: {error}") from error
    return context


class Peers:
    """Who may associate."""

    def __init__(self, settings: Settings) -> None:
        self._ours = settings.ae_title
        self._peers: Mapping[str, DicomPeer] = settings.dimse.peers

    def judge(self, calling: str, called: str, address: str, certificate: str) -> Peer | Rejection:
        """The peer, by the one row that agrees in everything; a rejection says no more than the title it is about."""
        if not is_ae_title(calling):
            return CALLING_UNKNOWN
        if not self._peers:
            return Peer(calling, called, address, certificate) if called == self._ours else CALLED_UNKNOWN
        row = self._peers.get(calling)
        if row is None or not _is_from(row, address, certificate):
            return CALLING_UNKNOWN
        if called not in (row.called or (self._ours,)):
            return CALLED_UNKNOWN
        rights = frozenset(right for right, name in RIGHTS.items() if getattr(row, name))
        return Peer(calling, called, address, certificate, row.authority, rights)


def _is_from(row: DicomPeer, address: str, certificate: str) -> bool:
    if row.addresses and address not in row.addresses:
        return False
    return not row.certificates or certificate in row.certificates
