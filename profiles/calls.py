"""Asking other systems at once, without one of them delaying the rest.

Each system has threads of its own: one that hangs or trickles keeps only those busy, and whoever asks stops waiting
for it when its time is over.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TimedOut
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from profiles.faces.soap_client import NoAnswer, Peer

T = TypeVar("T")
log = structlog.get_logger(__name__)
CALLS_AT_ONCE = 8
"""To one system, from one process; more wait for their turn, within their time."""
GRACE = 0.5  # seconds that a call may take to end and to be read after its own deadline


@dataclass(frozen=True, slots=True)
class _Call(Generic[T]):
    name: str
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
            log.exception("a peer could not be asked", peer=self.name)
            return NoAnswer("it could not be asked: an internal error, which was logged")


class Pending(Generic[T]):
    """Questions under way."""

    def __init__(self, calls: Iterable[_Call[T]]) -> None:
        self._calls = list(calls)

    def answers(self) -> Iterator[tuple[str, T | NoAnswer]]:
        """By name each answer, or why there is none, in the order asked; waits no longer than its time."""
        for call in self._calls:
            yield call.name, call.answer()


class Callers:
    """The threads that ask the systems of these names; they start with the first question."""

    def __init__(self, kind: str, names: Iterable[str]) -> None:
        self._threads = {
            name: ThreadPoolExecutor(CALLS_AT_ONCE, f"{kind}-{number}") for number, name in enumerate(names, 1)
        }

    def ask(self, question: Callable[[str, Peer], T], peers: Mapping[str, Peer]) -> Pending[T]:
        """Put `question` to each of `peers` (by name) at once, each for as long as its calls may take.

        What `question` raises but NoAnswer is logged, and counts as no answer.
        """
        now = time.monotonic()
        return Pending(
            [
                _Call(name, self._threads[name].submit(question, name, peer), now + peer.seconds + GRACE)
                for name, peer in peers.items()
            ]
        )
