"""Long bodies in either direction, timed from the first byte sent to the last one received."""

import hashlib
import http.client
import time
from collections.abc import Iterable, Sequence

from conformance.bench.client import Question, Where, Wrong, answer_to, body_of
from profiles.faces.multipart import Limits, read_parts

BLOCK = 1 << 20
MOST_PARTS = 100_000
AGAIN = 5  # downloads in one repeat: one alone is over before the clock says much


def send(where: Where, question: Question, pieces: Sequence[bytes], says: bytes, times: int) -> float:
    """Send a body that is in pieces; the seconds that it took.

    Raises:
        Wrong: the status is not 200, or the answer does not say `says` exactly `times` times.
    """
    begin = time.perf_counter()
    body = body_of(answer_to(where, question, pieces))
    seconds = time.perf_counter() - begin
    if body.count(says) != times:
        raise Wrong(f"{question.path}: {body[:4000]!r}")
    return seconds


def take(where: Where, question: Question, length: int | None = None, times: int = 1) -> tuple[int, float]:
    """Read an answer and throw it away, `times` over; the length of its body, and the seconds of one on average.

    Raises:
        Wrong: the status is not 200, or the body has not `length` bytes.
    """
    buffer, got = bytearray(BLOCK), 0
    begin = time.perf_counter()
    for _ in range(times):
        answer, got = answer_to(where, question), 0
        while count := answer.readinto(buffer):
            got += count
        if answer.status != http.client.OK or length not in (None, got):
            raise Wrong(f"{question.path}: status {answer.status}, {got} bytes instead of {length}")
    return got, (time.perf_counter() - begin) / times


def digests(where: Where, question: Question) -> list[str]:
    """The SHA-256 of each part of a multipart answer, in hexadecimal.

    Raises:
        Wrong: the status is not 200.
    """
    answer = answer_to(where, question)
    if answer.status != http.client.OK:
        raise Wrong(f"{question.path}: status {answer.status}: {answer.read(500)!r}")
    content_type = answer.headers["Content-Type"]
    return [digest(part.chunks) for part in read_parts(content_type, answer.read, Limits(MOST_PARTS))]


def digest(chunks: Iterable[bytes]) -> str:
    """The SHA-256 of bytes in pieces, in hexadecimal."""
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def fingerprint(where: Where, question: Question) -> str:
    """The SHA-256 of the body of an answer, in hexadecimal."""
    answer = answer_to(where, question)
    return digest(iter(lambda: answer.read(BLOCK), b""))
