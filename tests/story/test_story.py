"""One examination all the way through a real server, points 1 to 3: images in, manifest out, report in.

Every test tells a part of the story through the doors that users use, with people and studies of its own.
"""

from hashlib import sha1
from io import BytesIO
from pathlib import Path
from typing import Any

import examination
import pydicom
import pytest
import region
import running
from examination import CDA, DIALECTS, ORDERS, PDF, TEXT, Dialect, Document, Study, new_uid, sop_uid
from region import Region, coded, codes, eventually, identified, objects, slots_of
from telling import (
    DCM,
    ELSEWHERE,
    KOS,
    QUICKLY,
    REFERENCES,
    document,
    instances_of,
    manifest_entry,
    vendor_manifest,
)

from registry.metadata.urn import (
    AssociationType,
    ClassificationScheme,
    IdentificationScheme,
    ReferenceIdType,
    ResponseStatus,
    Status,
    StoredQueryId,
)

SETTINGS = QUICKLY


def stored(answer: dict[str, Any]) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get("00081199", {}).get("Value", [])]


def refused(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for tag in ("00081198", "0008119A") for item in answer.get(tag, {}).get("Value", [])]


# 1. Images in


def test_a_dicomweb_client_stores_a_study_and_hears_of_each_object(world: Region) -> None:
    study = Study()
    objects_ = [study.object(InstanceNumber=number) for number in (1, 2)]
    answer = world.dicomweb.store_instances([pydicom.dcmread(BytesIO(one)) for one in objects_])
    assert {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence} == set(map(sop_uid, objects_))
    assert "FailedSOPSequence" not in answer


def test_storing_again_changes_nothing(world: Region) -> None:
    study = Study()
    one, two = study.object(), study.object("MR_small.dcm", SeriesInstanceUID=new_uid())
    first = world.stow(one, two)
    manifest_entry(world, study)
    before = world.count(), world.study(study)
    assert world.stow(two, one).keys() == first.keys()
    assert set(stored(world.stow(one, two))) == {sop_uid(one), sop_uid(two)}
    assert (world.count(), world.study(study)) == before
    assert world.publish(study)["unchanged"] is True


def test_a_damaged_file_is_refused_with_a_reason_and_the_rest_is_kept(world: Region) -> None:
    study = Study()
    good, other = study.object(), study.object()
    answer = world.stow(good, other[: len(other) // 2], b"no DICOM at all", status=202)
    assert stored(answer) == [sop_uid(good)]
    assert len(refused(answer)) == 2
    for item in refused(answer):
        assert item["00081197"]["Value"][0] >= 0xA700
        assert len(item["00000902"]["Value"][0]) > 10
    assert [s["numberOfInstances"] for s in world.study(study)] == [1]


# 2. Manifest out


def test_a_quiet_study_is_published_with_all_that_the_book_asks(world: Region) -> None:
    study = Study()
    ct = study.object(BodyPartExamined="CHEST", StudyDescription="DT thorax")
    mr = study.object("MR_small.dcm", SeriesInstanceUID=new_uid(), BodyPartExamined="", StudyDescription="DT thorax")
    structured = study.object(SeriesInstanceUID=new_uid(), Modality="PR", SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1")
    world.stow(ct, mr, structured)
    entry = eventually(
        lambda: next((e for e in [manifest_entry(world, study)] if e.status == Status.APPROVED), None), "approved"
    )
    scheme, slots = ClassificationScheme, slots_of(entry)
    assert entry.mimeType == "application/dicom"
    assert coded(entry, scheme.FORMAT_CODE)[0][:2] == (KOS, "1.2.840.10008.2.6.1")
    modalities = [c for c in coded(entry, scheme.EVENT_CODE) if c[1] == DCM]
    assert {c[0]: c[2] for c in modalities} == {"CT": "Computed Tomography", "MR": "Magnetic Resonance"}
    assert ("816094009", "2.16.840.1.113883.6.96", "Thorax") in coded(entry, scheme.EVENT_CODE)
    assert set(slots[REFERENCES]) == {
        f"{study.accession}^^^&{ORDERS}&ISO^{ReferenceIdType.ACCESSION}",
        f"{study.uid}^^^^{ReferenceIdType.STUDY_INSTANCE_UID}",
    }
    assert slots["serviceStartTime"] == ["20240704063000"]
    assert slots["sourcePatientId"] == [study.who.cx]
    assert slots["sourcePatientInfo"] == [
        f"PID-3|{study.who.cx}",
        f"PID-5|{study.who.family}^{study.who.given}",
        "PID-7|18120304",
        "PID-8|F",
    ]
    assert identified(entry, IdentificationScheme.DOCUMENT_PATIENT_ID) == study.who.cx
    assert coded(entry, scheme.TYPE_CODE)[0][0] == "18748-4"
    for one in (
        scheme.CLASS_CODE,
        scheme.CONFIDENTIALITY_CODE,
        scheme.HEALTHCARE_FACILITY_TYPE_CODE,
        scheme.PRACTICE_SETTING_CODE,
    ):
        assert len(coded(entry, one)) == 1
    assert slots["languageCode"] == ["sv-SE"]
    assert len(slots["creationTime"][0]) == 14

    kos = document(world, identified(entry, IdentificationScheme.DOCUMENT_UNIQUE_ID))
    assert (slots["hash"], slots["size"]) == ([sha1(kos).hexdigest()], [str(len(kos))])
    assert slots["repositoryUniqueId"] == [world.repository]
    assert_manifest(kos, study, {sop_uid(ct), sop_uid(mr), sop_uid(structured)}, world, entry)


def assert_manifest(kos: bytes, study: Study, uids: set[str], world: Region, entry: Any) -> None:
    """K-1 to K-5 of a manifest, read by pydicom."""
    data = pydicom.dcmread(BytesIO(kos))
    assert data.SOPInstanceUID == identified(entry, IdentificationScheme.DOCUMENT_UNIQUE_ID)
    assert (data.SOPClassUID, data.Modality) == (KOS, "KO")
    assert data.ReferencedPerformedProcedureStepSequence is not None
    title = data.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == ("113030", "DCM", "Manifest")
    assert (data.ValueType, data.ContinuityOfContent) == ("CONTAINER", "SEPARATE")
    assert data.ContentTemplateSequence[0].TemplateIdentifier == "2010"
    tree = {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in data.ContentSequence}
    assert tree == instances_of(kos) == uids
    (evidence,) = data.CurrentRequestedProcedureEvidenceSequence
    assert evidence.StudyInstanceUID == data.StudyInstanceUID == study.uid
    for series in evidence.ReferencedSeriesSequence:
        assert series.RetrieveLocationUID == world.system["oids"]["retrieveLocationUid"]
        assert series.RetrieveURL == world.system["addresses"]["dicomweb"]
    assert (data.PatientID, data.AccessionNumber) == (study.who.number, study.accession)


def test_more_objects_replace_the_manifest(world: Region) -> None:
    study = Study()
    first, second = study.object(), study.object()
    world.stow(first)
    old = manifest_entry(world, study)
    world.stow(second)

    def newer() -> Any:
        entry = manifest_entry(world, study)
        return entry if entry.id != old.id else None

    new = eventually(newer, "no new manifest")
    kos = document(world, identified(new, IdentificationScheme.DOCUMENT_UNIQUE_ID))
    assert instances_of(kos) == {sop_uid(first), sop_uid(second)}
    assert [e.id for e in world.documents_of(study.who, Status.DEPRECATED)] == [old.id]
    links = objects(world.query(StoredQueryId.GET_ASSOCIATIONS, uuid=f"('{new.id}')"))
    kinds = {(a["Association"].associationType, a["Association"].targetObject) for a in links}
    assert (AssociationType.RPLC, old.id) in kinds
    # What is deprecated can be retrieved still.
    assert instances_of(document(world, identified(old, IdentificationScheme.DOCUMENT_UNIQUE_ID))) == {sop_uid(first)}
    assert [s["numberOfInstances"] for s in world.study(study)] == [2]


def test_publish_at_once_and_by_the_command(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    first = world.publish(study)
    assert world.publish(study) == first | {"unchanged": True, "replaced": False}
    world.stow(study.object())
    done = running.run_xdsi("publish", study.uid, "--data", str(world.server.data), XDSI_DATABASE_URL=world.database)
    assert done.returncode == 0, done.stderr
    assert len(world.documents_of(study.who)) == 1
    unknown = running.run_xdsi("publish", new_uid(), "--data", str(world.server.data), XDSI_DATABASE_URL=world.database)
    assert unknown.returncode == 1


def test_a_study_without_time_zone_is_taken_in_the_domains(world: Region) -> None:
    study = Study(date="20240115", time="0830")
    world.stow(study.object(TimezoneOffsetFromUTC=""))
    assert slots_of(manifest_entry(world, study))["serviceStartTime"][0].startswith("202401150730")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_was_to_be_published_survives_a_restart(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql") if engine == "postgresql" else ""
    study = Study()
    first = region.start(tmp_path / "data", url, XDSI_PUBLISHING__QUIET_SECONDS="3")
    try:
        first.stow(study.object())
        assert first.documents_of(study.who) == []
    finally:
        first.server.process.kill()
        first.server.process.wait(10)
    second = region.start(tmp_path / "data", url, XDSI_PUBLISHING__QUIET_SECONDS="3")
    try:
        assert manifest_entry(second, study)
    finally:
        second.server.stop()


# 3. Report in


@pytest.mark.parametrize(
    ("content", "mime", "format_code"),
    [
        (PDF, "application/pdf", "urn:ihe:rad:PDF"),
        (TEXT, "text/plain", "urn:ihe:rad:TEXT"),
        (CDA, "text/xml", "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"),
    ],
    ids=["pdf", "text", "cda"],
)
def test_a_report_by_zeep_is_given_back_identical(world: Region, content: bytes, mime: str, format_code: str) -> None:
    report = Document(examination.person(), content, mime, format_code, study_uid=new_uid(), accession="A1")
    assert world.provide(report).status == ResponseStatus.SUCCESS
    (entry,) = world.documents_of(report.who)
    assert entry.mimeType == mime
    slots = slots_of(entry)
    assert (slots["hash"], slots["size"]) == ([sha1(content).hexdigest()], [str(len(content))])
    assert slots["repositoryUniqueId"] == [world.repository]
    assert entry.lid == entry.id
    assert entry.VersionInfo.versionName == "1"
    assert document(world, report.uid) == content


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_report_in_the_dialect_of_a_product(world: Region, dialect: Dialect) -> None:
    # What looks like the boundary, and bare line ends about it, must not end the part.
    content = b"\r\n--" + dialect.boundary.encode()[:-1] + b"\r\n\r\n" + bytes(range(256)) * 500 + b"\r\n--\r"
    report = Document(examination.person(), content)
    answer = world.post("repository", *world.message(report, dialect=dialect))
    assert answer.status_code == 200, answer.text
    assert ResponseStatus.SUCCESS in answer.text
    assert answer.headers["Content-Type"].startswith("multipart/related")
    assert document(world, report.uid) == content


def test_a_report_in_chunks_of_unknown_length(world: Region) -> None:
    report = Document(examination.person(), PDF * 1000)
    content_type, body = world.message(report)
    pieces = (body[at : at + 999] for at in range(0, len(body), 999))
    assert ResponseStatus.SUCCESS in world.post("repository", content_type, pieces).text
    assert document(world, report.uid) == PDF * 1000


def test_documents_in_another_order_than_their_entries(world: Region) -> None:
    who = examination.person()
    one, two = Document(who, TEXT, "text/plain"), Document(who, PDF)
    arguments = examination.provided(one, two)
    arguments["Document"].reverse()
    assert world.soap("repository").service.ProvideAndRegisterDocumentSetB(**arguments).status == ResponseStatus.SUCCESS
    assert (document(world, one.uid), document(world, two.uid)) == (TEXT, PDF)


@pytest.mark.parametrize("address", ["", "https://pacs.example.org/wado-rs"])
def test_a_vendors_manifest_makes_its_study_appear(world: Region, address: str) -> None:
    study, sop, location = Study(), new_uid(), new_uid()
    manifest = vendor_manifest(study, sop, location, address)
    sent = examination.manifest_document(study.who, manifest, study.uid, study.accession)
    assert world.provide(sent).status == ResponseStatus.SUCCESS
    (found,) = world.study(study)
    assert [i["uid"] for s in found["series"] for i in s["instance"]] == [sop]
    assert found["numberOfInstances"] == 1
    assert found["description"] == "DT hals"
    endpoint = world.fhir(found["series"][0]["endpoint"][0]["reference"])
    assert endpoint["connectionType"]["code"] == "dicom-wado-rs"
    assert endpoint["identifier"][0]["value"] == f"urn:oid:{location}"
    assert endpoint["address"] == (address or "http://notspecified")
    assert document(world, sent.uid) == manifest


def test_a_vendors_replacement_changes_the_study(world: Region) -> None:
    study, location = Study(), new_uid()
    old = examination.manifest_document(
        study.who, vendor_manifest(study, new_uid(), location), study.uid, study.accession
    )
    world.provide(old)
    sop = new_uid()
    new = examination.manifest_document(
        study.who, vendor_manifest(study, sop, location), study.uid, study.accession, replaces=old.id
    )
    assert world.provide(new).status == ResponseStatus.SUCCESS
    (found,) = world.study(study)
    assert [i["uid"] for s in found["series"] for i in s["instance"]] == [sop]
    assert [e.id for e in world.documents_of(study.who)] == [new.id]


def test_a_document_that_lies_elsewhere_is_registered(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    there = Document(study.who, study_uid=study.uid).registered(ELSEWHERE)
    assert world.register(there).status == ResponseStatus.SUCCESS
    entry = next(e for e in world.documents_of(study.who) if e.mimeType == "application/pdf")
    assert slots_of(entry)["repositoryUniqueId"] == [ELSEWHERE]
    answer = world.retrieve((ELSEWHERE, there.uid))
    assert codes(answer.RegistryResponse) == ["XDSUnknownRepositoryId"]
    (report,) = world.search("DiagnosticReport", **{"patient.identifier": study.who.token})
    assert report["imagingStudy"][0]["reference"] == f"ImagingStudy/{world.study(study)[0]['id']}"


def test_at_the_end_the_stores_are_clean(world: Region) -> None:
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
