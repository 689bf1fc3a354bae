"""`xdsi beside`: the imaging side measured beside Orthanc, on this machine and the same data.

Both get the same objects over the same protocols from the same client, one server after the other, and every answer is
looked at. A ratio above 1 means that ours is the faster.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from conformance.bench import client, data, dcmtk, machine, transfer
from conformance.bench.client import Question, Wrong
from conformance.bench.documents import MEGABYTE
from conformance.bench.images import BOUNDARY, DICOM, OBJECTS, STORED
from conformance.bench.loop import Expected, closed_loop, expected
from conformance.bench.peers import NoOrthanc, Peer, orthanc, ours
from conformance.synthetic import patient_id
from profiles.faces.multipart import write_parts

ECHO_SCU, STORE_SCU = "echoscu", "storescu"
JSON = "application/dicom+json"
CONNECTIONS = 4
WRONG_USE = 2
Server = Callable[[Path], AbstractContextManager[Peer]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: slices of 512 KiB a study, repeats, seconds of a closed loop."""

    slices: int = 200
    repeats: int = 3
    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its rate in `unit`, and the least that is wanted as a multiple of the other server's."""

    id: str
    what: str
    unit: str
    goal: float


@dataclass(frozen=True, slots=True)
class Rate:
    """What one server reached on one line."""

    line: Line
    server: str
    rate: float


CSTORE = Line("CSTORE", "slices of 512 KiB in, C-STORE over four associations", "MB/s", 0.8)
STOW = Line("STOW", "slices of 512 KiB in, STOW-RS", "MB/s", 1.0)
QIDO = Line("QIDO", "the studies of a patient, QIDO-RS", "/s", 1.0)
META = Line("META", "metadata of a series, WADO-RS", "/s", 1.0)
WADO = Line("WADO", "a study out as it is stored, WADO-RS", "MB/s", 1.0)
LINES = (CSTORE, STOW, QIDO, META, WADO)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Small sizes and no repeats: whether it runs, not how fast.")
@click.option(
    "--inside",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("/var/tmp"),  # noqa: S108 - /tmp may be memory, which syncs for nothing
    help="Folder for the stores, on the disk that is to be measured. Default: /var/tmp",
)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the results there too.")
def beside(quick: bool, inside: Path, file: Path | None) -> None:
    """Measure the imaging side beside Orthanc, on this machine and the same data."""
    sizes = Sizes(30, 1, 0.5) if quick else Sizes()
    if not all(map(dcmtk.program, (ECHO_SCU, STORE_SCU))):
        click.echo("dcmtk is not installed (Debian: dcmtk)", err=True)
        raise SystemExit(WRONG_USE)
    rates: list[Rate] = []
    try:
        for server in (ours, orthanc):
            rates += measure(server, sizes, inside)
    except NoOrthanc as error:
        click.echo(str(error), err=True)
    except Wrong as wrong:
        click.echo(f"The benchmark stops: {wrong}", err=True)
        raise SystemExit(1) from wrong
    Console(width=None if sys.stdout.isatty() else 140).print(table(rates))
    if file:
        file.write_text(json.dumps([asdict(rate) for rate in rates], indent=2))


def measure(server: Server, sizes: Sizes, inside: Path) -> Iterator[Rate]:
    """All lines on one server, on stores that are made for it.

    Raises:
        NoOrthanc: it is not installed.
        Wrong: an answer is not right.
    """
    _, elsewhere = machine.cores()
    with tempfile.TemporaryDirectory(prefix="xdsi-beside-", dir=inside) as folder, client.process(elsewhere) as pool:
        home = Path(folder) / "server"
        home.mkdir()
        with server(home) as peer:
            held = data.slices(sizes.slices, patient_id(1))
            one = Measuring(peer, pool, sizes, Path(folder))
            for line, measured in (
                (CSTORE, one.c_store),
                (STOW, one.stow),
                (QIDO, lambda: one.asked(one.studies_of(held))),
                (META, lambda: one.asked(one.metadata_of(held))),
                (WADO, lambda: one.wado(held)),
            ):
                if line is QIDO:
                    one.put(held)
                click.echo(f"{peer.name}: {line.id}, {line.what}", err=True)
                yield Rate(line, peer.name, measured())


class Measuring:
    """One server being measured."""

    def __init__(self, peer: Peer, pool: Executor, sizes: Sizes, folder: Path) -> None:
        self._peer, self._pool, self._sizes, self._folder = peer, pool, sizes, folder

    def c_store(self) -> float:
        """MB/s of new objects by dcmtk's storescu, over four associations at once."""
        return median(self._c_store(number) for number in range(self._sizes.repeats))

    def _c_store(self, number: int) -> float:
        study = data.slices(self._sizes.slices, patient_id(number + 10))
        folders = [self._folder / f"send-{number}-{part}" for part in range(CONNECTIONS)]
        for folder in folders:
            folder.mkdir()
        for place, pieces in enumerate(study.files):
            (folders[place % CONNECTIONS] / f"{place:06d}").write_bytes(b"".join(pieces))
        # What the client needs to start, and to say nothing, is no merit of any server's.
        seconds = self._timed(self._send, folders) - self._timed(self._greet, folders)
        for folder in folders:
            shutil.rmtree(folder)
        self._require(study.study_uid, len(study.files))
        return study.size / MEGABYTE / seconds

    def _timed(self, work: Callable[[Path], None], folders: Sequence[Path]) -> float:
        """Seconds of `work` on all of `folders` at once."""
        begin = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            list(threads.map(work, folders))
        return time.perf_counter() - begin

    def _greet(self, _: Path) -> None:
        self._run([ECHO_SCU])

    def _send(self, folder: Path) -> None:
        # The largest PDUs that both take, so that it is the servers that are measured.
        self._run([STORE_SCU, "--max-pdu", "131072", "+sd"], str(folder))

    def _run(self, command: Sequence[str], *files: str) -> None:
        to = ["-aec", self._peer.ae_title, "127.0.0.1", str(self._peer.dicom)]
        program = dcmtk.program(command[0]) or command[0]
        done = subprocess.run([program, *command[1:], *to, *files], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise Wrong(f"{self._peer.name}: {done.stdout[-1000:]}{done.stderr[-1000:]}")

    def stow(self) -> float:
        """MB/s of new objects, fifty a request."""

        def once(number: int) -> float:
            study = data.slices(self._sizes.slices, patient_id(number + 20))
            seconds = self.put(study)
            self._require(study.study_uid, len(study.files))
            return study.size / MEGABYTE / seconds

        return median(once(number) for number in range(self._sizes.repeats))

    def put(self, study: data.Slices) -> float:
        """Store a study; seconds."""
        headers = {
            "Content-Type": f'multipart/related; type="{DICOM}"; boundary="{BOUNDARY}"',
            "Accept": JSON,
        }
        question, seconds = Question("POST", f"{self._peer.dicomweb}/studies", headers), 0.0
        for files in data.parts(study, OBJECTS):
            body = list(write_parts(BOUNDARY, (([("Content-Type", DICOM)], file) for file in files)))
            sent = self._pool.submit(transfer.send, self._peer.where, question, body, STORED, len(files))
            seconds += sent.result()
        return seconds

    def studies_of(self, study: data.Slices) -> Question:
        """The question for the studies of the patient whose study it is."""
        number = patient_id(1).partition("^")[0]
        path = f"{self._peer.dicomweb}/studies?PatientID={number}&includefield=00081030"
        return self._checked(Question("GET", path, {"Accept": JSON}), study.study_uid, 1)

    def metadata_of(self, study: data.Slices) -> Question:
        """The question for the metadata of the study's one series."""
        series = self._series(study.study_uid)
        path = f"{self._peer.dicomweb}/studies/{study.study_uid}/series/{series}/metadata"
        return self._checked(Question("GET", path, {"Accept": JSON}), "00080018", len(study.files))

    def asked(self, question: Question) -> float:
        """Answers a second, over four connections."""
        like = expected(self._peer.where, question)
        return median(self._loop(question, like) for _ in range(self._sizes.repeats))

    def _loop(self, question: Question, like: Expected) -> float:
        work = self._pool.submit(
            closed_loop,
            self._peer.where,
            question,
            like,
            CONNECTIONS,
            self._sizes.seconds,
        ).result()
        return work.requests / work.seconds

    def wado(self, study: data.Slices) -> float:
        """MB/s of the study out.

        Raises:
            Wrong: the objects that come back are not the ones that were put in.
        """
        accept = {"Accept": f'multipart/related; type="{DICOM}"; transfer-syntax=*'}
        question = Question("GET", f"{self._peer.dicomweb}/studies/{study.study_uid}", accept)
        back = self._pool.submit(transfer.digests, self._peer.where, question).result()
        if sorted(back) != sorted(map(transfer.digest, study.files)):
            raise Wrong(f"{self._peer.name}: the objects that came back are not the ones that were put in")
        rates = []
        for _ in range(self._sizes.repeats):
            taken = self._pool.submit(transfer.take, self._peer.where, question, None, transfer.AGAIN)
            rates.append(study.size / MEGABYTE / taken.result()[1])
        return median(rates)

    def _series(self, study_uid: str) -> str:
        path = f"{self._peer.dicomweb}/studies/{study_uid}/series"
        (series,) = json.loads(client.ask(self._peer.where, Question("GET", path, {"Accept": JSON})))
        return str(series["0020000E"]["Value"][0])

    def _require(self, study_uid: str, count: int) -> None:
        """Nothing that was acknowledged may be missing."""
        path = f"{self._peer.dicomweb}/studies/{study_uid}/instances?limit={count + 1}"
        found = json.loads(client.ask(self._peer.where, Question("GET", path, {"Accept": JSON})))
        if len(found) != count:
            raise Wrong(f"{self._peer.name}: {len(found)} of {count} objects are there")

    def _checked(self, question: Question, says: str, times: int) -> Question:
        answer = client.ask(self._peer.where, question)
        if answer.count(says.encode()) < times:
            raise Wrong(f"{self._peer.name}: {question.path}: {answer[:500]!r}")
        return question


def table(rates: Sequence[Rate]) -> Table:
    """One row a line."""
    made = Table(title="The imaging side beside Orthanc")
    by_line: dict[str, Mapping[str, float]] = {
        line.id: {rate.server: rate.rate for rate in rates if rate.line is line} for line in LINES
    }
    servers = list(dict.fromkeys(rate.server for rate in rates))
    for name in ("id", "what", "unit"):
        made.add_column(name)
    for name in (*servers, "ratio", "goal"):
        made.add_column(name, justify="right", no_wrap=True)
    for line in LINES:
        figures = [by_line[line.id].get(server) for server in servers]
        ratio = figures[0] / figures[1] if len(figures) == 2 and figures[0] and figures[1] else None
        made.add_row(
            line.id,
            line.what,
            line.unit,
            *("" if figure is None else f"{figure:,.0f}" for figure in figures),
            "" if ratio is None else f"{ratio:.2f}",
            f"{line.goal:.1f}",
            style="bold red" if ratio is not None and ratio < line.goal else "",
        )
    return made


if __name__ == "__main__":
    beside(prog_name="xdsi beside")
