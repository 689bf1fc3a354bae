"""Metadata and bulk data of STOW-RS, sent apart: read to their end, then made into DICOM files (PS3.18, 10.5.2).

The first part is an array of data sets, the others are the values that these refer to by Content-Location. Nothing of
the request is stored before all of it is there, and no BulkDataURI is followed anywhere but into the request.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import orjson

from profiles.faces.dicomweb import DICOM_JSON, JSON
from profiles.faces.multipart import Limits as PartLimits
from profiles.faces.multipart import Part, Read, parameters, read_parts
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging import attributes
from repository.imaging.assembling import NATIVE, assembled
from repository.imaging.service import Outcome
from repository.imaging.tags import Tag

METADATA_BYTES = 64 * 2**20
"""Bytes of the metadata of one request; what one object may have the scanner bounds."""

IN_MEMORY = 4 * 2**20
_BLOCK = 256 * 1024
_SOURCE = "PS3.18, 10.5.2"


@dataclass(frozen=True, slots=True)
class BulkPart:
    """A part as received: `size` bytes of `file` from `start`."""

    media: str
    transfer_syntax: str
    file: IO[bytes]
    start: int
    size: int

    def read(self) -> Iterator[bytes]:
        """Its bytes in chunks."""
        at, end = self.start, self.start + self.size
        while at < end:
            self.file.seek(at)
            chunk = self.file.read(min(_BLOCK, end - at))
            at += len(chunk)
            yield chunk


def store_apart(
    content_type: str,
    read: Read,
    limits: PartLimits,
    largest: int,
    store: Callable[[Iterable[Iterable[bytes]]], list[Outcome]],
) -> list[Outcome]:
    """Store what metadata and bulk parts make together; an outcome for each data set, in their order.

    `largest` is the most bytes of one part.

    Raises Rejected: InvalidRequest for a request that is no metadata with its parts, TooLarge, and what `store` raises.
    """
    with SpooledTemporaryFile(IN_MEMORY) as file:
        data_sets, parts = _received(content_type, read, limits, largest, file)
        files: list[Iterator[bytes]] = []
        outcomes: list[Outcome | None] = []
        for place, data in enumerate(data_sets, 1):
            try:
                _, chunks = assembled(data, parts)
            except Rejected as rejected:
                outcomes.append(_refused(data, place, rejected))
            else:
                files.append(chunks)
                outcomes.append(None)
        stored = iter(store(files) if files else [])
        return [outcome or next(stored) for outcome in outcomes]


def _received(
    content_type: str, read: Read, limits: PartLimits, largest: int, file: IO[bytes]
) -> tuple[list[Any], Mapping[str, list[BulkPart]]]:
    parts = read_parts(content_type, read, limits)
    first = next(parts, None)
    if first is None or parameters(first.content_type)[0] not in (DICOM_JSON, JSON):
        raise _invalid("part 1", f"The first part must be the metadata, as {DICOM_JSON}")
    data_sets = _metadata(first)
    found: dict[str, list[BulkPart]] = {}
    for number, part in enumerate(parts, 2):
        names = [part.headers.get("content-location", ""), part.content_id and f"cid:{part.content_id}"]
        if not any(names):
            raise _invalid(f"part {number}", "A bulk part needs a Content-Location that a BulkDataURI names")
        media, given = parameters(part.content_type or NATIVE)
        bulk = BulkPart(media, given.get("transfer-syntax", ""), file, file.tell(), 0)
        for chunk in _bounded(part.chunks, largest):
            file.write(chunk)
        bulk = replace(bulk, size=file.tell() - bulk.start)
        for name in filter(None, names):
            found.setdefault(name, []).append(bulk)
    return data_sets, found


def _metadata(part: Part) -> list[Any]:
    held = bytearray()
    for chunk in part.chunks:
        held += chunk
        if len(held) > METADATA_BYTES:
            text = f"The metadata have more than {METADATA_BYTES} bytes; send them in several requests"
            raise Rejected.because(ErrorCode.TooLarge, "part 1", text, "limit of this server")
    try:
        found = orjson.loads(held)
    except orjson.JSONDecodeError as error:
        raise _invalid("part 1", f"The metadata are no JSON: {error}") from None
    data_sets = found if isinstance(found, list) else [found]
    if not data_sets:
        raise _invalid("part 1", "There is no data set in the metadata")
    return data_sets


def _bounded(chunks: Iterable[bytes], left: int) -> Iterator[bytes]:
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise Rejected.because(ErrorCode.TooLarge, "body", "A part is too large", "limit of this server")
        yield chunk


def _refused(data: Any, place: int, rejected: Rejected) -> Outcome:
    """All findings of one data set in one; what of its UIDs can be read names it."""

    def text(tag: Tag) -> str:
        try:
            return attributes.text(data, tag)
        except (AttributeError, TypeError):
            return ""

    first = rejected.findings[0]
    told = "; ".join(f"{finding.where}: {finding.text}" for finding in rejected.findings)
    return Outcome(
        text(Tag.SOP_CLASS_UID),
        text(Tag.SOP_INSTANCE_UID),
        text(Tag.STUDY_INSTANCE_UID),
        replace(first, where=f"object {place}", text=told),
        text(Tag.SERIES_INSTANCE_UID),
    )


def _invalid(where: str, text: str) -> Rejected:
    return Rejected.because(ErrorCode.InvalidRequest, where, text, _SOURCE)
