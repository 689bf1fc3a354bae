"""Slices of 512 KiB in (STOW-RS) and a study of them out (WADO-RS), in bytes a second."""

import shutil
from collections.abc import Iterator, Sequence
from uuid import uuid4

from conformance.bench import data, floors, transfer
from conformance.bench.client import Question, Wrong
from conformance.bench.documents import MEGABYTE
from conformance.bench.stand import Figures, Stand, figures
from conformance.synthetic import patient_id
from profiles.faces.multipart import write_parts

DICOM = "application/dicom"
OBJECTS = 50  # in one request
STORED = b'"00081155"'  # ReferencedSOPInstanceUID, once for each object of the answer
BOUNDARY = f"bench-{uuid4().hex}"


def store(stand: Stand) -> Figures:
    """In; the floor is to copy, hash (SHA-256) and sync the same bytes into one file each, in one thread.

    Raises:
        Wrong: an object was not kept as it was sent.
    """

    def runs() -> Iterator[tuple[float, float]]:
        for _ in range(stand.sizes.repeats):
            study = data.slices(stand.sizes.slices, patient_id(data.WITH_REPORTS))
            copies = stand.folder / "copies"
            least = floors.keeping(study.files, copies)
            shutil.rmtree(copies)
            seconds = sum(_store(stand, files) for files in data.parts(study, OBJECTS))
            _compare(stand, study)
            yield study.size / MEGABYTE / least, study.size / MEGABYTE / seconds

    return figures("MB/s", list(runs()))


def _store(stand: Stand, files: Sequence[data.Pieces]) -> float:
    headers = {"Content-Type": f'multipart/related; type="{DICOM}"; boundary="{BOUNDARY}"'}
    body = list(write_parts(BOUNDARY, (([("Content-Type", DICOM)], file) for file in files)))
    question = Question("POST", "/dicomweb/studies", headers)
    return stand.by_client(transfer.send, stand.server.where, question, body, STORED, len(files))


def _compare(stand: Stand, study: data.Slices) -> None:
    held = stand.house.imaging.instances(data.CALLER, study.study_uid)
    if sorted(one.sha256 for one in held) != sorted(map(transfer.digest, study.files)):
        raise Wrong("the objects that were kept are not the ones that were sent")


def retrieve(stand: Stand) -> Figures:
    """Out; the floor is to send the same files from disk.

    Raises:
        Wrong: what comes back is not what was put in.
    """
    study, where = data.slices(stand.sizes.slices, patient_id(data.WITH_REPORTS)), stand.server.where
    data.store(stand.house, study)
    folder = stand.folder / study.study_uid
    folder.mkdir()
    for number, file in enumerate(study.files):
        (folder / f"{number:06d}").write_bytes(b"".join(file))
    accept = {"Accept": f'multipart/related; type="{DICOM}"; transfer-syntax=*'}
    question = Question("GET", f"/dicomweb/studies/{study.study_uid}", accept)
    floor = Question("GET", f"{floors.FOLDER}/{study.study_uid}")
    if sorted(stand.by_client(transfer.digests, where, question)) != sorted(map(transfer.digest, study.files)):
        raise Wrong("the objects that came back are not the ones that were put in")
    if stand.by_client(transfer.fingerprint, where, floor) != transfer.digest(p for file in study.files for p in file):
        raise Wrong("the floor does not send the files")
    length, _ = stand.by_client(transfer.take, where, question)

    def runs() -> Iterator[tuple[float, float]]:
        for _ in range(stand.sizes.repeats):
            _, least = stand.by_client(transfer.take, where, floor, study.size, transfer.AGAIN)
            _, seconds = stand.by_client(transfer.take, where, question, length, transfer.AGAIN)
            yield study.size / MEGABYTE / least, study.size / MEGABYTE / seconds

    return figures("MB/s", list(runs()))
