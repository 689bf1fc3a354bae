"""RAD-55, WADO Retrieve: one object by parameters of a URL (RAD TF-2, 4.55; DICOM PS3.18, 9).

What cannot be done as asked is refused by the parameter's name: an object that should be anonymous and is not, or a
picture without the presentation that was asked for, would be worse than none.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from flask import Request
from pydicom.uid import ExplicitVRLittleEndian

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Form, accept_of, quality
from profiles.faces.dicomweb import DICOM, DICOM_JSON, DOWNLOAD, checked_uids
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.viewing import number, side, window_of, wrong
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.documents import document_of
from repository.imaging.pixels import pixels_of
from repository.imaging.rendering import QUALITY, Media, Region, View, render, representative
from repository.imaging.service import HeldInstance
from repository.imaging.transcode import transcoded

_SOURCE = "PS3.18, 9.1.2"
_UIDS = {"studyUID": "study", "seriesUID": "series", "objectUID": "object"}
_REFUSED = {
    "anonymize": "Objects are not made anonymous here",
    "presentationUID": "Presentation states are not applied here",
    "presentationSeriesUID": "Presentation states are not applied here",
}
_PICTURES = tuple(media.value for media in Media)


@dataclass(frozen=True, slots=True)
class Wado:
    """One object of a study and series; `types` are media types in the order of the client's liking."""

    study: str
    series: str
    instance: str
    types: tuple[str, ...]
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What is sent."""

    media: str
    size: int | None
    content: Iterator[bytes]
    warning: str = ""


def decode(request: Request) -> Wado:
    """The question of a GET. Raises Rejected: InvalidRequest, NotAcceptable, each fault of the parameters at once."""
    given = request.args
    findings = []
    if given.get("requestType") != "WADO":
        findings.append(wrong("requestType", "requestType=WADO is expected"))
    findings += [wrong(name, f"The parameter {name} is missing") for name in _UIDS if not given.get(name)]
    findings += [wrong(name, "The parameter is given twice") for name, values in given.lists() if len(values) > 1]
    findings += [
        Rejected.because(ErrorCode.InvalidRequest, name, text, _SOURCE)
        for name, text in _REFUSED.items()
        if given.get(name)
    ]
    if findings:
        raise Rejected(finding for rejected in findings for finding in rejected.findings)
    checked_uids(**{name: given[name] for name in _UIDS})
    types = given.get("contentType", "").replace("dicom json", "dicom+json")
    accept = accept_of(types or None)
    every = (*_PICTURES, DICOM, DICOM_JSON, "application/pdf", "text/xml", "video/mp4", "video/mpeg")
    # A client that names no type takes what PS3.18 9.1.2.2.1 has for the kind of object; see `handle`.
    liked = [media for media in every if quality(accept, Form(media))] if types else []
    liked.sort(key=lambda media: -quality(accept, Form(media)))
    if types and not liked:
        text = f"What can be given here: {', '.join(every)}"
        raise Rejected.because(ErrorCode.NotAcceptable, "contentType", text, _SOURCE)
    _view(given, Media.JPEG)
    return Wado(given["studyUID"], given["seriesUID"], given["objectUID"], tuple(liked), given.to_dict())


def handle(wanted: Wado, house: House, caller: Caller) -> Found:
    """The object, a picture of it, or its document. Raises Rejected: NotFound, NotAcceptable."""
    (held,) = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    refusal: Rejected | None = None
    for media in wanted.types or _defaults(held):
        try:
            return _as(media, wanted, held, house)
        except Rejected as rejected:
            if rejected.status != 406:
                raise
            refusal = refusal or rejected
    raise refusal or Rejected.because(ErrorCode.NotAcceptable, "contentType", "Nothing fits", _SOURCE)


def encode(found: Found) -> Reply:
    """The one body."""
    headers = dict(DOWNLOAD)
    if found.media in _PICTURES:
        headers.pop("Content-Disposition")
    if found.size is not None:
        headers["Content-Length"] = str(found.size)
    if found.warning:
        headers["Warning"] = f'299 - "{found.warning}"'
    return Reply(200, found.media, found.content, headers)


def _defaults(held: HeldInstance) -> tuple[str, ...]:
    """PS3.18, 9.1.2.2.1: pictures for images, the document for documents, the object for all others."""
    return (Media.JPEG.value, DICOM) if held.pixels else ("application/pdf", "text/xml", DICOM)


def _as(media: str, wanted: Wado, held: HeldInstance, house: House) -> Found:
    """The object as `media`. Raises Rejected: NotAcceptable (status 406) when it has no such form."""
    imaging = house.imaging
    if media in _PICTURES:
        return _picture(media, wanted, held, house)
    if media == DICOM:
        asked = wanted.parameters.get("transferSyntax")
        # PS3.18, 9.1.2.2.2 has Explicit VR Little Endian as the default; see RAD-107 for why the stored one goes out.
        syntaxes = [asked, str(ExplicitVRLittleEndian)] if asked and asked != "*" else None
        _, chunks, size = transcoded(imaging, held, syntaxes)
        return Found(DICOM, size, chunks)
    if media == DICOM_JSON:
        text = b"[" + imaging.metadata(held) + b"]"
        return Found(DICOM_JSON, len(text), iter((text,)))
    document = document_of(imaging, held)
    if document is None or document.media != media:
        raise Rejected.because(ErrorCode.NotAcceptable, "contentType", f"The object has no {media} in it", _SOURCE)
    return Found(media, document.size, document.read(0, document.size))


def _picture(media: str, wanted: Wado, held: HeldInstance, house: House) -> Found:
    given = wanted.parameters
    view = _view(given, Media(media), held)
    frames = pixels_of(held).frames if held.pixels else 1
    asked = int(given["frameNumber"]) if "frameNumber" in given else representative(frames)
    content = render(house.imaging, held, asked, view).content
    warning = "annotation: not supported, ignored" if given.get("annotation") else ""
    return Found(media, len(content), iter((content,)), warning)


def _view(given: Mapping[str, str], media: Media, held: HeldInstance | None = None) -> View:
    """The view that the parameters ask for; without `held`, they are only checked. Raises Rejected: InvalidRequest."""
    checks: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("rows", lambda text: side(text, "rows")),
        ("columns", lambda text: side(text, "columns")),
        ("imageQuality", _percent),
        ("frameNumber", _frame),
    )
    found = {name: check(given[name]) for name, check in checks if name in given}
    viewport = None
    if "rows" in found or "columns" in found:
        viewport = (int(str(found.get("columns", 0))), int(str(found.get("rows", 0))))
    window = None
    if "windowCenter" in given or "windowWidth" in given:
        if not {"windowCenter", "windowWidth"} <= given.keys():
            raise wrong("windowCenter", "windowCenter and windowWidth go together")
        window = window_of(given["windowCenter"], given["windowWidth"])
    region = _region(given["region"], held) if "region" in given else None
    return View(media, int(str(found.get("imageQuality", QUALITY))), window, viewport, region)


def _region(text: str, held: HeldInstance | None) -> Region | None:
    """PS3.18, 9.1.2.2.3.3: two corners, each as parts of the image's width and height from 0 to 1."""
    parts = [number(part, "region") for part in text.split(",")]
    if len(parts) != 4 or not (0 <= parts[0] < parts[2] <= 1 and 0 <= parts[1] < parts[3] <= 1):
        raise wrong("region", "A region is xmin,ymin,xmax,ymax, each from 0 to 1")
    if held is None or held.pixels is None:
        return None
    image = pixels_of(held).image
    left, right = (round(part * image["columns"]) for part in parts[::2])
    top, bottom = (round(part * image["rows"]) for part in parts[1::2])
    return Region(left, top, max(right - left, 1), max(bottom - top, 1))


def _percent(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):
        raise wrong("imageQuality", "The quality is a whole number from 1 to 100")
    return int(text)


def _frame(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise wrong("frameNumber", "Frames are numbered from 1")
    return int(text)


TRANSACTIONS = (
    Transaction(
        id="RAD-55",
        name="WADO Retrieve",
        actor="Imaging Document Source",
        source="RAD TF-2, 4.55; PS3.18, 9",
        face=Http("GET", "/wado"),
        decode=decode,
        handle=handle,
        encode=encode,
    ),
)
