"""RAD-107, WADO-RS Retrieve Metadata (RAD TF-2, 4.107; PS3.18, 10.4.1.1.2): data sets without their bulk values.

The DICOM JSON of each instance was made when it was stored; here it is only joined, or written as XML for who reads
nothing else. BulkDataURIs are stored relative to the instance, and a relative one would be read against whatever URL
was asked, so each is made absolute.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import orjson
from flask import Request

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Form, best
from profiles.faces.dicom_xml import DICOM_XML, native_model
from profiles.faces.dicomweb import DICOM_JSON, JSON, Part, checked_uids, json_list, json_reply, parts_reply
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.asked import accept_from
from profiles.wia.urls import INSTANCE, SERIES, STUDY, url
from registry.access import Caller
from repository.imaging.service import HeldInstance

_FORMS = (Form(DICOM_JSON), Form(JSON), Form(DICOM_XML, multipart=True))
# A quotation mark within a JSON string is escaped, so these bytes are nowhere but at the start of such a member.
_RELATIVE = b'"BulkDataURI":"bulkdata/'


@dataclass(frozen=True, slots=True)
class RetrieveMetadata:
    """Metadata of a study, a series or an instance; the client has those of the ETags `known`."""

    study: str
    series: str | None
    instance: str | None
    form: Form
    gzip: bool
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The data sets, or None when the client has them under this ETag already."""

    etag: str
    form: Form
    gzip: bool
    data_sets: Iterator[bytes] | None


def decode(request: Request, study: str, series: str | None = None, instance: str | None = None) -> RetrieveMetadata:
    """The question of a GET. Raises Rejected: InvalidRequest for what is no UID, NotAcceptable."""
    checked_uids(study=study, series=series, instance=instance)
    form = best(accept_from(request), _FORMS)
    known = frozenset(request.if_none_match.as_set(include_weak=True))
    return RetrieveMetadata(study, series, instance, form, request.accept_encodings.quality("gzip") > 0, known)


def handle(wanted: RetrieveMetadata, house: House, caller: Caller) -> Metadata:
    """The metadata. Raises Rejected (NotFound) when nothing is held by these UIDs."""
    held = house.imaging.instances(caller, wanted.study, wanted.series, wanted.instance)
    etag = _etag(house.settings.base_url, held, wanted.form)
    data_sets = None if etag in wanted.known else (_data_set(each, house) for each in held)
    return Metadata(etag, wanted.form, wanted.gzip, data_sets)


def encode(metadata: Metadata) -> Reply:
    """A JSON array, a part of XML for each instance, or 304 without a body."""
    # A weak ETag: the same for the compressed answer and the plain one.
    headers = {"ETag": f'W/"{metadata.etag}"'}
    if metadata.data_sets is None:
        return Reply(304, headers=headers)
    if metadata.form.multipart:
        documents = (native_model(orjson.loads(data)) for data in metadata.data_sets)
        reply = parts_reply(metadata.form, (Part("", "", len(each), (each,)) for each in documents))
        return replace(reply, headers={**reply.headers, **headers})
    return json_reply(metadata.form.media, json_list(metadata.data_sets), metadata.gzip, headers)


def _data_set(held: HeldInstance, house: House) -> bytes:
    absolute = f'"BulkDataURI":"{url(house.settings.base_url, held.study_uid, held.series_uid, held.uid)}/bulkdata/'
    return house.imaging.metadata(held).replace(_RELATIVE, absolute.encode())


def _etag(base_url: str, held: Sequence[HeldInstance], form: Form) -> str:
    digest = hashlib.sha256(f"{base_url} {form.multipart}".encode())
    for each in held:
        digest.update(each.attributes)
        digest.update(b"" if each.correction is None else b"%d" % each.correction)
    return digest.hexdigest()[:32]


TRANSACTIONS = tuple(
    Transaction(
        id="RAD-107",
        name=f"WADO-RS Retrieve {what} Metadata",
        actor="Imaging Document Source",
        source="RAD TF-2, 4.107; PS3.18, 10.4.1.1.2",
        face=Http("GET", f"{path}/metadata"),
        decode=decode,
        handle=handle,
        encode=encode,
    )
    for what, path in (("Study", STUDY), ("Series", SERIES), ("Instance", INSTANCE))
)
