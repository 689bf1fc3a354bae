"""RAD-107, WADO-RS Retrieve: the objects of a study, a series or an instance (RAD TF-2, 4.107; PS3.18, 10.4).

Objects go out byte for byte as they were stored, in the transfer syntax that they were stored in. A client that names
other transfer syntaxes alone is told which there are; one that names none gets the stored one, though PS3.18 8.7.3.5
would have Explicit VR Little Endian: to decode for somebody who may well read the original helps nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Request

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Accept, Form, accept_of, best, not_acceptable, quality
from profiles.faces.dicomweb import DICOM, Part, checked_uids, content, parts_reply
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.urls import INSTANCE, SERIES, STUDY, url
from registry.access import Caller
from repository.imaging.service import HeldInstance, ImagingRepository


@dataclass(frozen=True, slots=True)
class RetrieveObjects:
    """Objects of a study, of one of its series, or one instance, in a form that `accept` admits."""

    study: str
    series: str | None
    instance: str | None
    accept: Accept


@dataclass(frozen=True, slots=True)
class Objects:
    """What is sent, and how."""

    form: Form
    parts: list[Part]


def decode(request: Request, study: str, series: str | None = None, instance: str | None = None) -> RetrieveObjects:
    """The question of a GET. Raises Rejected: InvalidRequest for what is no UID, NotAcceptable."""
    checked_uids(study=study, series=series, instance=instance)
    return RetrieveObjects(study, series, instance, accept_of(request.headers.get("Accept")))


def handle(wanted: RetrieveObjects, house: House, caller: Caller) -> Objects:
    """The objects. Raises Rejected: NotFound, or NotAcceptable when one of them cannot be sent as it is stored."""
    held = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    form = _form(wanted, held)
    return Objects(form, [_part(each, house) for each in held])


def encode(objects: Objects) -> Reply:
    """The parts, streamed from the store."""
    return parts_reply(objects.form, objects.parts)


def _form(wanted: RetrieveObjects, held: list[HeldInstance]) -> Form:
    """The one form in which all that is held can be sent: multipart/related, or for one instance its bare bytes."""
    stored = list(dict.fromkeys(each.transfer_syntax_uid for each in held))
    ways = (True, False) if wanted.instance else (True,)
    forms = [[Form(DICOM, multipart, syntax) for syntax in stored] for multipart in ways]
    possible = [way[0] for way in forms if all(quality(wanted.accept, form) for form in way)]
    if not possible:
        raise not_acceptable(form for way in forms for form in way)
    return best(wanted.accept, possible)


def _part(held: HeldInstance, house: House) -> Part:
    location = url(house.settings.base_url, held.study_uid, held.series_uid, held.uid)
    return Part(location, held.transfer_syntax_uid, held.size, _bytes(held, house.imaging))


def _bytes(held: HeldInstance, imaging: ImagingRepository) -> Iterator[bytes]:
    """Opened when it is the part's turn: a study may have more objects than a process may have files."""
    yield from content(imaging.open(held))


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
