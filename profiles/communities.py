"""The other communities that this one asks (ITI TF-1, 18; RAD TF-1, 29)."""

import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from profiles.calls import Callers, Pending
from profiles.faces.soap_client import Peer
from profiles.peer_settings import CommunitySetting
from profiles.settings import Settings
from registry.metadata.urn import FhirSystem

T = TypeVar("T")


class Trust(Protocol):
    """Whom a peer's certificate is checked against, and what we show it."""

    @property
    def ca_file(self) -> Path | None:
        """PEM of who may vouch for it; None: the system's."""

    @property
    def certificate_file(self) -> Path | None:
        """PEM of the certificate that we show."""

    @property
    def key_file(self) -> Path | None:
        """PEM of its key, when it is another file."""


@dataclass(frozen=True, slots=True)
class Community:
    """Another community: its homeCommunityId as the wire has it (urn:oid:...), and its gateways' services.

    `imaging` is that of its Responding Imaging Gateway, None where it has none.
    """

    home: str
    query: Peer
    retrieve: Peer
    imaging: Peer | None = None


class Communities:
    """This community (`own`) and the others, by homeCommunityId."""

    def __init__(self, own: str, others: Iterable[Community] = ()) -> None:
        self.own = own
        self.others = {each.home: each for each in others}
        self._callers = Callers("community", self.others)

    def ask(self, question: Callable[[str, Peer], T], peers: Mapping[str, Peer]) -> Pending[T]:
        """Put `question` to each of `peers`, by homeCommunityId. See `Callers.ask`."""
        return self._callers.ask(question, peers)


def communities_of(settings: Settings) -> Communities:
    """The communities that the settings name.

    Raises:
        OSError: a certificate or a key cannot be read; ssl.SSLError is one.
    """
    own = FhirSystem.OID_PREFIX + settings.affinity_domain.home_community_id
    return Communities(own, [_community(each, settings) for each in settings.communities])


def tls_of(urls: Iterable[str], trust: Trust) -> ssl.SSLContext | None:
    """How these URLs are reached; None when all are plain HTTP.

    Raises:
        OSError: a certificate or a key cannot be read; ssl.SSLError is one.
    """
    if not any(url.startswith("https:") for url in urls):
        return None
    context = ssl.create_default_context(cafile=trust.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if trust.certificate_file:
        context.load_cert_chain(trust.certificate_file, trust.key_file)
    return context


def _community(setting: CommunitySetting, settings: Settings) -> Community:
    tls = tls_of((setting.query_url, setting.retrieve_url, setting.imaging_url), setting)
    envelope, whole = settings.limits.peer_envelope_bytes, settings.limits.peer_answer_bytes

    def peer(url: str, seconds: float, answer_bytes: int) -> Peer:
        return Peer(url, seconds, tls if url.startswith("https:") else None, envelope, answer_bytes)

    return Community(
        FhirSystem.OID_PREFIX + setting.home_community_id,
        peer(setting.query_url, setting.query_seconds, envelope),
        peer(setting.retrieve_url, setting.retrieve_seconds, whole),
        peer(setting.imaging_url, setting.retrieve_seconds, whole) if setting.imaging_url else None,
    )
