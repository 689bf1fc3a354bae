"""The client: bare sockets, in a process of its own that stays on one core.

What a server that fails would do fastest is answer with an error. So every answer is looked at: in `loop` all of its
bytes that do not change from one answer to the next are compared, in `transfer` status and length, and the contents
before anything is timed.
"""

import http.client
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

PATIENCE = 30.0  # seconds until an answer counts as lost
Where = tuple[str, int]


class Wrong(Exception):
    """An answer was not what it should be, so its speed means nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """One HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def raw(self) -> bytes:
        """As it goes over the wire, on a connection that stays open."""
        headers = {"Host": "bench", **self.headers, **({"Content-Length": str(len(self.body))} if self.body else {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


@contextmanager
def process(core: frozenset[int]) -> Iterator[ProcessPoolExecutor]:
    """The client's process, in which the functions of this module run on `core`."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=os.sched_setaffinity, initargs=(0, core)) as pool:
        yield pool


def ask(where: Where, question: Question) -> bytes:
    """The body of the answer.

    Raises:
        Wrong: the status is not 200.
    """
    return body_of(answer_to(where, question))


def answer_to(where: Where, question: Question, pieces: Sequence[bytes] = ()) -> http.client.HTTPResponse:
    """The answer, its body not read yet. `pieces` are a body that is too long to be one."""
    body = pieces or [question.body]
    size = sum(map(len, body))
    connection = http.client.HTTPConnection(*where, timeout=PATIENCE)
    connection.putrequest(question.method, question.path)
    for name, value in {**question.headers, **({"Content-Length": str(size)} if size else {})}.items():
        connection.putheader(name, value)
    connection.putheader("Connection", "close")
    connection.endheaders()
    for piece in body:
        connection.send(piece)
    return connection.getresponse()


def body_of(answer: http.client.HTTPResponse) -> bytes:
    """All of the body.

    Raises:
        Wrong: the status is not 200.
    """
    body = answer.read()
    if answer.status != http.client.OK:
        raise Wrong(f"status {answer.status}: {body[:500]!r}")
    return body
