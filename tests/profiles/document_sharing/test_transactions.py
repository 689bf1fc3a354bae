"""What each transaction takes, and by which codes it refuses (ITI TF-3, table 4.2.4.1-2)."""

from dataclasses import replace

import pytest
from good_submission import ENTRY, GOOD, OTHER_CX, SET, but

from profiles.document_sharing.submission import ON_DEMAND, PROVIDE, REGISTER, RESTRICTED_UPDATE, UPDATE, findings
from registry.metadata.errors import ErrorCode as E
from registry.metadata.urn import AssociationType, ObjectType, Status

ON_DEMAND_TYPE = {
    "object_type": ObjectType.ON_DEMAND_DOCUMENT,
    "creation_time": None,
    "hash": None,
    "size": None,
    "legal_authenticator": None,
}
GOODS = {
    REGISTER.transaction: (REGISTER, GOOD),
    PROVIDE.transaction: (PROVIDE, but(entry={"hash": None, "size": None, "repository_unique_id": None})),
    ON_DEMAND.transaction: (ON_DEMAND, but(entry=ON_DEMAND_TYPE)),
    UPDATE.transaction: (UPDATE, GOOD),
    RESTRICTED_UPDATE.transaction: (RESTRICTED_UPDATE, but(r1=None)),
}
OWN = {
    #            metadata                     twice                                      another patient
    "ITI-42": (E.XDSRegistryMetadataError, E.XDSRegistryDuplicateUniqueIdInMessage, E.XDSPatientIdDoesNotMatch),
    "ITI-41": (E.XDSRepositoryMetadataError, E.XDSRepositoryDuplicateUniqueIdInMessage, E.XDSPatientIdDoesNotMatch),
    "ITI-61": (E.XDSRegistryMetadataError, E.XDSRegistryDuplicateUniqueIdInMessage, E.XDSPatientIdDoesNotMatch),
    "ITI-57": (E.XDSMetadataUpdateError, E.XDSMetadataUpdateError, E.XDSPatientIDReconciliationError),
    "ITI-92": (E.XDSMetadataUpdateError, E.XDSMetadataUpdateError, E.XDSPatientIDReconciliationError),
}


def entry(submission, **changes):
    return replace(submission, entries=(replace(submission.entries[0], **changes),))


def found(transaction, change):
    rules, good = GOODS[transaction]
    return [(f.code, f.where) for f in findings(change(good), rules)]


@pytest.mark.parametrize("transaction", GOODS)
def test_good_is_good(transaction):
    assert found(transaction, lambda good: good) == []


@pytest.mark.parametrize("transaction", GOODS)
def test_each_has_codes_of_its_own(transaction):
    metadata, twice, patient = OWN[transaction]
    assert found(transaction, lambda m: entry(m, class_code=None)) == [(metadata, "Document01.classCode")]
    assert found(transaction, lambda m: entry(m, unique_id=SET.unique_id)) == [(twice, SET.unique_id)]
    assert found(transaction, lambda m: entry(m, patient_id=OTHER_CX)) == [(patient, "Document01.patientId")]
    assert found(transaction, lambda m: replace(m, submission_sets=()))[0] == (metadata, "")


@pytest.mark.parametrize("transaction", ["ITI-42", "ITI-41"])
def test_on_demand_entries_have_a_door_of_their_own(transaction):
    wrong = found(transaction, lambda m: entry(m, object_type=ObjectType.ON_DEMAND_DOCUMENT))
    assert wrong == [(OWN[transaction][0], "Document01.objectType")]


def test_the_on_demand_door_takes_nothing_stable():
    stable = found("ITI-61", lambda m: entry(m, object_type=ObjectType.STABLE_DOCUMENT, creation_time="2024", hash="0" * 40, size="1"))  # fmt: skip
    assert stable == [(E.XDSRegistryMetadataError, "Document01.objectType")]
    for attribute in ("creation_time", "hash", "size", "legal_authenticator"):
        assert len(found("ITI-61", lambda m, a=attribute: entry(m, **{a: getattr(ENTRY, a)}))) == 1


@pytest.mark.parametrize("transaction", ["ITI-57", "ITI-92"])
def test_both_kinds_of_entry_are_updated(transaction):
    assert found(transaction, lambda m: entry(m, **ON_DEMAND_TYPE)) == []
    code = E.XDSObjectTypeError if transaction == "ITI-92" else E.XDSMetadataUpdateError
    assert found(transaction, lambda m: entry(m, object_type="x")) == [(code, "Document01.objectType")]


@pytest.mark.parametrize("transaction", ["ITI-57", "ITI-92"])
def test_what_makes_an_update_is_not_refused_here(transaction):
    rules, good = GOODS[transaction]
    lid = "urn:uuid:99999999-2222-4333-8444-555555555555"
    slots = (("PreviousVersion", ("1",)), ("AssociationPropagation", ("yes",)))
    member = replace(good.associations[0], extra=slots)
    made = entry(good, logical_id=lid, status=Status.DEPRECATED)
    assert list(findings(replace(made, associations=(member, *good.associations[1:])), rules)) == []


def test_operations_of_an_update_pass():
    for kind in (AssociationType.UPDATE_AVAILABILITY_STATUS, AssociationType.SUBMIT_ASSOCIATION):
        assert found("ITI-57", lambda m, k=kind: replace(m, associations=(*m.associations[:-1], replace(m.associations[-1], type=k)))) == []  # fmt: skip


@pytest.mark.parametrize("transaction", ["ITI-42", "ITI-41", "ITI-61", "ITI-57", "ITI-92"])
def test_the_community_need_not_be_named(transaction):
    assert found(transaction, lambda m: replace(m, submission_sets=(replace(SET, home=None),))) == []
