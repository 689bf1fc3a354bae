"""What a submission may do to what is registered, judged without any database."""

from dataclasses import replace

import pytest
from keeping import ANNA, BO, PNR, document, relation, submission, uid, urn

from registry.lifecycle import Registered, State, named, problems, unknown_authority
from registry.metadata.errors import ErrorCode
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association, Folder
from registry.metadata.urn import AssociationType

RELATIONS = ["RPLC", "APND", "XFRM", "XFRM_RPLC", "SIGNS"]


def known(kind="document", patient=ANNA, status="Approved", **changes):
    one = Registered(kind, bare_uuid(urn()), patient, status, uid(), "a" * 40, "12")
    return one._replace(**changes)


def judge(sent, *objects):
    return [(f.code.name, f.where) for f in problems(sent, State(objects))]


def related(type_name, target, entry=None):
    entry = entry or document()
    one = relation(AssociationType[type_name], entry, f"urn:uuid:{target.id}")
    return submission(entry, associations=(one,)), one


def test_nothing_known_nothing_wrong():
    assert judge(submission(document(), document())) == []


def test_the_names_that_must_be_asked_for():
    old, entry = known(), document(id="Document01")
    sent = submission(entry, associations=(relation(AssociationType.RPLC, entry, f"urn:uuid:{old.id.upper()}"),))
    uuids, uids = named(sent)
    assert old.id in uuids
    assert bare_uuid(sent.submission_set.id) in uuids
    assert "Document01" not in uuids
    assert uids == sorted({entry.unique_id, sent.submission_set.unique_id})


@pytest.mark.parametrize("what", ["set", "document", "association"])
def test_a_uuid_that_is_taken_by_anything(what):
    entry = document()
    sent = submission(entry)
    thing = {"set": sent.submission_set, "document": entry, "association": sent.associations[0]}[what]
    for kind in ("document", "set", "folder", "association"):
        taken = known(kind, id=bare_uuid(thing.id))
        assert ("XDSRegistryMetadataError", thing.id) in judge(sent, taken)


def test_a_uuid_is_taken_in_upper_case_too():
    entry = document()
    upper = replace(entry, id="urn:uuid:" + bare_uuid(entry.id).upper())
    assert judge(submission(upper), known(id=bare_uuid(entry.id))) == [("XDSRegistryMetadataError", upper.id)]


@pytest.mark.parametrize("kind", ["set", "folder"])
def test_the_unique_id_of_a_set_or_folder_comes_once(kind):
    folder = Folder(urn(), unique_id=uid(), patient_id=ANNA, codes=())
    sent = submission(document(), folders=(folder,))
    thing = folder if kind == "folder" else sent.submission_set
    code = ErrorCode.XDSDuplicateUniqueIdInRegistry.name
    assert judge(sent, known(kind, unique_id=thing.unique_id)) == [(code, f"{thing.id}.uniqueId")]
    assert judge(sent, known("document", unique_id=thing.unique_id)) == []


@pytest.mark.parametrize(
    ("entry", "old", "wanted"),
    [
        ({}, {}, []),
        ({"hash": "A" * 40}, {}, []),
        ({"size": "0012"}, {}, []),
        ({"hash": "b" * 40}, {}, ["XDSNonIdenticalHash"]),
        ({"size": "13"}, {}, ["XDSNonIdenticalSize"]),
        ({"hash": "b" * 40, "size": "13"}, {}, ["XDSNonIdenticalHash"]),
        ({"hash": None, "size": None}, {}, []),
        ({"hash": "b" * 40}, {"hash": None}, []),
    ],
)
def test_the_unique_id_of_a_document_may_come_again_with_the_same_bytes(entry, old, wanted):
    sent = submission(document(**entry))
    found = judge(sent, known(unique_id=sent.entries[0].unique_id, **old))
    assert [code for code, _ in found] == wanted


def test_one_of_several_with_this_unique_id_differs():
    sent = submission(document())
    same, other = (known(unique_id=sent.entries[0].unique_id, hash=h * 40) for h in "ab")
    assert judge(sent, same, other) == [("XDSNonIdenticalHash", f"{sent.entries[0].id}.hash")]


@pytest.mark.parametrize("name", RELATIONS)
def test_a_relation_to_what_is_there(name):
    old = known()
    assert judge(related(name, old)[0], old) == []


@pytest.mark.parametrize("name", RELATIONS)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "Deprecated"}, "XDSRegistryDeprecatedDocumentError"),
        ({"patient_id": BO}, "XDSPatientIdDoesNotMatch"),
        ({"kind": "folder"}, "XDSRegistryMetadataError"),
        ({"kind": "set"}, "XDSRegistryMetadataError"),
    ],
)
def test_a_relation_to_what_must_not_be_related(name, change, code):
    old = known()._replace(**change)
    sent, one = related(name, old)
    assert judge(sent, old) == [(code, f"{one.id}.targetObject")]


@pytest.mark.parametrize("name", RELATIONS)
def test_a_relation_to_nothing(name):
    sent, one = related(name, known())
    assert judge(sent) == [("XDSRegistryMetadataError", f"{one.id}.targetObject")]


def test_a_set_may_hold_what_is_deprecated_but_not_another_patients():
    old = known(status="Deprecated")
    sent = submission(document())
    member = Association(urn(), AssociationType.HAS_MEMBER, sent.submission_set.id, f"urn:uuid:{old.id}", "Reference")
    sent = replace(sent, associations=(*sent.associations, member))
    assert judge(sent, old) == []
    assert judge(sent, old._replace(patient_id=BO)) == [("XDSPatientIdDoesNotMatch", f"{member.id}.targetObject")]


def test_another_spelling_of_the_patient_is_the_same_patient():
    old = known()
    sent, _ = related("RPLC", old, document(patient=f"{ANNA}^PI"))
    assert judge(sent, old) == []


def test_everything_is_told_at_once():
    old = known(status="Deprecated")
    sent, _ = related("RPLC", old)
    also = known("set", unique_id=sent.submission_set.unique_id)
    same = known(unique_id=sent.entries[0].unique_id, hash="b" * 40)
    assert {code for code, _ in judge(sent, old, also, same)} == {
        "XDSRegistryDeprecatedDocumentError",
        "XDSDuplicateUniqueIdInRegistry",
        "XDSNonIdenticalHash",
    }


def test_authorities():
    assert unknown_authority(ANNA, (PNR,)) is None
    found = unknown_authority("42^^^&1.2.3&ISO", (PNR,))
    assert found
    assert found.code is ErrorCode.XDSUnknownPatientId
