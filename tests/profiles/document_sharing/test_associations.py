"""Relations between documents: which ends they may have, each wrong one named (ITI TF-3, 4.2.2)."""

from dataclasses import replace

import pytest
from good_submission import CODE, ENTRY, FOLDER, GOOD, MEMBER, REGISTERED, SET, but

from profiles.document_sharing.associations import RELATIONS
from profiles.document_sharing.submission import ON_DEMAND, PROVIDE, REGISTER, findings
from registry.metadata.errors import ErrorCode
from registry.metadata.urn import DOCUMENT_RELATIONS, AssociationType

META = ErrorCode.XDSRegistryMetadataError
OTHER_UUID = "urn:uuid:99999999-2222-4333-8444-555555555555"
DOCUMENTED = sorted(DOCUMENT_RELATIONS)
SECOND = replace(ENTRY, id="Document02", unique_id="1.2.3.77")
SECOND_MEMBER = replace(MEMBER, id="m9", target=SECOND.id)


def judge(submission, rules=REGISTER):
    return list(findings(submission, rules))


def with_second(**changes):
    """GOOD with another document, and its relation changed."""
    made = but(r1=changes)
    return replace(made, entries=(ENTRY, SECOND), associations=(*made.associations, SECOND_MEMBER))


def test_the_table_has_every_relation_and_its_book():
    assert set(RELATIONS) == {*DOCUMENT_RELATIONS, AssociationType.IS_SNAPSHOT_OF}
    assert all(row.book.startswith("ITI TF-3, 4.2.2") for row in RELATIONS.values())
    assert {t for t, row in RELATIONS.items() if row.documented} == DOCUMENT_RELATIONS


@pytest.mark.parametrize("type_", RELATIONS)
@pytest.mark.parametrize("rules", [REGISTER, PROVIDE])
def test_every_relation_to_a_registered_document_is_good(type_, rules):
    assert judge(but(r1={"type": type_}), rules) == []


@pytest.mark.parametrize("type_", DOCUMENTED)
def test_a_relation_may_say_why(type_):
    assert judge(but(r1={"type": type_, "documentation": CODE})) == []


def test_a_signature_may_come_with_what_it_signs():
    assert judge(with_second(type=AssociationType.SIGNS, target=SECOND.id)) == []


ONE_FAULT = [
    ({"type": "urn:oasis:names:tc:ebxml-regrep:AssociationType:Owns"}, "r1.associationType", "not known"),
    ({"type": "RPLC"}, "r1.associationType", "AssociationType:RPLC"),
    ({"type": AssociationType.UPDATE_AVAILABILITY_STATUS}, "r1.associationType", "Metadata Update"),
    ({"type": AssociationType.SUBMIT_ASSOCIATION}, "r1.associationType", "Metadata Update"),
    ({"target": "Document03"}, "r1.targetObject", "neither"),
    ({"source": "Document03"}, "r1.sourceObject", "neither"),
    ({"target": "urn:uuid:1111"}, "r1.targetObject", "nor a UUID"),
    ({"target": ""}, "r1.targetObject", "missing"),
    ({"source": ""}, "r1.sourceObject", "missing"),
    ({"source": OTHER_UUID}, "r1.sourceObject", "a DocumentEntry of this submission"),
    ({"source": FOLDER.id}, "r1.sourceObject", "a Folder of this submission"),
    ({"source": SET.id}, "r1.sourceObject", "a SubmissionSet of this"),
    ({"source": "m1"}, "r1.sourceObject", "an Association of this"),
    ({"target": FOLDER.id}, "r1.targetObject", "registered already"),
    ({"target": SECOND.id}, "r1.targetObject", "registered already"),
    ({"type": AssociationType.IS_SNAPSHOT_OF, "target": SECOND.id}, "r1.targetObject", "registered already"),
    ({"type": AssociationType.IS_SNAPSHOT_OF, "source": OTHER_UUID}, "r1.sourceObject", "a stable DocumentEntry"),
    ({"type": AssociationType.IS_SNAPSHOT_OF, "documentation": CODE}, "r1.associationDocumentation", "no association"),
    ({"type": AssociationType.SIGNS, "target": FOLDER.id}, "r1.targetObject", "or registered already"),
]


@pytest.mark.parametrize(("change", "where", "words"), ONE_FAULT)
def test_one_fault_is_one_finding(change, where, words):
    found = judge(with_second(**change))
    assert [(f.where, f.code) for f in found] == [(where, META)], [str(f) for f in found]
    assert words in found[0].text
    assert found[0].source.startswith("ITI TF-")


@pytest.mark.parametrize("type_", [t for t in DOCUMENTED if t != AssociationType.SIGNS])
def test_a_document_of_the_same_submission_cannot_be_related_to(type_):
    assert [f.where for f in judge(with_second(type=type_, target=SECOND.id))] == ["r1.targetObject"]


def test_source_and_target_are_the_same():
    found = judge(but(r1={"target": ENTRY.id}))
    assert {(f.where, f.source) for f in found} == {("r1", "ITI TF-3, 4.2.2"), ("r1.targetObject", "ITI TF-3, 4.2.2.2")}


def test_both_ends_are_nowhere():
    found = judge(but(r1={"source": "Document08", "target": "Document09"}))
    assert {f.where for f in found} == {"r1.sourceObject", "r1.targetObject"}


def test_an_id_in_upper_case_is_the_same_id():
    upper = replace(GOOD, entries=(replace(ENTRY, id=OTHER_UUID.upper()),))
    made = replace(
        upper,
        associations=tuple(
            replace(a, source=a.source.replace(ENTRY.id, OTHER_UUID), target=a.target.replace(ENTRY.id, OTHER_UUID))
            for a in GOOD.associations
        ),
    )
    assert judge(made) == []


def test_an_on_demand_entry_is_no_snapshot():
    found = judge(but(r1={"type": AssociationType.IS_SNAPSHOT_OF}), ON_DEMAND)
    assert ("r1.associationType", "ITI-61 takes no IsSnapshotOf") in {(f.where, f.text) for f in found}
    assert REGISTERED in GOOD.associations[-1].target
