"""HasMember: each wrong member, owner and status of one good submission, named (ITI TF-3, 4.2.1.4 and 4.2.2.1)."""

from dataclasses import replace

import pytest
from good_submission import CODE, ENTRY, FOLDER, GOOD, IN_FOLDER, MEMBER, REGISTERED, REPLACES, SET, but

from profiles.document_sharing.submission import REGISTER, RESTRICTED_UPDATE, UPDATE, findings
from registry.metadata.errors import ErrorCode
from registry.metadata.model import Association, Submission
from registry.metadata.urn import AssociationType

META = ErrorCode.XDSRegistryMetadataError
HAS_MEMBER = AssociationType.HAS_MEMBER
OTHER_UUID = "urn:uuid:99999999-2222-4333-8444-555555555555"


def judge(submission, rules=REGISTER):
    return list(findings(submission, rules))


def more(**changes):
    """GOOD with one HasMember more: of the SubmissionSet and a registered document, but for `changes`."""
    one = Association("m9", HAS_MEMBER, SET.id, REGISTERED, "Reference")
    return replace(GOOD, associations=(*GOOD.associations, replace(one, **changes)))


GOOD_MEMBERS = {
    "a registered document, by reference": more(),
    "a document's place in a folder": more(target=IN_FOLDER.id, submission_set_status="Original"),
    "the same without a status": more(target=IN_FOLDER.id, submission_set_status=None),
    "a new document in a registered folder": more(source=REGISTERED, target=ENTRY.id, submission_set_status=None),
    "a registered document in a new folder": more(source=FOLDER.id, submission_set_status=None),
    "a registered document in a registered folder": more(source=REGISTERED, target=OTHER_UUID),
    "that, and its link to the set": replace(
        more(source=REGISTERED, target=OTHER_UUID),
        associations=(
            *more(source=REGISTERED, target=OTHER_UUID).associations,
            Association("m10", HAS_MEMBER, SET.id, "m9", "Original"),
        ),
    ),
    "no folder at all": Submission((SET,), (ENTRY,), (), (MEMBER,)),
    "a folder without documents": Submission((SET,), (), (FOLDER,), (replace(MEMBER, target=FOLDER.id),)),
    "a folder's member without a status": but(m2={"submission_set_status": None}),
}


@pytest.mark.parametrize("name", GOOD_MEMBERS)
def test_good_members(name):
    assert judge(GOOD_MEMBERS[name]) == []


ONE_FAULT = [
    (but(m1=None), "Document01", "exactly one HasMember"),
    (but(m2=None), "Folder01", "exactly one HasMember"),
    (more(target=ENTRY.id, submission_set_status="Original"), "Document01", "2 were sent"),
    (but(m1={"submission_set_status": None}), "m1.SubmissionSetStatus", "here it is Original"),
    (more(submission_set_status=None), "m9.SubmissionSetStatus", "here it is Reference"),
    (but(m1={"submission_set_status": "original"}), "m1.SubmissionSetStatus", "must be Original or Reference"),
    (but(m1={"submission_set_status": "Reference"}), "m1.SubmissionSetStatus", "in this submission"),
    (but(m2={"submission_set_status": "Sometimes"}), "m2.SubmissionSetStatus", "must be Original or Reference"),
    (more(submission_set_status="Original"), "m9.SubmissionSetStatus", "not in this submission"),
    (but(m1={"documentation": CODE}), "m1.associationDocumentation", "between documents"),
    (but(m3={"documentation": CODE}), "m3.associationDocumentation", "between documents"),
    (more(target=REPLACES.id, submission_set_status="Original"), "m9.targetObject", "an Association of this"),
    (more(target=MEMBER.id, submission_set_status="Original"), "m9.targetObject", "an Association of this"),
    (more(source=ENTRY.id, submission_set_status=None), "m9.sourceObject", "is a DocumentEntry"),
    (more(source=IN_FOLDER.id, submission_set_status=None), "m9.sourceObject", "is an Association"),
    (more(source=FOLDER.id, target=IN_FOLDER.id), "m9.targetObject", "DocumentEntries alone"),
    (more(source=REGISTERED, target=FOLDER.id), "m9.targetObject", "DocumentEntries alone"),
    (more(source=FOLDER.id, target=SET.id), "m9.targetObject", "never the member"),
    (more(source=REGISTERED, target=SET.id), "m9.targetObject", "never the member"),
]


@pytest.mark.parametrize(("submission", "where", "words"), ONE_FAULT)
def test_one_fault_is_one_finding(submission, where, words):
    (found,) = judge(submission)
    assert (found.where, found.code) == (where, META), str(found)
    assert words in found.text
    assert found.source in ("ITI TF-3, 4.2.1.4", "ITI TF-3, 4.2.2.1")


def test_a_folder_in_a_folder_and_itself():
    found = judge(more(source=FOLDER.id, target=FOLDER.id))
    assert {f.where for f in found} == {"m9", "m9.targetObject"}


@pytest.mark.parametrize(
    ("rules", "code"),
    [(UPDATE, ErrorCode.XDSMetadataUpdateError), (RESTRICTED_UPDATE, ErrorCode.XDSMetadataAnnotationError)],
)
def test_an_update_says_it_by_its_own_code(rules, code):
    found = judge(but(m1={"submission_set_status": "Copied"}), rules)
    assert [(f.code, f.where) for f in found] == [(code, "m1.SubmissionSetStatus")]
