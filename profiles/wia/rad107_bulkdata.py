"""RAD-107, WADO-RS Retrieve Bulkdata (RAD TF-2, 4.107; PS3.18, 10.4.1.1.5): one value, by the URL that metadata has.

A part of a value is given to who asks for a range of its bytes, as players of films and readers of PDF do.
"""

import re
from dataclasses import dataclass

from flask import Request

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Accept, Form, best
from profiles.faces.dicomweb import DOWNLOAD, OCTETS, Part, checked_uids, parts_reply
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.asked import accept_from, bounds, range_from
from profiles.wia.urls import INSTANCE, url
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.bulk import Bulk
from repository.imaging.documents import media_of

_PATH = re.compile(r"[0-9A-F]{8}(/[0-9]{1,9}/[0-9A-F]{8})*")


@dataclass(frozen=True, slots=True)
class RetrieveBulkdata:
    """One bulk value of one instance: `path` is what its BulkDataURI has after `bulkdata/`.

    `range` are the first and the last byte that are wanted, see `profiles.wia.asked`; `unless` is the ETag that a range
    is conditional on, empty if it is not.
    """

    study: str
    series: str
    instance: str
    path: str
    accept: Accept
    range: tuple[int | None, int | None] | None = None
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """What is sent: the value, or the bytes `part` of it, from the first up to, not including, the second."""

    form: Form
    location: str
    etag: str
    bulk: Bulk
    part: tuple[int, int] | None


def decode(request: Request, study: str, series: str, instance: str, path: str) -> RetrieveBulkdata:
    """The question of a GET. Raises Rejected: InvalidRequest for a UID or a path that is none, NotAcceptable."""
    checked_uids(study=study, series=series, instance=instance)
    if not _PATH.fullmatch(path):
        text = "The path must be one that a BulkDataURI names: tags, and numbers of items between them"
        raise Rejected.because(ErrorCode.InvalidRequest, "bulkdata", text, "PS3.18, 10.4.1.1.5")
    unless = request.headers.get("If-Range", "")
    return RetrieveBulkdata(study, series, instance, path, accept_from(request), range_from(request), unless)


def handle(wanted: RetrieveBulkdata, house: House, caller: Caller) -> Value:
    """The value. Raises Rejected: NotFound for the instance or the value, NotAcceptable, RangeNotSatisfiable."""
    (held,) = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    media = media_of(held, wanted.path)
    named = () if media == OCTETS else (Form(media), Form(media, multipart=True))
    form = best(wanted.accept, (Form(OCTETS, multipart=True), Form(OCTETS), *named))
    bulk = house.imaging.bulk_value(held, wanted.path)
    etag = f'"{held.sha256[:32]}-{wanted.path}"'
    part = None
    # Of several parts there is no byte 0; and a range of another version than the client has would not fit to it.
    if wanted.range is not None and not form.multipart and wanted.unless in ("", etag):
        part = bounds(wanted.range, bulk.size)
    here = url(house.settings.base_url, held.study_uid, held.series_uid, held.uid)
    return Value(form, f"{here}/bulkdata/{wanted.path}", etag, bulk, part)


def encode(value: Value) -> Reply:
    """The value, streamed from the store; 206 for a range of it."""
    size = value.bulk.size
    if value.form.multipart:
        return parts_reply(value.form, [Part(value.location, "", size, value.bulk.read())])
    headers = {**DOWNLOAD, "Accept-Ranges": "bytes", "ETag": value.etag}
    if value.part is None:
        return Reply(200, value.form.media, value.bulk.read(), headers | {"Content-Length": str(size)})
    start, stop = value.part
    headers |= {"Content-Range": f"bytes {start}-{stop - 1}/{size}", "Content-Length": str(stop - start)}
    return Reply(206, value.form.media, value.bulk.read(start, stop), headers)


TRANSACTIONS = (
    Transaction(
        id="RAD-107",
        name="WADO-RS Retrieve Bulkdata",
        actor="Imaging Document Source",
        source="RAD TF-2, 4.107; PS3.18, 10.4.1.1.5",
        face=Http("GET", f"{INSTANCE}/bulkdata/<path:path>"),
        decode=decode,
        handle=handle,
        encode=encode,
    ),
)
