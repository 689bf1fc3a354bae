"""RAD-107, WADO-RS Retrieve Rendered and Thumbnail (RAD TF-2, 4.107; PS3.18, 10.4.1.1.3 and 10.4.1.1.4).

Images are drawn in a process of their own. Documents and films go out as they are in the object, as downloads that no
browser runs. Of several frames a client gets several parts, or for a single part the one that stands for them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import structlog
from flask import Request

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Accept, Form, best
from profiles.faces.dicomweb import Part, checked_uids, parts_reply
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.asked import accept_from
from profiles.wia.rad107_frames import numbers_of
from profiles.wia.urls import INSTANCE, SERIES, STUDY, url
from profiles.wia.viewing import view_of
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.documents import document_of
from repository.imaging.pixels import pixels_of
from repository.imaging.rendering import THUMBNAIL, Media, View, render, representative
from repository.imaging.service import HeldInstance

_SOURCE = "PS3.18, 10.4.1.1.3"
_NOT_DRAWN = ("annotation", "iccprofile")
_TRIES = 3
MOST_BROKEN = 10


@dataclass(frozen=True, slots=True)
class RetrieveRendered:
    """Pictures of a study, a series, an instance or frames of it (`numbers`, empty for all); or its `thumbnail`."""

    study: str
    series: str | None
    instance: str | None
    numbers: tuple[int, ...]
    accept: Accept
    parameters: Mapping[str, str]
    thumbnail: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is sent, and the parameters that nothing was done for."""

    form: Form
    parts: Iterable[Part]
    ignored: tuple[str, ...]


Place = tuple[HeldInstance, int]
"""A frame of an instance, by number from 1."""


def decode(
    request: Request, study: str, series: str | None = None, instance: str | None = None, numbers: str = ""
) -> RetrieveRendered:
    """The question of a GET. Raises Rejected: InvalidRequest for a UID, a list or a parameter that is none."""
    checked_uids(study=study, series=series, instance=instance)
    thumbnail = request.path.endswith("/thumbnail")
    parameters = request.args.to_dict()
    view_of(parameters, Media.JPEG)
    frames = numbers_of(numbers) if numbers else ()
    return RetrieveRendered(study, series, instance, frames, accept_from(request), parameters, thumbnail)


def handle(wanted: RetrieveRendered, house: House, caller: Caller) -> Rendered:
    """The pictures. Raises Rejected: NotFound, NotAcceptable for what cannot be drawn, or not in the form asked for."""
    held = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    ignored = tuple(name for name in _NOT_DRAWN if name in wanted.parameters)
    if len(held) == 1 and not wanted.thumbnail and (document := document_of(house.imaging, held[0])):
        form = best(wanted.accept, (Form(document.media), Form(document.media, multipart=True)))
        content = document.read(0, document.size)
        return Rendered(form, [Part(_location(held[0], house), "", document.size, content)], ignored)
    drawable = [each for each in held if each.pixels is not None and pixels_of(each).fits]
    if not drawable:
        text = "Nothing of this can be drawn: there is no image in it, or none in a form that is decoded here"
        raise Rejected.because(ErrorCode.NotAcceptable, wanted.instance or wanted.study, text, _SOURCE)
    single = wanted.thumbnail or len(wanted.numbers) == 1 or (len(drawable) == 1 and pixels_of(drawable[0]).frames == 1)
    form = best(wanted.accept, _forms(single, wanted.thumbnail))
    view = view_of(wanted.parameters, Media(form.media))
    if wanted.thumbnail and view.viewport is None:
        view = replace(view, viewport=THUMBNAIL)
    if not form.multipart:
        return Rendered(form, [_standing_for_all(drawable, wanted.numbers, view, house)], ignored)
    if wanted.numbers:
        _numbers(drawable[0], wanted.numbers)
    places = ((each, number) for each in drawable for number in _numbers(each, wanted.numbers))
    first = _drawn(next(places), view, house)
    return Rendered(form, chain((first,), _others(places, view, house)), ignored)


def encode(rendered: Rendered) -> Reply:
    """The pictures; a Warning names the parameters that nothing was done for (PS3.18, 8.3.5.1.1)."""
    reply = parts_reply(rendered.form, rendered.parts)
    headers = dict(reply.headers)
    if rendered.form.media.startswith("image/"):
        # A picture that was made here may be shown in the page that asks for it.
        headers.pop("Content-Disposition", None)
    if rendered.ignored:
        headers["Warning"] = f'299 - "{", ".join(rendered.ignored)}: not supported, ignored"'
    return Reply(reply.status, reply.content_type, reply.body, headers)


def _forms(single: bool, thumbnail: bool) -> list[Form]:
    ways = (False,) if thumbnail else (False, True) if single else (True, False)
    return [Form(media.value, way) for way in ways for media in Media]


def _numbers(held: HeldInstance, asked: Sequence[int]) -> Iterable[int]:
    frames = pixels_of(held).frames
    if asked and max(asked) > frames:
        text = f"The object has {frames} frames, numbered from 1"
        raise Rejected.because(ErrorCode.NotFound, f"frame {max(asked)}", text, _SOURCE)
    return asked or range(1, frames + 1)


def _standing_for_all(drawable: Sequence[HeldInstance], asked: Sequence[int], view: View, house: House) -> Part:
    """One picture for all: of the frame asked for, or the one in the middle; of a few others when that is broken."""
    if asked:
        _numbers(drawable[0], asked)
        return _drawn((drawable[0], asked[0]), view, house)
    middle = representative(len(drawable)) - 1
    refusal: Rejected | None = None
    for held in (*drawable[middle:], *drawable[:middle])[:_TRIES]:
        try:
            return _drawn((held, representative(pixels_of(held).frames)), view, house)
        except Rejected as rejected:
            refusal = refusal or rejected
    raise refusal or Rejected.because(ErrorCode.NotAcceptable, "pixels", "Nothing can be drawn", _SOURCE)


def _others(places: Iterable[Place], view: View, house: House) -> Iterator[Part]:
    """The pictures after the first, each when it is its turn; one that cannot be drawn is left out.

    After `MOST_BROKEN` of these the answer ends: they cost more than the others.
    """
    broken = 0
    for place in places:
        try:
            yield _drawn(place, view, house)
        except Rejected as rejected:
            code = rejected.findings[0].code.name
            structlog.get_logger(__name__).warning("picture left out", code=code, instance=place[0].uid)
            broken += 1
            if broken == MOST_BROKEN:
                return


def _drawn(place: Place, view: View, house: House) -> Part:
    held, number = place
    picture = render(house.imaging, held, number, view)
    location = f"{_location(held, house)}/frames/{number}/rendered"
    return Part(location, "", len(picture.content), (picture.content,))


def _location(held: HeldInstance, house: House) -> str:
    return url(house.settings.base_url, held.study_uid, held.series_uid, held.uid)


def _transaction(what: str, path: str) -> Transaction:
    return Transaction(
        id="RAD-107",
        name=f"WADO-RS Retrieve {what}",
        actor="Imaging Document Source",
        source="RAD TF-2, 4.107; PS3.18, 10.4.1.1.3 and 10.4.1.1.4",
        face=Http("GET", path),
        decode=decode,
        handle=handle,
        encode=encode,
    )


TRANSACTIONS = tuple(
    _transaction(f"{kind} {level}", f"{path}/{kind.lower()}")
    for kind in ("Rendered", "Thumbnail")
    for level, path in (
        ("Study", STUDY),
        ("Series", SERIES),
        ("Instance", INSTANCE),
        ("Frames", f"{INSTANCE}/frames/<numbers>"),
    )
)
