"""RetrieveImagingDocumentSetRequest, read and written: what RAD-69 and RAD-75 share.

RAD TF-2, 4.69.4.1 and 4.75.4.1; the answer is ITI-43's (`document_sharing.retrieve`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from profiles.faces import soap, xml
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Namespace

XDS_I_B, XDS_B = "{" + Namespace.XDS_I_B + "}", "{" + Namespace.XDS_B + "}"
REQUEST = XDS_I_B + "RetrieveImagingDocumentSetRequest"
SOURCE = "RAD TF-2, 4.69.4.1.2"
MOST_DOCUMENTS = 100_000


@dataclass(frozen=True, slots=True)
class InstanceRequest:
    """One instance asked for, within its study and series; `unique_id` is its SOP Instance UID."""

    study_uid: str
    series_uid: str
    repository_unique_id: str
    unique_id: str
    home: str | None


@dataclass(frozen=True, slots=True)
class ImagingRequest:
    """The instances, and the transfer syntaxes that the consumer can read, in its order."""

    instances: tuple[InstanceRequest, ...]
    transfer_syntaxes: tuple[str, ...]


def requested(body: xml.Element) -> tuple[ImagingRequest, list[Finding]]:
    """What a RetrieveImagingDocumentSetRequest asks for, and all that is wrong with it (XDSRepositoryError)."""
    findings: list[Finding] = []
    instances = tuple(_instances(body, findings))
    listed = body.iterfind(f"{XDS_I_B}TransferSyntaxUIDList/{XDS_I_B}TransferSyntaxUID")
    syntaxes = tuple(dict.fromkeys((e.text or "").strip() for e in listed))
    if "" in syntaxes:
        findings.append(_wrong("TransferSyntaxUID", "is empty"))
    if not syntaxes:
        findings.append(_wrong("TransferSyntaxUIDList", "must name at least one transfer syntax"))
    if not instances or len(instances) > MOST_DOCUMENTS:
        findings.append(_wrong("DocumentRequest", f"ask for 1 to {MOST_DOCUMENTS} instances, not {len(instances)}"))
    return ImagingRequest(instances, syntaxes), findings


def question(instances: Iterable[InstanceRequest], transfer_syntaxes: Iterable[str]) -> bytes:
    """The request for these instances, each named within its study and series."""
    studies: dict[str, dict[str, list[InstanceRequest]]] = {}
    for one in instances:
        studies.setdefault(one.study_uid, {}).setdefault(one.series_uid, []).append(one)
    asked = "".join(
        f'<StudyRequest studyInstanceUID="{xml.escaped(study)}">{"".join(map(_series, series.items()))}</StudyRequest>'
        for study, series in studies.items()
    )
    syntaxes = "".join(f"<TransferSyntaxUID>{xml.escaped(one)}</TransferSyntaxUID>" for one in transfer_syntaxes)
    return (
        f'<RetrieveImagingDocumentSetRequest xmlns="{Namespace.XDS_I_B}" xmlns:xdsb="{Namespace.XDS_B}">{asked}'
        f"<TransferSyntaxUIDList>{syntaxes}</TransferSyntaxUIDList></RetrieveImagingDocumentSetRequest>"
    ).encode()


def _series(item: tuple[str, list[InstanceRequest]]) -> str:
    series, instances = item
    return (
        f'<SeriesRequest seriesInstanceUID="{xml.escaped(series)}">{"".join(map(_document, instances))}</SeriesRequest>'
    )


def _document(one: InstanceRequest) -> str:
    texts = (
        ("HomeCommunityId", one.home),
        ("RepositoryUniqueId", one.repository_unique_id),
        ("DocumentUniqueId", one.unique_id),
    )
    inside = "".join(f"<xdsb:{name}>{xml.escaped(text)}</xdsb:{name}>" for name, text in texts if text is not None)
    return f"<xdsb:DocumentRequest>{inside}</xdsb:DocumentRequest>"


def _instances(body: xml.Element, findings: list[Finding]) -> Iterator[InstanceRequest]:
    for study in body.iterchildren(XDS_I_B + "StudyRequest"):
        study_uid = study.get("studyInstanceUID", "")
        if study.find(XDS_I_B + "SeriesRequest") is None:
            findings.append(_wrong("StudyRequest", "holds no SeriesRequest"))
        if not study_uid:
            findings.append(_wrong("StudyRequest.studyInstanceUID", "is required and missing"))
        for series in study.iterchildren(XDS_I_B + "SeriesRequest"):
            series_uid = series.get("seriesInstanceUID", "")
            if series.find(XDS_B + "DocumentRequest") is None:
                findings.append(_wrong("SeriesRequest", "holds no DocumentRequest"))
            if not series_uid:
                findings.append(_wrong("SeriesRequest.seriesInstanceUID", "is required and missing"))
            for document in series.iterchildren(XDS_B + "DocumentRequest"):
                yield _instance(study_uid, series_uid, document, findings)


def _instance(study_uid: str, series_uid: str, document: xml.Element, findings: list[Finding]) -> InstanceRequest:
    home, repository, unique_id = (
        (document.findtext(XDS_B + name) or "").strip()
        for name in ("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId")
    )
    for name, text in (("RepositoryUniqueId", repository), ("DocumentUniqueId", unique_id)):
        if not text:
            findings.append(_wrong(f"DocumentRequest.{name}", "is required and missing"))
    return InstanceRequest(study_uid, series_uid, repository, unique_id, home or None)


def _wrong(where: str, text: str) -> Finding:
    return Finding(ErrorCode.XDSRepositoryError, where, text, SOURCE)


def decode(request: soap.Request[object]) -> ImagingRequest:
    """The instances that a RetrieveImagingDocumentSetRequest asks for.

    Raises:
        Rejected: XDSRepositoryError, with everything that is missing.
    """
    asked, findings = requested(request.body)
    if findings:
        raise Rejected(findings)
    return asked
