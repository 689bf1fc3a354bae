"""What a submission may do to what is registered, judged without any database."""

from dataclasses import replace

import pytest
from keeping import ANNA, BO, PNR, document, relation, submission, uid, urn

from registry.lifecycle import problems, unknown_authority
from registry.metadata.errors import ErrorCode
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Folder
from registry.metadata.urn import AssociationType
from registry.state import Registered, State, named


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


@pytest.mark.parametrize("taken", ["set", "folder", "document"])
@pytest.mark.parametrize("kind", ["set", "folder"])
def test_the_unique_id_of_a_set_or_folder_comes_once(kind, taken):
    folder = Folder(urn(), unique_id=uid(), patient_id=ANNA, codes=())
    sent = submission(document(), folders=(folder,))
    thing = folder if kind == "folder" else sent.submission_set
    code = ErrorCode.XDSDuplicateUniqueIdInRegistry.name
    assert judge(sent, known(taken, unique_id=thing.unique_id)) == [(code, f"{thing.id}.uniqueId")]


@pytest.mark.parametrize("taken", ["set", "folder"])
def test_the_unique_id_of_a_document_is_no_sets_and_no_folders(taken):
    sent = submission(document())
    found = judge(sent, known(taken, unique_id=sent.entries[0].unique_id))
    assert found == [("XDSRegistryMetadataError", f"{sent.entries[0].id}.uniqueId")]


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


def test_another_spelling_of_the_patient_is_the_same_patient():
    old = known()
    sent, _ = related("RPLC", old, document(patient=f"{ANNA}^PI"))
    assert judge(sent, old) == []


def test_the_unique_id_of_another_patients_document():
    sent = submission(document())
    found = judge(sent, known(patient=BO, unique_id=sent.entries[0].unique_id))
    assert found == [("XDSPatientIdDoesNotMatch", f"{sent.entries[0].id}.patientId")]


def test_many_objects_are_judged_quickly():
    """The state is looked up, not searched: twenty thousand objects against twenty thousand take no minute."""
    entries = [document() for _ in range(5000)]
    taken = [known(id=bare_uuid(e.id)) for e in entries]
    assert len(judge(submission(*entries), *taken)) == 5000


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
