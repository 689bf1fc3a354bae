"""RAD-107, WADO-RS Retrieve: the objects of a study, a series or an instance (RAD TF-2, 4.107; PS3.18, 10.4).

Objects go out as they were stored, in the transfer syntax that they were stored in. A client that names others alone
gets Explicit VR Little Endian if that is one of them, decoded; else it is told which there are. One that names none
gets the stored one, though PS3.18 8.7.3.5 would have Explicit VR Little Endian: to decode for somebody who may well
read the original helps nobody. A zip archive of the same objects is for people.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Request
from pydicom.uid import ExplicitVRLittleEndian

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Accept, Form, best, not_acceptable, quality
from profiles.faces.dicomweb import DICOM, DOWNLOAD, Part, checked_uids, parts_reply
from profiles.faces.reply import Reply
from profiles.faces.zipped import ZIP, zipped
from profiles.house import House
from profiles.wia.asked import accept_from
from profiles.wia.urls import INSTANCE, SERIES, STUDY, url
from registry.access import Caller
from repository.imaging.service import HeldInstance, ImagingRepository
from repository.imaging.transcode import is_decodable, transcoded

EXPLICIT = str(ExplicitVRLittleEndian)
_ARCHIVE = Form(ZIP)


@dataclass(frozen=True, slots=True)
class RetrieveObjects:
    """Objects of a study, of one of its series, or one instance, in a form that `accept` admits."""

    study: str
    series: str | None
    instance: str | None
    accept: Accept


@dataclass(frozen=True, slots=True)
class Objects:
    """What is sent, and how: parts, or the files of an archive."""

    form: Form
    parts: list[Part]
    files: Iterator[tuple[str, Iterator[bytes]]] | None = None


def decode(request: Request, study: str, series: str | None = None, instance: str | None = None) -> RetrieveObjects:
    """The question of a GET. Raises Rejected: InvalidRequest for what is no UID, NotAcceptable."""
    checked_uids(study=study, series=series, instance=instance)
    return RetrieveObjects(study, series, instance, accept_from(request))


def handle(wanted: RetrieveObjects, house: House, caller: Caller) -> Objects:
    """The objects. Raises Rejected: NotFound, or NotAcceptable when one of them cannot be sent as it is asked for."""
    held = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    form = _form(wanted, held)
    if form == _ARCHIVE:
        return Objects(form, [], ((_name(each), _chunks(each, each.transfer_syntax_uid, house)) for each in held))
    syntaxes = [best(wanted.accept, _options(each, form.multipart)).transfer_syntax for each in held]
    base, imaging = house.settings.base_url, house.imaging
    decoded = [place for place, each in enumerate(held) if syntaxes[place] != each.transfer_syntax_uid][:1]
    # The first object that must be decoded is so at once: what fails with it fails in words, before anything is sent.
    ready = {place: transcoded(imaging, held[place], [syntaxes[place]]) for place in decoded}
    parts = []
    for place, each in enumerate(held):
        location = url(base, each.study_uid, each.series_uid, each.uid)
        if place in ready:
            syntax, chunks, size = ready[place]
            parts.append(Part(location, syntax, size, chunks))
        else:
            known = each.size if syntaxes[place] == each.transfer_syntax_uid else None
            parts.append(Part(location, syntaxes[place], known, _chunks(each, syntaxes[place], house)))
    return Objects(form, parts)


def encode(objects: Objects) -> Reply:
    """The parts, streamed from the store."""
    if objects.files is None:
        return parts_reply(objects.form, objects.parts)
    disposition = {"Content-Disposition": 'attachment; filename="images.zip"'}
    return Reply(200, ZIP, zipped(objects.files), {**DOWNLOAD, **disposition})


def _form(wanted: RetrieveObjects, held: list[HeldInstance]) -> Form:
    """The form in which all that is held can be sent: multipart/related, a bare instance, or an archive."""

    def like(form: Form) -> float:
        return quality(wanted.accept, form)

    ways = (True, False) if wanted.instance else (True,)
    options = [[_options(each, way) for each in held] for way in ways]
    possible = []
    for way in options:
        liked = [max(forms, key=like) for forms in way]
        if all(map(like, liked)):
            possible.append(min(liked, key=like))
    if quality(wanted.accept, _ARCHIVE):
        possible.append(_ARCHIVE)
    if not possible:
        raise not_acceptable((*(form for way in options for forms in way for form in forms), _ARCHIVE))
    return best(wanted.accept, possible)


def _options(held: HeldInstance, multipart: bool) -> list[Form]:
    """The transfer syntaxes that one object can be sent in, the stored one first."""
    stored = held.transfer_syntax_uid
    syntaxes = (stored, EXPLICIT) if stored != EXPLICIT and is_decodable(held) else (stored,)
    return [Form(DICOM, multipart, syntax) for syntax in syntaxes]


def _name(held: HeldInstance) -> str:
    """Nothing of a patient in it; a UID of dots alone leads nowhere with other letters about it."""
    return f"series-{held.series_uid}/{held.uid}.dcm"


def _chunks(held: HeldInstance, syntax: str, house: House) -> Iterator[bytes]:
    """Opened when it is the object's turn: a study may have more objects than a process may have files."""
    imaging: ImagingRepository = house.imaging
    yield from transcoded(imaging, held, [syntax])[1]


TRANSACTIONS = tuple(
    Transaction(
        id="RAD-107",
        name=f"WADO-RS Retrieve {what}",
        actor="Imaging Document Source",
        source="RAD TF-2, 4.107; PS3.18, 10.4",
        face=Http("GET", path),
        decode=decode,
        handle=handle,
        encode=encode,
    )
    for what, path in (("Study", STUDY), ("Series", SERIES), ("Instance", INSTANCE))
)
