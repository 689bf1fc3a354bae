"""How long exchanges are kept, by any number of processes."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from profiles.trace.ring import Bounds, Ring


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


def filled(folder: Path, bounds: Bounds, clock: list[float], count: int, size: int = 10) -> Ring:
    ring = Ring(folder, bounds, now=lambda: clock[0])
    for number in range(count):
        ring.keep(clock[0], {"number": number, "filler": "x" * size})
        clock[0] += 1.0
    ring.prune()
    return ring


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        (Bounds(5, 1e9, 10**9), 5),
        (Bounds(100, 6.5, 10**9), 6),
        (Bounds(100, 1e9, 4500), 4),
        (Bounds(100, 1e9, 10**9), 20),
    ],
    ids=["count", "age", "bytes", "enough"],
)
def test_the_newest_stay(tmp_path: Path, clock: list[float], bounds: Bounds, kept: int) -> None:
    ring = filled(tmp_path / "ring", bounds, clock, 20, 1000)
    assert [one["number"] for one in ring.newest()] == list(range(19, 19 - kept, -1))


def test_the_ring_stays_bounded_without_being_asked(tmp_path: Path, clock: list[float]) -> None:
    ring = Ring(tmp_path / "ring", Bounds(10, 1e9, 10**9), now=lambda: clock[0])
    for _ in range(100):
        ring.keep(clock[0], {})
        clock[0] += 1.0
        assert len(os.listdir(tmp_path / "ring")) <= 10 + 8


def test_what_a_killed_process_left_is_swept(tmp_path: Path, clock: list[float]) -> None:
    ring = filled(tmp_path / "ring", Bounds(10, 1e9, 10**9), clock, 1)
    left = tmp_path / "ring" / f"{int(clock[0] * 1000):013d}-{'a' * 8}.new"
    left.write_text("half")
    ring.prune()
    assert left.exists()
    clock[0] += 100.0
    ring.prune()
    assert not left.exists()
    assert len(ring.ids()) == 1


def _write(folder: Path, count: int) -> None:
    ring = Ring(folder, Bounds(20, 1e9, 10**9))
    for number in range(count):
        ring.keep(time.time(), {"number": number, "filler": "x" * 2000})


def test_many_processes_share_a_ring(tmp_path: Path) -> None:
    folder = tmp_path / "ring"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(folder, 100)) for _ in range(4)]
    for writer in writers:
        writer.start()
    ring = Ring(folder, Bounds(20, 1e9, 10**9))
    while any(writer.is_alive() for writer in writers):
        assert all("number" in one for one in ring.newest())
    assert [writer.exitcode for writer in writers] == [0] * 4
    ring.prune()
    assert len(ring.ids()) == 20


def test_strange_files_are_left_alone(tmp_path: Path, clock: list[float]) -> None:
    ring = filled(tmp_path / "ring", Bounds(2, 1e9, 10**9), clock, 2)
    (tmp_path / "ring" / "notes.txt").write_text("mine")
    (tmp_path / "ring" / f"{'9' * 13}-{'b' * 8}.json").write_text("{half")
    assert len(list(ring.newest())) == 2
    ring.prune()
    assert (tmp_path / "ring" / "notes.txt").exists()


@pytest.mark.parametrize("id_", ["", "..", "../x", "1" * 13, "a" * 8, "*", "1800000000000-zzzzzzzz", "\0" * 8])
def test_ids_that_are_none(tmp_path: Path, clock: list[float], id_: str) -> None:
    assert filled(tmp_path / "ring", Bounds(2, 1e9, 10**9), clock, 1).get(id_) is None
