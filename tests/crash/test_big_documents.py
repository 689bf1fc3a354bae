"""A document larger than the process's memory passes in and out, unchanged, while the processes hardly grow.

300 MB in the suite; XDSI_BIG_MB=2048 for the promise.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import examination
import pydicom
import pytest
import region
import requests
from examination import Document, Study, packed, provided, sop_uid
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element

from registry.metadata.urn import Action, Namespace, ResponseStatus

MEGABYTE = 2**20
BIG = int(os.environ.get("XDSI_BIG_MB", "300"))
MAY_GROW = 64  # MB
PLACE = b"%PLACE-OF-THE-DOCUMENT%"


def pieces() -> Iterator[bytes]:
    """`BIG` MB in which no two pieces are alike."""
    block = os.urandom(MEGABYTE - 8)
    yield from (number.to_bytes(8, "big") + block for number in range(BIG))


def descendants(pid: int) -> list[int]:
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(each for child in children for each in descendants(child))]


def peak(pid: int) -> int:
    """The largest resident set so far, in MB."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[region.Region]:
    found = region.start(tmp_path_factory.mktemp("big") / "data", XDSI_PUBLISHING__AUTOMATIC="false")
    # What every process loads once is not growth.
    small = Document(examination.person())
    for _ in range(8):
        found.provide(small.but(uid=examination.new_uid(), id=Document(small.who).id))
        found.stow(Study().object())
        requests.get(f"{found.url}/fhir/ImagingStudy", timeout=10)
    yield found
    found.server.stop()


@pytest.fixture
def growth(world: region.Region) -> Callable[[], int]:
    """How many MB the process that grew most has grown since the test began."""
    before = {pid: peak(pid) for pid in descendants(world.server.process.pid)}
    return lambda: max(peak(pid) - was for pid, was in before.items())


def hashed(chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


class Sent:
    """A stream that is hashed while it is sent."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def __call__(self, head: bytes, content: Iterator[bytes], tail: bytes) -> Iterator[bytes]:
        yield head
        for piece in content:
            self.digest.update(piece)
            yield piece
        yield tail


def document_of(answer: requests.Response, size: int) -> Iterator[bytes]:
    """The `size` bytes of the second part of an MTOM answer, as they come."""
    chunks = answer.iter_content(MEGABYTE)
    boundary = answer.headers["Content-Type"].partition('boundary="')[2].partition('"')[0].encode()
    held = b""
    while held.count(b"--" + boundary) < 2 or b"\r\n\r\n" not in held.rpartition(b"--" + boundary)[2]:
        held += next(chunks)
    rest = held.split(b"--" + boundary, 2)[2].partition(b"\r\n\r\n")[2]
    left = size
    while left > 0:
        piece = rest[:left]
        left -= len(piece)
        yield piece
        rest = next(chunks, b"") if left else rest[len(piece) :]
        assert rest or not left, "the answer is too short"
    tail = rest + b"".join(chunks)
    assert tail.strip() == b"--" + boundary + b"--"


def test_a_document_passes_in_and_out(world: region.Region, growth: Callable[[], int]) -> None:
    report = Document(examination.person(), PLACE)
    client = world.soap("repository")
    envelope = client.create_message(client.service, "ProvideAndRegisterDocumentSetB", **provided(report))
    content_type, body = packed(envelope, [PLACE])
    head, _, tail = body.partition(PLACE)
    sent = Sent()
    answer = world.post("repository", content_type, sent(head, pieces(), tail), timeout=600)
    assert ResponseStatus.SUCCESS in answer.text, answer.text
    digest = sent.digest.hexdigest()
    assert growth() < MAY_GROW, f"grew by {growth()} MB while {BIG} MB came in"

    asked = (
        f'<x:RetrieveDocumentSetRequest xmlns:x="{Namespace.XDS_B}"><x:DocumentRequest>'
        f"<x:RepositoryUniqueId>{world.repository}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{report.uid}</x:DocumentUniqueId>"
        "</x:DocumentRequest></x:RetrieveDocumentSetRequest>"
    )
    with requests.post(
        f"{world.url}/xds/repository",
        examination.soap(Action.RETRIEVE_DOCUMENT_SET, asked),
        headers={"Content-Type": "application/soap+xml; charset=UTF-8"},
        stream=True,
        timeout=600,
    ) as given:
        assert hashed(document_of(given, BIG * MEGABYTE)) == digest
    assert growth() < MAY_GROW, f"grew by {growth()} MB while {BIG} MB went out by ITI-43"

    (reference,) = world.search("DocumentReference", **{"patient.identifier": report.who.token})
    with requests.get(reference["content"][0]["attachment"]["url"], stream=True, timeout=600) as given:
        assert hashed(given.iter_content(MEGABYTE)) == digest
    assert growth() < MAY_GROW, f"grew by {growth()} MB while {BIG} MB went out by FHIR"


def test_an_object_passes_in_and_out(world: region.Region, growth: Callable[[], int]) -> None:
    study = Study()
    small = study.object(NumberOfFrames=BIG, Rows=1024, Columns=1024, BitsAllocated=8, BitsStored=8, HighBit=7)
    data = pydicom.dcmread(DicomBytesIO(small))
    at = small.index(pixel_head(data))
    head = small[:at] + b"\xe0\x7f\x10\x00OW\0\0" + (BIG * MEGABYTE).to_bytes(4, "little")
    whole = hashlib.sha256(head)

    def stream() -> Iterator[bytes]:
        yield b"--cut-here\r\nContent-Type: application/dicom\r\n\r\n" + head
        for piece in pieces():
            whole.update(piece)
            yield piece
        yield b"\r\n--cut-here--\r\n"

    answer = requests.post(f"{world.url}/dicomweb/studies", stream(), headers=examination.STOW, timeout=600)
    assert answer.status_code == 200, answer.text
    assert growth() < MAY_GROW, f"grew by {growth()} MB while {BIG} MB came in by STOW-RS"

    url = f"{world.url}/dicomweb/studies/{study.uid}/series/{study.series}/instances/{sop_uid(small)}"
    with requests.get(url, headers={"Accept": "application/dicom"}, stream=True, timeout=600) as given:
        assert hashed(given.iter_content(MEGABYTE)) == whole.hexdigest()
    with requests.get(f"{url}/frames/{BIG}", headers={"Accept": "application/octet-stream"}, timeout=60) as last:
        assert last.content[:8] == (BIG - 1).to_bytes(8, "big")
        assert len(last.content) == MEGABYTE
    assert growth() < MAY_GROW, f"grew by {growth()} MB while {BIG} MB went out by WADO-RS"


def pixel_head(data: pydicom.Dataset) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_data_element(out, data["PixelData"])
    return out.getvalue()[:12]
