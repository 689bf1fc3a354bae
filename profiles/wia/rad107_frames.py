"""RAD-107, WADO-RS Retrieve Frames (RAD TF-2, 4.107; PS3.18, 10.4.1.1.6).

A client may ask for compressed pixels by their media type or, as viewers do, as octets of the transfer syntax `*`: they
go out as they are stored. Who asks for octets alone, or for Explicit VR Little Endian by name, gets them decoded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from flask import Request
from pydicom import uid

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Accept, Form, best
from profiles.faces.dicomweb import OCTETS, Part, checked_uids, parts_reply
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.asked import accept_from
from profiles.wia.urls import INSTANCE, url
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.pixels import needs_decoding, pixels_of
from repository.imaging.service import HeldInstance
from repository.imaging.transcode import decoded_frames

MOST_FRAMES = 10_000
_SOURCE = "PS3.18, 10.4.1.1.6"
_NUMBERS = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*")

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
EXPLICIT = str(uid.ExplicitVRLittleEndian)
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
class Values:
    """What is sent, and how."""

    form: Form
    parts: list[Part]


def decode(request: Request, study: str, series: str, instance: str, numbers: str) -> RetrieveFrames:
    """The question of a GET. Raises Rejected: InvalidRequest for a UID or a list that is none, NotAcceptable."""
    checked_uids(study=study, series=series, instance=instance)
    accept = accept_from(request)
    return RetrieveFrames(study, series, instance, numbers_of(numbers), accept)


def numbers_of(text: str) -> tuple[int, ...]:
    """Frame numbers of a path. Raises Rejected: InvalidRequest for what is no list, or one of too many."""
    if not _NUMBERS.fullmatch(text) or text.count(",") >= MOST_FRAMES:
        text = f"At most {MOST_FRAMES} numbers parted by commas are expected"
        raise Rejected.because(ErrorCode.InvalidRequest, "frames", text, _SOURCE)
    return tuple(map(int, text.split(",")))


def handle(wanted: RetrieveFrames, house: House, caller: Caller) -> Values:
    """The frames. Raises Rejected: NotFound for the instance or a frame, NotAcceptable."""
    (held,) = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    stored = held.transfer_syntax_uid
    syntax = EXPLICIT if stored in _AS_EXPLICIT else stored
    forms = _forms(syntax, single=len(wanted.numbers) == 1, decodable=_decodable(held))
    form = best(wanted.accept, forms)
    if form.transfer_syntax == syntax:
        contents: Sequence[Iterable[bytes]] = [frame.pieces for frame in house.imaging.frames(held, wanted.numbers)]
    else:
        contents = _decoded(house, held, wanted.numbers)
    here = url(house.settings.base_url, held.study_uid, held.series_uid, held.uid)
    numbered = zip(wanted.numbers, contents, strict=True)
    return Values(
        form, [Part(f"{here}/frames/{number}", form.transfer_syntax, None, pieces) for number, pieces in numbered]
    )


def encode(values: Values) -> Reply:
    """The parts, streamed from the store."""
    return parts_reply(values.form, values.parts)


def _decodable(held: HeldInstance) -> bool:
    return held.pixels is not None and needs_decoding(held.transfer_syntax_uid) and pixels_of(held).fits


def _decoded(house: House, held: HeldInstance, numbers: Sequence[int]) -> list[Iterable[bytes]]:
    """Each frame when it is its turn, but the first at once: what cannot be decoded is refused in words."""
    frames = decoded_frames(house.imaging, held, pixels_of(held), numbers)
    return [(next(frames),), *(islice(frames, 1) for _ in numbers[1:])]


def _forms(syntax: str, *, single: bool, decodable: bool) -> list[Form]:
    """The forms of frames in this transfer syntax, multipart first, the stored one first (PS3.18, 8.7.3.5)."""
    media = MEDIA.get(syntax)
    octets = [Form(OCTETS, way, syntax, by_name=media is not None or decodable) for way in (True, False)]
    typed = [Form(media, way, syntax) for way in (True, False)] if media else []
    decoded = [Form(OCTETS, way, EXPLICIT) for way in (True, False)] if decodable and syntax != EXPLICIT else []
    return [form for form in (*typed, *octets, *decoded) if form.multipart or single]


TRANSACTIONS = (
    Transaction(
        id="RAD-107",
        name="WADO-RS Retrieve Frames",
        actor="Imaging Document Source",
        source="RAD TF-2, 4.107; PS3.18, 10.4.1.1.6",
        face=Http("GET", f"{INSTANCE}/frames/<numbers>"),
        decode=decode,
        handle=handle,
        encode=encode,
    ),
)
