import threading

from profiles.worker import Chore, work_off


class Clock:
    """Goes on by itself, a second a look."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_a_chore_with_more_to_do_is_not_kept_waiting_and_a_failing_one_does_not_stop_the_others() -> None:
    stopping = threading.Event()
    done = []

    def busy() -> bool:
        done.append("busy")
        if len(done) > 5:
            stopping.set()
        return True

    def fails() -> bool:
        raise RuntimeError

    work_off([Chore("fails", fails, 0.0), Chore("busy", busy, 1000.0)], stopping, Clock())
    assert len(done) > 5


def test_an_idle_chore_waits_for_its_time() -> None:
    stopping = threading.Event()
    runs = []

    def idle() -> bool:
        runs.append(1)
        return False

    def ends() -> bool:
        if len(runs) == 1:
            stopping.set()
        return True

    work_off([Chore("idle", idle, 1000.0), Chore("ends", ends, 0.0)], stopping, Clock())
    assert len(runs) == 1
