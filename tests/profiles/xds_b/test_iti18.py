"""ITI-18 through its door, on both engines: each query once, on one patient's documents, folders and versions."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy
from wire import submissions as s
from wire.soap_world import RIM, Answer, World, open_world

from conformance import messages
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association, Code, Folder, Submission
from registry.metadata.urn import AssociationType, ObjectType, Status, StoredQueryId

Q, A = StoredQueryId, AssociationType
DE, FOLDER, SET = "$XDSDocumentEntry", "$XDSFolder", "$XDSSubmissionSet"
APPROVED, DEPRECATED = (f"('{status}')" for status in Status)
HOME = "urn:oid:1.2.752.129.2.9.1"


class Case:
    """A patient with a replaced document, its replacement in a folder, and an on-demand document."""

    def __init__(self, world: World, url: str) -> None:
        self.world, self.url = world, url
        old = s.new(2)
        self.old, self.kept = old.entries
        self.patient = str(old.submission_set.patient_id)
        new = filed(s.following(old))
        self.new, self.folder = new.entries[0], new.folders[0]
        self.old_set, self.new_set = old.submission_set, new.submission_set
        for one in (old, new):
            answer = world.register(one)
            assert answer.outcome == "Success", answer.text
        self.replacing = next(a.id for a in new.associations if a.type == A.RPLC)
        self.in_folder = next(a.id for a in new.associations if a.source == self.folder.id)

    def ask(self, query: StoredQueryId, *parameters: tuple[str, str], returns: str = "LeafClass") -> Answer:
        return self.world.query(messages.stored_query(query, parameters, returns))

    def found(self, query: StoredQueryId, *parameters: tuple[str, str]) -> set[str]:
        """Ids, which both return types must agree on."""
        leaf, refs = (self.ask(query, *parameters, returns=returns) for returns in ("LeafClass", "ObjectRef"))
        assert (leaf.outcome, refs.outcome) == ("Success", "Success"), leaf.text + refs.text
        assert {one.tag for one in refs.objects} <= {RIM + "ObjectRef"}
        ids = {one.get("id") for one in leaf.objects}
        assert len(leaf.objects) == len(ids), "nothing comes twice"
        assert {one.get("id") for one in refs.objects} == ids
        return ids

    def sql(self, text: str, **params: object) -> None:
        engine = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(text), params)


def filed(made: Submission) -> Submission:
    """With a new Folder around its document."""
    owner, fresh = made.submission_set, made.submission_set.id[:-4]
    folder = Folder(f"{fresh}0f01", f"{owner.unique_id}.7", owner.patient_id, "Course", codes=(Code("a", "1.2.3"),))
    links = (
        Association(f"{fresh}0f02", A.HAS_MEMBER, owner.id, folder.id, "Original"),
        Association(f"{fresh}0f03", A.HAS_MEMBER, folder.id, made.entries[0].id),
    )
    return replace(made, folders=(folder,), associations=(*made.associations, *links))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def case(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:  # fmt: skip
    data = tmp_path_factory.mktemp("iti18") / "data"
    if request.param == "sqlite":
        world = open_world(sqlite_template, data)
        yield Case(world, f"sqlite:///{data / 'registry.sqlite'}")
        return
    databases = request.getfixturevalue("postgres_databases")
    url = databases.fresh()
    yield Case(open_world(sqlite_template, data, database_url=url), url)
    shutil.rmtree(data, ignore_errors=True)


def one(id_: str) -> str:
    return f"'{id_}'"


def many(*ids: str) -> str:
    return "(" + ",".join(map(one, ids)) + ")"


def whose(case: Case, prefix: str, status: str = APPROVED) -> tuple[tuple[str, str], ...]:
    return (f"{prefix}PatientId", one(case.patient)), (f"{prefix}Status", status)


def test_find(case: Case) -> None:
    assert case.found(Q.FIND_DOCUMENTS, *whose(case, DE)) == {case.new.id, case.kept.id}
    assert case.found(Q.FIND_DOCUMENTS, *whose(case, DE, DEPRECATED)) == {case.old.id}
    reference = (f"{DE}ReferenceIdList", many(case.kept.reference_ids[0]))
    assert case.found(Q.FIND_DOCUMENTS_BY_REFERENCE_ID, *whose(case, DE), reference) == {case.kept.id}
    some = (f"{DE}ReferenceIdListExclude", many(case.kept.reference_ids[0]))
    assert case.found(Q.FIND_DOCUMENTS_EXCLUDE, *whose(case, DE), some) == {case.new.id}
    assert case.found(Q.FIND_SUBMISSION_SETS, *whose(case, SET)) == {case.old_set.id, case.new_set.id}
    author = (f"{SET}AuthorPerson", one(case.old_set.authors[0].person[0][:13] + "%"))
    assert case.found(Q.FIND_SUBMISSION_SETS, *whose(case, SET), author) == {case.old_set.id}
    assert case.found(Q.FIND_FOLDERS, *whose(case, FOLDER)) == {case.folder.id}
    for code, expected in (("a^^1.2.3", {case.folder.id}), ("b^^1.2.3", set())):
        assert case.found(Q.FIND_FOLDERS, *whose(case, FOLDER), (f"{FOLDER}CodeList", many(code))) == expected


def test_get(case: Case) -> None:
    assert case.found(Q.GET_DOCUMENTS, (f"{DE}UniqueId", many(str(case.old.unique_id)))) == {case.old.id}
    assert case.found(Q.GET_FOLDERS, (f"{FOLDER}EntryUUID", many(case.folder.id))) == {case.folder.id}
    around = case.found(Q.GET_ASSOCIATIONS, ("$uuid", many(case.new.id)))
    assert {case.replacing, case.in_folder} < around
    both = case.found(Q.GET_DOCUMENTS_AND_ASSOCIATIONS, (f"{DE}EntryUUID", many(case.new.id)))
    assert both == around | {case.new.id}
    sets = case.found(Q.GET_SUBMISSION_SETS, ("$uuid", many(case.folder.id, case.old.id)))
    assert {case.old_set.id, case.new_set.id} < sets
    assert len(sets) == 4, "and the two HasMember associations"
    assert case.found(Q.GET_FOLDERS_FOR_DOCUMENT, (f"{DE}EntryUUID", one(case.new.id))) == {case.folder.id}


def test_get_with_contents(case: Case) -> None:
    inside = case.found(Q.GET_SUBMISSION_SET_AND_CONTENTS, (f"{SET}EntryUUID", one(case.new_set.id)))
    assert {case.new_set.id, case.new.id, case.folder.id, case.in_folder} < inside
    assert not inside & {case.old.id, case.replacing}, "its other end is not in the set"
    inside = case.found(Q.GET_FOLDER_AND_CONTENTS, (f"{FOLDER}UniqueId", one(str(case.folder.unique_id))))
    assert inside == {case.folder.id, case.new.id, case.in_folder}
    everything = case.found(
        Q.GET_ALL, ("$patientId", one(case.patient)), *((f"{k}Status", APPROVED) for k in (DE, SET, FOLDER))
    )
    assert {case.new.id, case.kept.id, case.folder.id, case.old_set.id, case.new_set.id, case.replacing} < everything
    assert case.old.id not in everything


def test_get_related(case: Case) -> None:
    for id_ in (case.old.id, case.new.id):
        asked = (f"{DE}EntryUUID", one(id_)), ("$AssociationTypes", many(A.RPLC, A.APND))
        assert case.found(Q.GET_RELATED_DOCUMENTS, *asked) == {case.old.id, case.new.id, case.replacing}
    assert case.found(Q.GET_RELATED_DOCUMENTS, asked[0], ("$AssociationTypes", many(A.APND))) == set()
    types = (f"{DE}Type", many(ObjectType.ON_DEMAND_DOCUMENT))
    assert case.found(Q.GET_RELATED_DOCUMENTS, *asked, types) == set()


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        (Q.GET_DOCUMENTS, f"{DE}UniqueId", "('1.2.404')"),
        (Q.GET_FOLDERS, f"{FOLDER}UniqueId", "('1.2.404')"),
        (Q.GET_ASSOCIATIONS, "$uuid", "('00000000-0000-4000-8000-000000000404')"),
        (Q.GET_SUBMISSION_SETS, "$uuid", "('00000000-0000-4000-8000-000000000404')"),
        (Q.GET_DOCUMENTS_AND_ASSOCIATIONS, f"{DE}UniqueId", "('1.2.404')"),
        (Q.GET_SUBMISSION_SET_AND_CONTENTS, f"{SET}UniqueId", "'1.2.404'"),
        (Q.GET_FOLDER_AND_CONTENTS, f"{FOLDER}UniqueId", "'1.2.404'"),
        (Q.GET_FOLDERS_FOR_DOCUMENT, f"{DE}UniqueId", "'1.2.404'"),
    ],
)
def test_what_is_not_there_is_an_empty_success(case: Case, query: StoredQueryId, name: str, value: str) -> None:
    assert case.found(query, (name, value)) == set()


def test_versions(case: Case) -> None:
    made = s.new(2)
    assert case.world.register(made).outcome == "Success"
    first, second = (entry.id for entry in made.entries)
    case.sql(
        "UPDATE document_entry SET is_latest = :no, status = 'Deprecated' WHERE id = :id", no=False, id=bare_uuid(first)
    )
    case.sql(
        "UPDATE document_entry SET logical_id = :lid, version = 2 WHERE id = :id", lid=bare_uuid(first), id=bare_uuid(second)
    )  # fmt: skip
    by_lid = (f"{DE}LogicalID", many(first))
    assert case.found(Q.GET_DOCUMENTS, by_lid) == {second}
    assert case.found(Q.GET_DOCUMENTS, by_lid, ("$MetadataLevel", "1")) == {second}
    assert case.found(Q.GET_DOCUMENTS, by_lid, ("$MetadataLevel", "2")) == {first, second}
    assert case.found(Q.GET_DOCUMENTS, (f"{DE}EntryUUID", many(first))) == set()
    leaves = case.ask(Q.GET_DOCUMENTS, by_lid, ("$MetadataLevel", "2")).objects
    told = {(o.get("id"), o.get("lid"), o.find(f"{RIM}VersionInfo").get("versionName")) for o in leaves}
    assert told == {(first, first, "1"), (second, first, "2")}
    patient = (f"{DE}PatientId", one(str(made.submission_set.patient_id))), (f"{DE}Status", many(*Status))
    assert case.found(Q.FIND_DOCUMENTS, *patient) == {second}
    assert case.found(Q.FIND_DOCUMENTS, *patient, ("$MetadataLevel", "2")) == {first, second}
    found = case.world.client.get(
        "/fhir/DocumentReference", query_string={"_id": f"{bare_uuid(first)},{bare_uuid(second)}"}
    )
    assert [e["resource"]["id"] for e in found.json["entry"]] == [bare_uuid(second)]


def test_two_patients_come_as_references_only(case: Case) -> None:
    other = s.new()
    assert case.world.register(other).outcome == "Success"
    asked = (f"{DE}EntryUUID", many(case.new.id, other.entries[0].id))
    assert case.ask(Q.GET_DOCUMENTS, asked).codes == ["XDSResultNotSinglePatient"]
    assert case.ask(Q.GET_DOCUMENTS, asked).objects == []
    assert len(case.ask(Q.GET_DOCUMENTS, asked, returns="ObjectRef").objects) == 2
    asked = ("$uuid", asked[1])
    assert case.ask(Q.GET_SUBMISSION_SETS, asked).codes == ["XDSResultNotSinglePatient"]
    assert case.ask(Q.GET_ASSOCIATIONS, asked).outcome == "Success"


def test_a_home_says_nothing_within_one_community(case: Case) -> None:
    """ITI TF-2, 3.18.4.1.2.3.8: it is for gateways to send a query to."""
    sent = messages.stored_query(Q.GET_DOCUMENTS, [(f"{DE}EntryUUID", many(case.new.id))], "ObjectRef")
    for home in (HOME, "urn:oid:1.2.404"):
        answer = case.world.query(sent.replace(b"<rim:AdhocQuery ", b'<rim:AdhocQuery home="%b" ' % home.encode()))
        assert [o.get("id") for o in answer.objects] == [case.new.id]
