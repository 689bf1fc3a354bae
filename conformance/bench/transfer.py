"""Long bodies in either direction, timed from the first byte sent to the last one received."""

import hashlib
import http.client
import time
from collections.abc import Iterable, Sequence

from conformance.bench.client import Question, Where, Wrong, answer_to, body_of
from profiles.faces.multipart import Limits, read_parts

BLOCK = 1 << 20
MOST_PARTS = 100_000


def send(where: Where, path: str, headers: Mapping[str, str], pieces: Sequence[bytes], says: bytes, times: int) -> float:
    """POST a body that is in pieces; seconds from the first byte sent to the last one received.

    Raises:
        Wrong: the answer does not say `says` exactly `times` times.
    """
    size = sum(map(len, pieces))
    begin = time.perf_counter()
    body = _body(_send(where, "POST", path, headers, pieces, size))
    seconds = time.perf_counter() - begin
    if body.count(says) != times:
        raise Wrong(f"{path}: {body[:500]!r}")
    return seconds


def take(where: Where, question: Question, length: int | None = None) -> tuple[int, float]:
    """Read an answer and throw it away; its length, and the seconds from the first byte sent to the last received.

    Raises:
        Wrong: the status is not 200, or the body has not `length` bytes.
    """
    buffer, got = bytearray(BLOCK), 0
    begin = time.perf_counter()
    answer = _send(where, question.method, question.path, question.headers, [question.body], len(question.body))
    while count := answer.readinto(buffer):
        got += count
    seconds = time.perf_counter() - begin
    if answer.status != 200 or length not in (None, got):
        raise Wrong(f"{question.path}: status {answer.status}, {got} bytes instead of {length}")
    return got, seconds


def digests(where: Where, question: Question) -> list[str]:
    """The SHA-256 of each part of a multipart answer, in hexadecimal."""
    answer = _send(where, question.method, question.path, question.headers, [question.body], len(question.body))
    if answer.status != 200:
        raise Wrong(f"{question.path}: status {answer.status}: {answer.read(500)!r}")
    return [_digest(part.chunks) for part in read_parts(answer.headers["Content-Type"], answer.read, Limits(MOST_PARTS))]


def _digest(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


