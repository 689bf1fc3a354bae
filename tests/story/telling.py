"""What the chapters of the story share: manifests of this server and of others, and documents given back."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pydicom
from examination import ORDERS, Study, new_uid
from region import Region, eventually, slots_of

from registry.metadata.model import Instance, PatientDetails, Series, StudyDescription
from registry.metadata.urn import ResponseStatus
from repository.imaging.kos_builder import build_manifest

QUICKLY = {"XDSI_PUBLISHING__QUIET_SECONDS": "0.2"}
DCM = "1.2.840.10008.2.16.4"
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
CT_SYNTAX = "1.2.840.10008.1.2.1"
REFERENCES = "urn:ihe:iti:xds:2013:referenceIdList"
ELSEWHERE = "1.2.3.4.5.6.800"


def manifest_entry(world: Region, study: Study) -> Any:
    """The one manifest of the study that is approved, when the worker has made it."""

    def found() -> list[Any]:
        entries = world.documents_of(study.who, _FormatCode=f"('{KOS}^^1.2.840.10008.2.6.1')")
        return [e for e in entries if any(study.uid in r for r in slots_of(e)[REFERENCES])]

    (entry,) = eventually(found, "the study was not published")
    return entry


def instances_of(manifest: bytes) -> set[str]:
    evidence = pydicom.dcmread(BytesIO(manifest)).CurrentRequestedProcedureEvidenceSequence
    return {
        i.ReferencedSOPInstanceUID for study in evidence for s in study.ReferencedSeriesSequence
        for i in s.ReferencedSOPSequence
    }  # fmt: skip


def document(world: Region, unique_id: str) -> bytes:
    answer = world.retrieve((world.repository, unique_id))
    assert answer.RegistryResponse.status == ResponseStatus.SUCCESS, answer.RegistryResponse
    return bytes(answer.DocumentResponse[0].Document)


def vendor_manifest(study: Study, sop: str, location: str, url: str = "") -> bytes:
    """A KOS as another archive makes it."""
    series = Series(
        study.series,
        "CT",
        1,
        retrieve_location_uid=location,
        instances=(Instance("1.2.840.10008.5.1.4.1.1.2", sop, 1),),
    )
    described = StudyDescription(
        study.uid,
        location,
        study.who.cx,
        "20240704063000",
        "DT hals",
        ((study.accession, ORDERS),),
        series=(series,),
    )
    return build_manifest(
        described,
        sop_instance_uid=new_uid(),
        series_instance_uid=new_uid(),
        patient=PatientDetails(study.who.cx, study.who.family, study.who.given, "18120304", "F"),
        retrieve_location_uid=location,
        retrieve_url=url,
        now=datetime(2024, 7, 4, 10, tzinfo=UTC),
        manufacturer="Another",
    )
