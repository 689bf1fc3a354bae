"""RAD-69, Retrieve Imaging Document Set (RAD TF-2, 4.69): the DICOM objects that a manifest names."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import retrieve
from profiles.faces import soap
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action, Namespace
from repository.imaging.service import HeldInstance, ImagingRepository

XDS_I_B, XDS_B = "{" + Namespace.XDS_I_B + "}", "{" + Namespace.XDS_B + "}"
SOURCE = "RAD TF-2, 4.69.4.1.2"
DICOM = "application/dicom"
NOT_IN_SYNTAX = ErrorCode.WadoTransferSyntax
PIECE = 256 * 1024
MOST_DOCUMENTS = 100_000


@dataclass(frozen=True, slots=True)
class InstanceRequest:
    """One instance asked for, within its study and series."""

    study_uid: str
    series_uid: str
    repository_unique_id: str
    unique_id: str
    home: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """The instances, and the transfer syntaxes that the consumer can read."""

    instances: tuple[InstanceRequest, ...]
    transfer_syntaxes: frozenset[str]


def decode(request: soap.Request[object]) -> Asked:
    """The instances that a RetrieveImagingDocumentSetRequest asks for.

    Raises:
        Rejected: XDSRepositoryError, with everything that is missing.
    """
    findings: list[Finding] = []
    instances = tuple(_instances(request, findings))
    syntaxes = frozenset(
        (e.text or "").strip()
        for e in request.body.iterfind(f"{XDS_I_B}TransferSyntaxUIDList/{XDS_I_B}TransferSyntaxUID")
    )
    if "" in syntaxes:
        findings.append(_missing("TransferSyntaxUID", "is empty"))
    if not syntaxes:
        findings.append(_missing("TransferSyntaxUIDList", "must name at least one transfer syntax"))
    if not instances or len(instances) > MOST_DOCUMENTS:
        findings.append(_missing("DocumentRequest", f"ask for 1 to {MOST_DOCUMENTS} instances, not {len(instances)}"))
    if findings:
        raise Rejected(findings)
    return Asked(instances, syntaxes)


def _instances(request: soap.Request[object], findings: list[Finding]) -> Iterator[InstanceRequest]:
    for study in request.body.iterchildren(XDS_I_B + "StudyRequest"):
        study_uid = study.get("studyInstanceUID", "")
        if study.find(XDS_I_B + "SeriesRequest") is None:
            findings.append(_missing("StudyRequest", "holds no SeriesRequest"))
        if not study_uid:
            findings.append(_missing("StudyRequest.studyInstanceUID", "is required and missing"))
        for series in study.iterchildren(XDS_I_B + "SeriesRequest"):
            series_uid = series.get("seriesInstanceUID", "")
            if series.find(XDS_B + "DocumentRequest") is None:
                findings.append(_missing("SeriesRequest", "holds no DocumentRequest"))
            if not series_uid:
                findings.append(_missing("SeriesRequest.seriesInstanceUID", "is required and missing"))
            for document in series.iterchildren(XDS_B + "DocumentRequest"):
                texts = {
                    name: (document.findtext(XDS_B + name) or "").strip()
                    for name in ("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId")
                }
                for name in ("RepositoryUniqueId", "DocumentUniqueId"):
                    if not texts[name]:
                        findings.append(_missing(f"DocumentRequest.{name}", "is required and missing"))
                home = texts["HomeCommunityId"] or None
                yield InstanceRequest(
                    study_uid, series_uid, texts["RepositoryUniqueId"], texts["DocumentUniqueId"], home
                )


def _missing(where: str, text: str) -> Finding:
    return Finding(ErrorCode.XDSRepositoryError, where, text, SOURCE)


def handle(asked: Asked, house: House, caller: Caller) -> list[retrieve.Document | Finding]:
    """Each instance in its stored transfer syntax, or why not."""
    mine = house.settings.affinity_domain.retrieve_location_uid
    held: dict[tuple[str, str], dict[str, HeldInstance]] = {}
    for study_uid, series_uid in dict.fromkeys((i.study_uid, i.series_uid) for i in asked.instances):
        try:
            found = house.imaging.instances(caller, study_uid, series_uid)
        except Rejected:
            found = []
        held[study_uid, series_uid] = {one.uid: one for one in found}
    return [
        _one(i, held[i.study_uid, i.series_uid].get(i.unique_id), asked, mine, house.imaging) for i in asked.instances
    ]


def _one(
    asked: InstanceRequest, held: HeldInstance | None, all_: Asked, mine: str, imaging: ImagingRepository
) -> retrieve.Document | Finding:
    if asked.repository_unique_id != mine:
        text = f"the imaging source {asked.repository_unique_id!r} is not this one, {mine}"
        return Finding(ErrorCode.XDSUnknownRepositoryId, asked.unique_id, text, "RAD TF-2, 4.69.4.2.3")
    if held is None:
        text = "this study and series hold no instance of this UID here"
        return Finding(ErrorCode.XDSDocumentUniqueIdError, asked.unique_id, text, "RAD TF-2, 4.69.4.2.3")
    if held.transfer_syntax_uid not in all_.transfer_syntaxes:
        text = f"is kept in {held.transfer_syntax_uid}, which the TransferSyntaxUIDList does not name"
        return Finding(NOT_IN_SYNTAX, asked.unique_id, text, "RAD TF-2, 4.69.4.2.3")
    if not imaging.is_whole(held):
        text = "the instance's bytes cannot be read here; see `xdsi fsck`"
        return Finding(ErrorCode.XDSRepositoryError, asked.unique_id, text, "RAD TF-2, 4.69.4.2.3")
    return retrieve.Document(
        asked.repository_unique_id, asked.unique_id, DICOM, asked.home, partial(_chunks, imaging, held), held.size
    )


def _chunks(imaging: ImagingRepository, held: HeldInstance) -> Iterator[bytes]:
    with imaging.open(held) as file:
        while piece := file.read(PIECE):
            yield piece


TRANSACTION = Transaction(
    id="RAD-69",
    name="Retrieve Imaging Document Set",
    actor="Imaging Document Source",
    source="RAD TF-2, 4.69",
    face=Soap(
        service="imaging",
        action=Action.RETRIEVE_IMAGING_DOCUMENT_SET,
        request=XDS_I_B + "RetrieveImagingDocumentSetRequest",
        response=XDS_B + "RetrieveDocumentSetResponse",
        mtom=True,
    ),
    decode=decode,
    handle=handle,
    encode=retrieve.answer,
    refuse=retrieve.refuse,
)
