"""What the associations of a submission may point to in the registry, judged without any database."""

from dataclasses import replace

import pytest
from keeping import ANNA, BO, CODE, document, relation, submission, uid, urn

from registry.ends import SOURCES, TARGETS, Role, problems, role_of
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association, Folder
from registry.metadata.urn import DOCUMENT_RELATIONS, AssociationType, ObjectType
from registry.state import Registered, State

HAS_MEMBER = AssociationType.HAS_MEMBER
RELATIONS = sorted(DOCUMENT_RELATIONS)
META, DEPRECATED, OTHER = "XDSRegistryMetadataError", "XDSRegistryDeprecatedDocumentError", "XDSPatientIdDoesNotMatch"
ON_DEMAND, STABLE = ObjectType.ON_DEMAND_DOCUMENT, ObjectType.STABLE_DOCUMENT


def known(kind="document", object_type=STABLE, **changes):
    return Registered(kind, bare_uuid(urn()), ANNA, "Approved", uid(), object_type=object_type)._replace(**changes)


def at(one):
    return f"urn:uuid:{one.id}"


def judge(sent, *objects):
    return [(f.code.name, f.where) for f in problems(sent, State(objects))]


def said(sent, *objects):
    return " ".join(f.text for f in problems(sent, State(objects)))


def related(type_, target, **entry):
    source = document(**entry)
    one = relation(type_, source, target)
    return submission(source, associations=(one,)), one


def referring(target, **changes):
    """A SubmissionSet that has what is registered as a member."""
    sent = submission(document())
    member = Association(urn(), HAS_MEMBER, sent.submission_set.id, target, "Reference")
    member = replace(member, **changes)
    return replace(sent, associations=(*sent.associations, member)), member


def filing(source, target, *entries, folders=()):
    """A HasMember of a Folder, and the SubmissionSet's HasMember of it."""
    one = Association(urn(), HAS_MEMBER, source, target)
    sent = submission(*entries, folders=folders, associations=(one,), patient=ANNA)
    extra = Association(urn(), HAS_MEMBER, sent.submission_set.id, one.id)
    return replace(sent, associations=(*sent.associations, extra)), one


def folder(**changes):
    return Folder(**({"id": urn(), "unique_id": uid(), "patient_id": ANNA, "title": "F", "codes": (CODE,)} | changes))


def test_every_role_has_a_target_and_a_source_in_the_book():
    assert set(TARGETS) == set(Role)
    for end in (*TARGETS.values(), *SOURCES.values()):
        assert end.source.startswith("ITI TF-3, 4.2.2.")
        assert end.kind in {"document", "folder"}


@pytest.mark.parametrize("type_", AssociationType)
def test_every_type_of_a_submission_has_a_role(type_):
    sent, one = related(type_, urn())
    update = {AssociationType.UPDATE_AVAILABILITY_STATUS, AssociationType.SUBMIT_ASSOCIATION}
    assert (role_of(one, sent) is None) == (type_ in update)


# --- relations between documents ---


@pytest.mark.parametrize("type_", RELATIONS)
def test_a_relation_to_what_is_there(type_):
    old = known()
    assert judge(related(type_, at(old))[0], old) == []


@pytest.mark.parametrize("type_", RELATIONS)
def test_a_relation_in_another_spelling(type_):
    old = known()
    assert judge(related(type_, "urn:uuid:" + old.id.upper())[0], old) == []


@pytest.mark.parametrize("type_", RELATIONS)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "Deprecated"}, DEPRECATED),
        ({"patient_id": BO}, OTHER),
        ({"kind": "folder"}, META),
        ({"kind": "set"}, META),
        ({"kind": "association"}, META),
    ],
)
def test_a_relation_to_what_must_not_be_related(type_, change, code):
    old = known(**change)
    sent, one = related(type_, at(old))
    assert judge(sent, old) == [(code, f"{one.id}.targetObject")]


@pytest.mark.parametrize("type_", RELATIONS)
def test_a_relation_to_nothing(type_):
    sent, one = related(type_, urn())
    assert judge(sent) == [(META, f"{one.id}.targetObject")]


def test_another_patients_object_is_not_described():
    old = known("folder", patient_id=BO, status="Deprecated")
    sent, _ = related(AssociationType.RPLC, at(old))
    assert said(sent, old) == f"{at(old)} is another patient's"


def test_the_wrong_kind_is_named():
    old = known("folder")
    sent, _ = related(AssociationType.RPLC, at(old))
    assert "not a DocumentEntry but a registered Folder" in said(sent, old)


# --- snapshots ---


def test_a_snapshot_of_an_on_demand_document():
    old = known(object_type=ON_DEMAND)
    assert judge(related(AssociationType.IS_SNAPSHOT_OF, at(old))[0], old) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"object_type": STABLE}, META),
        ({"status": "Deprecated"}, DEPRECATED),
        ({"patient_id": BO}, OTHER),
        ({"kind": "folder", "object_type": None}, META),
    ],
)
def test_a_snapshot_of_what_is_none(change, code):
    old = known(**({"object_type": ON_DEMAND} | change))
    sent, one = related(AssociationType.IS_SNAPSHOT_OF, at(old))
    assert judge(sent, old) == [(code, f"{one.id}.targetObject")]


def test_a_snapshot_of_nothing():
    sent, one = related(AssociationType.IS_SNAPSHOT_OF, urn())
    assert judge(sent) == [(META, f"{one.id}.targetObject")]


# --- members by reference ---


def test_a_member_by_reference():
    old = known()
    assert judge(referring(at(old))[0], old) == []


@pytest.mark.parametrize("object_type", [STABLE, ON_DEMAND])
def test_any_document_may_be_a_member(object_type):
    old = known(object_type=object_type)
    assert judge(referring(at(old))[0], old) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "Deprecated"}, DEPRECATED),
        ({"patient_id": BO}, OTHER),
        ({"kind": "folder"}, META),
        ({"kind": "set"}, META),
        ({"kind": "association"}, META),
    ],
)
def test_a_member_by_reference_that_must_not_be_one(change, code):
    old = known(**change)
    sent, member = referring(at(old))
    assert judge(sent, old) == [(code, f"{member.id}.targetObject")]


def test_a_member_by_reference_to_nothing():
    sent, member = referring(urn())
    assert judge(sent) == [(META, f"{member.id}.targetObject")]


def test_a_member_of_a_set_that_is_registered():
    """A SubmissionSet never changes: nothing can become a member of it later."""
    owner, old = known("set"), known()
    sent, member = referring(at(old), source=at(owner))
    assert judge(sent, owner, old) == [(META, f"{member.id}.sourceObject")]


# --- members of folders ---


def test_what_may_come_into_a_registered_folder():
    old, entry, there = known("folder"), document(), known()
    assert judge(filing(at(old), entry.id, entry)[0], old) == []
    assert judge(filing(at(old), at(there))[0], old, there) == []


def test_what_is_registered_may_come_into_a_new_folder():
    new, there = folder(), known()
    assert judge(filing(new.id, at(there), folders=(new,))[0], there) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "Deprecated"}, META),
        ({"patient_id": BO}, OTHER),
        ({"kind": "document"}, META),
        ({"kind": "set"}, META),
        ({"kind": "association"}, META),
    ],
)
def test_what_is_no_folder_to_be_filed_in(change, code):
    old, entry = known(**({"kind": "folder"} | change)), document()
    sent, one = filing(at(old), entry.id, entry)
    assert judge(sent, old) == [(code, f"{one.id}.sourceObject")]


@pytest.mark.parametrize(
    ("change", "code"),
    [({"status": "Deprecated"}, DEPRECATED), ({"patient_id": BO}, OTHER), ({"kind": "folder"}, META)],
)
def test_what_must_not_be_filed(change, code):
    old, there = known("folder"), known(**change)
    sent, one = filing(at(old), at(there))
    assert judge(sent, old, there) == [(code, f"{one.id}.targetObject")]


def test_both_ends_are_told():
    sent, one = filing(urn(), urn())
    assert judge(sent) == [(META, f"{one.id}.sourceObject"), (META, f"{one.id}.targetObject")]
