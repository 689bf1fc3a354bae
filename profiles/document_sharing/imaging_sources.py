"""The instances that a RAD-69 or RAD-75 names, from this imaging source and from the others of this community.

RAD TF-2, 4.69.4.2: each is answered, or its error is, located at its SOP Instance UID. Which of them cannot be had must
be known before the answer begins, for its status comes first. So what other sources give, and what has to be decoded,
waits in a spool on disk; what goes out as it is stored is opened when its turn comes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog

from profiles.document_sharing import fetching
from profiles.document_sharing.fetching import Fetched
from profiles.document_sharing.imaging_held import Series
from profiles.document_sharing.imaging_request import ImagingRequest, InstanceRequest, question
from profiles.document_sharing.retrieve import Document
from profiles.document_sharing.spool import Spool
from profiles.faces.soap_client import NoAnswer, Peer
from profiles.house import House
from registry.access import Caller
from registry.audit import READ, AuditRecord
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action
from repository.imaging.service import HeldInstance, ImagingRepository
from repository.imaging.transcode import as_stored, transcoded

log = structlog.get_logger(__name__)
SOURCE = "RAD TF-2, 4.69.4.2.3"
DICOM = "application/dicom"
Found = list[Document | Finding]


def of_this_community(asked: ImagingRequest, house: House, caller: Caller) -> Found:
    """Each instance, or why not, in the order asked; then what else went wrong at the sources."""
    sources = house.sources
    groups: dict[str, dict[int, InstanceRequest]] = defaultdict(dict)
    for number, one in enumerate(asked.instances):
        groups[one.repository_unique_id][number] = one
    peers = {uid: sources.others[uid] for uid in groups if uid in sources.others}
    # Read by several threads from here on: a defaultdict could be written to by a look-up.
    requests = {uid: list(numbered.values()) for uid, numbered in groups.items()}
    ask = partial(_fetch, requests, asked.transfer_syntaxes, house)
    pending = sources.ask(ask, peers)
    found: dict[int, Document | Finding] = {}
    more: list[Finding] = []
    for uid, numbered in groups.items():
        if uid == sources.own:
            found |= zip(numbered, _here(requests[uid], asked.transfer_syntaxes, house, caller), strict=True)
        elif uid not in peers:
            found |= {number: _unknown(one, sources.own) for number, one in numbered.items()}
    for uid, answer in pending.answers():
        given, rest = _placed(groups[uid], answer, uid)
        found |= given
        more += rest
    if peers:
        elsewhere = [one for uid in peers for one in requests[uid]]
        house.audit.keep(_record(elsewhere, found.values(), more, house, caller))
    return [*(found[number] for number in sorted(found)), *more]


def _fetch(
    requests: Mapping[str, Sequence[InstanceRequest]], syntaxes: Sequence[str], house: House, uid: str, peer: Peer
) -> Fetched:
    asked = fetching.Question(Action.RETRIEVE_IMAGING_DOCUMENT_SET, question(requests[uid], syntaxes), SOURCE)
    return fetching.fetch(peer, asked, requests[uid], None, house.settings.data)


def _unknown(one: InstanceRequest, own: str) -> Finding:
    text = f"the imaging source {one.repository_unique_id[:64]!r} is neither this one, {own}, nor known here"
    return Finding(ErrorCode.XDSUnknownRepositoryId, one.unique_id, text, SOURCE)


def _placed(
    asked: Mapping[int, InstanceRequest], answer: Fetched | NoAnswer, uid: str
) -> tuple[dict[int, Document | Finding], list[Finding]]:
    """What another source gave, by the places of the requests, and what it said of none of them."""
    if isinstance(answer, NoAnswer):
        log.warning("imaging source unavailable", source=uid, transaction="RAD-69")
        text = f"the imaging source {uid} gave no answer: {answer}"
        return {n: Finding(ErrorCode.XDSRepositoryBusy, one.unique_id, text, SOURCE) for n, one in asked.items()}, []
    given: dict[int, Document | Finding] = {}
    told = list(answer.findings)
    for (number, one), document in zip(asked.items(), answer.documents, strict=True):
        if document is not None:
            given[number] = document
            continue
        why = next((f for f in told if f.where == one.unique_id and not f.warning), None)
        if why is None:
            given[number] = Finding(
                ErrorCode.XDSRepositoryError, one.unique_id, f"the imaging source {uid} did not give it", SOURCE
            )
        else:
            told.remove(why)
            given[number] = why
    return given, told


def _here(
    requests: Sequence[InstanceRequest], syntaxes: Sequence[str], house: House, caller: Caller
) -> Iterator[Document | Finding]:
    held = Series(requests, house.imaging, caller)
    spool: Spool | None = None
    for one in requests:
        instance = held.instance(one)
        if isinstance(instance, Finding):
            yield instance
        elif not house.imaging.is_whole(instance):
            text = "the instance's bytes cannot be read here; see `xdsi fsck`"
            yield Finding(ErrorCode.XDSRepositoryError, one.unique_id, text, SOURCE)
        elif instance.transfer_syntax_uid in syntaxes:
            bare = instance._replace(attributes=b"", pixels=None)  # thousands of them wait for their turn
            yield _document(one, partial(_stored, house.imaging, bare), instance.size)
        else:
            spool = spool or Spool(house.settings.data)
            yield _decoded(one, instance, syntaxes, house.imaging, spool)


def _document(one: InstanceRequest, chunks: partial[Iterator[bytes]], size: int) -> Document:
    return Document(one.repository_unique_id, one.unique_id, DICOM, one.home, chunks, size)


def _stored(imaging: ImagingRepository, held: HeldInstance) -> Iterator[bytes]:
    yield from as_stored(imaging.open(held))


def _decoded(
    one: InstanceRequest, held: HeldInstance, syntaxes: Sequence[str], imaging: ImagingRepository, spool: Spool
) -> Document | Finding:
    """RAD TF-2, 4.69.4.1.3: pixels go out in a transfer syntax of the list alone."""
    try:
        _, chunks, _ = transcoded(imaging, held, syntaxes)
        piece = spool.receive(chunks)
    except Rejected as rejected:
        text = f"is kept in {held.transfer_syntax_uid}, which the TransferSyntaxUIDList does not name: "
        return Finding(ErrorCode.WadoTransferSyntax, one.unique_id, text + rejected.findings[0].text, SOURCE)
    except NoAnswer:
        text = "there is no room here to decode it"
        return Finding(ErrorCode.XDSRepositoryOutOfResources, one.unique_id, text, SOURCE)
    return _document(one, partial(piece.chunks), piece.size)


def _record(
    elsewhere: list[InstanceRequest],
    found: Iterable[Document | Finding],
    more: list[Finding],
    house: House,
    caller: Caller,
) -> AuditRecord:
    """That other sources were asked, about a patient that is not known; our own part has a record of its own."""
    given = [one for one in found if isinstance(one, Document) and one.repository_unique_id != house.sources.own]
    failed = len(given) < len(elsewhere) or any(not f.warning for f in more)
    return AuditRecord(
        replace(caller, transaction="RAD-69"),
        READ,
        objects=tuple(one.unique_id for one in elsewhere),
        outcome=4 if failed else 0,
        count=len(given),
    )
