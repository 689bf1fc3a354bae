"""ITI-51 through its door: several patients in one answer, and nothing of ITI-18."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from soap_client import client
from wire import submissions as s
from wire.soap_world import RIM, Answer, World, served

from conformance import messages
from registry.metadata.model import Association, Code, Folder, Submission
from registry.metadata.urn import Action, AssociationType, ResponseStatus, Status, StoredQueryId

Q = StoredQueryId
DE = "$XDSDocumentEntry"
APPROVED = f"('{Status.APPROVED}')"
KINDS = {
    Q.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS: "ExtrinsicObject",
    Q.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS: "ExtrinsicObject",
    Q.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS: "RegistryPackage",
}


def ask(world: World, query: StoredQueryId, parameters: Sequence[tuple[str, str]], returns: str = "LeafClass") -> Answer:  # fmt: skip
    action = Action.MULTI_PATIENT_STORED_QUERY
    return world.send(action, messages.stored_query(query, parameters, returns, action))


def found(answer: Answer) -> set[str]:
    assert answer.outcome == "Success", answer.text
    assert answer.action == Action.MULTI_PATIENT_STORED_QUERY.response
    return {one.get("id") for one in answer.objects}


class Two:
    """Documents and folders of two patients, which carry codes and an identifier that nobody else's do."""

    def __init__(self, world: World) -> None:
        tag = f"{random.getrandbits(64):x}"
        self.code = Code(f"C{tag}", "1.2.3")
        self.reference = f"A{tag}^^^&1.2.9&ISO^urn:ihe:iti:xds:2013:accession"
        common = {"class_code": self.code, "healthcare_facility_type_code": self.code, "event_codes": (self.code,)}
        self.sent = [filed(s.new(reference_ids=(self.reference,), **common), self.code) for _ in range(2)]
        for one in self.sent:
            answer = world.register(one)
            assert answer.outcome == "Success", answer.text
        patients = [str(one.submission_set.patient_id) for one in self.sent]
        self.patients = "(" + ",".join(f"'{one}'" for one in patients) + ")"
        self.one_patient = f"('{patients[0]}')"
        self.documents = {one.entries[0].id for one in self.sent}
        self.folders = {one.folders[0].id for one in self.sent}


def filed(made: Submission, code: Code) -> Submission:
    """With a new Folder around its document."""
    owner, fresh = made.submission_set, made.submission_set.id[:-4]
    folder = Folder(f"{fresh}0f01", f"{owner.unique_id}.7", owner.patient_id, "Course", codes=(code,))
    links = (
        Association(f"{fresh}0f02", AssociationType.HAS_MEMBER, owner.id, folder.id, "Original"),
        Association(f"{fresh}0f03", AssociationType.HAS_MEMBER, folder.id, made.entries[0].id),
    )
    return replace(made, folders=(folder,), associations=(*made.associations, *links))


@pytest.fixture(scope="module")
def two(world: World) -> Two:
    return Two(world)


@pytest.mark.parametrize("returns", ["LeafClass", "ObjectRef"])
def test_documents_by_each_parameter_that_may_stand_alone(world: World, two: Two, returns: str) -> None:
    query, code = Q.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, f"('{two.code.key}')"
    status = (f"{DE}Status", APPROVED)
    for name in ("ClassCode", "EventCodeList", "HealthcareFacilityTypeCode"):
        assert found(ask(world, query, [status, (DE + name, code)], returns)) == two.documents, name
    assert found(ask(world, query, [status, (f"{DE}PatientId", two.patients)], returns)) == two.documents
    both = [status, (f"{DE}PatientId", two.one_patient), (f"{DE}ClassCode", code)]
    assert found(ask(world, query, both, returns)) == {two.sent[0].entries[0].id}
    assert found(ask(world, query, [*both[:2], (f"{DE}ClassCode", "('none^^1.2.3')")], returns)) == set()


def test_documents_by_an_identifier(world: World, two: Two) -> None:
    query = Q.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS
    asked = [(f"{DE}Status", APPROVED), (f"{DE}ReferenceIdList", f"('{two.reference}')")]
    assert found(ask(world, query, asked)) == two.documents
    assert found(ask(world, query, [asked[0], (asked[1][0], "('A%')")])) == set(), "no pattern, when all are asked"


def test_folders(world: World, two: Two) -> None:
    query, status = Q.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS, ("$XDSFolderStatus", APPROVED)
    assert found(ask(world, query, [status, ("$XDSFolderCodeList", f"('{two.code.key}')")])) == two.folders
    assert found(ask(world, query, [status, ("$XDSFolderPatientId", two.patients)], "ObjectRef")) == two.folders


@pytest.mark.parametrize("query", KINDS)
def test_objects_are_whole(world: World, two: Two, query: StoredQueryId) -> None:
    parameters = {
        Q.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS: [(f"{DE}Status", APPROVED), (f"{DE}PatientId", two.patients)],
        Q.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS: [("$XDSFolderStatus", APPROVED), ("$XDSFolderPatientId", two.patients)],
        Q.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS: [
            (f"{DE}Status", APPROVED), (f"{DE}ReferenceIdList", f"('{two.reference}')"),
        ],
    }  # fmt: skip
    objects = ask(world, query, parameters[query]).objects
    assert [one.tag for one in objects] == [RIM + KINDS[query]] * 2
    for one in objects:
        assert one.get("lid", "").startswith("urn:uuid:")
        assert one.get("status") == Status.APPROVED
        assert one.find(f"{RIM}VersionInfo").get("versionName") == "1"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ([(f"{DE}Status", APPROVED)], "XDSStoredQueryMissingParam"),
        ([(f"{DE}ClassCode", "('a^^b')")], "XDSStoredQueryMissingParam"),
        ([(f"{DE}Status", APPROVED), (f"{DE}PatientId", "'1^^^&1.2.3&ISO'")], "XDSRegistryError"),
        ([(f"{DE}Status", APPROVED), (f"{DE}PatientId", "('1')")], "XDSRegistryError"),
    ],
)
def test_what_is_wrong_is_named(world: World, parameters: list[tuple[str, str]], code: str) -> None:
    answer = ask(world, Q.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, parameters)
    assert (answer.outcome, answer.codes) == ("Failure", [code])


def test_each_transaction_has_queries_of_its_own(world: World, two: Two) -> None:
    one = [(f"{DE}Status", APPROVED), (f"{DE}PatientId", two.one_patient)]
    assert ask(world, Q.FIND_DOCUMENTS, one).codes == ["XDSUnknownStoredQuery"]
    several = messages.stored_query(Q.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, one)
    assert world.query(several).codes == ["XDSUnknownStoredQuery"]


def test_a_client_of_another_hand_finds_the_operation_in_the_wsdl(world: World, two: Two) -> None:
    slots: list[Any] = [
        {"name": name, "ValueList": {"Value": [value]}}
        for name, value in ((f"{DE}Status", APPROVED), (f"{DE}PatientId", two.patients))
    ]
    query = {"id": Q.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, "Slot": slots}
    option = {"returnType": "ObjectRef", "returnComposedObjects": True}
    with served(world) as url:
        consumer = client(f"{url}/xds/registry?wsdl")
        (binding,) = consumer.wsdl.bindings
        service = consumer.create_service(binding, f"{url}/xds/registry")
        answer = service.MultiPatientStoredQuery(ResponseOption=option, AdhocQuery=query)
    assert answer.status == ResponseStatus.SUCCESS
    assert {one["ObjectRef"].id for one in answer.RegistryObjectList._value_1} == two.documents
