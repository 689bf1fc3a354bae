"""The rules of one submission by itself: each broken once in a good one, and named."""

from dataclasses import replace

import pytest
from good_submission import CX, ENTRY, FOLDER, GOOD, IN_FOLDER, MEMBER, OTHER_CX, REGISTERED, REPLACES, SET, but

from profiles.document_sharing.attributes import PROVIDED_DOCUMENT_ENTRY
from profiles.document_sharing.submission import MOST_OBJECTS, findings
from registry.metadata.errors import ErrorCode
from registry.metadata.model import Association, Submission
from registry.metadata.urn import AssociationType, ObjectType, Status

META, DUPLICATE = ErrorCode.XDSRegistryMetadataError, ErrorCode.XDSRegistryDuplicateUniqueIdInMessage
OTHER_UUID = "urn:uuid:99999999-2222-4333-8444-555555555555"


def judge(submission, **options):
    return list(findings(submission, META, DUPLICATE, **options))


def test_good_is_good():
    assert judge(GOOD) == []


def test_a_new_entry_alone_is_good():
    assert judge(Submission((SET,), (ENTRY,), (), (MEMBER,))) == []


def test_an_association_alone_is_good():
    """A submission may add only an association between registered documents' sets (ITI TF-3, 4.2.1.4)."""
    reference = Association("m1", AssociationType.HAS_MEMBER, SET.id, REGISTERED, "Reference")
    assert judge(Submission((SET,), (), (), (reference,))) == []


@pytest.mark.parametrize("type_", [AssociationType.APND, AssociationType.XFRM, AssociationType.XFRM_RPLC, AssociationType.SIGNS])  # fmt: skip
def test_every_relation_is_good(type_):
    assert judge(but(r1={"type": type_})) == []


ONE_FAULT = [
    # what is broken, where it is found, and a word of what is said
    (but(entry={"object_type": "urn:uuid:nonsense"}), "Document01.objectType", "stable"),
    (but(entry={"object_type": ObjectType.ON_DEMAND_DOCUMENT}), "Document01.objectType", "ITI-61"),
    (but(entry={"service_stop_time": "20231231"}), "Document01.serviceStopTime", "before"),
    (but(entry={"service_start_time": "2025"}), "Document01.serviceStopTime", "before"),
    (but(entry={"limited_metadata": True}), "Document01", "limited metadata"),
    (but(set={"limited_metadata": True}), "SubmissionSet01", "limited metadata"),
    (but(folder={"limited_metadata": True}), "Folder01", "limited metadata"),
    (but(entry={"status": Status.DEPRECATED}), "Document01.availabilityStatus", "Approved"),
    (but(set={"status": "Submitted"}), "SubmissionSet01.availabilityStatus", "Approved"),
    (but(r1={"type": "urn:oasis:names:tc:ebxml-regrep:AssociationType:Owns"}), "r1.associationType", "not known"),
    (but(r1={"target": "Document02"}), "r1.targetObject", "neither"),
    (but(r1={"source": OTHER_UUID}), "r1.sourceObject", "of this submission"),
    (but(r1={"source": FOLDER.id}), "r1.sourceObject", "of this submission"),
    (but(r1={"target": FOLDER.id}), "r1.targetObject", "registered already"),
    (but(r1={"type": AssociationType.UPDATE_AVAILABILITY_STATUS}), "r1.associationType", "Metadata Update"),
    (but(r1={"type": AssociationType.SUBMIT_ASSOCIATION}), "r1.associationType", "Metadata Update"),
    (but(m1=None), "Document01", "exactly one HasMember"),
    (but(m2=None), "Folder01", "exactly one HasMember"),
    (but(m1={"submission_set_status": None}), "m1.SubmissionSetStatus", "required"),
    (but(m1={"submission_set_status": "original"}), "m1.SubmissionSetStatus", "must be"),
    (but(m1={"submission_set_status": "Reference"}), "m1.SubmissionSetStatus", "in this submission"),
    (but(m2={"submission_set_status": "Sometimes"}), "m2.SubmissionSetStatus", "must be"),
    (
        replace(GOOD, associations=(*GOOD.associations, replace(MEMBER, id="m9", target=OTHER_UUID))),
        "m9.SubmissionSetStatus",
        "not in this submission",
    ),
    (replace(GOOD, associations=(*GOOD.associations, replace(MEMBER, id="m9"))), "Document01", "2 were sent"),
    (replace(GOOD, associations=(*GOOD.associations, replace(IN_FOLDER, id="r1"))), "r1", "2 objects have this id"),
    (but(entry={"hash": "x"}), "Document01.hash", "SHA-1"),
    (but(set={"source_id": "x"}), "SubmissionSet01.sourceId", "OID"),
    (but(folder={"codes": ()}), "Folder01.codeList", "missing"),
    (but(r1={"type": ""}), "r1.associationType", "missing"),
]


@pytest.mark.parametrize(("submission", "where", "words"), ONE_FAULT)
def test_one_fault_is_one_finding(submission, where, words):
    found = judge(submission)
    assert [f.where for f in found] == [where], [str(f) for f in found]
    assert words in found[0].text
    assert found[0].code is META
    assert found[0].source.startswith("ITI TF-")


def test_a_source_that_is_nowhere():
    assert {f.where for f in judge(but(r1={"source": "Document02"}))} == {"r1.sourceObject"}


def test_source_and_target_are_the_same():
    found = judge(but(r1={"target": ENTRY.id}))
    assert {(f.where, f.source) for f in found} == {("r1", "ITI TF-3, 4.2.2"), ("r1.targetObject", "ITI TF-3, 4.2.2.2")}


@pytest.mark.parametrize(
    ("submission", "where"),
    [(but(entry={"patient_id": OTHER_CX}), "Document01.patientId"), (but(folder={"patient_id": OTHER_CX}), "Folder01.patientId")],
)  # fmt: skip
def test_another_patient(submission, where):
    assert [(f.code, f.where) for f in judge(submission)] == [(ErrorCode.XDSPatientIdDoesNotMatch, where)]


def test_one_patient_written_in_two_ways_is_one():
    assert judge(but(entry={"patient_id": f"{CX}^PI"})) == []


@pytest.mark.parametrize("change", [{"set": {"unique_id": "1.2.3.1"}}, {"folder": {"unique_id": "1.2.3.1"}}])
def test_a_unique_id_twice(change):
    assert [(f.code, f.where) for f in judge(but(**change))] == [(DUPLICATE, "1.2.3.1")]


def test_one_uuid_in_two_spellings_is_twice():
    upper = replace(ENTRY, id=OTHER_UUID.upper().replace("URN:UUID", "urn:uuid"), unique_id="1.2.3.99")
    lower = replace(ENTRY, id=OTHER_UUID)
    members = tuple(replace(MEMBER, id=f"m{i}", target=e.id) for i, e in enumerate((upper, lower)))
    assert (META, OTHER_UUID) in {(f.code, f.where) for f in judge(Submission((SET,), (upper, lower), (), members))}


@pytest.mark.parametrize("sets", [(), (SET, replace(SET, id="SubmissionSet02", unique_id="1.2.3.22"))])
def test_exactly_one_submission_set(sets):
    found = judge(replace(GOOD, submission_sets=sets))
    assert "exactly one SubmissionSet" in found[0].text


def test_a_flood_is_stopped_before_it_is_read():
    flood = replace(GOOD, associations=(REPLACES,) * (MOST_OBJECTS + 1))
    (found,) = judge(flood)
    assert str(MOST_OBJECTS) in found.text


def test_everything_is_told_at_once():
    found = judge(but(entry={"hash": "x", "title": "x" * 200}, set={"source_id": None}, folder={"patient_id": OTHER_CX}, m1=None))  # fmt: skip
    assert {f.where for f in found} == {
        "Document01.hash",
        "Document01.title",
        "SubmissionSet01.sourceId",
        "Folder01.patientId",
        "Document01",
    }


def test_the_table_is_the_transactions():
    bare = but(entry={"hash": None, "size": None, "repository_unique_id": None})
    assert len(judge(bare)) == 3
    assert judge(bare, document_entry=PROVIDED_DOCUMENT_ENTRY) == []


@pytest.mark.parametrize("broken", ["", "x", "2024-01-01", "20240230"])
def test_an_unreadable_time_is_told_once_and_does_not_stop_the_rest(broken):
    found = judge(but(entry={"service_start_time": broken}))
    assert [f.where for f in found] == (["Document01.serviceStartTime"] if broken else [])
