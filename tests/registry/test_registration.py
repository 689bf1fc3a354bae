"""Registering on both engines: what is written, all of it or nothing, and what replacing does."""

from dataclasses import replace
from itertools import pairwise

import pytest
from keeping import ANNA, BO, CALLER, PNR, document, ids, reference, relation, report, submission, uid, urn

from database.engine import Unit
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Author, Code, Folder
from registry.metadata.urn import AssociationType, ReferenceIdType
from registry.store.tables import ASSOCIATION, ENTRY_AUTHOR, REFERENCE_ID

APND, RPLC, XFRM, XFRM_RPLC, SIGNS = (AssociationType[n] for n in ("APND", "RPLC", "XFRM", "XFRM_RPLC", "SIGNS"))


def refused(kept, sent):
    """The findings of a refusal, which leaves no trace."""
    before = kept.counts()
    with pytest.raises(Rejected) as caught:
        kept.registry.submit(sent, CALLER)
    assert kept.counts() == before
    assert [f.code for f in kept.registry.check(sent, CALLER)] == [f.code for f in caught.value.findings]
    return [f.code.name for f in caught.value.findings]


def test_what_is_written(kept):
    entry = document(
        hash="A" * 40,
        creation_time="2024",
        service_start_time="202402",
        reference_ids=(reference("A1", authority="1.2.8"), reference("A1", authority="1.2.8"), reference("S1", "k")),
        event_codes=(Code("CT", "1.2.840"), Code("x", "1.2")),
        authors=(Author(("1^Ek^Eva",)), Author(("1^Ek^Eva",)), Author(("2^Al^Ada",))),
        home="urn:oid:1.2.6",
    )
    folder = Folder(urn(), uid(), f"{ANNA}^PI", "Course", last_update_time="20240101120000", codes=(Code("a", "b"),))
    sent = kept.submit(entry, folders=(folder,), patient=f"{ANNA}^PI")
    assert kept.counts() == {
        "submission_set": 1,
        "document_entry": 1,
        "folder": 1,
        "association": 2,
        "entry_code": 4,  # the Folder's among them
        "entry_author": 2,
        "reference_id": 3,
        "diagnostic_report": 1,
        "patient": 1,
        "audit": 1,
    }
    (row,) = kept.sql(
        "SELECT id, logical_id, version, status, home, patient_id, hash, size, creation_time, service_start_time,"
        " unique_id, type_code FROM document_entry"
    )
    bare = bare_uuid(entry.id)
    assert row == (bare, bare, 1, "Approved", "urn:oid:1.2.6", ANNA, "a" * 40, 12, "20240101000000", "20240201000000", entry.unique_id, "1^^1.2.3")  # fmt: skip
    owner = bare_uuid(sent.submission_set.id)
    assert set(kept.sql("SELECT source, target FROM association")) == {(owner, bare), (owner, bare_uuid(folder.id))}
    assert set(kept.sql("SELECT kind, value, authority, record FROM reference_id")) == {
        (reference("x").split("^")[4], "A1", "1.2.8", "entry"),
        ("k", "S1", "", "entry"),
        (ReferenceIdType.UNIQUE_ID, entry.unique_id, "", "entry"),  # it is a report, by its accession number
    }
    assert {row[0] for row in kept.sql("SELECT patient_id FROM folder UNION SELECT patient_id FROM association")} == {ANNA}  # fmt: skip


def test_the_audit_record_is_in_the_same_unit(kept):
    entry = document()
    kept.submit(entry)
    ((transaction, action, outcome, patient, record),) = kept.sql(
        "SELECT transaction, action, outcome, patient_id, record FROM audit".replace("transaction,", '"transaction",')
    )
    assert (transaction, action, outcome, patient) == ("ITI-42", "C", 0, ANNA)
    assert bare_uuid(entry.id) in record


def test_symbolic_ids_are_assigned(kept):
    sent = submission(document(id="Document01"), id="SubmissionSet01")
    kept.registry.submit(sent, CALLER)
    ((source, target),) = kept.sql("SELECT source, target FROM association")
    assert kept.sql("SELECT id FROM submission_set") == [(source,)]
    assert kept.sql("SELECT id FROM document_entry") == [(target,)]


@pytest.mark.parametrize("table", [ASSOCIATION, ENTRY_AUTHOR, REFERENCE_ID], ids=str)
def test_a_failure_half_way_leaves_nothing(kept, monkeypatch, table):
    insert = Unit.insert

    def failing(unit, into, rows):
        if into is table:
            raise RuntimeError("half way")
        insert(unit, into, rows)

    monkeypatch.setattr(Unit, "insert", failing)
    with pytest.raises(RuntimeError, match="half way"):
        kept.submit(report(reference("A1")))
    assert kept.counts() == {}
    monkeypatch.undo()
    kept.submit(report(reference("A1")))


def test_the_last_of_many_faults_leaves_nothing(kept):
    """Two entries with one UUID pass no rule here, but the key: nothing of the submission stays."""
    entry = document()
    with pytest.raises(Exception, match="."):
        kept.registry.submit(submission(entry, document(), replace(document(), id=entry.id)), CALLER)
    assert kept.counts() == {}


# --- what is refused ---


def test_an_unknown_authority(kept):
    assert refused(kept, submission(document("42^^^&1.2.3&ISO"))) == ["XDSUnknownPatientId"]


def test_a_set_comes_once(kept):
    first = kept.submit(document())
    again = submission(document(), unique_id=first.submission_set.unique_id)
    assert refused(kept, again) == ["XDSDuplicateUniqueIdInRegistry"]


def test_the_whole_message_again(kept):
    sent = kept.submit(document())
    assert set(refused(kept, sent)) == {"XDSRegistryMetadataError", "XDSDuplicateUniqueIdInRegistry"}


def test_a_document_again(kept):
    first = document()
    kept.submit(first)
    assert refused(kept, submission(replace(first, id=urn(), hash="b" * 40))) == ["XDSNonIdenticalHash"]
    assert refused(kept, submission(replace(first, id=urn(), size="13"))) == ["XDSNonIdenticalSize"]
    kept.submit(replace(first, id=urn(), hash="A" * 40))
    assert kept.counts()["document_entry"] == 2


def test_an_entry_uuid_that_is_registered(kept):
    first = document()
    kept.submit(first)
    assert refused(kept, submission(document(id=first.id.upper().replace("URN:UUID", "urn:uuid")))) == [
        "XDSRegistryMetadataError"
    ]


@pytest.mark.parametrize("type_", [RPLC, APND, XFRM, XFRM_RPLC, SIGNS])
def test_a_relation_to_what_must_not_be_related(kept, type_):
    annas, bos, gone, new = document(), document(BO), document(), document()
    kept.submit(annas)
    kept.submit(bos)
    kept.submit(gone)
    kept.replace(document(), gone)
    for target, code in (
        (bos, "XDSPatientIdDoesNotMatch"),
        (gone, "XDSRegistryDeprecatedDocumentError"),
        (urn(), "XDSRegistryMetadataError"),
    ):
        assert refused(kept, submission(new, associations=(relation(type_, new, target),))) == [code]
    kept.replace(new, annas, type_)


@pytest.mark.parametrize("survivor", [ANNA, BO])
def test_what_was_registered_before_a_merge_is_the_survivors(kept, survivor):
    """Whichever of the two ids it was registered for."""
    annas, bos = document(ANNA), document(BO)
    kept.submit(annas)
    kept.submit(bos)
    away = BO if survivor == ANNA else ANNA
    new = document(survivor)
    replacing = submission(new, associations=tuple(relation(RPLC, new, old) for old in (annas, bos)))
    assert refused(kept, replacing) == ["XDSPatientIdDoesNotMatch"]
    kept.sql("UPDATE patient SET survivor = :survivor WHERE patient_id = :away", survivor=survivor, away=away)
    again = submission(replace(annas, id=urn(), patient_id=survivor))
    assert kept.registry.check(again, CALLER) == []
    kept.registry.submit(replacing, CALLER)
    assert kept.statuses(annas, bos, new) == ["Deprecated", "Deprecated", "Approved"]


# --- replacing ---


def test_replacing_deprecates(kept):
    old, new = document(), document()
    kept.submit(old)
    kept.replace(new, old)
    assert kept.statuses(old, new) == ["Deprecated", "Approved"]


def test_replacing_and_transforming_deprecates(kept):
    old, new = document(), document()
    kept.submit(old)
    kept.replace(new, old, XFRM_RPLC)
    assert kept.statuses(old, new) == ["Deprecated", "Approved"]


@pytest.mark.parametrize("type_", [APND, XFRM, SIGNS])
def test_nothing_else_deprecates(kept, type_):
    old, new = document(), document()
    kept.submit(old)
    kept.replace(new, old, type_)
    assert kept.statuses(old, new) == ["Approved", "Approved"]


def test_what_was_appended_to_or_transformed_from_it_goes_too(kept):
    root, addendum, of_addendum, signature, other, new = (document() for _ in range(6))
    kept.submit(root)
    kept.submit(other)
    kept.replace(addendum, root, APND)
    kept.replace(of_addendum, addendum, XFRM)
    kept.replace(signature, root, SIGNS)
    kept.replace(new, root)
    assert kept.statuses(root, addendum, of_addendum) == ["Deprecated"] * 3
    assert kept.statuses(signature, other, new) == ["Approved"] * 3


def test_a_chain_of_a_hundred_goes_too(kept):
    chain = [document() for _ in range(100)]
    kept.submit(*chain, associations=tuple(relation(APND, child, parent) for parent, child in pairwise(chain)))
    kept.replace(document(), chain[0])
    assert set(kept.statuses(*chain)) == {"Deprecated"}


def test_a_relation_that_is_deprecated_pulls_nothing_down(kept):
    """A metadata update may have said that the addendum is none."""
    old, addendum = document(), document()
    kept.submit(old)
    sent = kept.replace(addendum, old, APND)
    kept.sql("UPDATE association SET status = 'Deprecated' WHERE id = :id", id=bare_uuid(sent.associations[-1].id))
    kept.replace(document(), old)
    assert kept.statuses(old, addendum) == ["Deprecated", "Approved"]


def test_a_cycle_ends(kept):
    one, two, new = document(), document(), document()
    kept.submit(one)
    kept.replace(two, one, APND)
    kept.submit(associations=(relation(APND, one, two),))
    kept.replace(new, one)
    assert kept.statuses(one, two, new) == ["Deprecated", "Deprecated", "Approved"]


def test_a_replacement_may_be_appended_to_what_it_replaces_no_more(kept):
    """The new document is not deprecated by its own relation to what it replaces."""
    old, new = document(), document()
    kept.submit(old)
    kept.submit(new, associations=(relation(RPLC, new, old), relation(XFRM, new, old)))
    assert kept.statuses(old, new) == ["Deprecated", "Approved"]


def test_a_generation_of_many(kept):
    root, new = document(), document()
    kept.submit(root)
    children = [document() for _ in range(30)]
    kept.submit(*children, associations=tuple(relation(APND, child, root) for child in children))
    kept.replace(new, root)
    assert set(kept.statuses(root, *children)) == {"Deprecated"}
    assert kept.found() == ids(new)


# --- at the same time ---


def test_two_replacements_at_once(kept, both_at_once):
    """The later one replaces what is deprecated by then, and hears so."""
    old, one, two = document(), document(), document()
    kept.submit(old)
    sent = [submission(new, associations=(relation(RPLC, new, old),)) for new in (one, two)]
    error = both_at_once(*sent)
    assert isinstance(error, Rejected), f"both replaced it: {kept.sql('SELECT status FROM document_entry')}"
    assert [f.code for f in error.findings] == [ErrorCode.XDSRegistryDeprecatedDocumentError]


def test_two_sets_with_one_unique_id_at_once(kept, both_at_once):
    """Whoever loses the race gets the code of a duplicate, not a failure."""
    shared = uid()
    error = both_at_once(submission(document(), unique_id=shared), submission(document(), unique_id=shared))
    assert isinstance(error, Rejected), repr(error)
    assert [f.code for f in error.findings] == [ErrorCode.XDSDuplicateUniqueIdInRegistry]
    assert kept.counts()["submission_set"] == 1


def test_two_patients_sets_with_one_unique_id_at_once(kept, both_at_once):
    shared = uid()
    error = both_at_once(submission(document(), unique_id=shared), submission(document(BO), unique_id=shared))
    assert isinstance(error, Rejected), repr(error)
    assert [f.code for f in error.findings] == [ErrorCode.XDSDuplicateUniqueIdInRegistry]


def test_one_new_patient_from_two_at_once(kept, both_at_once):
    assert both_at_once(submission(document()), submission(document())) is None
    assert kept.counts()["patient"] == 1
    assert kept.sql("SELECT value, authority FROM patient") == [(ANNA.split("^")[0], PNR)]
