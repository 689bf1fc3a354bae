"""What the kernel tells of a process and all below it: CPU time, memory, cores (proc(5), sched_setaffinity(2)).

Elsewhere than on Linux there is no `/proc`, and the benchmark cannot run.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
STATE, PARENT, UTIME, CSTIME = 0, 1, 11, 14  # fields of /proc/PID/stat after the command's name
RESET_PEAK = "5"  # proc(5), clear_refs: the peak of the resident set becomes its present size


def cores() -> tuple[frozenset[int], frozenset[int]]:
    """One core for the server, another for the client and the database; the same one twice where there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return frozenset(mine[:1]), frozenset(mine[1:2] or mine[:1])


def tree(root: int) -> list[int]:
    """The process `root` and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for pid, fields in _processes():
        children.setdefault(int(fields[PARENT]), []).append(pid)
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """CPU time of the processes `roots` and everything below them, in user and kernel mode, ended children included."""
    ticks = 0
    for root in roots:
        for pid in tree(root):
            if fields := _stat(pid):
                ticks += sum(int(value) for value in fields[UTIME : CSTIME + 1])
    return ticks / TICKS


def pin(roots: Iterable[int], to: frozenset[int]) -> None:
    """Keep these processes and everything below them on the cores `to`."""
    for root in roots:
        for pid in tree(root):
            for thread in (PROC / str(pid) / "task").glob("*"):
                os.sched_setaffinity(int(thread.name), to)


def parent(pid: int) -> int | None:
    """The parent of `pid`, None when there is no such process here."""
    fields = _stat(pid)
    return int(fields[PARENT]) if fields else None


def command(pid: int) -> str:
    """The name of the program that `pid` runs, empty when there is no such process here."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def forget_peak(pid: int) -> int:
    """Make the present resident set of `pid` its peak; its size in bytes."""
    (PROC / str(pid) / "clear_refs").write_text(RESET_PEAK)
    return _memory(pid, "VmRSS")


def peak(pid: int) -> int:
    """The largest resident set of `pid` since `forget_peak`, in bytes."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, name: str) -> int:
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise KeyError(name)


def _processes() -> Iterator[tuple[int, list[str]]]:
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            yield int(folder.name), fields


def _stat(pid: int) -> list[str]:
    try:
        # The command's name stands in parentheses and may hold anything, parentheses too.
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
