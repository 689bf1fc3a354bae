"""One process that keeps the parts of the server running: forks them, starts them again, and stops them.

A part is a child that dies with this process, however that ends: the kernel sends it SIGKILL (PR_SET_PDEATHSIG), so
that after `kill -9` nothing holds the port or the stores. A part that dies by itself is started again with back-off.
"""

import ctypes
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

PR_SET_PDEATHSIG = 1  # linux/prctl.h
STOP_WITHIN = 28.0  # seconds that parts may take to end their work; the promise is 30
FIRST_RESTART, LONGEST_RESTART = 0.5, 30.0  # seconds
SETTLED = 60.0  # seconds after which a part counts as healthy again
MOST_FALSE_STARTS = 3
ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the server: `run` returns when SIGTERM asked it to."""

    name: str
    run: Callable[[], None]


@dataclass(slots=True)
class _Child:
    part: Part
    pid: int = 0
    started: float = 0.0
    failures: int = 0
    due: float = 0.0


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when its parent dies; `parent` is its pid, as known before the fork.

    Elsewhere than on Linux this does nothing.
    """
    expected = os.getppid() if parent is None else parent
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The parent may have died before the call, and then no signal will ever come.
        if os.getppid() != expected:
            os._exit(1)


def fork(run: Callable[[], None]) -> int:
    """Run `run` in a child of this process; the child's pid. Exit status 0 means that it returned."""
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent(parent)
        for number in (*ASKED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Ctrl-C is for the supervisor alone, which then stops its parts in good order.
        os.setpgid(0, 0)
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1 if end.code else 0
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
    except BaseException:
        structlog.get_logger().exception("part failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run_once(run: Callable[[], None]) -> int:
    """Run `run` in a child and wait for it, so that nothing it opened outlives it here; its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(run), 0)[1])


class Supervisor:
    """Keeps `parts` running until it is asked to stop.

    `is_ready` is asked until it says yes; then `announce` is called, once. `close` is called when stopping begins.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        is_ready: Callable[[], bool],
        announce: Callable[[], None],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._children = [_Child(part) for part in parts]
        self._is_ready = is_ready
        self._announce = announce
        self._close = close
        self._announced = False
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._log = structlog.get_logger()

    def run(self) -> int:
        """Until SIGTERM, SIGINT or SIGHUP; the exit status: 1 when a part cannot be brought up at all."""
        for number in (*ASKED, signal.SIGCHLD):
            signal.signal(number, self._note)
        status = 0
        while True:
            self._start_due()
            if not self._announced and self._is_ready():
                self._announced = True
                self._announce()
            if self._next_signal(1.0 if self._announced else 0.05) in ASKED:
                break
            self._reap()
            if not self._announced and any(c.failures >= MOST_FALSE_STARTS for c in self._children):
                status = 1
                break
        self._stop()
        return status

    def _note(self, number: int, _: Any) -> None:
        self._signals.put(number)

    def _next_signal(self, seconds: float) -> int | None:
        try:
            return self._signals.get(timeout=seconds)
        except queue.Empty:
            return None

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid and child.due <= now:
                child.pid, child.started = fork(child.part.run), now

    def _reap(self) -> None:
        for child in self._children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: _Child, status: int) -> None:
        now = time.monotonic()
        child.failures = 1 if now - child.started > SETTLED else child.failures + 1
        wait = min(FIRST_RESTART * 2 ** (child.failures - 1), LONGEST_RESTART)
        child.pid, child.due = 0, now + wait
        self._log.error("part ended; starting it again", part=child.part.name, status=status, seconds=wait)

    def _stop(self) -> None:
        """TERM, time to end the work, KILL. Being asked again cuts the time short."""
        self._close()
        self._send(signal.SIGTERM)
        give_up = time.monotonic() + STOP_WITHIN
        while any(c.pid for c in self._children) and time.monotonic() < give_up:
            if self._next_signal(0.1) in ASKED:
                break
            self._forget_ended()
        self._send(signal.SIGKILL)
        for child in self._children:
            if child.pid:
                os.waitpid(child.pid, 0)

    def _send(self, number: int) -> None:
        for child in self._children:
            if child.pid:
                os.kill(child.pid, number)

    def _forget_ended(self) -> None:
        for child in self._children:
            if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                child.pid = 0
