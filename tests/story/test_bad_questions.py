"""Questions, objects and URLs that make no sense get the coded answer of their protocol, and nothing is kept."""

import struct
from collections.abc import Callable
from typing import Any

import examination
import pytest
import requests
from examination import Study, multipart, new_uid, slot, soap, sop_uid
from refusing import BOMB, GOOD, NOBODY, QUERY, QUERY_ACTION, SOAP_TYPE, STILL, nothing_kept  # noqa: F401
from region import Region, codes

from registry.metadata.urn import (
    Action,
    Namespace,
    ResponseStatus,
    Status,
    StoredQueryId,
)

SETTINGS = STILL


# --- stored queries and retrieval ---

CX = f"'181234567890^^^&{examination.AUTHORITY}&ISO'"
APPROVED = f"('{Status.APPROVED}')"
WHOSE = [("PatientId", [CX]), ("Status", [APPROVED])]
FIND, GET = StoredQueryId.FIND_DOCUMENTS, StoredQueryId.GET_DOCUMENTS
MISSING = "XDSStoredQueryMissingParam"
QUERIES: list[tuple[str, str, list[tuple[str, list[str]]], str]] = [
    ("unknown query", NOBODY, [], "XDSUnknownStoredQuery"),
    ("no query id at all", "hello", [], "XDSUnknownStoredQuery"),
    ("nothing said", FIND, [], MISSING),
    ("no status", FIND, WHOSE[:1], MISSING),
    ("no reference", StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, WHOSE, MISSING),
    ("a list that does not end", FIND, [*WHOSE[:1], ("Status", ["('a'"])], ""),
    ("no quotes", FIND, [("PatientId", ["abc"]), *WHOSE[1:]], ""),
    ("an unknown status", FIND, [*WHOSE[:1], ("Status", ["('Gone')"])], ""),
    ("an empty list", FIND, [*WHOSE[:1], ("Status", ["()"])], ""),
    ("a patient that is none", FIND, [("PatientId", ["'x'"]), *WHOSE[1:]], ""),
    ("two patients", FIND, [("PatientId", [CX, CX]), *WHOSE[1:]], ""),
    ("a patient in a list", FIND, [("PatientId", [f"({CX})"]), *WHOSE[1:]], ""),
    ("no time", FIND, [*WHOSE, ("CreationTimeFrom", ["20241301"])], ""),
    ("a code without scheme", FIND, [*WHOSE, ("TypeCode", ["('x')"])], ""),
    ("two that exclude each other", GET, [("UniqueId", ["('1.2')"]), ("EntryUUID", [f"('{NOBODY}')"])], ""),
    ("none of several", GET, [], MISSING),
    ("no UUID", GET, [("EntryUUID", ["('hello')"])], ""),
]


@pytest.mark.parametrize(("query", "parameters", "code"), [q[1:] for q in QUERIES], ids=[q[0] for q in QUERIES])
def test_a_wrong_question_is_answered_with_a_code(
    world: Region, query: str, parameters: list[tuple[str, list[str]]], code: str
) -> None:
    answer = world.soap("registry").service.RegistryStoredQuery(
        ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
        AdhocQuery={"id": query, "Slot": [slot(f"$XDSDocumentEntry{name}", *values) for name, values in parameters]},
    )
    assert answer.status == ResponseStatus.FAILURE
    assert codes(answer)
    if code:
        assert code in codes(answer)
    assert "internal error" not in str(answer)


def test_what_looks_like_sql_is_a_value(world: Region) -> None:
    for text in ("''); DROP TABLE document_entry; --", "%", "a''b", "\\", "\u0130\U0001f600"):
        answer = world.query(StoredQueryId.GET_DOCUMENTS, _UniqueId=f"('{text}')")
        assert answer.status == ResponseStatus.SUCCESS
        assert not answer.RegistryObjectList or not answer.RegistryObjectList._value_1


@pytest.mark.parametrize("returns", ["Everything", ""])
def test_an_unknown_return_type(world: Region, returns: str) -> None:
    body = QUERY.replace('returnType="ObjectRef"', f'returnType="{returns}"')
    answer = world.post("registry", SOAP_TYPE, soap(QUERY_ACTION, body))
    assert answer.status_code == 200
    assert 'errorCode="XDSRegistryError"' in answer.text


def test_documents_that_cannot_be_given(world: Region) -> None:
    answer = world.retrieve(("1.2.3", "1.2.4"), (world.repository, "1.2.5"))
    assert answer.RegistryResponse.status == ResponseStatus.FAILURE
    assert codes(answer.RegistryResponse) == ["XDSUnknownRepositoryId", "XDSDocumentUniqueIdError"]
    assert not answer.DocumentResponse
    named = [
        error.codeContext + str(error.location) for error in answer.RegistryResponse.RegistryErrorList.RegistryError
    ]
    assert "1.2.4" in named[0]
    assert "1.2.5" in named[1]


RETRIEVALS = [
    ("repository", Action.RETRIEVE_DOCUMENT_SET, f'<x:RetrieveDocumentSetRequest xmlns:x="{Namespace.XDS_B}"/>'),
    (
        "repository",
        Action.RETRIEVE_DOCUMENT_SET,
        f'<x:RetrieveDocumentSetRequest xmlns:x="{Namespace.XDS_B}"><x:DocumentRequest/>'
        "</x:RetrieveDocumentSetRequest>",
    ),
    (
        "imaging",
        Action.RETRIEVE_IMAGING_DOCUMENT_SET,
        f'<x:RetrieveImagingDocumentSetRequest xmlns:x="{Namespace.XDS_I_B}"/>',
    ),
    (
        "imaging",
        Action.RETRIEVE_IMAGING_DOCUMENT_SET,
        f'<x:RetrieveImagingDocumentSetRequest xmlns:x="{Namespace.XDS_I_B}"><x:StudyRequest studyInstanceUID="">'
        "<x:SeriesRequest/></x:StudyRequest></x:RetrieveImagingDocumentSetRequest>",
    ),
]


@pytest.mark.parametrize(("service", "action", "body"), RETRIEVALS)
def test_retrieval_of_nothing_in_particular(world: Region, service: str, action: str, body: str) -> None:
    answer = world.post(service, SOAP_TYPE, soap(action, body))
    assert answer.status_code == 200, answer.text
    assert ResponseStatus.FAILURE in answer.text
    assert "errorCode=" in answer.text
    assert "internal error" not in answer.text


# --- STOW-RS ---


def pixels(length: int) -> bytes:
    return struct.pack("<HH2s2xI", 0x7FE0, 0x10, b"OW", length)


OBJECTS: dict[str, Callable[[Study], bytes]] = {
    "empty": lambda study: b"",
    "text": lambda study: b"hello",
    "preamble alone": lambda study: study.object()[:132],
    "meta alone": lambda study: study.object()[:400],
    "cut in the pixels": lambda study: study.object()[:-1000],
    "a length beyond the end": lambda study: study.object().replace(pixels(32768), pixels(0x7FFFFFF0)),
    "no SOP Instance UID": lambda study: study.object().replace(b"\x08\0\x18\0UI", b"\x08\0\x19\0UI"),
    "no Study Instance UID": lambda study: study.object(StudyInstanceUID=""),
    "a UID that is none": lambda study: study.object(StudyInstanceUID="hello"),
    "a UID that climbs": lambda study: study.object(StudyInstanceUID="../../etc"),
    "a transfer syntax that is none": lambda study: study.object().replace(
        b"1.2.840.10008.1.2.1\0", b"hello, how are you?\0"
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_broken_object_is_refused_with_a_reason(world: Region, name: str) -> None:
    answer = world.session.post(
        f"{world.url}/dicomweb/studies", multipart(OBJECTS[name](Study())), headers=examination.STOW, timeout=10
    )
    assert answer.status_code in (400, 409), answer.text
    (failed,) = (item for tag in ("00081198", "0008119A") for item in answer.json().get(tag, {}).get("Value", []))
    assert len(failed["00000902"]["Value"][0]) > 10
    assert "00081199" not in answer.json()


@pytest.mark.parametrize(
    "attributes",
    [{"IssuerOfPatientIDQualifiersSequence": [examination.authority("1.2.3")]}, {"PatientID": "1^2"}],
    ids=["an unknown issuer", "a Patient ID with ^"],
)
def test_an_object_of_nobody_known_is_kept_aside(world: Region, attributes: dict[str, Any]) -> None:
    study, before = Study(), world.count()
    (failed,) = world.stow(study.object(**attributes), status=409)["00081198"]["Value"]
    assert failed["00081155"]["Value"]
    assert len(failed["00000902"]["Value"][0]) > 10
    assert world.count() == before | {"files": before["files"] + 1}


def test_values_that_a_database_cannot_hold_are_kept_or_refused(world: Region) -> None:
    for keyword in ("StudyDescription", "PatientName", "AccessionNumber", "SeriesDescription", "InstitutionName"):
        for value in ("a\0b", "a\x1b(Zb", "\\\\", "x" * 70_000 if keyword == "StudyDescription" else "y" * 64):
            study = Study()
            answer = requests.post(
                f"{world.url}/dicomweb/studies",
                multipart(study.object(**{keyword: value})),
                headers=examination.STOW,
                timeout=10,
            )
            assert answer.status_code in (200, 202, 409), (keyword, value[:5], answer.text)
            for url in (f"dicomweb/studies/{study.uid}/metadata", f"fhir/ImagingStudy?identifier={study.uid}"):
                seen = requests.get(f"{world.url}/{url}", timeout=10)
                assert seen.status_code in (200, 404), (keyword, value[:5], seen.text)


def test_an_object_kept_already_is_not_changed_by_another_of_its_name(world: Region) -> None:
    study = Study()
    first = study.object()
    world.stow(first)
    before = world.count()
    name = sop_uid(first)
    for other in (
        study.object(SOPInstanceUID=name, StudyDescription="another"),
        Study(study.who).object(SOPInstanceUID=name),
        Study(examination.person(), study.uid).object(),
    ):
        answer = world.stow(other, status=409)
        assert answer["00081198"]["Value"][0]["00081155"]["Value"]
    assert world.count() == before | {"files": before["files"] + 3}
    got = world.session.get(
        f"{world.url}/dicomweb/studies/{study.uid}/series/{study.series}/instances/{name}",
        headers={"Accept": "application/dicom"},
        timeout=10,
    )
    assert got.content == first


def test_an_object_sent_to_another_study(world: Region) -> None:
    answer = world.session.post(
        f"{world.url}/dicomweb/studies/{new_uid()}", multipart(Study().object()), headers=examination.STOW, timeout=10
    )
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"x", 415),
        ({"Content-Type": 'multipart/related; type="image/jpeg"; boundary=a'}, b"--a--", 415),
        ({"Content-Type": 'multipart/related; type="application/dicom"'}, b"--a--", 400),
        ({"Content-Type": 'multipart/related; type="application/dicom"; boundary=a'}, b"", 400),
        ({"Content-Type": 'multipart/related; type="application/dicom"; boundary=a'}, b"--a--\r\n", 400),
        ({"Content-Encoding": "gzip"}, b"x", 415),
        ({"Accept": "text/html"}, b"x", 406),
    ],
)
def test_a_store_request_that_cannot_be_read(world: Region, headers: dict[str, str], body: bytes, status: int) -> None:
    answer = requests.post(f"{world.url}/dicomweb/studies", body, headers=examination.STOW | headers, timeout=10)
    assert answer.status_code == status, answer.text
    assert "json" in answer.headers["Content-Type"]


def test_a_truncated_store_request_says_what_was_kept(world: Region) -> None:
    study = Study()
    whole = multipart(study.object(), study.object())
    answer = requests.post(f"{world.url}/dicomweb/studies", whole[:-40_000], headers=examination.STOW, timeout=10)
    assert 400 <= answer.status_code < 500 or answer.status_code == 202
    assert world.fsck("--grace", "0").returncode == 0


# --- reading doors ---

URLS = [
    ("fhir/ImagingStudy?started=yesterday", 400),
    ("fhir/ImagingStudy?started=2024-13-01", 400),
    ("fhir/ImagingStudy?patient.identifier=191212121212", 400),
    ("fhir/ImagingStudy?_count=many", 400),
    ("fhir/ImagingStudy?_count=-1", 400),
    ("fhir/ImagingStudy?_after=x", 400),
    ("fhir/ImagingStudy?patient=Practitioner/1", 400),
    ("fhir/ImagingStudy?identifier=urn:dicom:uid|", 400),
    ("fhir/ImagingStudy?study-instance-uid=hello", 400),
    ("fhir/DocumentReference?status=gone%00", 400),
    ("fhir/DiagnosticReport?category=LAB", 400),
    ("fhir/Nothing", 404),
    ("fhir/ImagingStudy/%00", 404),
    ("fhir/Patient/nobody", 404),
    ("fhir/Binary/nothing", 404),
    ("dicomweb/studies?limit=x", 400),
    ("dicomweb/studies?offset=-1", 400),
    ("dicomweb/studies?StudyDate=hello", 400),
    ("dicomweb/studies?PatientID=%00", 400),
    ("dicomweb/studies?PatientName=%FF%FE", 400),
    ("dicomweb/studies/hello", 400),
    ("dicomweb/studies/1.2.3", 404),
    ("dicomweb/studies/1.2.3/series/1.2.3/instances/1.2.3/frames/1", 404),
    ("dicomweb/studies/1.2.3/series/1.2.3/instances/1.2.3/frames/x", 400),
    ("dicomweb/nothing", 404),
    ("xds/registry", 405),
    ("xds/nothing", 404),
]


@pytest.mark.parametrize(("url", "status"), URLS)
def test_a_question_by_url_that_makes_no_sense(world: Region, url: str, status: int) -> None:
    answer = requests.get(f"{world.url}/{url}", timeout=10)
    assert answer.status_code < 500, answer.text
    if url.endswith(("%00", "%FE")):
        assert answer.status_code in (200, 204, 400, 404)
    else:
        assert answer.status_code == status, answer.text
    if url.startswith("fhir"):
        assert answer.json()["resourceType"] == ("OperationOutcome" if answer.status_code >= 400 else "Bundle")
    if answer.status_code == 400:
        assert len(answer.text) > 40


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_what_cannot_be_written_by_fhir(world: Region, method: str) -> None:
    for path in ("ImagingStudy/1", "ImagingStudy"):
        answer = requests.request(method, f"{world.url}/fhir/{path}", json={"resourceType": "ImagingStudy"}, timeout=10)
        assert answer.status_code in (404, 405)
        assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("path", "accept"),
    [("fhir/ImagingStudy", "text/html"), ("fhir/metadata", "application/fhir+xml"), ("dicomweb/studies", "image/gif")],
)
def test_a_form_that_cannot_be_given(world: Region, path: str, accept: str) -> None:
    assert requests.get(f"{world.url}/{path}", headers={"Accept": accept}, timeout=10).status_code == 406


@pytest.mark.parametrize("study", ["1.2.3.4", "hello"])
def test_a_study_that_cannot_be_published(world: Region, study: str) -> None:
    answer = requests.post(f"{world.url}/xds/imaging/studies/{study}/publish", timeout=10)
    assert answer.status_code == (404 if study != "hello" else 400)


def test_at_the_end_the_stores_are_clean_and_no_fault_was_the_servers_own(world: Region) -> None:
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
    failures = [line for line in world.server.log.read_text().splitlines() if '"failed"' in line or "Traceback" in line]
    assert failures == []
