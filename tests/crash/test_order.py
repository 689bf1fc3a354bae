"""The order that makes an acknowledgement true, seen from outside by strace.

For each upload: the file is synced, renamed into place, its directory is synced, the database's log is synced, and only
then the answer goes out.
"""

import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import examination
import pytest
import region
import requests
from examination import Document, Study, multipart
from region import digest, eventually

from registry.metadata.urn import ResponseStatus

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]
CALL = re.compile(r"(?P<start>[0-9.]+) (?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+).*<(?P<took>[0-9.]+)>")
TRACED = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,sendto,sendmsg,write,writev"


@dataclass(frozen=True)
class Call:
    thread: str
    name: str
    arguments: str
    start: float
    end: float

    def syncs(self, path: str) -> bool:
        return self.name in ("fsync", "fdatasync") and f"<{path}>" in self.arguments

    @property
    def answers(self) -> bool:
        return self.name in ("sendto", "sendmsg", "write", "writev") and '"HTTP/1.1 200' in self.arguments


@dataclass
class Traced:
    world: region.Region
    tracer: "subprocess.Popen[str]"
    out: Path

    def calls(self) -> list[Call]:
        """What was called and returned, once strace has let go."""
        self.tracer.send_signal(signal.SIGINT)
        self.tracer.wait(10)
        found = []
        for file in self.out.parent.glob(f"{self.out.name}.*"):
            for line in file.read_text(errors="replace").splitlines():
                call = CALL.match(line)
                if call and int(call["result"]) >= 0:
                    start = float(call["start"])
                    found.append(Call(file.suffix, call["name"], call["arguments"], start, start + float(call["took"])))
        return sorted(found, key=lambda call: call.start)


def descendants(pid: int) -> list[int]:
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(each for child in children for each in descendants(child))]


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    world = region.start(tmp_path / "data", XDSI_PUBLISHING__AUTOMATIC="false")
    world.soap("repository")
    pids = [argument for pid in descendants(world.server.process.pid) for argument in ("-p", str(pid))]
    out = tmp_path / "trace"
    tracer = subprocess.Popen(
        ["strace", "-ff", "-ttt", "-T", "-y", "-s", "40", "-e", f"trace={TRACED}", "-o", str(out), *pids],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if not eventually(lambda: tracer.poll() is not None or list(tmp_path.glob("trace.*")), "strace is silent"):
            pytest.skip("strace cannot attach")
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            pytest.skip(f"strace cannot attach: {tracer.stderr.read()}")
        yield Traced(world, tracer, out)
    finally:
        if tracer.poll() is None:
            tracer.kill()
            tracer.wait(10)
        world.server.stop()


def assert_order(calls: list[Call], data: Path, sha256: str) -> None:
    """Of the upload whose only file has this SHA-256."""
    placing = [c for c in calls if c.name.startswith(("rename", "link")) and f"/{sha256}" in c.arguments]
    assert len(placing) == 1, placing
    placed = placing[0]
    source, target = re.findall(r'"([^"]*)"', placed.arguments)
    assert Path(target).name == sha256
    file_synced = [c for c in calls if c.syncs(source)]
    assert file_synced, "the file was never synced"
    assert min(c.end for c in file_synced) <= placed.start, "the file was synced after it got its name"
    folder_synced = [c for c in calls if c.syncs(str(Path(target).parent)) and c.start >= placed.end]
    assert folder_synced, "the directory was not synced after the rename"
    named = min(c.end for c in folder_synced)
    log = str(data / "registry.sqlite-wal")
    # A transaction is written and answered by the thread that received the request.
    logged = [c for c in calls if c.syncs(log) and c.start >= named and c.thread == placed.thread]
    assert logged, "the database's log was not synced after the directory"
    answered = [c for c in calls if c.answers and c.thread == placed.thread and c.start >= placed.end]
    assert answered, "no answer was seen"
    assert min(c.end for c in logged) <= min(c.start for c in answered), "the answer left before the log was synced"


def test_each_acknowledged_upload_was_on_disk_before(traced: Traced) -> None:
    world = traced.world
    uploaded: list[bytes] = []

    def documents() -> None:
        for number in range(3):
            report = Document(examination.person(), b"%PDF" + bytes([number]) * 3000 + report_salt())
            content_type, body = world.message(report)
            assert ResponseStatus.SUCCESS in world.post("repository", content_type, body).text
            uploaded.append(report.content)

    def objects() -> None:
        for _ in range(3):
            one = Study().object()
            answer = requests.post(
                f"{world.url}/dicomweb/studies", multipart(one), headers=examination.STOW, timeout=60
            )
            assert answer.status_code == 200
            uploaded.append(one)

    threads = [threading.Thread(target=work) for work in (documents, objects, objects)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(uploaded) == 9
    calls = traced.calls()
    for content in uploaded:
        assert_order(calls, world.server.data.resolve(), digest(content))


def test_an_answer_to_a_reader_leaves_after_its_audit_record_is_on_disk(traced: Traced) -> None:
    world = traced.world
    who = examination.person()
    for _ in range(3):
        assert requests.get(
            f"{world.url}/fhir/DocumentReference", params={"patient.identifier": who.token}, timeout=30
        ).ok
    calls = traced.calls()
    answers = [c for c in calls if c.answers]
    assert len(answers) == 3
    for answer in answers:
        spooled = [c for c in calls if "/audit/" in c.arguments and "sync" in c.name and c.end <= answer.start]
        assert spooled, "the answer left before its audit record was synced"
        written = [c for c in calls if "/audit/" in c.arguments and c.name == "write" and c.end <= answer.start]
        assert len(written) > answers.index(answer)
        assert max(c.end for c in spooled) >= max(c.end for c in written)


def report_salt() -> bytes:
    return examination.new_uid().encode()
