import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A supervisor of two parts that say their pid and wait; the pids and "ready" come out line by line.
PROGRAM = """
import os, signal, sys
from profiles import logs, supervisor
from profiles.supervisor import Part, Supervisor

def say(name, number):
    os.write(1, f"{name} {number}\\n".encode())

def waits(name):
    def run():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        say(name, os.getpid())
        signal.sigwait({signal.SIGTERM})
    return Part(name, run)

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("stubborn", os.getpid())
    while True:
        signal.pause()

def broken():
    raise RuntimeError("Ekblad")

KINDS = {"waits": [waits("a"), waits("b")], "stubborn": [Part("stubborn", stubborn)], "broken": [Part("x", broken)]}
logs.configure()
supervisor.FIRST_RESTART = 0.01
kind = sys.argv[1]
raise SystemExit(Supervisor(KINDS[kind], lambda: kind != "broken", lambda: say("ready", 0)).run())
"""


class Running:
    def __init__(self, kind: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, kind], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def say(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        name, number = self.process.stdout.readline().split()
        return name, int(number)

    def children(self, count: int) -> dict[str, int]:
        said = dict(self.say() for _ in range(count + 1))
        assert "ready" in said
        return {name: pid for name, pid in said.items() if name != "ready"}


def wait_until_gone(pid: int) -> None:
    """Returns when the process has ended, whoever its parent is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    assert select.select([handle], [], [], 10)[0], f"process {pid} is still there"
    os.close(handle)


@pytest.fixture
def running():
    made: list[Running] = []

    def start(kind: str) -> Running:
        made.append(Running(kind))
        return made[-1]

    yield start
    for each in made:
        each.process.kill()
        each.process.communicate()


def test_parts_end_in_good_order_when_asked(running) -> None:
    server = running("waits")
    children = server.children(2)
    server.process.terminate()
    assert server.process.wait(10) == 0
    for pid in children.values():
        wait_until_gone(pid)


def test_kill_9_of_the_supervisor_takes_its_parts_along(running) -> None:
    server = running("waits")
    children = server.children(2)
    server.process.kill()
    for pid in children.values():
        wait_until_gone(pid)


def test_a_part_that_dies_is_started_again_and_the_others_go_on(running) -> None:
    server = running("waits")
    children = server.children(2)
    os.kill(children["b"], signal.SIGKILL)
    name, pid = server.say()
    assert name == "b"
    assert pid != children["b"]
    os.kill(children["a"], 0)


def test_asking_twice_ends_a_part_that_does_not_listen(running) -> None:
    server = running("stubborn")
    (pid,) = server.children(1).values()
    server.process.terminate()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(10) == 0
    wait_until_gone(pid)


def test_a_part_that_never_comes_up_ends_the_server_and_says_why_without_quoting(running) -> None:
    server = running("broken")
    assert server.process.wait(10) == 1
    assert server.process.stderr is not None
    said = server.process.stderr.read()
    assert "RuntimeError" in said
    assert "Ekblad" not in said
