"""The closed loop: some connections that stay open, each asking as soon as it has its answer."""

import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile

from conformance.bench.client import PATIENCE, Question, Where, Wrong

BLOCK = 1 << 20
LEARNT_FROM = 6
GOOD = b"HTTP/1.1 200"
END_OF_HEADERS = b"\r\n\r\n"
Check = Callable[[memoryview], bool]


@dataclass(frozen=True, slots=True)
class Expected:
    """An answer on the wire: its length, and its end from the last byte on that differs between two answers."""

    length: int
    tail: bytes


@dataclass(frozen=True, slots=True)
class Work:
    """What a closed loop did: requests, and seconds by the wall."""

    requests: int
    seconds: float


def expected(where: Where, question: Question) -> Expected:
    """What every answer to `question` must look like, learnt from several, since two ids may end alike by chance.

    Raises:
        Wrong: they have not the same length, or less than half of their bodies in common.
    """
    answers = [raw_answer(where, question) for _ in range(LEARNT_FROM)]
    first, lengths = answers[0], sorted({len(answer) for answer in answers})
    # Of the body alone: the headers have the time of day.
    bodies = [answer.partition(END_OF_HEADERS)[2][::-1] for answer in answers]
    common = len(list(takewhile(lambda column: len(set(column)) == 1, zip(*bodies, strict=False))))
    if len(lengths) > 1 or common * 2 < len(bodies[0]):
        raise Wrong(f"{question.path}: answers to the same request differ; their lengths are {lengths}")
    return Expected(len(first), first[len(first) - common :])


def closed_loop(where: Where, question: Question, each: Expected, connections: int, seconds: float) -> Work:
    """Ask the same again and again for `seconds`, on each connection as soon as it has its answer.

    Raises:
        Wrong: an answer differs from what was expected, or does not come.
    """
    request, until = question.raw(), time.perf_counter() + seconds

    def questions() -> Iterator[bytes]:
        while time.perf_counter() < until:
            yield request

    def check(answer: memoryview) -> bool:
        return answer[:12] == GOOD and answer[each.length - len(each.tail) :] == each.tail

    return _loop(where, questions(), check, each.length, connections)


def each_once(where: Where, questions: Sequence[Question], says: bytes, length: int, connections: int) -> Work:
    """Send every one of `questions` once; each answer has `length` bytes and `says` in it.

    Raises:
        Wrong: one does not.
    """

    def check(answer: memoryview) -> bool:
        return answer[:12] == GOOD and says in bytes(answer)

    return _loop(where, (question.raw() for question in questions), check, length, connections)


def raw_answer(where: Where, question: Question) -> bytes:
    """The answer as it comes over the wire.

    Raises:
        Wrong: the status is not 200, or the answer breaks off.
    """
    with socket.create_connection(where, PATIENCE) as connection:
        connection.sendall(question.raw())
        answer = b""
        while not _is_whole(answer):
            more = connection.recv(BLOCK)
            if not more:
                raise Wrong(f"{question.path}: {answer[:500]!r}")
            answer += more
    if not answer.startswith(GOOD):
        raise Wrong(f"{question.path}: {answer[:500]!r}")
    return answer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(END_OF_HEADERS)
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(end) and len(body) >= int(line.partition(b":")[2])
    return bool(end) and body.endswith(b"0\r\n\r\n")


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    buffer: memoryview
    got: int = 0


def _loop(where: Where, requests: Iterator[bytes], check: Check, length: int, connections: int) -> Work:
    count, begin = 0, time.perf_counter()
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for request in (one for _, one in zip(range(connections), requests, strict=False)):
            connection = stack.enter_context(socket.create_connection(where, PATIENCE))
            connection.sendall(request)
            # A byte more than an answer has, so that one that is too long is seen.
            buffer = memoryview(bytearray(length + 1))
            selector.register(connection, selectors.EVENT_READ, _Connection(connection, buffer))
        while selector.get_map():
            for key, _ in selector.select(PATIENCE) or _lost():
                one: _Connection = key.data
                if not _take_some(one, check, length):
                    continue
                count += 1
                if (following := next(requests, None)) is not None:
                    one.socket.sendall(following)
                else:
                    selector.unregister(one.socket)
    return Work(count, time.perf_counter() - begin)


def _take_some(one: _Connection, check: Check, length: int) -> bool:
    """Read what is there; True when that completes an answer."""
    count = one.socket.recv_into(one.buffer[one.got :])
    one.got += count
    if count and one.got < length and one.buffer[:12].tobytes().startswith(GOOD[: one.got]):
        return False
    if one.got != length or not check(one.buffer[:length]):
        raise Wrong(f"an answer differs from the first: {bytes(one.buffer[: min(one.got, 500)])!r}")
    one.got = 0
    return True


def _lost() -> list[tuple[selectors.SelectorKey, int]]:
    raise Wrong(f"no answer within {PATIENCE:.0f} s")
