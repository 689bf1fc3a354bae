"""The order in which files reach the disk: file sync, rename, sync of the directory; then the acknowledgement."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from repository.store import files
from repository.store.files import FileBlobs

SENDER = """
import os, sys
from pathlib import Path
from repository.store.files import FLUSH_EVERY, FileBlobs
store = FileBlobs(Path(sys.argv[1]))
def send(*documents):
    batch = [store.receive(document) for document in documents]
    store.keep(*batch)
    for one in batch:
        os.write(1, f"ACK {one.sha256}\\n".encode())
for number in range(20):
    send([b"alone %d" % number])
send(*([b"together %d" % number] for number in range(20)))
send([b"alone 1"], [bytes(1 << 20)] * (2 * FLUSH_EVERY >> 20))
"""
TRACED = "fsync,fdatasync,rename,renameat,renameat2,write"
CALL = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. )?(?P<call>\w+)(?P<rest>.*)")
HASH = re.compile(r"[0-9a-f]{64}")


def faults(events):
    """Acknowledged names for which the order does not hold.

    An event is ("sync", path), ("rename", old, new) or ("ack", sha256), in the order in which they were completed.
    """
    synced, moved, named, wrong = set(), {}, set(), []
    for kind, *what in events:
        if kind == "sync":
            synced.add(what[0])
            named |= {name for name, (_, folder) in moved.items() if folder == what[0]}
        elif kind == "rename":
            old, new = what
            moved[os.path.basename(new)] = (old in synced, os.path.dirname(new))
        elif what[0] not in named or not moved[what[0]][0]:
            wrong.append(what[0])
    return wrong


def events_of(trace):
    """strace's lines as events; a call that another thread interrupted counts when it is completed."""
    begun = {}
    for line in trace.splitlines():
        found = CALL.match(line)
        if not found:
            continue
        thread, call, rest = found["thread"], found["call"], found["rest"]
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest
            continue
        arguments = begun.pop(thread, "") + rest if "resumed>" in rest else rest
        if not arguments.rstrip().endswith("= 0") and call != "write":
            continue
        if call in ("fsync", "fdatasync"):
            yield "sync", re.search(r"<(/[^>]*)>", arguments)[1]
        elif call.startswith("rename"):
            yield "rename", *re.findall(r'"([^"]*)"', arguments)
        elif '"ACK ' in arguments:
            yield "ack", HASH.search(arguments)[0]


@pytest.fixture
def recorded(monkeypatch):
    """The store's calls to the system, in order: what a sync made durable is noted after it, a rename before it."""
    events = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        fsync(descriptor)
        events.append(("sync", path))

    def noted_rename(old, new, **more):
        events.append(("rename", str(old), str(new)))
        rename(old, new, **more)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    return events


def send_batches(store, events, documents=30):
    for first in range(0, documents, 10):
        batch = [store.receive([b"%d" % number]) for number in range(first, first + 10)]
        store.keep(*batch)
        events.extend(("ack", one.sha256) for one in batch)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are named by Linux' /proc")
class TestOrderOfCalls:
    def test_file_sync_then_rename_then_folder_sync(self, tmp_path, recorded):
        send_batches(FileBlobs(tmp_path), recorded)
        assert faults(recorded) == []

    def test_a_missing_folder_sync_is_seen(self, tmp_path, recorded, monkeypatch):
        store = FileBlobs(tmp_path)
        monkeypatch.setattr(files.FileBlobs, "_sync_names", lambda *_: None)
        send_batches(store, recorded)
        assert len(faults(recorded)) == 30

    def test_a_missing_file_sync_is_seen(self, tmp_path, recorded, monkeypatch):
        store = FileBlobs(tmp_path)
        syncs_folders_alone = files._Disk.sync
        monkeypatch.setattr(
            files._Disk,
            "sync",
            lambda disk, at, *_: os.path.isfile(f"/proc/self/fd/{at}") or syncs_folders_alone(disk, at),
        )
        send_batches(store, recorded)
        assert len(faults(recorded)) == 30

    def test_each_folder_is_synced_once_a_batch_and_a_new_one_in_its_parent(self, tmp_path, recorded):
        store = FileBlobs(tmp_path)
        recorded.clear()
        incoming = store.receive([b"a document"])
        store.keep(incoming)
        shard = tmp_path / "blobs" / incoming.sha256[:2] / incoming.sha256[2:4]
        store.keep(store.receive([b"a document"]), store.receive([b"a document"]))
        folders = [path for kind, path, *_ in recorded if kind == "sync" and Path(path).is_dir()]
        assert folders == [str(shard), str(shard.parent), str(tmp_path / "blobs"), str(shard)]

    def test_a_new_root_is_durable_in_all_its_new_parents(self, tmp_path, recorded):
        FileBlobs(tmp_path / "data" / "blobs")
        synced = {path for _, path in recorded}
        assert {
            str(tmp_path),
            str(tmp_path / "data"),
            str(tmp_path / "data/blobs"),
        } <= synced

    def test_setting_aside_syncs_both_folders(self, tmp_path, recorded):
        store = FileBlobs(tmp_path)
        incoming = store.receive([b"a document"])
        store.keep(incoming)
        recorded.clear()
        store.set_aside(incoming.sha256)
        kinds = [(kind, Path(what[0]).name) for kind, *what in recorded]
        assert kinds == [("rename", incoming.sha256), ("sync", "quarantine"), ("sync", incoming.sha256[2:4])]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_sees_the_same_order(tmp_path):
    trace, root = tmp_path / "trace", tmp_path / "store"
    command = [
        "strace",
        "-f",
        "-y",
        "-s",
        "200",
        "-e",
        f"trace={TRACED}",
        "-o",
        trace,
        sys.executable,
        "-c",
        SENDER,
        root,
    ]
    here = Path(files.__file__).parents[2]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=60)
    if "ptrace" in done.stderr:
        pytest.skip("this machine does not allow strace to trace")
    assert done.returncode == 0, done.stderr
    events = list(events_of(trace.read_text()))
    assert len([kind for kind, *_ in events if kind == "ack"]) == 42
    assert faults(events) == []
    without_folders = [event for event in events if event[0] != "sync" or Path(event[1]).parent.name == "tmp"]
    assert len(faults(without_folders)) == 42


def test_a_process_forked_from_one_that_has_stored_stores_too(tmp_path):
    store = FileBlobs(tmp_path)
    store.keep(*(store.receive([b"%d" % number]) for number in range(20)))
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        try:
            store.keep(store.receive([b"after"]))
        finally:
            os._exit(0 if len(list(store.walk())) == 21 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_files_are_for_the_owner_alone_and_named_by_their_hash(tmp_path):
    store = FileBlobs(tmp_path)
    store.keep(store.receive([b"a document"]))
    name = hashlib.sha256(b"a document").hexdigest()
    assert (tmp_path / "blobs" / name[:2] / name[2:4] / name).stat().st_mode & 0o777 == 0o600


def test_a_slow_disk_slows_the_receiver_before_files_run_out(tmp_path, monkeypatch):
    store, disk_goes_on, fsync = FileBlobs(tmp_path), threading.Event(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (disk_goes_on.wait(5), fsync(descriptor)))
    batch = []
    receiver = threading.Thread(target=lambda: batch.extend(store.receive([b"%d" % number]) for number in range(100)))
    receiver.start()
    try:
        receiver.join(0.3)
        assert receiver.is_alive()
        assert len(list(store.temporaries())) <= files.SYNCS_UNDER_WAY + 1
    finally:
        disk_goes_on.set()
        receiver.join()
    store.keep(*batch)
    assert len(list(store.walk())) == 100


def test_nothing_is_renamed_before_its_sync_is_over(tmp_path):
    store, sync = FileBlobs(tmp_path), Future()
    keeper = threading.Thread(target=store.keep, args=[replace(store.receive([b"a document"]), synced=sync)])
    keeper.start()
    try:
        keeper.join(0.2)
        assert keeper.is_alive()
        assert list(store.walk()) == []
    finally:
        sync.set_result(None)
        keeper.join()
    assert len(list(store.walk())) == 1


def test_no_file_stays_open(tmp_path):
    store = FileBlobs(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    store.keep(*(store.receive([b"%d" % number]) for number in range(100)))
    assert len(os.listdir("/proc/self/fd")) == before
