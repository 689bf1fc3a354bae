"""The benchmark on sizes that say nothing about speed: every kind of line comes out, and wrong answers stop it."""

import json
import os
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.bench import archive as archive_module
from conformance.bench import curve, loop, machine, registrations, report
from conformance.bench.archive import Archive, grow
from conformance.bench.client import Question, Wrong
from conformance.bench.lines import LINES, SQLITE, Line, Result, chosen
from conformance.bench.loop import Expected, closed_loop, expected
from conformance.bench.run import run, stores
from conformance.bench.stand import Figures, Sizes, figures
from conformance.bench.transfer import digest, send
from database.engine import Database

TINY = Sizes(entries=20, repeats=1, seconds=0.05, registrations=8, document=3_000_001, slices=3)
KINDS = ("Q10", "QREF", "F20", "ITI42", "BULK", "UP", "DOWN", "STOW", "WADO")


def test_every_kind_of_line_comes_out(tmp_path):
    steps: list[str] = []
    lines = [line for line in LINES if line.id in KINDS]
    with stores(SQLITE, TINY, steps.append, inside=tmp_path) as on:
        results = list(run(lines, on, TINY, steps.append))

    assert [one.line.id for one in results] == list(KINDS)
    assert all(one.figures.measured > 0 for one in results)
    assert [one.line.id for one in results if one.figures.ratio is None] == ["ITI42", "BULK"]
    assert [one.line.id for one in results if one.figures.growth is not None] == ["UP", "DOWN"]
    assert list(tmp_path.iterdir()) == []
    shown = json.loads(report.as_json(results, TINY))
    assert [one["id"] for one in shown["results"]] == list(KINDS)
    assert report.table(results).row_count == len(KINDS)


class Answering:
    """A server that gives one answer after the other, whatever it is asked, on each connection."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.where = ("127.0.0.1", self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        answers = iter(self._answers)
        try:
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    while connection.recv(65536):
                        connection.sendall(next(answers))
        except (OSError, StopIteration):
            return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def answering() -> Iterator[type]:
    made: list[Answering] = []

    def make(*answers: bytes) -> Answering:
        made.append(Answering(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


ASKED = Question("GET", "/")
GOOD = http(b"id-1 the rest of the answer")


def test_what_differs_between_answers_is_not_compared(answering):
    server = answering(*[GOOD] * (loop.LEARNT_FROM - 1), http(b"id-2 the rest of the answer"))
    assert expected(server.where, ASKED) == Expected(len(GOOD), b" the rest of the answer")


def test_answers_of_two_lengths_cannot_be_compared(answering):
    server = answering(*[GOOD] * (loop.LEARNT_FROM - 1), http(b"longer than the others by some"))
    with pytest.raises(Wrong, match="differ"):
        expected(server.where, ASKED)


@pytest.mark.parametrize(
    "bad",
    [
        http(b"id-1 the rest of the answeR"),
        http(b"id-1 the rest of the answer", "500 Internal Server Error"),
        http(b"short", "503 Service Unavailable"),
        GOOD + b"!",
    ],
)
def test_the_closed_loop_stops_at_a_wrong_answer(answering, bad):
    server = answering(GOOD, GOOD, bad)
    with pytest.raises(Wrong, match="differs"):
        closed_loop(server.where, ASKED, Expected(len(GOOD), b" the rest of the answer"), 1, 30.0)


@pytest.mark.parametrize("short", [GOOD[:-1], b""])
def test_the_closed_loop_stops_when_an_answer_does_not_come(answering, monkeypatch, short):
    monkeypatch.setattr(loop, "PATIENCE", 0.1)
    server = answering(GOOD, short)
    with pytest.raises(Wrong, match="no answer"):
        closed_loop(server.where, ASKED, Expected(len(GOOD), b" the rest of the answer"), 1, 30.0)


def test_the_closed_loop_counts_what_was_answered(answering):
    server = answering(*[GOOD] * 1000)
    work = closed_loop(server.where, ASKED, Expected(len(GOOD), b"answer"), 1, 0.0005)
    assert 1 <= work.requests < 1000
    assert work.seconds > 0


def test_an_upload_that_is_refused_is_not_a_measurement(answering):
    server = answering(http(b"status=Failure"))
    with pytest.raises(Wrong, match="Failure"):
        send(server.where, Question("POST", "/"), [b"bytes"], b"Success", 1)


def test_lines_are_chosen_by_id_with_their_twins():
    assert [line.id for line in chosen("q10,UP")] == ["Q10", "Q10 no audit", "UP"]
    assert chosen("") == LINES
    with pytest.raises(ValueError, match="nothing"):
        chosen("Q10,nothing")


def test_every_line_has_an_id_of_its_own_and_is_met_or_not_by_its_own_measure():
    assert len({line.id for line in LINES}) == len(LINES)
    ratio, rate = LINES[0], next(line for line in LINES if line.id == "ITI42")
    assert [met(ratio, 90, 0.49), met(ratio, 1, 0.51), met(rate, 299, None), met(rate, 301, None)] == [0, 1, 0, 1]
    grown = figures("MB/s", [(1.0, 1.0)], growth=33 * 2**20)
    assert not Result(ratio, SQLITE, grown).is_met


def met(line: Line, measured: float, ratio: float | None) -> bool:
    return Result(line, SQLITE, Figures("/s", measured, None, ratio)).is_met


def test_the_median_of_the_ratios_is_taken_not_the_ratio_of_the_best():
    found = figures("MB/s", [(100.0, 50.0), (200.0, 20.0), (50.0, 40.0)])
    assert (found.floor, found.measured, found.ratio) == (100.0, 40.0, 0.5)


def test_cpu_time_of_this_process_is_seen_and_only_grows():
    before = machine.cpu_seconds([os.getpid()])
    digest([random.randbytes(1 << 20)] * 40)
    assert machine.cpu_seconds([os.getpid()]) > before


# --- the curve ---


@pytest.fixture(autouse=True)
def few_templates(monkeypatch):
    monkeypatch.setattr(archive_module, "TEMPLATES", 3)
    monkeypatch.setattr(curve, "WARM_UP", 3)


def test_the_curve_is_measured_at_each_size_and_shown(tmp_path):
    with stores(SQLITE, replace(TINY, entries=0), lambda _: None, inside=tmp_path) as on:
        points = list(curve.measure(on, [40, 120], 5, lambda _: None))
    assert [(one.question, one.size) for one in points] == [(q, size) for size in (40, 120) for q in curve.QUESTIONS]
    assert all(0 < one.median <= one.slowest for one in points)
    assert curve.table(points).row_count == 6


def test_an_archive_grows_to_the_size_asked_and_no_further(tmp_path):
    archive, said = Archive(), []
    with stores(SQLITE, replace(TINY, entries=0), lambda _: None, inside=tmp_path) as on:
        database = Database(on.house.settings.database)
        for size in (10, 10, 2500):
            grow(archive, database, size, said.append)
            assert archive.size == size == database.rows(registrations.COUNT)[0][0] - 110
        database.close()
    assert said[-1] == 2500
    assert max(archive.documents.values()) > 3 * min(archive.documents.values()), "patients have unlike many"
