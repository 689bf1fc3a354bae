"""The other communities that this one asks, at once and without one of them delaying the rest (ITI TF-1, 18).

Each community has threads of its own: one that hangs or trickles keeps only those busy, and whoever asks stops waiting
for it when its time is over.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TimedOut
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from profiles.faces.soap_client import NoAnswer, Peer
from profiles.settings import CommunitySetting, Settings
from registry.metadata.urn import FhirSystem

T = TypeVar("T")
log = structlog.get_logger(__name__)
CALLS_AT_ONCE = 8
"""To one community, from one process; more wait for their turn, within their time."""
GRACE = 0.5  # seconds that a call may take to end and to be read after its own deadline


@dataclass(frozen=True, slots=True)
class Community:
    """Another community: its homeCommunityId as the wire has it (urn:oid:...), and its gateway's two services."""

    home: str
    query: Peer
    retrieve: Peer


@dataclass(frozen=True, slots=True)
class _Call(Generic[T]):
    home: str
    future: Future[T]
    ends: float  # of time.monotonic

    def answer(self) -> T | NoAnswer:
        try:
            return self.future.result(max(0.0, self.ends - time.monotonic()))
        except NoAnswer as reason:
            return reason
        except (TimedOut, CancelledError):
            self.future.cancel()
            return NoAnswer("it did not answer in time")
        except Exception:
            log.exception("a community could not be asked", home=self.home)
            return NoAnswer("it could not be asked: an internal error, which was logged")


class Pending(Generic[T]):
    """Questions under way."""

    def __init__(self, calls: Iterable[_Call[T]]) -> None:
        self._calls = list(calls)

    def answers(self) -> Iterator[tuple[str, T | NoAnswer]]:
        """By homeCommunityId each answer, or why there is none, in the order asked; waits no longer than its time."""
        for call in self._calls:
            yield call.home, call.answer()


class Communities:
    """This community (`own`) and the others, by homeCommunityId. Threads start with the first question."""

    def __init__(self, own: str, others: Iterable[Community] = ()) -> None:
        self.own = own
        self.others = {each.home: each for each in others}
        self._threads = {
            home: ThreadPoolExecutor(CALLS_AT_ONCE, f"community-{number}") for number, home in enumerate(self.others, 1)
        }

    def ask(self, question: Callable[[str, Peer], T], peers: Mapping[str, Peer]) -> Pending[T]:
        """Put `question` to each of `peers` (by homeCommunityId) at once, each for as long as its calls may take.

        What `question` raises but NoAnswer is logged, and counts as no answer.
        """
        now = time.monotonic()
        return Pending(
            [
                _Call(home, self._threads[home].submit(question, home, peer), now + peer.seconds + GRACE)
                for home, peer in peers.items()
            ]
        )


def communities_of(settings: Settings) -> Communities:
    """The communities that the settings name.

    Raises:
        OSError: a certificate or a key cannot be read; ssl.SSLError is one.
    """
    own = FhirSystem.OID_PREFIX + settings.affinity_domain.home_community_id
    return Communities(own, [_community(each, settings) for each in settings.communities])


def _community(setting: CommunitySetting, settings: Settings) -> Community:
    tls = _tls(setting) if any(u.startswith("https:") for u in (setting.query_url, setting.retrieve_url)) else None

    def peer(url: str, seconds: float, answer_bytes: int) -> Peer:
        envelope = settings.limits.peer_envelope_bytes
        return Peer(url, seconds, tls if url.startswith("https:") else None, envelope, answer_bytes)

    return Community(
        FhirSystem.OID_PREFIX + setting.home_community_id,
        peer(setting.query_url, setting.query_seconds, settings.limits.peer_envelope_bytes),
        peer(setting.retrieve_url, setting.retrieve_seconds, settings.limits.peer_answer_bytes),
    )


def _tls(setting: CommunitySetting) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=setting.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if setting.certificate_file:
        context.load_cert_chain(setting.certificate_file, setting.key_file)
    return context
