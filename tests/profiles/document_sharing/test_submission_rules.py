"""The rules of one submission by itself: each broken once in a good one, and named."""

from dataclasses import replace

import pytest
from good_submission import AUTHOR, CX, ENTRY, GOOD, IN_FOLDER, MEMBER, OTHER_CX, REGISTERED, REPLACES, SET, but

from profiles.document_sharing.submission import MOST_OBJECTS, PROVIDE, REGISTER, findings
from registry.metadata.errors import ErrorCode
from registry.metadata.model import Association, Submission
from registry.metadata.urn import AssociationType, ObjectType, Status

META, DUPLICATE = ErrorCode.XDSRegistryMetadataError, ErrorCode.XDSRegistryDuplicateUniqueIdInMessage
OTHER_UUID = "urn:uuid:99999999-2222-4333-8444-555555555555"


def judge(submission, rules=REGISTER):
    return list(findings(submission, rules))


def author(**changes):
    return but(entry={"authors": (AUTHOR, replace(AUTHOR, **changes))})


def slot(name):
    return {"extra": (("urn:vendor:kept", ("1",)), (name, ("1",)))}


def test_good_is_good():
    assert judge(GOOD) == []


def test_a_new_entry_alone_is_good():
    assert judge(Submission((SET,), (ENTRY,), (), (MEMBER,))) == []


@pytest.mark.parametrize(
    "same",
    [
        {"entry": {"logical_id": ENTRY.id, "version": "1", "status": Status.APPROVED}},
        {"entry": {"extra": (("urn:vendor:x", ("1", "2")), ("statusReason", ()))}, "set": slot("any words")},
        {"entry": {"authors": (AUTHOR, replace(AUTHOR, extra=(("urn:vendor:x", ("1",)),)))}},
        {"entry": {"service_start_time": "2024", "service_stop_time": "20240101"}},
        {"entry": {"service_start_time": None}},
        {"entry": {"status": "Approved"}, "folder": {"last_update_time": None}},
        {"entry": {"source_patient_id": "89765a87b^^^&3.4.5&ISO"}},
    ],
)
def test_what_real_senders_write_is_good(same):
    assert judge(but(**same)) == []


def test_an_association_alone_is_good():
    """A submission may add only an association between registered documents' sets (ITI TF-3, 4.2.1.4)."""
    reference = Association("m1", AssociationType.HAS_MEMBER, SET.id, REGISTERED, "Reference")
    assert judge(Submission((SET,), (), (), (reference,))) == []


ONE_FAULT = [
    # what is broken, where it is found, and a word of what is said
    (but(entry={"object_type": "urn:uuid:nonsense"}), "Document01.objectType", "the stable document type"),
    (but(entry={"object_type": ""}), "Document01.objectType", "the stable document type"),
    (but(entry={"object_type": ObjectType.ON_DEMAND_DOCUMENT}), "Document01.objectType", "ITI-61"),
    (but(entry={"object_type": ObjectType.FOLDER}), "Document01.objectType", "the stable document type"),
    (but(entry={"service_stop_time": "20231231"}), "Document01.serviceStopTime", "before"),
    (but(entry={"service_start_time": "2025"}), "Document01.serviceStopTime", "before"),
    (but(entry={"limited_metadata": True}), "Document01.limitedMetadata", "limited metadata"),
    (but(set={"limited_metadata": True}), "SubmissionSet01.limitedMetadata", "limited metadata"),
    (but(folder={"limited_metadata": True}), "Folder01.limitedMetadata", "limited metadata"),
    (but(entry={"status": Status.DEPRECATED}), "Document01.availabilityStatus", "Approved"),
    (but(set={"status": "Submitted"}), "SubmissionSet01.availabilityStatus", "Approved"),
    (but(folder={"status": Status.DEPRECATED}), "Folder01.availabilityStatus", "leave the status out"),
    (but(entry={"hash": "x"}), "Document01.hash", "SHA-1"),
    (but(set={"source_id": "x"}), "SubmissionSet01.sourceId", "OID"),
    (but(folder={"codes": ()}), "Folder01.codeList", "missing"),
    (but(r1={"type": ""}), "r1.associationType", "missing"),
    (author(person=("^^Marcus",)), "Document01.author.authorPerson", "family name"),
    (author(person=("^Welby^^^^^^^&1.2&ISO",)), "Document01.author.authorPerson", "no id in component 1"),
    (author(institutions=("North", "^^^^^^^^^1.2")), "Document01.author.authorInstitution", "name in component 1"),
    (author(telecommunications=("08-123",)), "Document01.author.authorTelecommunication", "component 3"),
    (author(roles=("a\x0b",)), "Document01.author.authorRole", "control"),
    (author(extra=(("urn:ihe:iti:2099:x", ("1",)),)), "Document01.author.urn:ihe:iti:2099:x", "must not begin"),
    (but(entry=slot("urn:ihe:iti:2099:x")), "Document01.urn:ihe:iti:2099:x", "must not begin"),
    (but(set=slot("URN:IHE:x")), "SubmissionSet01.URN:IHE:x", "must not begin"),
    (but(folder=slot("urn:ihe:iti:xds:2013:referenceIdList")), "Folder01.urn:ihe:iti:xds:2013:referenceIdList", "no attribute"),
    (but(r1=slot("urn:ihe:iti:2099:x")), "r1.urn:ihe:iti:2099:x", "must not begin"),
    (but(m1=slot("PreviousVersion")), "m1.PreviousVersion", "Metadata Update"),
    (but(m1=slot("AssociationPropagation")), "m1.AssociationPropagation", "Metadata Update"),
    (but(r1=slot("NewStatus")), "r1.NewStatus", "Metadata Update"),
    (but(entry={"logical_id": OTHER_UUID}), "Document01.lid", "ITI-57"),
    (but(folder={"logical_id": OTHER_UUID}), "Folder01.lid", "ITI-57"),
    (but(r1={"logical_id": OTHER_UUID}), "r1.lid", "ITI-57"),
    (replace(GOOD, associations=(*GOOD.associations, replace(IN_FOLDER, id="r1"))), "r1", "2 objects have this id"),
]  # fmt: skip


@pytest.mark.parametrize(("submission", "where", "words"), ONE_FAULT)
def test_one_fault_is_one_finding(submission, where, words):
    found = judge(submission)
    assert [f.where for f in found] == [where], [str(f) for f in found]
    assert words in found[0].text
    assert found[0].code is META
    assert found[0].source.startswith("ITI TF-")


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
    found = judge(Submission((SET,), (upper, lower), (), members))
    assert "2 objects have this id" in {f.text for f in found if f.code is META}


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
    assert judge(bare, PROVIDE) == []


@pytest.mark.parametrize("broken", ["", "x", "2024-01-01", "20240230"])
def test_an_unreadable_time_is_told_once_and_does_not_stop_the_rest(broken):
    found = judge(but(entry={"service_start_time": broken}))
    assert [f.where for f in found] == (["Document01.serviceStartTime"] if broken else [])
