"""Ids made ready to be stored: bare UUIDs, symbolic ids assigned."""

from uuid import UUID

from registry.metadata.identify import bare_uuid, canonical, with_uuids
from registry.metadata.model import Association, DocumentEntry, Folder, Submission, SubmissionSet
from registry.metadata.urn import AssociationType

KNOWN = "a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
CX = "42^^^&1.2.3&ISO"
SENT = Submission(
    (SubmissionSet("set", patient_id=f"{CX}^PI"),),
    (DocumentEntry("doc", patient_id=CX), DocumentEntry(f"urn:uuid:{KNOWN.upper()}", patient_id=CX)),
    (Folder("folder", patient_id=CX),),
    (
        Association("a1", AssociationType.HAS_MEMBER, "set", "doc"),
        Association("a2", AssociationType.HAS_MEMBER, "set", f"urn:uuid:{KNOWN.upper()}"),
        Association("a3", AssociationType.HAS_MEMBER, "folder", "a1"),
        Association("a4", AssociationType.RPLC, "doc", "urn:uuid:" + KNOWN.replace("a", "b")),
    ),
)


def test_bare_uuid():
    assert bare_uuid(f"urn:uuid:{KNOWN.upper()}") == bare_uuid(KNOWN) == bare_uuid(f"URN:UUID:{KNOWN}") == KNOWN
    assert bare_uuid("Document01") == "Document01"


def test_canonical():
    assert canonical(f"{CX}^PI") == CX
    assert canonical(None) is canonical("42") is canonical("") is None


def test_symbolic_ids_become_uuids_and_associations_follow():
    ready = with_uuids(SENT)
    ids = [o.id for o in ready.objects()]
    assert len(set(ids)) == 8
    assert [str(UUID(id_)) for id_ in ids] == ids
    owner, (doc, known), folder = ready.submission_set.id, (e.id for e in ready.entries), ready.folders[0].id
    assert known == KNOWN
    assert [(a.source, a.target) for a in ready.associations] == [
        (owner, doc),
        (owner, KNOWN),
        (folder, ready.associations[0].id),
        (doc, KNOWN.replace("a", "b")),
    ]
    assert {o.patient_id for o in ready.holders()} == {CX}


def test_again_changes_nothing():
    assert with_uuids(once := with_uuids(SENT)) == once


def test_symbolic_ids_of_two_submissions_never_meet():
    assert with_uuids(SENT).submission_set.id != with_uuids(SENT).submission_set.id
