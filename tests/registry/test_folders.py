"""Folders that are registered: what comes into them, by itself or in place of another, and when they say so."""

from dataclasses import replace
from itertools import pairwise

import pytest
from keeping import ANNA, BO, CALLER, CODE, START, document, relation, report, submission, uid, urn

from database.engine import Unit
from profiles.faces import ebrim_write
from registry.metadata.errors import Rejected
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association, Folder
from registry.metadata.urn import AssociationType
from registry.queries import GetSubmissionSetAndContents
from registry.store import folders, patients, registration

HAS_MEMBER, RPLC = AssociationType.HAS_MEMBER, AssociationType.RPLC
MEMBERS = f"SELECT source, target FROM association WHERE type = '{HAS_MEMBER}'"
MINUTE = 60.0
FIRST, SECOND = "20231114221320", "20231114221420"  # START, and a minute later


def folder(patient=ANNA, **changes):
    return Folder(
        **({"id": urn(), "unique_id": uid(), "patient_id": patient, "title": "F", "codes": (CODE,)} | changes)
    )


def filing(holder, *things):
    """HasMembers of a Folder; everything is an object or an id."""
    ends = [one if isinstance(one, str) else one.id for one in (holder, *things)]
    return tuple(Association(urn(), HAS_MEMBER, ends[0], target) for target in ends[1:])


def filed(*entries, into, **more):
    """A submission that puts documents into a registered Folder, as the book wants it: the set names each filing."""
    added = filing(into, *(entries or more.pop("known")))
    sent = submission(*entries, associations=(*added, *more.pop("associations", ())), patient=ANNA, **more)
    owner = sent.submission_set.id
    marks = tuple(Association(urn(), HAS_MEMBER, owner, one.id) for one in added)
    return replace(sent, associations=(*sent.associations, *marks))


def members(kept, holder):
    """UUIDs (bare) of what is in a Folder."""
    return sorted(target for source, target in kept.sql(MEMBERS) if source == bare_uuid(holder.id))


def bare(*things):
    return sorted(bare_uuid(one.id) for one in things)


def times(kept):
    return dict(kept.sql("SELECT id, last_update_time FROM folder"))


def time_of(kept, holder):
    return times(kept)[bare_uuid(holder.id)]


@pytest.fixture
def holding(kept):
    """A registered Folder with one document in it, and a clock that has gone on since."""
    holder, entry = folder(), document()
    kept.submit(entry, folders=(holder,), associations=filing(holder, entry))
    assert time_of(kept, holder) == FIRST
    kept.time += MINUTE
    return kept, holder, entry


# --- made ---


@pytest.mark.parametrize("said", [None, "20200101000000", "20990101000000"])
def test_the_registry_says_when_a_folder_was_updated(kept, said):
    holder = folder(last_update_time=said)
    kept.submit(folders=(holder,))
    assert times(kept) == {bare_uuid(holder.id): FIRST}


def test_a_folder_with_documents_old_and_new(kept):
    old, new, holder = document(), document(), folder()
    kept.submit(old)
    kept.submit(new, folders=(holder,), associations=filing(holder, new, old))
    assert members(kept, holder) == bare(old, new)
    assert kept.statuses(old, new) == ["Approved"] * 2


# --- filled ---


def test_a_new_document_comes_into_a_folder(holding):
    kept, holder, entry = holding
    new, other = document(), folder()
    kept.submit(folders=(other,))
    kept.time += MINUTE
    kept.registry.submit(filed(new, into=holder), CALLER)
    assert members(kept, holder) == bare(entry, new)
    assert time_of(kept, holder) == "20231114221520"
    assert time_of(kept, other) == SECOND, "nothing came into this one"


def test_a_registered_document_comes_into_a_folder(holding):
    kept, holder, entry = holding
    old = document()
    kept.submit(old)
    kept.registry.submit(filed(into=holder, known=(old,)), CALLER)
    assert members(kept, holder) == bare(entry, old)
    assert time_of(kept, holder) == SECOND


def test_one_document_comes_into_two_folders(holding):
    kept, holder, _ = holding
    other, new = folder(), document()
    kept.submit(folders=(other,))
    kept.time += MINUTE
    kept.submit(new, associations=(*filing(holder, new), *filing(other, new)))
    assert set(times(kept).values()) == {"20231114221520"}


def test_what_is_refused_moves_no_folder(holding):
    kept, holder, entry = holding
    bos = document(BO)
    kept.submit(bos)
    before = kept.counts()
    for wrong, code in ((bos, "XDSPatientIdDoesNotMatch"), (urn(), "XDSRegistryMetadataError")):
        with pytest.raises(Rejected) as caught:
            kept.registry.submit(filed(into=holder, known=(wrong,)), CALLER)
        assert [f.code.name for f in caught.value.findings] == [code]
    assert (kept.counts(), time_of(kept, holder), members(kept, holder)) == (before, FIRST, bare(entry))


def test_a_failure_after_the_folder_was_updated_leaves_it_as_it_was(holding, monkeypatch):
    kept, holder, entry = holding

    def failing(*_):
        raise RuntimeError("half way")

    monkeypatch.setattr("registry.reports.register", failing)
    with pytest.raises(RuntimeError, match="half way"):
        kept.replace(document(), entry)
    assert (time_of(kept, holder), members(kept, holder), kept.statuses(entry)) == (FIRST, bare(entry), ["Approved"])


@pytest.mark.parametrize(
    ("status", "patient", "code"),
    [("Deprecated", ANNA, "XDSRegistryMetadataError"), ("Approved", BO, "XDSPatientIdDoesNotMatch")],
)
def test_a_folder_that_takes_nothing(kept, status, patient, code):
    holder = folder(patient)
    kept.submit(folders=(holder,), patient=patient)
    kept.sql("UPDATE folder SET status = :status", status=status)
    with pytest.raises(Rejected) as caught:
        kept.registry.submit(filed(document(), into=holder), CALLER)
    assert [f.code.name for f in caught.value.findings] == [code]


# --- replaced ---


@pytest.mark.parametrize("type_", [RPLC, AssociationType.XFRM_RPLC])
def test_a_replacement_joins_the_folders_of_its_predecessor(holding, type_):
    kept, holder, entry = holding
    second, empty, new = folder(), folder(), document()
    kept.submit(folders=(second, empty), associations=filing(second, entry))
    kept.time += MINUTE
    kept.replace(new, entry, type_)
    assert members(kept, holder) == members(kept, second) == bare(entry, new)
    assert members(kept, empty) == []
    now = "20231114221520"
    assert times(kept) == dict(zip(bare(holder) + bare(second) + bare(empty), (now, now, SECOND), strict=True))
    columns = "logical_id, version, status, patient_id, is_latest"
    rows = kept.sql(f"SELECT id, {columns} FROM association WHERE target = '{bare_uuid(new.id)}'")
    assert len(rows) == 3
    assert {(id_ == logical, *rest) for id_, logical, *rest in rows} == {(True, 1, "Approved", ANNA, True)}


@pytest.mark.parametrize("type_", [AssociationType.APND, AssociationType.XFRM, AssociationType.SIGNS])
def test_nothing_else_joins_a_folder(holding, type_):
    kept, holder, entry = holding
    kept.replace(document(), entry, type_)
    assert (members(kept, holder), time_of(kept, holder)) == (bare(entry), FIRST)


def test_a_replacement_of_what_is_in_no_folder_moves_none(holding):
    kept, holder, _ = holding
    other = document()
    kept.submit(other)
    kept.replace(document(), other)
    assert time_of(kept, holder) == FIRST


def test_each_replacement_joins_after_the_one_before(holding):
    kept, holder, first = holding
    versions = [first, document(), document(), document()]
    for old, new in pairwise(versions):
        kept.replace(new, old)
    assert members(kept, holder) == bare(*versions)
    assert kept.statuses(*versions) == ["Deprecated"] * 3 + ["Approved"]


def test_what_falls_with_the_replaced_joins_nothing(holding):
    kept, holder, entry = holding
    addendum, new = document(), document()
    kept.submit(addendum, associations=(relation(AssociationType.APND, addendum, entry), *filing(holder, addendum)))
    kept.replace(new, entry)
    assert members(kept, holder) == bare(entry, addendum, new)


def test_a_replacement_joins_once(holding):
    """It replaces two documents of the Folder and is filed there besides: one HasMember is enough."""
    kept, holder, one = holding
    two, new = document(), document()
    kept.submit(two, associations=filing(holder, two))
    replacing = (relation(RPLC, new, one), relation(RPLC, new, two))
    kept.submit(new, associations=replacing)
    assert members(kept, holder) == bare(one, two, new)
    newer = document()
    kept.submit(newer, associations=(relation(RPLC, newer, new), *filing(holder, newer)))
    assert members(kept, holder) == bare(one, two, new, newer)


def test_two_replacements_of_one_submission_each_join_their_own(holding):
    kept, holder, one = holding
    other, two = folder(), document()
    kept.submit(two, folders=(other,), associations=filing(other, two))
    new_one, new_two = document(), document()
    kept.submit(new_one, new_two, associations=(relation(RPLC, new_one, one), relation(RPLC, new_two, two)))
    assert (members(kept, holder), members(kept, other)) == (bare(one, new_one), bare(two, new_two))


@pytest.mark.parametrize("gone", ["folder", "association"])
def test_what_is_deprecated_is_not_followed(holding, gone):
    """A Folder, or a membership, that a metadata update has deprecated takes no replacement."""
    kept, holder, entry = holding
    kept.sql(f"UPDATE {gone} SET status = 'Deprecated'")
    kept.replace(document(), entry)
    assert (members(kept, holder), time_of(kept, holder)) == (bare(entry), FIRST)


# --- at the same time ---


def test_two_documents_come_into_a_folder_at_once(holding, both_at_once):
    kept, holder, entry = holding
    one, two = document(), document()
    assert both_at_once(filed(one, into=holder), filed(two, into=holder)) is None
    assert members(kept, holder) == bare(entry, one, two)
    assert time_of(kept, holder) == SECOND


def test_a_replacement_and_a_filing_at_once(holding, both_at_once):
    """Whoever comes first, the replacement is where the replaced was filed, or the filing is refused."""
    kept, holder, entry = holding
    other, new = folder(), document()
    kept.submit(folders=(other,))
    replacing = submission(new, associations=(relation(RPLC, new, entry),))
    error = both_at_once(replacing, filed(into=other, known=(entry,)))
    assert [f.code.name for f in error.findings] == ["XDSRegistryDeprecatedDocumentError"]
    assert (members(kept, holder), members(kept, other)) == (bare(entry, new), [])


# --- shown, and what it costs ---


def test_the_time_is_in_the_answer_and_not_in_the_body(kept):
    holder = folder(last_update_time="20200101000000")
    sent = kept.submit(folders=(holder,))
    kept.time += MINUTE
    new = document()
    kept.registry.submit(filed(new, into=holder), CALLER)
    answer = kept.query(GetSubmissionSetAndContents(id=bare_uuid(sent.submission_set.id)))
    (found,) = (one for one in answer.objects if one.id == bare_uuid(holder.id))
    assert found.last_update_time == SECOND
    assert b"lastUpdateTime" not in found.body
    element = ebrim_write.element(found)
    assert element.count(b"lastUpdateTime") == 1
    assert SECOND.encode() in element
    assert {one.last_update_time for one in answer.objects if one.id != found.id} == {""}


def test_a_plain_registration_asks_nothing_of_folders_and_replaced(holding, monkeypatch):
    kept, holder, entry = holding
    asked = []

    def noting(name):
        real = getattr(Unit, name)

        def run(unit, statement, **params):
            asked.append(statement)
            return real(unit, statement, **params)

        monkeypatch.setattr(Unit, name, run)

    noting("rows")
    noting("execute")
    special = {folders.FOLDERS_OF, folders.TOUCH, registration.DEPENDENTS, registration.DEPRECATE, patients.ENDS}
    kept.submit(report(), document(), folders=(folder(),))
    assert not special & set(asked)
    asked.clear()
    kept.submit(document(), associations=filing(holder, entry))
    assert special & set(asked) == {folders.TOUCH}


def test_the_clock_of_these_tests():
    assert registration.second_of(START) == FIRST
