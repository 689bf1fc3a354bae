"""The outbox on both engines: put again, leases, back-off, dead letters, and one worker a job."""

import threading

import pytest

from database.engine import Database
from database.outbox import FIRST_RETRY, LEASE, LONGEST_RETRY, MOST_ATTEMPTS, Outbox, put

TOPICS = ("t",)


class Clock:
    time = 1000.0

    def __call__(self):
        return self.time


@pytest.fixture
def box(empty_url):
    """An outbox with a clock that is moved by hand; `box.put(key, ...)` asks for work."""
    database, clock = Database(empty_url), Clock()
    found = Outbox(database, clock)
    found.clock = clock

    def ask(key, *, due=1000.0, topic="t", **payload):
        database.transact(lambda unit: put(unit, topic, key, payload, due=due, now=clock()))

    found.put, found.database = ask, database
    yield found
    database.close()


def taken(box, topics=TOPICS):
    job = box.take(topics)
    return job and job.key


def test_nothing_is_due(box):
    assert box.take(TOPICS) is None
    box.put("a", due=1000.5)
    assert box.take(TOPICS) is None
    box.clock.time = 1000.5
    assert taken(box) == "a"


def test_a_job_is_what_was_put(box):
    box.put("å|1", study="1.2", n=3)
    job = box.take(TOPICS)
    assert (job.topic, job.key, job.payload, job.version, job.attempts) == ("t", "å|1", {"study": "1.2", "n": 3}, 1, 0)


def test_what_was_due_longest_comes_first(box):
    for key, due in (("late", 999.0), ("first", 10.0), ("second", 11.0)):
        box.put(key, due=due)
    assert [taken(box) for _ in range(4)] == ["first", "second", "late", None]


def test_only_the_topics_asked_for(box):
    box.put("a", topic="other")
    assert taken(box) is None
    assert taken(box, ["t", "other"]) == "a"


def test_a_unit_that_fails_puts_nothing(box):
    def work(unit):
        put(unit, "t", "a", {}, due=0.0, now=0.0)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        box.database.transact(work)
    assert taken(box) is None


def test_put_again_moves_the_one_job(box):
    box.put("a", due=900.0, n=1)
    box.put("a", due=1060.0, n=2)
    assert taken(box) is None
    box.clock.time = 1060.0
    job = box.take(TOPICS)
    assert (job.payload, job.version) == ({"n": 2}, 2)
    box.done(job)
    box.clock.time += 10 * LEASE
    assert taken(box) is None


def test_equal_keys_of_two_topics_are_two_jobs(box):
    box.put("a")
    box.put("a", topic="other")
    box.done(box.take(TOPICS))
    assert taken(box, ["other"]) == "a"


def test_done_does_not_end_what_was_put_again_meanwhile(box):
    box.put("a", n=1)
    job = box.take(TOPICS)
    box.put("a", n=2)
    assert taken(box) is None, "it is under a lease"
    box.done(job)
    again = box.take(TOPICS)
    assert (again.payload, again.version) == ({"n": 2}, 2)


def test_a_lease_ends(box):
    box.put("a")
    first = box.take(TOPICS)
    box.clock.time += LEASE - 1
    assert taken(box) is None
    box.clock.time += 1
    assert box.take(TOPICS) == first
    box.done(first)
    box.clock.time += LEASE
    assert taken(box) is None


def test_back_off_doubles_up_to_its_longest(box):
    box.put("a")
    waits = []
    for attempts in range(MOST_ATTEMPTS - 1):
        job = box.take(TOPICS)
        assert job.attempts == attempts
        box.failed(job, "no")
        ((*_, due, _, reason),) = box.overdue(-10_000)
        waits.append(due - box.clock.time)
        box.clock.time = due - 0.01
        assert taken(box) is None
        box.clock.time = due
        assert reason == "no"
    assert waits[:4] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY, 8 * FIRST_RETRY]
    assert waits[-1] == max(waits) == LONGEST_RETRY


def test_the_last_attempt_makes_a_dead_letter(box):
    box.put("a")
    for _ in range(MOST_ATTEMPTS):
        job = box.take(TOPICS)
        box.failed(job, "x" * 9999)
        box.clock.time += LONGEST_RETRY
    assert taken(box) is None
    ((topic, key, state, _, attempts, reason),) = box.overdue(0)
    assert (topic, key, state, attempts, reason) == ("t", "a", "dead", MOST_ATTEMPTS, "x" * 500)


def test_for_good_is_at_once_and_putting_again_gives_another_life(box):
    box.put("a")
    box.failed(box.take(TOPICS), "never", for_good=True)
    box.clock.time += 10 * LONGEST_RETRY
    assert taken(box) is None
    assert [found[:3] for found in box.overdue(10**9)] == [("t", "a", "dead")]
    box.put("a")
    assert box.take(TOPICS).attempts == 0


def test_failing_does_not_touch_what_was_put_again_meanwhile(box):
    box.put("a", n=1)
    job = box.take(TOPICS)
    box.put("a", n=2)
    box.failed(job, "no", for_good=True)
    box.clock.time += LEASE
    assert box.take(TOPICS).payload == {"n": 2}


def test_hurry(box):
    box.put("a", due=10**9)
    assert taken(box) is None
    assert box.hurry("t", "a")
    assert taken(box) == "a"
    assert not box.hurry("t", "b")
    assert not box.hurry("other", "a")


def test_overdue_tells_what_waits_too_long(box):
    box.put("old", due=900.0)
    box.put("new", due=990.0)
    assert [found[1] for found in box.overdue(60)] == ["old"]


def test_two_workers_never_take_the_same_job(box):
    wanted = [f"job {n}" for n in range(24)]
    for key in wanted:
        box.put(key)
    found, together = [], threading.Barrier(4, timeout=20)

    def work():
        mine = Outbox(Database(str(box.database.url)), box.clock)
        together.wait()
        while (job := mine.take(TOPICS)) is not None:
            found.append(job.key)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sorted(found) == sorted(wanted)
