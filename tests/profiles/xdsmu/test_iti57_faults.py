"""ITI-57: every reason why not. One fault in a good request; the code and the place name it, and nothing is changed."""

from dataclasses import replace

import pytest
from wire import submissions as s
from wire.changes import A, adding, asking, bare, filed, moving, refused, registered, urn, version

from conformance import messages
from registry.metadata.model import Association
from registry.metadata.urn import Action, ObjectType, Status

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
FAULT, OPERATION = "XDSMetadataUpdateError", "XDSMetadataUpdateOperationError"
VERSION, PATIENTS = "XDSMetadataVersionError", "XDSPatientIDReconciliationError"


def told(world, asked):
    return refused(world, lambda: world.update(asked))


def with_member(asked, *slots, **changes):
    """The request with other slots on the HasMember of its new version."""
    member = replace(asked.associations[0], **({"extra": slots} if slots else {}), **changes)
    return replace(asked, associations=(member, *asked.associations[1:]))


PREVIOUS = ("PreviousVersion", ("1",))
MEMBER, NEW = "member", "new"
# (what is wrong with a new version, code, whose location, attribute)
VERSIONS = [
    ("no PreviousVersion", lambda a: with_member(a, ("Other", ("1",))), FAULT, MEMBER, "PreviousVersion"),
    ("two", lambda a: with_member(a, ("PreviousVersion", ("1", "2"))), FAULT, MEMBER, "PreviousVersion"),
    ("a later one", lambda a: with_member(a, ("PreviousVersion", ("2",))), VERSION, MEMBER, "PreviousVersion"),
    ("no number", lambda a: with_member(a, ("PreviousVersion", ("one",))), VERSION, MEMBER, "PreviousVersion"),
    (
        "propagation",
        lambda a: with_member(a, PREVIOUS, ("AssociationPropagation", ("perhaps",))),
        FAULT,
        MEMBER,
        "AssociationPropagation",
    ),
    ("uniqueId", lambda a: s.entry(a, unique_id="1.2.3.4"), FAULT, NEW, "uniqueId"),
    ("no uniqueId", lambda a: s.entry(a, unique_id=None), FAULT, NEW, "uniqueId"),
    ("format", lambda a: s.entry(a, creation_time="20261301"), FAULT, NEW, "creationTime"),
    ("first version", lambda a: s.entry(a, logical_id=None), FAULT, NEW, "logicalID"),
    ("unknown lid", lambda a: s.entry(a, logical_id=urn()), VERSION, NEW, "logicalID"),
    ("no HasMember", lambda a: replace(a, associations=()), FAULT, NEW, ""),
    (
        "HasMember by reference",
        lambda a: with_member(a, submission_set_status="Reference"),
        FAULT,
        MEMBER,
        "SubmissionSetStatus",
    ),
]


@pytest.mark.parametrize(
    ("change", "code", "whose", "attribute"), [v[1:] for v in VERSIONS], ids=[v[0] for v in VERSIONS]
)
def test_a_new_version_that_is_wrong(world, change, code, whose, attribute):
    asked = change(version(registered(world).entries[0]))
    owner = asked.associations[0].id if whose == MEMBER else asked.entries[0].id
    assert told(world, asked) == [(code, ".".join(filter(None, (owner, attribute))))]


def test_another_object_type(world):
    asked = s.entry(version(registered(world).entries[0]), object_type=ObjectType.ON_DEMAND_DOCUMENT)
    assert (FAULT, f"{asked.entries[0].id}.objectType") in told(world, asked)


def test_a_symbolic_logical_id(world):
    old = registered(world).entries[0]
    asked = version(old)
    message = messages.update_document_set(asked).replace(f'lid="{old.id}"'.encode(), b'lid="Document01"')
    found = refused(world, lambda: world.send(Action.UPDATE_DOCUMENT_SET, message))
    assert found == [(FAULT, f"{asked.entries[0].id}.logicalID")]


def test_a_logical_id_of_another_kind_of_object(world):
    made = filed(world)
    asked = version(made.entries[0], lid=made.folders[0].id)
    assert told(world, asked) == [(VERSION, f"{asked.entries[0].id}.logicalID")]


def test_an_entry_uuid_that_is_registered(world):
    old, other = registered(world).entries[0], registered(world).entries[0]
    asked = version(old)
    taken = with_member(s.entry(asked, id=other.id), target=other.id)
    assert told(world, taken) == [(FAULT, other.id)]


def test_a_deprecated_document_is_updated_no_more(world):
    old = registered(world).entries[0]
    assert world.update(asking(old.patient_id, associations=(moving(old.id, DEPRECATED),))).outcome == "Success"
    asked = version(old)
    assert told(world, asked) == [(FAULT, asked.entries[0].id)]


def test_two_new_versions_of_one_document(world):
    old = registered(world).entries[0]
    first, second = version(old), version(old)
    member = replace(second.associations[0], source=first.submission_set.id)
    both = replace(first, entries=(*first.entries, *second.entries), associations=(*first.associations, member))
    found = told(world, both)
    assert (FAULT, bare(old.id)) in found
    assert {code for code, _ in found} == {FAULT}


def test_one_wrong_operation_undoes_the_right_ones(world):
    old, other = registered(world).entries[0], registered(world)
    asked = version(old)
    wrong = moving(urn(), DEPRECATED)
    both = replace(asked, associations=(*asked.associations, replace(wrong, source=asked.submission_set.id)))
    assert told(world, both) == [(FAULT, f"{wrong.id}.targetObject")]
    assert world.entry(old.id)[2] == "Approved"
    assert world.entry(other.entries[0].id)[2] == "Approved"


def test_all_that_is_wrong_is_told_at_once(world):
    old = registered(world).entries[0]
    asked = with_member(s.entry(version(old), unique_id="1.2.3.4", title="x" * 129), ("PreviousVersion", ("7",)))
    new, member = asked.entries[0].id, asked.associations[0].id
    assert set(told(world, asked)) == {
        (FAULT, f"{new}.title"),
        (FAULT, f"{new}.uniqueId"),
        (VERSION, f"{member}.PreviousVersion"),
    }


def test_nothing_asked_for(world):
    made = registered(world)
    assert told(world, asking(made.entries[0].patient_id)) == [(FAULT, "")]


def test_a_submission_set_that_is_registered(world):
    made = registered(world)
    asked = version(made.entries[0])
    again = s.owner(asked, unique_id=made.submission_set.unique_id)
    assert told(world, again) == [("XDSDuplicateUniqueIdInRegistry", f"{asked.submission_set.id}.uniqueId")]


def test_a_patient_of_a_foreign_authority(world):
    asked = version(registered(world).entries[0], patient="1^^^&1.2.3.4.5.6&ISO")
    assert [code for code, _ in told(world, asked)] == ["XDSUnknownPatientId"]


def test_two_submission_sets(world):
    asked = version(registered(world).entries[0])
    both = replace(asked, submission_sets=(asked.submission_set, s.new().submission_set))
    assert FAULT in {code for code, _ in told(world, both)}


# --- statuses ---


def slots(original=APPROVED, new=DEPRECATED, *more):
    pairs = (("OriginalStatus", original), ("NewStatus", new))
    return tuple((name, value if isinstance(value, tuple) else (value,)) for name, value in pairs if value) + more


MOVES = [
    ("no OriginalStatus", slots(None), OPERATION, "OriginalStatus"),
    ("no NewStatus", slots(APPROVED, None), OPERATION, "NewStatus"),
    ("unknown OriginalStatus", slots("Approved"), OPERATION, "OriginalStatus"),
    ("unknown NewStatus", slots(APPROVED, "urn:Withdrawn"), OPERATION, "NewStatus"),
    ("two NewStatus", slots(APPROVED, (DEPRECATED, APPROVED)), OPERATION, "NewStatus"),
    ("the same", slots(APPROVED, APPROVED), OPERATION, "OriginalStatus"),
    ("not the present one", slots(DEPRECATED, APPROVED), FAULT, "OriginalStatus"),
    ("PreviousVersion", slots(APPROVED, DEPRECATED, PREVIOUS), OPERATION, "PreviousVersion"),
]


@pytest.mark.parametrize(("extra", "code", "attribute"), [m[1:] for m in MOVES], ids=[m[0] for m in MOVES])
def test_a_status_that_is_wrong(world, extra, code, attribute):
    entry = registered(world).entries[0]
    move = replace(moving(entry.id, DEPRECATED), extra=extra)
    assert told(world, asking(entry.patient_id, associations=(move,))) == [(code, f"{move.id}.{attribute}")]


def test_a_status_of_what_has_none_to_change(world):
    made = filed(world)
    old, patient = made.entries[0], made.entries[0].patient_id
    assert world.update(version(old)).outcome == "Success"
    targets = {
        "unknown": urn(),
        "a SubmissionSet": made.submission_set.id,
        "a SubmissionSet's membership": made.associations[0].id,
        "a version that is replaced": old.id,
    }
    for what, target in targets.items():
        move = moving(target, DEPRECATED)
        found = told(world, asking(patient, associations=(move,)))
        assert (FAULT, f"{move.id}.targetObject") in found, what


def test_a_status_asked_for_twice(world):
    entry = registered(world).entries[0]
    moves = (moving(entry.id, DEPRECATED), moving(entry.id, DEPRECATED))
    assert told(world, asking(entry.patient_id, associations=moves)) == [(FAULT, bare(entry.id))]


def test_a_status_that_is_not_asked_for_by_the_submission_set(world):
    made = registered(world)
    move = replace(moving(made.entries[0].id, DEPRECATED), source=made.submission_set.id)
    found = told(world, asking(made.entries[0].patient_id, associations=(move,)))
    assert found == [(OPERATION, f"{move.id}.sourceObject")]


def test_a_new_folder_is_approved_already(world):
    folder = filed(world).folders[0]
    asked = version(folder)
    move = replace(moving(asked.folders[0].id, APPROVED), source=asked.submission_set.id)
    both = replace(asked, associations=(*asked.associations, move))
    assert told(world, both) == [(FAULT, f"{move.id}.OriginalStatus")]


# --- associations ---


def test_an_association_of_no_operation(world):
    made = registered(world)
    asked = version(made.entries[0])
    relation = Association(urn(), A.APND, asked.entries[0].id, made.entries[0].id)
    found = told(world, replace(asked, associations=(*asked.associations, relation)))
    assert found == [(OPERATION, relation.id)]


def test_a_document_by_reference_is_no_operation(world):
    made = registered(world)
    member = Association(urn(), A.HAS_MEMBER, "", made.entries[0].id, "Reference")
    assert told(world, asking(made.entries[0].patient_id, associations=(member,))) == [(OPERATION, member.id)]


def test_what_is_to_be_added_must_be_there(world):
    entry = registered(world).entries[0]
    trigger = Association(urn(), A.SUBMIT_ASSOCIATION, "", urn())
    found = told(world, asking(entry.patient_id, associations=(trigger,)))
    assert found == [(FAULT, f"{trigger.id}.targetObject")]


def test_ends_that_are_wrong(world):
    made = filed(world)
    folder, entry, patient = made.folders[0], made.entries[0], made.entries[0].patient_id
    other = registered(world, s.of_patient(s.new(), patient)).entries[0]
    gone = registered(world, s.of_patient(s.new(), patient)).entries[0]
    assert world.update(asking(patient, associations=(moving(gone.id, DEPRECATED),))).outcome == "Success"
    cases = [
        (A.HAS_MEMBER, entry.id, other.id, "sourceObject"),
        (A.HAS_MEMBER, made.submission_set.id, other.id, "sourceObject"),
        (A.HAS_MEMBER, folder.id, folder.id[:-4] + "0000", "targetObject"),
        (A.HAS_MEMBER, folder.id, gone.id, "targetObject"),
        (A.APND, folder.id, entry.id, "sourceObject"),
        (A.APND, other.id, made.submission_set.id, "targetObject"),
        (A.APND, gone.id, entry.id, "sourceObject"),
        (A.UPDATE_AVAILABILITY_STATUS, other.id, entry.id, "associationType"),
    ]
    for type_, source, target, attribute in cases:
        pair = adding(type_, source, target)
        found = told(world, asking(patient, associations=pair))
        assert (FAULT, f"{pair[0].id}.{attribute}") in found, (type_, attribute)


def test_an_association_that_is_there_already(world):
    made = filed(world)
    pair = adding(A.HAS_MEMBER, made.folders[0].id, made.entries[0].id)
    assert told(world, asking(made.entries[0].patient_id, associations=pair)) == [(FAULT, pair[0].id)]


def test_an_association_with_the_version_that_is_being_replaced(world):
    made = filed(world)
    asked = version(made.entries[0])
    other = registered(world, s.of_patient(s.new(), made.entries[0].patient_id)).entries[0]
    one, trigger = adding(A.APND, other.id, made.entries[0].id)
    both = replace(asked, associations=(*asked.associations, one, replace(trigger, source=asked.submission_set.id)))
    assert told(world, both) == [(FAULT, f"{one.id}.targetObject")]


def test_a_relation_of_a_new_version_that_takes_over_those_of_the_one_before(world):
    made = registered(world)
    other = registered(world, s.of_patient(s.new(), made.entries[0].patient_id)).entries[0]
    asked = version(made.entries[0])
    one, trigger = adding(A.APND, asked.entries[0].id, other.id)
    both = (*asked.associations, one, replace(trigger, source=asked.submission_set.id))
    assert told(world, replace(asked, associations=both)) == [(OPERATION, f"{one.id}.sourceObject")]


def test_an_association_has_no_versions(world):
    made = registered(world)
    other = registered(world, s.of_patient(s.new(), made.entries[0].patient_id)).entries[0]
    pair = adding(A.APND, other.id, made.entries[0].id)
    message = messages.update_document_set(asking(other.patient_id, associations=pair))
    message = message.replace(f'lid="{pair[0].id}"'.encode(), f'lid="{urn()}"'.encode())
    found = refused(world, lambda: world.send(Action.UPDATE_DOCUMENT_SET, message))
    assert found == [(FAULT, f"{pair[0].id}.logicalID")]


def test_an_unknown_association_type(world):
    made = registered(world)
    pair = adding(A.APND, made.entries[0].id, urn())
    message = messages.update_document_set(asking(made.entries[0].patient_id, associations=pair))
    message = message.replace(b"AssociationType:APND", b"AssociationType:APND_TXFM")
    found = refused(world, lambda: world.send(Action.UPDATE_DOCUMENT_SET, message))
    assert (FAULT, f"{pair[0].id}.associationType") in found


# --- patients ---


def test_documents_of_two_patients_are_not_related(world):
    one, other = registered(world).entries[0], registered(world).entries[0]
    pair = adding(A.APND, one.id, other.id)
    assert told(world, asking(one.patient_id, associations=pair)) == [(PATIENTS, pair[0].id)]


def test_a_document_that_is_related_is_not_moved_to_another_patient_alone(world):
    made, other = filed(world), registered(world).entries[0]
    asked = version(made.entries[0], patient=other.patient_id)
    assert told(world, asked) == [(PATIENTS, asked.entries[0].id)]
    assert world.update(version(made.entries[0], patient=other.patient_id, propagation="no")).outcome == "Success"


def test_a_folder_moves_to_another_patient_with_its_documents(world):
    made, other = filed(world), registered(world).entries[0]
    folder, entry = (version(one, patient=other.patient_id) for one in (made.folders[0], made.entries[0]))
    member = replace(entry.associations[0], source=folder.submission_set.id)
    done = replace(folder, entries=entry.entries, associations=(*folder.associations, member))
    assert world.update(done).outcome == "Success"
    found = world.associations(done.entries[0].id)
    assert ("HasMember", bare(done.folders[0].id), bare(done.entries[0].id), "Approved") in found


def test_an_association_between_two_patients_is_not_approved_again(world):
    made, other = filed(world), registered(world).entries[0]
    membership = made.associations[-1]
    one = moving(membership.id, DEPRECATED)
    assert world.update(asking(made.entries[0].patient_id, associations=(one,))).outcome == "Success"
    # No new version of the document is an end of it, but the document's own patient is another now.
    world.sql("UPDATE folder SET patient_id = :p WHERE id = :id", p=other.patient_id, id=bare(made.folders[0].id))
    back = moving(membership.id, APPROVED)
    assert told(world, asking(made.entries[0].patient_id, associations=(back,))) == [(PATIENTS, back.id)]


def test_the_new_version_is_of_the_submission_set_s_patient(world):
    old, other = registered(world).entries[0], registered(world).entries[0]
    asked = s.owner(version(old), patient_id=other.patient_id)
    assert told(world, asked) == [(PATIENTS, f"{asked.entries[0].id}.patientId")]


# --- the neighbours ---


def test_iti42_takes_no_new_version(world):
    asked = version(registered(world).entries[0])
    found = refused(world, lambda: world.register(asked))
    assert {code for code, _ in found} == {"XDSRegistryMetadataError"}


def test_a_submission_is_no_update(world):
    found = told(world, s.new())
    assert {code for code, _ in found} == {FAULT}
