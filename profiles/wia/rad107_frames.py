"""RAD-107, WADO-RS Retrieve Frames and Bulkdata (RAD TF-2, 4.107; PS3.18, 10.4.1.1.6 and 10.4.1.1.5).

Pixels go out as they are stored, never decoded. A client may ask for compressed ones by their media type or, as viewers
do, as octets of the transfer syntax `*`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Request
from pydicom import uid

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Accept, Form, accept_of, best
from profiles.faces.dicomweb import OCTETS, Part, checked_uids, parts_reply
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.urls import INSTANCE, url
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected

_SOURCE = "PS3.18, 10.4.1.1.6"
_NUMBERS = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*")
_PATH = re.compile(r"[0-9A-F]{8}(/[0-9]{1,9}/[0-9A-F]{8})*")

# PS3.18, table 8.7.3-5. What is not in it, native pixels among it, has no media type but octets.
# fmt: off
MEDIA: Mapping[str, str] = {str(syntax): media for media, syntaxes in (
    ("image/jpeg",      (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)),
    ("image/dicom-rle", (uid.RLELossless,)),
    ("image/jls",       (uid.JPEGLSLossless, uid.JPEGLSNearLossless)),
    ("image/jp2",       (uid.JPEG2000Lossless, uid.JPEG2000)),
    ("image/jpx",       (uid.JPEG2000MCLossless, uid.JPEG2000MC)),
    ("image/jphc",      (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)),
) for syntax in syntaxes}
# fmt: on
# The pixels of these are the same bytes, and Explicit VR Little Endian is what clients ask for (PS3.18, 8.7.3.5.2).
_AS_EXPLICIT = frozenset({uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian})


@dataclass(frozen=True, slots=True)
class RetrieveFrames:
    """Frames of one instance by number, from 1."""

    study: str
    series: str
    instance: str
    numbers: tuple[int, ...]
    accept: Accept


@dataclass(frozen=True, slots=True)
class RetrieveBulkdata:
    """One bulk value of one instance: `path` is what its BulkDataURI has after `bulkdata/`."""

    study: str
    series: str
    instance: str
    path: str
    accept: Accept


@dataclass(frozen=True, slots=True)
class Values:
    """What is sent, and how."""

    form: Form
    parts: list[Part]


def decode_frames(request: Request, study: str, series: str, instance: str, numbers: str) -> RetrieveFrames:
    """The question of a GET. Raises Rejected: InvalidRequest for a UID or a list that is none, NotAcceptable."""
    checked_uids(study=study, series=series, instance=instance)
    if not _NUMBERS.fullmatch(numbers):
        raise Rejected.because(ErrorCode.InvalidRequest, "frames", "Numbers parted by commas are expected", _SOURCE)
    accept = accept_of(request.headers.get("Accept"))
    return RetrieveFrames(study, series, instance, tuple(map(int, numbers.split(","))), accept)


def decode_bulkdata(request: Request, study: str, series: str, instance: str, path: str) -> RetrieveBulkdata:
    """The question of a GET. Raises Rejected: InvalidRequest for a UID or a path that is none, NotAcceptable."""
    checked_uids(study=study, series=series, instance=instance)
    if not _PATH.fullmatch(path):
        text = "The path must be one that a BulkDataURI names: tags, and numbers of items between them"
        raise Rejected.because(ErrorCode.InvalidRequest, "bulkdata", text, "PS3.18, 10.4.1.1.5")
    return RetrieveBulkdata(study, series, instance, path, accept_of(request.headers.get("Accept")))


def handle_frames(wanted: RetrieveFrames, house: House, caller: Caller) -> Values:
    """The frames. Raises Rejected: NotFound for the instance or a frame, NotAcceptable."""
    (held,) = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    stored = held.transfer_syntax_uid
    syntax = str(uid.ExplicitVRLittleEndian) if stored in _AS_EXPLICIT else stored
    form = best(wanted.accept, _forms(syntax, single=len(wanted.numbers) == 1))
    frames = house.imaging.frames(held, wanted.numbers)
    here = url(house.settings.base_url, held.study_uid, held.series_uid, held.uid)
    numbered = zip(wanted.numbers, frames, strict=True)
    parts = [Part(f"{here}/frames/{number}", syntax, None, frame.pieces) for number, frame in numbered]
    return Values(form, parts)


def handle_bulkdata(wanted: RetrieveBulkdata, house: House, caller: Caller) -> Values:
    """The value. Raises Rejected: NotFound for the instance or the value, NotAcceptable."""
    form = best(wanted.accept, (Form(OCTETS, multipart=True), Form(OCTETS)))
    (held,) = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    here = url(house.settings.base_url, held.study_uid, held.series_uid, held.uid)
    return Values(form, [Part(f"{here}/bulkdata/{wanted.path}", "", None, house.imaging.bulk(held, wanted.path))])


def encode(values: Values) -> Reply:
    """The parts, streamed from the store."""
    return parts_reply(values.form, values.parts)


def _forms(syntax: str, *, single: bool) -> list[Form]:
    """The forms of frames in this transfer syntax, multipart first (PS3.18, 8.7.3.5)."""
    media = MEDIA.get(syntax)
    octets = [Form(OCTETS, way, syntax, by_name=media is not None) for way in (True, False)]
    typed = [Form(media, way, syntax) for way in (True, False)] if media else []
    return [form for form in (*typed, *octets) if form.multipart or single]


TRANSACTIONS = tuple(
    Transaction(
        id="RAD-107",
        name=f"WADO-RS Retrieve {what}",
        actor="Imaging Document Source",
        source="RAD TF-2, 4.107; PS3.18, 10.4",
        face=Http("GET", f"{INSTANCE}/{path}"),
        decode=decode,
        handle=handle,
        encode=encode,
    )
    for what, path, decode, handle in (
        ("Frames", "frames/<numbers>", decode_frames, handle_frames),
        ("Bulkdata", "bulkdata/<path:path>", decode_bulkdata, handle_bulkdata),
    )
)
