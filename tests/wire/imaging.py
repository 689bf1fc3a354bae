"""DICOM objects and manifests of them, for tests of the SOAP side."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pydicom
from examination import Study, new_uid, sop_uid
from wire import submissions as s

from conformance import messages
from registry.access import Caller
from registry.metadata.datatypes import Cx
from registry.metadata.model import Code, Instance, PatientDetails, Series, StudyDescription, Submission
from registry.metadata.urn import CodingScheme, FormatCode, Namespace
from repository.imaging.kos_builder import build_manifest

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.91"
ELSEWHERE = "1.2.752.129.2.9.66"
CALLER = Caller("tests", "127.0.0.1", "test")


def manifest(patient: str, study_uid: str, sop: str, location: str = ELSEWHERE, **changes: Any) -> bytes:
    """A KOS of one CT series of three instances; `changes` are attributes to overwrite afterwards."""
    series = Series(new_uid(), "CT", 1, instances=tuple(Instance(CT, new_uid()) for _ in range(3)))
    who = PatientDetails(str(Cx.parse(patient)), "Zqalm", "Xweva", "18120304", "F")
    built = build_manifest(
        StudyDescription(study_uid, location, started="20240704063000", series=(series,)),
        sop_instance_uid=sop,
        series_instance_uid=new_uid(),
        patient=who,
        retrieve_location_uid=location,
        retrieve_url="",
        now=datetime(2024, 7, 4, 12, tzinfo=UTC),
    )
    if not changes:
        return built
    data, out = pydicom.dcmread(BytesIO(built)), BytesIO()
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    data.save_as(out)
    return out.getvalue()


def manifest_submission(unique_id: str, study_uid: str, **entry: Any) -> Submission:
    """What an Imaging Document Source says of its manifest (RAD-68)."""
    changes = {
        "unique_id": unique_id,
        "mime_type": "application/dicom",
        "format_code": Code(FormatCode.KOS_MANIFEST, CodingScheme.DICOM_UID_REGISTRY, "KOS"),
        "type_code": Code("18748-4", CodingScheme.LOINC, "Diagnostic imaging study"),
        "reference_ids": (f"{study_uid}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",),
        "authors": (),
        "legal_authenticator": None,
    }
    return messages.provided(s.new(**(changes | entry)))


def retrieval(
    wanted: dict[str, dict[str, list[tuple[str, str]]]], *syntaxes: str, home: str = "", syntax_list: bool = True
) -> str:
    """The body of RAD-69: study -> series -> (source, SOP Instance UID)."""
    homes = f"<d:HomeCommunityId>{home}</d:HomeCommunityId>" if home else ""
    studies = ""
    for study, series in wanted.items():
        inside = ""
        for series_uid, instances in series.items():
            requests = "".join(
                f"<d:DocumentRequest>{homes}<d:RepositoryUniqueId>{source}</d:RepositoryUniqueId>"
                f"<d:DocumentUniqueId>{uid}</d:DocumentUniqueId></d:DocumentRequest>"
                for source, uid in instances
            )
            inside += f'<i:SeriesRequest seriesInstanceUID="{series_uid}">{requests}</i:SeriesRequest>'
        studies += f'<i:StudyRequest studyInstanceUID="{study}">{inside}</i:StudyRequest>'
    names = "".join(f"<i:TransferSyntaxUID>{one}</i:TransferSyntaxUID>" for one in syntaxes)
    tail = f"<i:TransferSyntaxUIDList>{names}</i:TransferSyntaxUIDList>" if syntax_list else ""
    return (
        f'<i:RetrieveImagingDocumentSetRequest xmlns:i="{Namespace.XDS_I_B}" xmlns:d="{Namespace.XDS_B}">'
        f"{studies}{tail}</i:RetrieveImagingDocumentSetRequest>"
    )


__all__ = ["Study", "new_uid", "sop_uid"]
