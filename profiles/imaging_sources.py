"""The other Imaging Document Sources of this community, by the repositoryUniqueId of each (RAD TF-2, 4.69)."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from profiles.calls import Callers, Pending
from profiles.communities import tls_of
from profiles.faces.soap_client import Peer
from profiles.settings import Settings

T = TypeVar("T")


class ImagingSources:
    """This source (`own`, its repositoryUniqueId) and how the others are reached, by theirs."""

    def __init__(self, own: str, others: Mapping[str, Peer]) -> None:
        self.own = own
        self.others = dict(others)
        self._callers = Callers("imaging-source", self.others)

    def ask(self, question: Callable[[str, Peer], T], peers: Mapping[str, Peer]) -> Pending[T]:
        """Put `question` to each of `peers`, by repositoryUniqueId. See `Callers.ask`."""
        return self._callers.ask(question, peers)


def imaging_sources_of(settings: Settings) -> ImagingSources:
    """The imaging sources that the settings name.

    Raises:
        OSError: a certificate or a key cannot be read; ssl.SSLError is one.
    """
    limits = settings.limits
    others = {
        each.repository_unique_id: Peer(
            each.url, each.seconds, tls_of((each.url,), each), limits.peer_envelope_bytes, limits.peer_answer_bytes
        )
        for each in settings.imaging_sources
    }
    return ImagingSources(settings.affinity_domain.retrieve_location_uid, others)
