"""What is in the stores before anything is measured: made by the services that the doors use, without HTTP.

Beside the patients that are asked for there are others, so that an index is needed to find them.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import pydicom
from pydicom import Dataset
from pydicom.data import get_testdata_file

from conformance import messages
from conformance.synthetic import AUTHORITY, patient_id, submission
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import Rejected
from registry.metadata.model import Submission
from registry.queries import FindResources, ResourceType

CALLER = Caller(name="benchmark", address="", transaction="benchmark")
WITH_10, WITH_100, WITH_STUDIES, WITH_REPORTS, OTHERS = 1, 2, 3, 4, 1000  # numbers of synthetic patients
STUDIES = 20
ENTRIES_EACH = 10
SIDE = 512  # rows and columns of 16 bits: 512 KiB a slice
UID_ROOT = "1.2.752.129.2.9.5.9"
PLACEHOLDER = f"{UID_ROOT}.1{'0' * 23}"

Pieces = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Slices:
    """DICOM files that differ in their head alone: the uncompressed pixels are the same bytes in each."""

    study_uid: str
    files: Sequence[Pieces]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(piece) for file in self.files for piece in file)


def fill(house: House, entries: int, progress: Callable[[int], None]) -> None:
    """Register the patients that are asked for and `entries` documents of others; `progress` hears how many
    are done.
    """
    rng = random.Random(entries)  # noqa: S311
    wanted = [(WITH_10, 10), (WITH_100, 100)]
    others = ((OTHERS + n, ENTRIES_EACH) for n in range(entries // ENTRIES_EACH))
    submissions = [number for number, count in (*wanted, *others) for _ in range(0, count, ENTRIES_EACH)]
    for done, number in enumerate(submissions):
        if done % 100 == 0:
            progress(done * ENTRIES_EACH)
        house.registry.submit(submission(rng, patient_id(number), ENTRIES_EACH), CALLER)
    for _ in range(STUDIES):
        store(house, slices(4, patient_id(WITH_STUDIES), side=64))


def store(house: House, some: Slices) -> None:
    """Keep and index the slices.

    Raises:
        Rejected: one was refused.
    """
    refused = [outcome.finding for outcome in house.imaging.store(some.files, CALLER) if outcome.finding]
    if refused:
        raise Rejected(refused)


def fhir_id(house: House, number: int) -> str:
    """The FHIR id of the n-th synthetic patient."""
    found = house.registry.search(FindResources(ResourceType.PATIENT, patient_ids=(patient_id(number),)), CALLER)
    return found.items[0].id


def report() -> Submission:
    """A submission of one document, as its source sends it, like no other."""
    return messages.provided(submission(random.Random(), patient_id(WITH_REPORTS), 1))  # noqa: S311


def document(size: int) -> Pieces:
    """`size` bytes like no other document's, in pieces; all but the first piece are the same object in memory."""
    block = os.urandom(min(size, 1 << 20))
    whole, rest = divmod(size, len(block))
    return [os.urandom(len(block)), *[block] * (whole - 1), block[:rest]]


def slices(count: int, patient: str, side: int = SIDE) -> Slices:
    """A new study of `count` slices in one series."""
    study, series = _uid(), _uid()
    head, pixels = _template(patient, side)
    return Slices(study, [[_head(head, study, series), pixels] for _ in range(count)])


def _template(patient: str, side: int) -> tuple[bytes, bytes]:
    """A file's bytes before and from its pixels on, grown from the CT slice that ships with pydicom."""
    path = get_testdata_file("CT_small.dcm", download=False)
    assert path is not None, "pydicom's test data has no CT_small.dcm"
    grown = pydicom.dcmread(str(path))
    tiles = side * side * 2 // len(grown.PixelData)
    grown.PixelData = (grown.PixelData * max(tiles, 1))[: side * side * 2]
    grown.Rows = grown.Columns = side
    if "DataSetTrailingPadding" in grown:
        del grown.DataSetTrailingPadding
    grown.PatientID = patient.partition("^")[0]
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = AUTHORITY, "ISO"
    grown.IssuerOfPatientIDQualifiersSequence = pydicom.Sequence([issuer])
    for number, name in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")):
        setattr(grown, name, f"{PLACEHOLDER[:-1]}{number}")
    grown.file_meta.MediaStorageSOPInstanceUID = grown.SOPInstanceUID
    buffer = BytesIO()
    grown.save_as(buffer, enforce_file_format=True)
    whole = buffer.getvalue()
    return whole[: -len(grown.PixelData)], whole[-len(grown.PixelData) :]


def _head(template: bytes, study: str, series: str) -> bytes:
    # All UIDs have the same length, so that no length before them changes.
    for place, uid in enumerate((study, series, _uid())):
        template = template.replace(f"{PLACEHOLDER[:-1]}{place}".encode(), uid.encode())
    return template


def _uid() -> str:
    return f"{UID_ROOT}.{random.randrange(10**23, 10**24)}"  # noqa: S311


def parts(some: Slices, at_most: int) -> Iterator[Sequence[Pieces]]:
    """The files in requests of `at_most`."""
    for start in range(0, len(some.files), at_most):
        yield some.files[start : start + at_most]


def with_bytes(one: Submission, pieces: Pieces) -> tuple[str, list[bytes]]:
    """Content-Type and pieces of an ITI-41 request with the document of `one`."""
    content_type, chunks = messages.provide_and_register(one, {one.entries[0].id: pieces})
    return content_type, list(chunks)
