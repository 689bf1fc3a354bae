"""One examination all the way through a real server: images in, manifest out, report in, found, seen.

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
import requests
import running
from examination import CDA, DIALECTS, ORDERS, PDF, TEXT, Dialect, Document, Study, new_uid, sop_uid
from fhirpy import SyncFHIRClient
from region import Region, coded, codes, eventually, identified, objects, slots_of

from registry.metadata.model import Instance, PatientDetails, Series, StudyDescription
from registry.metadata.urn import (
    AssociationType,
    ClassificationScheme,
    IdentificationScheme,
    ReferenceIdType,
    ResponseStatus,
    Status,
    StoredQueryId,
)
from repository.imaging.kos_builder import build_manifest

SETTINGS = {"XDSI_PUBLISHING__QUIET_SECONDS": "0.2"}
DCM = "1.2.840.10008.2.16.4"
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
CT_SYNTAX, JPEG2000 = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.91"
ELSEWHERE = "1.2.3.4.5.6.800"


def stored(answer: dict[str, Any]) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get("00081199", {}).get("Value", [])]


def refused(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return list(answer.get("00081198", {}).get("Value", []))


def manifest_entry(world: Region, study: Study) -> Any:
    """The one manifest of the study that is approved, when the worker has made it."""

    def found() -> list[Any]:
        entries = world.documents_of(study.who, _FormatCode=f"('{KOS}^^1.2.840.10008.2.6.1')")
        return [e for e in entries if any(study.uid in r for r in slots_of(e)[REFERENCES])]

    (entry,) = eventually(found, "the study was not published")
    return entry


REFERENCES = "urn:ihe:iti:xds:2013:referenceIdList"


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


def vendor_manifest(study: Study, sop: str, location: str, url: str = "") -> bytes:
    """A KOS as another archive makes it."""
    from datetime import UTC, datetime

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


# 4. Found by SOAP


@pytest.mark.parametrize("returns", ["LeafClass", "ObjectRef"])
def test_the_five_queries_agree(world: Region, returns: str) -> None:
    study, set_uid = Study(), new_uid()
    report = Document(study.who, study_uid=study.uid, accession=study.accession)
    assert world.provide(report, set_uid=set_uid).status == ResponseStatus.SUCCESS

    def ids(query: StoredQueryId, **parameters: Any) -> set[str]:
        answer = world.query(query, returns, **parameters)
        assert answer.status == ResponseStatus.SUCCESS
        found = [next((kind, one[kind]) for kind in one if one[kind] is not None) for one in objects(answer)]
        assert returns == "LeafClass" or {kind for kind, _ in found} <= {"ObjectRef"}
        return {one.id for kind, one in found if kind != "Classification"}

    whose = {"_PatientId": f"'{study.who.cx}'", "_Status": f"('{Status.APPROVED}')"}
    assert ids(StoredQueryId.FIND_DOCUMENTS, **whose) == {report.id}
    assert ids(StoredQueryId.GET_DOCUMENTS, _UniqueId=f"('{report.uid}')") == {report.id}
    assert ids(StoredQueryId.GET_DOCUMENTS, _EntryUUID=f"('{report.id}')") == {report.id}
    for reference in report.reference_ids():
        assert ids(StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, **whose, _ReferenceIdList=f"('{reference}')") == {
            report.id
        }
    both = [f"('{one}')" for one in report.reference_ids()]
    assert ids(StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, **whose, _ReferenceIdList=both) == {report.id}
    other = [*both, f"('9^^^&{ORDERS}&ISO^{ReferenceIdType.ACCESSION}')"]
    assert ids(StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, **whose, _ReferenceIdList=other) == set()

    whole = ids(StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS, XDSSubmissionSetUniqueId=f"'{set_uid}'")
    links = ids(StoredQueryId.GET_ASSOCIATIONS, uuid=f"('{report.id}')")
    assert len(whole) == 3
    assert len(links) == 1
    assert links | {report.id} < whole
    assert ids(StoredQueryId.GET_DOCUMENTS, _UniqueId=f"('{new_uid()}')") == set()


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"_TypeCode": "('85430-7^^2.16.840.1.113883.6.1')"}, True),
        ({"_TypeCode": "('1-1^^2.16.840.1.113883.6.1')"}, False),
        ({"_FormatCode": "('x^^1.2','urn:ihe:rad:PDF^^1.3.6.1.4.1.19376.1.2.3')"}, True),
        ({"_ServiceStartTimeFrom": "20240704", "_ServiceStartTimeTo": "20240705"}, True),
        ({"_ServiceStartTimeFrom": "20240705"}, False),
        ({"_CreationTimeFrom": "'2024'", "_CreationTimeTo": "'2025'"}, True),
        ({"_AuthorPerson": "('%Alm%')"}, True),
        ({"_AuthorPerson": "('%Bok%')"}, False),
        ({"_ConfidentialityCode": ["('N^^2.16.840.1.113883.5.25')", "('R^^2.16.840.1.113883.5.25')"]}, False),
        ({"_PracticeSettingCode": "('394914008^^2.16.840.1.113883.6.96')"}, True),
        ({"_Status": f"('{Status.DEPRECATED}')"}, False),
    ],
)
def test_find_documents_narrows(world: Region, parameters: dict[str, Any], found: bool) -> None:
    report = Document(examination.person())
    world.provide(report)
    asked = {"_PatientId": f"'{report.who.cx}'", "_Status": f"('{Status.APPROVED}')"} | parameters
    answer = world.query(StoredQueryId.FIND_DOCUMENTS, **asked)
    assert answer.status == ResponseStatus.SUCCESS, answer
    assert len(objects(answer)) == found


def test_the_alias_of_dcm4che_is_understood(world: Region) -> None:
    report = Document(examination.person(), accession="A77")
    world.provide(report)
    answer = world.query(
        StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID_DCM4CHE,
        _PatientId=f"'{report.who.cx}'",
        _Status=f"('{Status.APPROVED}')",
        _ReferenceIdList=f"('{report.reference_ids()[0]}')",
    )
    assert [o["ExtrinsicObject"].id for o in objects(answer)] == [report.id]


def test_several_documents_and_one_unknown_come_as_partial_success(world: Region) -> None:
    who = examination.person()
    one, two, unknown = Document(who, PDF), Document(who, TEXT, "text/plain"), new_uid()
    world.provide(one, two)
    answer = world.retrieve(
        (world.repository, two.uid), (world.repository, unknown), (world.repository, one.uid), ("1.2.3", one.uid)
    )
    assert answer.RegistryResponse.status == ResponseStatus.PARTIAL_SUCCESS
    assert [(d.DocumentUniqueId, d.mimeType, d.Document) for d in answer.DocumentResponse] == [
        (two.uid, "text/plain", TEXT),
        (one.uid, "application/pdf", PDF),
    ]
    assert codes(answer.RegistryResponse) == ["XDSDocumentUniqueIdError", "XDSUnknownRepositoryId"]


def retrieve_imaging(world: Region, study: Study, wanted: dict[str, list[str]], *syntaxes: str) -> Any:
    location = world.system["oids"]["retrieveLocationUid"]
    series = [
        {
            "seriesInstanceUID": uid,
            "DocumentRequest": [{"RepositoryUniqueId": location, "DocumentUniqueId": sop} for sop in sops],
        }
        for uid, sops in wanted.items()
    ]
    return world.soap("imaging").service.RetrieveImagingDocumentSet(
        StudyRequest=[{"studyInstanceUID": study.uid, "SeriesRequest": series}],
        TransferSyntaxUIDList={"TransferSyntaxUID": list(syntaxes)},
    )


def test_objects_that_a_manifest_names_come_back_identical(world: Region) -> None:
    study, other = Study(), new_uid()
    ct, jpeg = study.object(), study.object("JPEG2000.dcm", SeriesInstanceUID=other)
    world.stow(ct, jpeg)
    kos = pydicom.dcmread(BytesIO(document(world, world.publish(study)["documentUniqueId"])))
    wanted = {
        s.SeriesInstanceUID: [i.ReferencedSOPInstanceUID for i in s.ReferencedSOPSequence]
        for s in kos.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    }
    syntaxes = [str(pydicom.dcmread(BytesIO(one)).file_meta.TransferSyntaxUID) for one in (ct, jpeg)]
    answer = retrieve_imaging(world, study, wanted, *syntaxes)
    assert answer.RegistryResponse.status == ResponseStatus.SUCCESS
    assert {d.DocumentUniqueId: d.Document for d in answer.DocumentResponse} == {sop_uid(ct): ct, sop_uid(jpeg): jpeg}
    assert {d.mimeType for d in answer.DocumentResponse} == {"application/dicom"}

    only_ct = retrieve_imaging(world, study, wanted, syntaxes[0])
    assert [d.DocumentUniqueId for d in only_ct.DocumentResponse] == [sop_uid(ct)]
    assert only_ct.RegistryResponse.status == ResponseStatus.PARTIAL_SUCCESS
    (error,) = only_ct.RegistryResponse.RegistryErrorList.RegistryError
    assert (error.errorCode, error.location) == ("urn:dicom:wado:0007", sop_uid(jpeg))


@pytest.mark.parametrize("wrong", ["study", "series", "instance"])
def test_an_object_is_only_found_where_it_is(world: Region, wrong: str) -> None:
    study = Study()
    ct = study.object()
    world.stow(ct)
    asked = Study(study.who, new_uid()) if wrong == "study" else study
    series = new_uid() if wrong == "series" else study.series
    answer = retrieve_imaging(world, asked, {series: [new_uid() if wrong == "instance" else sop_uid(ct)]}, CT_SYNTAX)
    assert answer.RegistryResponse.status == ResponseStatus.FAILURE
    assert not answer.DocumentResponse
    assert codes(answer.RegistryResponse)[0] in ("XDSMissingDocument", "XDSDocumentUniqueIdError")


# 5. Found by FHIR


def test_the_capability_statement_is_valid_and_true(world: Region) -> None:
    statement = world.fhir("metadata")
    types = {r["type"]: r for r in statement["rest"][0]["resource"]}
    assert {"ImagingStudy", "DiagnosticReport", "DocumentReference", "Patient", "Endpoint"} <= set(types)
    for name in ("ImagingStudy", "DiagnosticReport", "DocumentReference", "Patient", "Endpoint"):
        assert {i["code"] for i in types[name]["interaction"]} >= {"read", "search-type"}
    assert "ImagingStudy:endpoint" in types["ImagingStudy"]["searchInclude"]
    assert world.fhir("ImagingStudy/no-such-id", status=404)["resourceType"] == "OperationOutcome"


def test_reads_and_searches_of_all_that_one_examination_made(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    world.publish(study)
    report = Document(study.who, study_uid=study.uid, accession=study.accession)
    world.provide(report)
    (patient,) = world.search("Patient", identifier=study.who.token)
    assert patient["name"][0]["family"] == study.who.family
    found: dict[str, list[dict[str, Any]]] = {}
    for type_ in ("ImagingStudy", "DiagnosticReport", "DocumentReference"):
        found[type_] = world.search(type_, patient=f"Patient/{patient['id']}")
        ids = sorted(r["id"] for r in found[type_])
        for asked in ("patient.identifier", "patient:identifier", "subject.identifier"):
            assert sorted(r["id"] for r in world.search(type_, **{asked: study.who.token})) == ids
        for one in found[type_]:
            assert world.fhir(f"{type_}/{one['id']}") == one
            assert one["subject"]["reference"] == f"Patient/{patient['id']}"
    assert [len(found[t]) for t in ("ImagingStudy", "DiagnosticReport", "DocumentReference")] == [1, 1, 2]
    assert world.fhir(f"Patient/{patient['id']}") == patient
    form = found["DiagnosticReport"][0]["presentedForm"][0]
    opened = requests.get(form["url"], timeout=10)
    assert (opened.content, opened.headers["Content-Type"]) == (PDF, "application/pdf")
    attachments = [d["content"][0]["attachment"] for d in found["DocumentReference"]]
    for attachment in attachments:
        assert len(requests.get(attachment["url"], timeout=10).content) == attachment["size"]


@pytest.mark.parametrize("type_", ["ImagingStudy", "DiagnosticReport", "DocumentReference"])
def test_study_uid_accession_and_date_in_all_spellings(world: Region, type_: str) -> None:
    study = Study(date="19470813")
    world.stow(study.object())
    world.publish(study)
    world.provide(Document(study.who, study_uid=study.uid, accession=study.accession, service_start="19470813063000"))

    def ids(**parameters: str) -> list[str]:
        return sorted(r["id"] for r in world.search(type_, **parameters))

    expected = ids(**{"patient.identifier": study.who.token})
    assert expected
    spellings = (study.uid, f"urn:oid:{study.uid}", f"urn:dicom:uid|{study.uid}", f"urn:dicom:uid|urn:oid:{study.uid}")
    for spelling in spellings:
        assert ids(**{"study-instance-uid": spelling}) == expected, spelling
        if type_ != "DocumentReference":
            assert ids(identifier=spelling) == expected, spelling
    for spelling in (study.accession, f"urn:oid:{ORDERS}|{study.accession}"):
        assert ids(**{"accession-number": spelling}) == expected, spelling
    assert ids(**{"accession-number": f"urn:oid:1.2.3|{study.accession}"}) == []
    date = {"ImagingStudy": "started", "DiagnosticReport": "date", "DocumentReference": "period"}[type_]
    uid = {"study-instance-uid": study.uid}
    for when in ("1947-08-13", "ge1947-08-13", "le1947-08", "1947", "gt1947-08-12", "lt1947-08-14"):
        assert ids(**{date: when, **uid}) == expected, when
    for when in ("1947-08-14", "ge1947-08-14", "lt1947-08-13", "1948"):
        assert ids(**{date: when, **uid}) == [], when


@pytest.mark.parametrize("by", ["study", "accession", "both"])
@pytest.mark.parametrize("first", ["study", "report"])
@pytest.mark.parametrize("door", ["STOW and ITI-41", "RAD-68 and ITI-42"])
def test_study_and_report_find_each_other(world: Region, by: str, first: str, door: str) -> None:
    study = Study()
    report = Document(
        study.who,
        study_uid=study.uid if by != "accession" else "",
        accession=study.accession if by != "study" else "",
    )

    def send_study() -> None:
        if door.startswith("STOW"):
            world.stow(study.object())
            return
        manifest = vendor_manifest(study, new_uid(), new_uid())
        world.provide(examination.manifest_document(study.who, manifest, study.uid, study.accession))

    def send_report() -> None:
        sent = world.provide(report) if door.startswith("STOW") else world.register(report.registered(ELSEWHERE))
        assert sent.status == ResponseStatus.SUCCESS

    order = [send_study, send_report]
    for send in order if first == "study" else reversed(order):
        send()
    (imaging,) = world.study(study)
    (found,) = world.search("DiagnosticReport", **{"patient.identifier": study.who.token})
    assert [s.get("reference") for s in found["imagingStudy"]] == [f"ImagingStudy/{imaging['id']}"]
    assert world.fhir(f"DiagnosticReport/{found['id']}") == found
    for name in ("imagingStudy", "study"):
        by_study = world.search("DiagnosticReport", **{name: f"ImagingStudy/{imaging['id']}"})
        assert [r["id"] for r in by_study] == [found["id"]]


def test_a_report_of_another_patient_with_the_same_accession_is_not_linked(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    stranger = Document(examination.person(), accession=study.accession)
    world.provide(stranger)
    (found,) = world.search("DiagnosticReport", **{"patient.identifier": stranger.who.token})
    assert not [s for s in found.get("imagingStudy", []) if "reference" in s]


def test_a_study_points_to_its_endpoint_and_brings_it_along(world: Region) -> None:
    study = Study()
    ct = study.object()
    world.stow(ct)
    page = world.fhir("ImagingStudy", identifier=study.uid, _include="ImagingStudy:endpoint")
    (match,) = region.matches(page)
    (endpoint,) = [e["resource"] for e in page["entry"] if e["search"]["mode"] == "include"]
    assert page["total"] == 1
    assert match["endpoint"][0]["reference"] == f"Endpoint/{endpoint['id']}"
    assert world.fhir(f"Endpoint/{endpoint['id']}") == endpoint
    assert endpoint["id"] in {e["id"] for e in world.search("Endpoint", identifier=endpoint["identifier"][0]["value"])}
    url = f"{endpoint['address']}/studies/{study.uid}/series/{study.series}/instances/{sop_uid(ct)}"
    got = requests.get(url, headers={"Accept": "application/dicom"}, timeout=10)
    assert got.content == ct


@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_end_and_hold_everything_once(world: Region, size: int) -> None:
    who = examination.person()
    world.provide(*[Document(who) for _ in range(7)])
    (patient,) = world.search("Patient", identifier=who.token)
    for asked in ({"patient": patient["id"]}, {"patient.identifier": who.token}):
        for type_ in ("DocumentReference", "DiagnosticReport"):
            pages = list(world.pages(type_, _count=size, **asked))
            found = [r["id"] for page in pages for r in region.matches(page)]
            assert len(found) == len(set(found)) == 7
            assert {page["total"] for page in pages} == {7}
            assert len(pages) <= -(-7 // size) + 1


def test_pages_do_not_lose_or_repeat_when_something_comes_in_between(world: Region) -> None:
    who = examination.person()
    world.provide(*[Document(who) for _ in range(4)])
    pages = world.pages("DocumentReference", _count=2, **{"patient.identifier": who.token})
    first = region.matches(next(pages))
    world.provide(Document(who))
    rest = [r for page in pages for r in region.matches(page)]
    ids = [r["id"] for r in [*first, *rest]]
    assert len(ids) == len(set(ids))
    assert len(ids) >= 4


def test_a_client_of_other_hands_reads_it_all(world: Region) -> None:
    study = Study()
    world.stow(study.object())
    world.provide(Document(study.who, study_uid=study.uid), Document(study.who, TEXT, "text/plain"))
    client = SyncFHIRClient(f"{world.url}/fhir")
    patient = client.resources("Patient").search(identifier=study.who.token).get()
    reports = client.resources("DiagnosticReport").search(patient=patient.to_reference()).limit(1).fetch_all()
    assert len(reports) == 2
    linked = [r for r in reports if any("reference" in s for s in r.get("imagingStudy", []))]
    imaging = client.reference("ImagingStudy", linked[0]["imagingStudy"][0]["reference"].split("/")[1]).to_resource()
    assert imaging["series"][0]["uid"] == study.series
    assert client.resources("ImagingStudy").search(patient=patient.to_reference()).count() == 1
    posted = requests.post(
        f"{world.url}/fhir/ImagingStudy/_search", data={"patient.identifier": study.who.token}, timeout=10
    )
    assert posted.json()["total"] == 1


# 6. Seen


def test_qido_at_all_levels_and_by_all_keys(world: Region) -> None:
    study = Study(date="19440606")
    one, two = study.object(), study.object("MR_small.dcm", SeriesInstanceUID=new_uid())
    world.stow(one, two)
    web = world.dicomweb
    for key, value in (
        ("PatientID", study.who.number),
        ("StudyInstanceUID", study.uid),
        ("AccessionNumber", study.accession),
        ("StudyDate", "19440606"),
        ("StudyDate", "19440601-19440630"),
        ("00100020", study.who.number),
        ("PatientName", f"{study.who.family}*"),
    ):
        found = web.search_for_studies(search_filters={key: value})
        assert study.uid in [s["0020000D"]["Value"][0] for s in found], key
    by_modality = web.search_for_studies(search_filters={"ModalitiesInStudy": "MR", "PatientID": study.who.number})
    assert by_modality[0]["00080061"]["Value"] == ["CT", "MR"]
    assert (by_modality[0]["00201206"]["Value"], by_modality[0]["00201208"]["Value"]) == ([2], [2])
    assert web.search_for_studies(search_filters={"ModalitiesInStudy": "US", "PatientID": study.who.number}) == []
    assert {s["00080060"]["Value"][0] for s in web.search_for_series(study.uid)} == {"CT", "MR"}
    (mr,) = web.search_for_series(study.uid, search_filters={"Modality": "MR"})
    series = mr["0020000E"]["Value"][0]
    assert [i["00080018"]["Value"][0] for i in web.search_for_instances(study.uid, series)] == [sop_uid(two)]
    assert len(web.search_for_instances(study.uid)) == 2
    everywhere = web.search_for_instances(search_filters={"SOPInstanceUID": sop_uid(one)})
    assert [i["0020000D"]["Value"][0] for i in everywhere] == [study.uid]
    assert len(web.search_for_series(search_filters={"SeriesInstanceUID": series})) == 1
    assert len(web.search_for_instances(study.uid, limit=1)) == 1
    assert len(web.search_for_instances(study.uid, limit=5, offset=1)) == 1


def test_wado_gives_studies_series_instances_and_metadata(world: Region) -> None:
    study, other = Study(), new_uid()
    ct, jpeg = study.object(), study.object("JPEG2000.dcm", SeriesInstanceUID=other)
    world.stow(ct, jpeg)
    web = world.dicomweb
    any_syntax = (("application/dicom", "*"),)
    got = {d.SOPInstanceUID: d for d in web.retrieve_study(study.uid, media_types=any_syntax)}
    assert got == {sop_uid(one): pydicom.dcmread(BytesIO(one)) for one in (ct, jpeg)}
    (one,) = web.retrieve_series(study.uid, other, media_types=any_syntax)
    assert one == pydicom.dcmread(BytesIO(jpeg))
    assert web.retrieve_instance(study.uid, study.series, sop_uid(ct)) == pydicom.dcmread(BytesIO(ct))
    for path in ("", f"/series/{other}", f"/series/{other}/instances/{sop_uid(jpeg)}"):
        answer = requests.get(
            f"{world.url}/dicomweb/studies/{study.uid}{path}",
            headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
            timeout=10,
        )
        assert answer.status_code == 200
        assert jpeg in answer.content
    described = web.retrieve_study_metadata(study.uid)
    assert {d["00080018"]["Value"][0] for d in described} == {sop_uid(ct), sop_uid(jpeg)}
    assert len(web.retrieve_series_metadata(study.uid, other)) == 1
    metadata = web.retrieve_instance_metadata(study.uid, study.series, sop_uid(ct))
    assert metadata["00100020"]["Value"] == [study.who.number]
    bulk = metadata["7FE00010"]["BulkDataURI"]
    (pixels,) = web.retrieve_bulkdata(bulk)
    assert pixels == pydicom.dcmread(BytesIO(ct)).PixelData


def test_wado_gives_frames(world: Region) -> None:
    study = Study()
    ct = study.object()
    rle = study.object("SC_rgb_rle_2frame.dcm", SeriesInstanceUID=new_uid())
    world.stow(ct, rle)
    web = world.dicomweb
    assert web.retrieve_instance_frames(study.uid, study.series, sop_uid(ct), [1]) == [
        pydicom.dcmread(BytesIO(ct)).PixelData
    ]
    data = pydicom.dcmread(BytesIO(rle))
    from pydicom.encaps import generate_frames

    frames = list(generate_frames(data.PixelData, number_of_frames=2))
    asked = {"media_types": (("image/dicom-rle", str(data.file_meta.TransferSyntaxUID)),)}
    got = web.retrieve_instance_frames(study.uid, data.SeriesInstanceUID, sop_uid(rle), [2, 1], **asked)
    assert got == [frames[1], frames[0]]
    missing = requests.get(
        f"{world.url}/dicomweb/studies/{study.uid}/series/{study.series}/instances/{sop_uid(ct)}/frames/2", timeout=10
    )
    assert missing.status_code == 404


def test_what_is_not_there_is_not_found(world: Region) -> None:
    for path in ("", f"/series/{new_uid()}", "/metadata", f"/series/{new_uid()}/instances/{new_uid()}"):
        answer = requests.get(f"{world.url}/dicomweb/studies/{new_uid()}{path}", timeout=10)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("application/")
    assert world.dicomweb.search_for_studies(search_filters={"PatientID": "nobody"}) == []


def test_at_the_end_the_stores_are_clean(world: Region) -> None:
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
