"""The story, point 4: stored queries and retrieval through the WSDL that the server publishes."""

from io import BytesIO
from typing import Any

import examination
import pydicom
import pytest
from examination import ORDERS, PDF, TEXT, Document, Study, new_uid, sop_uid
from region import Region, codes, objects
from telling import CT_SYNTAX, QUICKLY, document

from registry.metadata.urn import (
    ReferenceIdType,
    ResponseStatus,
    Status,
    StoredQueryId,
)

SETTINGS = QUICKLY


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

    # What is compressed can be given plain, what is plain is not compressed.
    plain = retrieve_imaging(world, study, wanted, syntaxes[0])
    assert plain.RegistryResponse.status == ResponseStatus.SUCCESS
    assert {str(pydicom.dcmread(BytesIO(d.Document)).file_meta.TransferSyntaxUID) for d in plain.DocumentResponse} == {
        syntaxes[0]
    }
    only_jpeg = retrieve_imaging(world, study, wanted, syntaxes[1])
    assert [d.DocumentUniqueId for d in only_jpeg.DocumentResponse] == [sop_uid(jpeg)]
    assert only_jpeg.RegistryResponse.status == ResponseStatus.PARTIAL_SUCCESS
    (error,) = only_jpeg.RegistryResponse.RegistryErrorList.RegistryError
    assert (error.errorCode, error.location) == ("urn:dicom:wado:0007", sop_uid(ct))


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


def test_at_the_end_the_stores_are_clean(world: Region) -> None:
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
