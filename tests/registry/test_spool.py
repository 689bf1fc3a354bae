"""The spool of read records: durable before the answer leaves, shared by threads, moved once whatever breaks."""

import errno
import fcntl
import json
import os
import threading

import pytest
from keeping import ANNA, CALLER

from database.engine import Database
from registry import spool
from registry.audit import EXECUTE, AuditRecord
from registry.metadata.errors import ErrorCode, Rejected
from registry.spool import FileSpool, drain


def record(name="x"):
    return AuditRecord(CALLER, EXECUTE, (ANNA,), (name,), count=1)


def files(folder):
    return sorted(folder.glob("*.jsonl"))


def lines(folder):
    return [json.loads(line)["objects"][0] for path in files(folder) for line in path.read_bytes().splitlines()]


def in_a_child(work):
    """Runs `work` in a child process that ends without cleaning up, as a killed one does."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def database(database_url):
    found = Database(database_url)
    yield found
    found.close()


@pytest.fixture
def synced(monkeypatch):
    """How many bytes of the file were there at each sync."""
    seen, sync = [], os.fdatasync

    def noting(file):
        sync(file)
        seen.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fdatasync", noting)
    return seen


def leave(folder, *names):
    """Files as processes leave them that are gone: one for each name."""
    for name in names:
        in_a_child(lambda name=name: FileSpool(folder).keep(record(name)))


def moved(database):
    kept = Database(str(database.url))
    return sorted(json.loads(row[0])["objects"][0] for row in kept.rows(RECORDS))


RECORDS = spool.Statement(spool.select(spool.AUDIT.c.record))


# --- durable before return ---


def test_nothing_is_made_before_the_first_record(folder):
    FileSpool(folder)
    assert not folder.exists()


def test_a_record_is_on_disk_before_keep_returns(folder, synced):
    one = FileSpool(folder, lambda: 5.0)
    for number in range(3):
        one.keep(record(str(number)))
        assert synced[-1] == files(folder)[0].stat().st_size
    assert len(synced) == 3
    assert lines(folder) == ["0", "1", "2"]
    assert json.loads(files(folder)[0].read_bytes().splitlines()[0])["recorded"] == 5.0
    assert files(folder)[0].stat().st_mode & 0o777 == 0o600, "nobody else may read who asked for whom"


def test_threads_share_a_sync(folder, monkeypatch):
    """While one sync is under way the others queue, and one more sync serves them all."""
    one, sync, syncs = FileSpool(folder), os.fdatasync, []
    others = [threading.Thread(target=one.keep, args=(record(str(n)),)) for n in range(8)]

    def slow(file):
        syncs.append(file)
        if len(syncs) == 1:
            for thread in others:
                thread.start()
            while len(one._queue) < 8:
                others[0].join(0.001)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", slow)
    one.keep(record("first"))
    for thread in others:
        thread.join(20)
    assert not any(thread.is_alive() for thread in others)
    assert len(syncs) == 2
    assert len(lines(folder)) == 9


def test_a_waiter_does_not_return_on_the_sync_before_its_bytes(folder, monkeypatch):
    one, sync, order = FileSpool(folder), os.fdatasync, []
    late = threading.Thread(target=lambda: (one.keep(record("late")), order.append("late returns")))

    def slow(file):
        if not order:
            order.append("first sync")
            late.start()
            while not one._queue:
                late.join(0.001)
        else:
            order.append("second sync")
        sync(file)

    monkeypatch.setattr(os, "fdatasync", slow)
    one.keep(record("early"))
    late.join(20)
    assert order == ["first sync", "second sync", "late returns"]


def test_many_threads_lose_nothing_over_rotations(folder, monkeypatch):
    monkeypatch.setattr(spool, "ROTATE_BYTES", 1500)
    one = FileSpool(folder)
    wanted = [f"{thread}.{n}" for thread in range(4) for n in range(10)]
    threads = [
        threading.Thread(target=lambda t=thread: [one.keep(record(f"{t}.{n}")) for n in range(10)])
        for thread in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert sorted(lines(folder)) == sorted(wanted)
    assert len(files(folder)) > 2


# --- what cannot be kept is not released ---


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_disk_that_fails_refuses_and_the_next_is_kept_again(folder, monkeypatch, call):
    one = FileSpool(folder)
    one.keep(record("before"))

    def failing(*_):
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, failing)
        with pytest.raises(Rejected) as caught:
            one.keep(record("lost"))
        assert [f.code for f in caught.value.findings] == [ErrorCode.XDSRegistryOutOfResources]
        assert ANNA not in str(caught.value)
    one.keep(record("after"))
    assert [name for name in lines(folder) if name != "lost"] == ["before", "after"]


def test_a_folder_that_cannot_be_made_refuses(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Rejected):
        FileSpool(tmp_path / "file" / "spool").keep(record())


def test_half_a_line_is_no_record(folder, monkeypatch):
    """A disk that fills up takes a part of the bytes and says so by the number it returns."""
    one, write, calls = FileSpool(folder), os.write, []

    def short(file, data):
        calls.append(data)
        return write(file, data[:20]) if len(calls) == 1 else write(file, data)

    with monkeypatch.context() as full:
        full.setattr(os, "write", short)
        one.keep(record("whole"))
    assert lines(folder) == ["whole"]


# --- fork and rotation ---


def test_a_child_has_a_file_of_its_own(folder):
    one = FileSpool(folder)
    one.keep(record("parent"))
    in_a_child(lambda: one.keep(record("child")))
    one.keep(record("parent again"))
    assert sorted(map(len, (path.read_bytes().splitlines() for path in files(folder)))) == [1, 2]
    assert sorted(lines(folder)) == ["child", "parent", "parent again"]


def test_a_full_file_is_left_and_another_begun(folder, database, monkeypatch):
    monkeypatch.setattr(spool, "ROTATE_BYTES", 10)
    one = FileSpool(folder)
    one.keep(record("1"))
    one.keep(record("2"))
    assert len(files(folder)) == 2
    assert drain(folder, database) == 1, "the one that is still open is left"
    assert (moved(database), lines(folder)) == (["1"], ["2"])


# --- draining ---


def test_draining_moves_once(folder, database):
    leave(folder, "a", "b")
    copies = [(path, path.read_bytes()) for path in files(folder)]
    assert drain(folder, database) == 2
    assert (moved(database), files(folder)) == (["a", "b"], [])
    assert drain(folder, database) == 0
    for path, data in copies:  # as after a crash between commit and unlink
        path.write_bytes(data)
    assert drain(folder, database) == 0
    assert (moved(database), files(folder)) == (["a", "b"], [])


def test_no_folder_and_an_empty_file(folder, database):
    assert drain(folder, database) == 0
    folder.mkdir()
    (folder / "x.jsonl").touch()
    assert drain(folder, database) == 0
    assert files(folder) == []


def test_a_torn_last_line_is_passed_over(folder, database):
    leave(folder, "a")
    with files(folder)[0].open("ab") as file:
        file.write(files(folder)[0].read_bytes()[:-30])
    assert drain(folder, database) == 1
    assert (moved(database), files(folder)) == (["a"], [])


def test_a_live_file_is_left_until_its_process_ends(folder, database):
    leave(folder, "gone")
    live = files(folder)[0].with_name("live.jsonl")
    live.write_bytes(files(folder)[0].read_bytes().replace(b"gone", b"live").replace(b'"id":"', b'"id":"x'))
    with live.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert drain(folder, database) == 1
        assert files(folder) == [live]
    assert drain(folder, database) == 1
    assert moved(database) == ["gone", "live"]


def test_more_than_a_batch(folder, database, monkeypatch):
    monkeypatch.setattr(spool, "BATCH", 3)

    def many():
        one = FileSpool(folder)
        for n in range(8):
            one.keep(record(str(n)))

    in_a_child(many)
    assert drain(folder, database) == 8
    assert moved(database) == [str(n) for n in range(8)]


def test_a_failure_half_way_keeps_the_file(folder, database, monkeypatch):
    leave(folder, "a")
    with monkeypatch.context() as broken:
        broken.setattr(spool, "_add_new", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            drain(folder, database)
    assert lines(folder) == ["a"]
    assert drain(folder, database) == 1


# --- what breaks in between ---


def test_half_a_line_takes_nothing_with_it(folder, database, monkeypatch):
    """The disk fills up within a record, which is refused; the one that is kept after it must be found again."""
    write, calls = os.write, []

    def filling(file, data):
        calls.append(data)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "no space")
        return write(file, data[:20])

    def work():
        one = FileSpool(folder)
        with monkeypatch.context() as full:
            full.setattr(os, "write", filling)
            with pytest.raises(Rejected):
                one.keep(record("refused"))
        one.keep(record("kept"))

    in_a_child(work)
    drain(folder, database)
    assert moved(database) == ["kept"]


def test_draining_while_a_file_is_made_loses_nothing(folder, database, monkeypatch):
    lock, drained = fcntl.flock, []

    def racing(file, operation):
        if operation == fcntl.LOCK_SH and not drained:
            drained.append(drain(folder, database))
        lock(file, operation)

    monkeypatch.setattr(spool.fcntl, "flock", racing)
    FileSpool(folder).keep(record("kept"))
    assert [*lines(folder), *moved(database)] == ["kept"]


def test_a_failed_sync_is_never_tried_again_on_the_same_file(folder, monkeypatch):
    """The system reports a failure once and forgets the pages: a second sync of the file says nothing."""
    one, sync, files_synced, told = FileSpool(folder), os.fdatasync, [], []

    def late():
        try:
            one.keep(record("late"))
            told.append("kept")
        except Rejected:
            told.append("refused")

    thread = threading.Thread(target=late)

    def failing(file):
        files_synced.append(os.fstat(file).st_ino)
        if len(files_synced) > 1:
            return sync(file)
        thread.start()
        while not one._queue:
            thread.join(0.001)
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(Rejected):
        one.keep(record("early"))
    thread.join(20)
    assert told == ["refused"] or len(set(files_synced)) == 2
