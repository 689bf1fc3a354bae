"""`kill -9` at random instants under eight uploading clients: what was acknowledged is there, identical, and whole.

A few rounds in the suite; XDSI_KILLS=50 for the long run.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import examination
import pytest
import region
import requests
import running
from examination import Document, Study, multipart, packed, provided, sop_uid

from registry.metadata.urn import ResponseStatus

pytestmark = pytest.mark.crash

KILLS = int(os.environ.get("XDSI_KILLS", "4"))
CLIENTS = 8
STARTS_WITHIN = 10.0  # seconds: the promise
QUICK = {"XDSI_PUBLISHING__QUIET_SECONDS": "0.1"}
UPLOADS_BEFORE_A_KILL = (2, 40)
SEED = int(os.environ.get("XDSI_KILL_SEED", str(random.randrange(10**6))))


@dataclass
class Clients:
    """Eight clients that upload until they are stopped, and what was acknowledged to them."""

    world: region.Region
    documents: dict[str, bytes] = field(default_factory=dict)
    objects: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    acknowledged: int = 0
    unexpected: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    up: threading.Event = field(default_factory=threading.Event)
    zeep: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> list[threading.Thread]:
        doors: list[Callable[[], None]] = [self.stow, self.provide]
        threads = [threading.Thread(target=self._loop, args=(doors[n % 2],), daemon=True) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads

    def _loop(self, upload: Callable[[], None]) -> None:
        while not self.stopping.is_set():
            if not self.up.wait(0.05):
                continue
            try:
                upload()
            except requests.RequestException:
                time.sleep(0.01)
            except Exception as error:
                self.unexpected.append(repr(error))
                return

    def stow(self) -> None:
        study = Study()
        objects = [study.object(SeriesInstanceUID=study.series, ImageComments=uuid4().hex) for _ in range(2)]
        answer = requests.post(
            f"{self.world.url}/dicomweb/studies", multipart(*objects), headers=examination.STOW, timeout=30
        )
        if answer.status_code != 200:
            self.unexpected.append(answer.text[:500])
            return
        for one in objects:
            self.objects[study.uid, study.series, sop_uid(one)] = one
        self.acknowledged += 1

    def provide(self) -> None:
        report = Document(examination.person(), os.urandom(random.randrange(1, 60_000)))
        client = self.world.soap("repository")
        with self.zeep:
            envelope = client.create_message(client.service, "ProvideAndRegisterDocumentSetB", **provided(report))
        answer = self.world.post("repository", *packed(envelope, [report.content]), timeout=30)
        if ResponseStatus.SUCCESS not in answer.text:
            self.unexpected.append(answer.text[-500:])
            return
        self.documents[report.uid] = report.content
        self.acknowledged += 1


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgresql")) if request.param == "postgresql" else ""


@pytest.fixture
def killed(database: str, tmp_path: Path) -> Iterator[Clients]:
    """A server that was killed again and again while clients uploaded, and is up."""
    random.seed(SEED)
    rounds = KILLS if not database else max(1, KILLS // 2)
    world = region.start(tmp_path / "data", database, **QUICK)
    world.soap("repository")
    clients = Clients(world)
    threads = clients.run()
    for number in range(rounds):
        clients.up.set()
        enough = clients.acknowledged + random.randint(*UPLOADS_BEFORE_A_KILL)
        region.eventually(lambda n=enough: clients.acknowledged >= n or clients.unexpected, "no uploads")  # type: ignore[misc]
        time.sleep(random.random() * 0.05)  # an instant within an upload
        if number % 3 == 2:
            kill_one(world)
        else:
            kill_all(clients, database)
    clients.stopping.set()
    for thread in threads:
        thread.join(60)
    yield clients
    world.server.stop()


def kill_one(world: region.Region) -> None:
    """A web server or a worker alone: the server mends itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(random.choice(running_under(world.server.process.pid)), signal.SIGKILL)
    region.eventually(lambda: is_ready(world), "it did not mend itself")
    assert world.server.process.poll() is None


def kill_all(clients: Clients, database: str) -> None:
    """The whole server, and a start on the same port: what a client that tries again would see."""
    world = clients.world
    world.server.process.kill()
    world.server.process.wait(10)
    clients.up.clear()
    more = QUICK | ({"XDSI_DATABASE_URL": database} if database else {})
    begun = time.monotonic()
    world.server = running.start(world.server.data, web=world.url.removeprefix("http://"), **more)
    took = time.monotonic() - begun
    assert took < STARTS_WITHIN, f"started after {took:.1f} s"


def running_under(pid: int) -> list[int]:
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [each for child in children for each in (child, *running_under(child))]


def is_ready(world: region.Region) -> bool:
    try:
        return requests.get(f"{world.url}/health/ready", timeout=5).ok
    except requests.RequestException:
        return False


def test_nothing_acknowledged_is_lost(killed: Clients) -> None:
    world = killed.world
    assert killed.unexpected == [], f"seed {SEED}"
    assert killed.documents
    assert killed.objects
    uids = list(killed.documents)
    for at in range(0, len(uids), 50):
        answer = world.retrieve(*[(world.repository, uid) for uid in uids[at : at + 50]])
        assert answer.RegistryResponse.status == ResponseStatus.SUCCESS, f"seed {SEED}: {answer.RegistryResponse}"
        for one in answer.DocumentResponse:
            assert one.Document == killed.documents[one.DocumentUniqueId]
    for (study, series, instance), content in killed.objects.items():
        url = f"{world.url}/dicomweb/studies/{study}/series/{series}/instances/{instance}"
        got = world.session.get(url, headers={"Accept": "application/dicom"}, timeout=10)
        assert got.content == content, f"seed {SEED}: {got.status_code}"
    rows_agree(world)
    for study in {study for study, _, _ in killed.objects}:
        assert len(world.search("ImagingStudy", identifier=study)) == 1

    assert world.server.stop() == 0
    found = world.fsck("--grace", "0")
    for damage in ("row without blob", "wrong size", "wrong hash"):
        assert damage not in found.stdout, f"seed {SEED}"
    assert world.fsck("--repair", "--grace", "0").returncode in (0, 1), found.stdout
    clean = world.fsck("--grace", "0")
    assert clean.returncode == 0, clean.stdout


HALVES = (
    "SELECT unique_id FROM document WHERE unique_id NOT IN (SELECT unique_id FROM document_entry)",
    "SELECT unique_id FROM document_entry WHERE unique_id NOT IN (SELECT unique_id FROM document)",
    "SELECT id FROM document_entry WHERE id NOT IN (SELECT target FROM association)",
    "SELECT id FROM submission_set WHERE id NOT IN (SELECT source FROM association)",
    "SELECT uid FROM study WHERE instance_count <> (SELECT count(*) FROM instance WHERE study_uid = study.uid)",
    "SELECT uid FROM study WHERE uid NOT IN (SELECT uid FROM imaging_study)",
    "SELECT uid FROM study WHERE manifest_uid IS NOT NULL AND manifest_uid NOT IN (SELECT unique_id FROM document)",
    "SELECT unique_id FROM document_entry WHERE mime_type = 'application/dicom' AND status = 'Approved'"
    " AND unique_id NOT IN (SELECT manifest_uid FROM study WHERE manifest_uid IS NOT NULL)",
)


def rows_agree(world: region.Region) -> None:
    """Every submission is whole: nothing of it is there without the rest."""
    for sql in HALVES:
        assert world.sql(sql) == [], f"seed {SEED}: {sql}"
