"""The same story by many users at the same instant: nobody's upload is lost, doubled or half seen."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier
from typing import Any, TypeVar

import examination
import pydicom
import pytest
import requests
from examination import PDF, Document, Study, multipart, new_uid, sop_uid, submission
from lxml import etree
from region import Region, eventually, identified

from registry.metadata.urn import IdentificationScheme, ResponseStatus, Status

SETTINGS = {"XDSI_PUBLISHING__QUIET_SECONDS": "0.2", "XDSI_WEB__WORKERS": "3"}
AT_ONCE = 8
T = TypeVar("T")


def together(*works: Callable[[], T]) -> list[T]:
    """All at the same instant."""
    gate = Barrier(len(works))

    def one(work: Callable[[], T]) -> T:
        gate.wait(10)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def stow(world: Region, *objects: bytes) -> requests.Response:
    return requests.post(f"{world.url}/dicomweb/studies", multipart(*objects), headers=examination.STOW, timeout=60)


def instances(world: Region, manifest: Any) -> set[str]:
    answer = world.retrieve((world.repository, identified(manifest, IdentificationScheme.DOCUMENT_UNIQUE_ID)))
    data = pydicom.dcmread(BytesIO(answer.DocumentResponse[0].Document))
    return {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in data.ContentSequence}


def test_one_study_from_many_senders(world: Region) -> None:
    study = Study()
    objects = [
        study.object(InstanceNumber=n, SeriesInstanceUID=f"{study.series}.{n % 3}"[-64:]) for n in range(AT_ONCE * 3)
    ]
    batches = [objects[n::AT_ONCE] for n in range(AT_ONCE)]
    answers = together(*[lambda batch=batch: stow(world, *batch) for batch in batches])  # type: ignore[misc]
    assert [a.status_code for a in answers] == [200] * AT_ONCE, [a.text[:300] for a in answers]
    (found,) = world.study(study)
    assert found["numberOfInstances"] == len(objects)
    assert found["numberOfSeries"] == 3
    wanted = set(map(sop_uid, objects))
    assert {i["uid"] for s in found["series"] for i in s["instance"]} == wanted

    def whole() -> bool:
        manifests = world.documents_of(study.who)
        return len(manifests) == 1 and instances(world, manifests[0]) == wanted

    eventually(whole, "the manifest does not name all objects")
    assert len(world.documents_of(study.who)) == 1
    assert {e.status for e in world.documents_of(study.who, Status.DEPRECATED)} <= {Status.DEPRECATED}


def test_one_object_from_many_senders(world: Region) -> None:
    study = Study()
    one = study.object()
    answers = together(*[lambda: stow(world, one)] * AT_ONCE)
    assert {a.status_code for a in answers} == {200}, [a.text[:300] for a in answers]
    assert [s["numberOfInstances"] for s in world.study(study)] == [1]
    assert len(world.search("Patient", identifier=study.who.token)) == 1


def test_one_instance_uid_in_many_contents(world: Region) -> None:
    study, name = Study(), new_uid()
    versions = [study.object(SOPInstanceUID=name, InstanceNumber=n) for n in range(AT_ONCE)]
    answers = together(*[lambda v=v: stow(world, v) for v in versions])  # type: ignore[misc]
    assert sorted(a.status_code for a in answers) == [200] + [409] * (AT_ONCE - 1)
    kept = versions[[a.status_code for a in answers].index(200)]
    got = requests.get(
        f"{world.url}/dicomweb/studies/{study.uid}/series/{study.series}/instances/{name}",
        headers={"Accept": "application/dicom"},
        timeout=10,
    )
    assert got.content == kept


Send = Callable[..., Callable[[], requests.Response]]


@pytest.fixture(params=["ITI-41", "ITI-42"])
def send(world: Region, request: pytest.FixtureRequest) -> Send:
    """Makes the message of a submission now, to be posted at the instant."""

    def prepared(*documents: Document, **more: str) -> Callable[[], requests.Response]:
        if request.param == "ITI-41":
            message = world.message(*documents, **more)
            return lambda: world.post("repository", *message)
        client = world.soap("registry")
        there = [document.registered("1.2.3.4") for document in documents]
        envelope = client.create_message(client.service, "RegisterDocumentSetB", **submission(*there, **more))
        body = etree.tostring(envelope)
        return lambda: world.post("registry", "application/soap+xml; charset=UTF-8", body)

    return prepared


def only_one(answers: list[requests.Response], code: str) -> None:
    """One success; the others are told why by `code`."""
    assert {a.status_code for a in answers} == {200}
    done = [ResponseStatus.SUCCESS in a.text for a in answers]
    told = [re.findall(r'errorCode="(\w+)" codeContext="([^"]*)"', a.text) for a in answers]
    assert sum(done) == 1, f"{sum(done)} succeeded"
    for succeeded, errors in zip(done, told, strict=True):
        assert succeeded or code in [error for error, _ in errors], errors


def test_one_unique_id_in_many_documents(world: Region, send: Send) -> None:
    who, name = examination.person(), new_uid()
    answers = together(*[send(Document(who, PDF + bytes([n]), uid=name)) for n in range(AT_ONCE)])
    only_one(answers, "XDSNonIdenticalHash")
    assert len(world.documents_of(who)) == 1


def test_one_set_id_in_many_submissions(world: Region, send: Send) -> None:
    who, name = examination.person(), new_uid()
    answers = together(*[send(Document(who), set_uid=name) for _ in range(AT_ONCE)])
    only_one(answers, "XDSDuplicateUniqueIdInRegistry")
    assert len(world.documents_of(who)) == 1


def test_one_entry_uuid_in_many_submissions(world: Region, send: Send) -> None:
    one = Document(examination.person())
    answers = together(*[send(one.but(uid=new_uid())) for _ in range(AT_ONCE)])
    only_one(answers, "XDSRegistryMetadataError")
    assert len(world.documents_of(one.who)) == 1


def test_many_replacements_of_one_document(world: Region, send: Send) -> None:
    old = Document(examination.person())
    world.provide(old)
    answers = together(*[send(Document(old.who, replaces=old.id)) for _ in range(AT_ONCE)])
    only_one(answers, "XDSRegistryDeprecatedDocumentError")
    assert len(world.documents_of(old.who)) == 1
    assert [e.id for e in world.documents_of(old.who, Status.DEPRECATED)] == [old.id]


def test_one_new_patient_in_many_submissions(world: Region, send: Send) -> None:
    who = examination.person()
    answers = together(*[send(Document(who)) for _ in range(AT_ONCE)])
    assert all(ResponseStatus.SUCCESS in a.text for a in answers), [a.text for a in answers]
    assert len(world.search("Patient", identifier=who.token)) == 1
    assert len(world.documents_of(who)) == AT_ONCE


def test_study_and_report_at_the_same_instant(world: Region) -> None:
    """Twelve times: whoever comes first, the report points to the study in the end."""
    for _ in range(12):
        study = Study()
        message = world.message(Document(study.who, accession=study.accession))
        one, readers = study.object(), []

        def read(who: examination.Person = study.who) -> requests.Response:
            # A reader in between must not have what it saw kept for ever.
            return requests.get(
                f"{world.url}/fhir/DiagnosticReport", params={"patient.identifier": who.token}, timeout=10
            )

        readers += [read, read]
        together(lambda: stow(world, one), lambda: world.post("repository", *message), *readers)  # noqa: B023
        (report,) = world.search("DiagnosticReport", **{"patient.identifier": study.who.token})
        (imaging,) = world.study(study)
        assert [s.get("reference") for s in report["imagingStudy"]] == [f"ImagingStudy/{imaging['id']}"]


def test_publishing_at_once_and_by_the_worker_makes_one_manifest(world: Region) -> None:
    study = Study()
    stow(world, study.object())
    url = f"{world.url}/xds/imaging/studies/{study.uid}/publish"
    answers = together(*[lambda: requests.post(url, timeout=30)] * AT_ONCE)
    assert {a.status_code for a in answers} == {200}, [a.text for a in answers]
    assert len({a.json()["entryUUID"] for a in answers}) == 1
    assert len(world.documents_of(study.who)) == 1
    assert world.documents_of(study.who, Status.DEPRECATED) == []


def test_reading_while_writing_sees_whole_submissions(world: Region) -> None:
    who = examination.person()
    messages = [world.message(Document(who), Document(who), Document(who)) for _ in range(4)]
    world.soap("registry")

    def read() -> list[int]:
        return [len(world.documents_of(who)) for _ in range(4)]

    results = together(*[lambda m=m: world.post("repository", *m) for m in messages], read, read)  # type: ignore[misc]
    for counts in results[-2:]:
        assert all(count % 3 == 0 for count in counts), counts
    assert len(world.documents_of(who)) == 12


def test_at_the_end_the_stores_are_clean_and_no_fault_was_the_servers_own(world: Region) -> None:
    # Bytes are kept before the rows are tried: whoever comes second leaves an orphan, which is set aside.
    assert world.fsck("--repair", "--grace", "0").returncode in (0, 1)
    done = world.fsck("--grace", "0")
    assert done.returncode == 0, done.stdout
    failures = [line for line in world.server.log.read_text().splitlines() if '"failed"' in line or "Traceback" in line]
    assert failures == []
