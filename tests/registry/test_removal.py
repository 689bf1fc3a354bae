"""Removal by its rules alone, in the order in which they are asked; and what a study's manifest takes with it."""

import pytest
from keeping import ACCESSION, ANNA, document, reference, report, study, submission, uid, urn

from registry.access import Caller
from registry.known import APPROVED, ASSOCIATION, DOCUMENT, FOLDER, SET, Known, Objects
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association
from registry.metadata.urn import AssociationType as A
from registry.metadata.urn import Status
from registry.queries import FindResources, ResourceType
from registry.removal import problems

ADMINISTRATOR = Caller("administrator", "127.0.0.1", "ITI-62")
UNRESOLVED, REFERENCED = ErrorCode.UnresolvedReferenceException, ErrorCode.ReferencesExistException
UNREFERENCED, MODEL = ErrorCode.XDSUnreferencedObjectException, ErrorCode.XDSMetadataModelException


def known(kind, **more):
    id_ = bare_uuid(urn())
    return Known(kind, id_, id_, 1, APPROVED, True, ANNA, **more)


def member(source, target):
    return known(ASSOCIATION, type=str(A.HAS_MEMBER), source=source.id, target=target.id)


OWNER, ENTRY, PLACE = known(SET), known(DOCUMENT), known(FOLDER)
OF_ENTRY, OF_FOLDER, PLACED = member(OWNER, ENTRY), member(OWNER, PLACE), member(PLACE, ENTRY)
ALL = (OWNER, ENTRY, PLACE, OF_ENTRY, OF_FOLDER, PLACED)


def codes(*going):
    return [f.code for f in problems([f"urn:uuid:{one.id}" for one in going], Objects(ALL))]


@pytest.mark.parametrize(
    ("going", "expected"),
    [
        (ALL, []),
        ((PLACED,), []),
        ((PLACE, OF_FOLDER, PLACED), []),
        ((ENTRY, OF_ENTRY, PLACED), []),
        ((ENTRY,), [REFERENCED]),
        ((OWNER, PLACE), [REFERENCED, REFERENCED]),
        ((OWNER, OF_ENTRY, OF_FOLDER), [MODEL, MODEL]),
        ((OF_ENTRY,), [MODEL]),
        ((OF_ENTRY, PLACED), [UNREFERENCED]),
        ((ENTRY, PLACE, OF_ENTRY, OF_FOLDER, PLACED), [UNREFERENCED]),
        ((known(DOCUMENT),), [UNRESOLVED]),
        ((known(DOCUMENT), ENTRY), [UNRESOLVED]),
    ],
)
def test_what_may_go(going, expected):
    assert codes(*going) == expected


def remove(kept, made):
    kept.registry.remove([one.id for one in made.objects()], ADMINISTRATOR)


def test_nothing_is_left_of_a_submission_but_its_patient(kept):
    made = kept.submit(report(reference("A1"), reference("A1", authority="1.2")), document())
    remove(kept, made)
    assert kept.counts().keys() <= {"patient", "audit"}


def test_a_refusal_leaves_everything(kept):
    made = kept.submit(report(reference("A1")))
    before = kept.counts()
    with pytest.raises(Rejected):
        kept.registry.remove([made.entries[0].id], ADMINISTRATOR)
    assert kept.counts() == before


def studies(kept):
    query = FindResources(ResourceType.IMAGING_STUDY, patient_ids=(ANNA,))
    return [item.status for item in kept.registry.search(query, ADMINISTRATOR).items]


def manifested(kept):
    """A study that is known by its manifest alone, and a report on it."""
    made = kept.submit(document(mime_type="application/dicom"))
    kept.know(study(uid(), accessions=(("A9", ""),)), manifest_id=bare_uuid(made.entries[0].id))
    on = kept.submit(report(reference("A9", ACCESSION)))
    return made, on


def shown(kept, entry):
    found = kept.registry.search(FindResources(ResourceType.DIAGNOSTIC_REPORT, patient_ids=(ANNA,)), ADMINISTRATOR)
    assert len(found.items) == 1
    return found.items[0].body


def test_a_study_goes_with_the_manifest_that_it_is_known_by(kept):
    made, on = manifested(kept)
    assert studies(kept) == ["available"]
    assert b"ImagingStudy/" in shown(kept, on.entries[0])
    remove(kept, made)
    assert studies(kept) == []
    assert b"ImagingStudy/" not in shown(kept, on.entries[0])
    assert kept.sql("SELECT count(*) FROM reference_id WHERE record = 'study'") == [(0,)]


def test_a_held_study_stays_when_its_manifest_goes(kept):
    made = kept.submit(document(mime_type="application/dicom"))
    held = study(uid())
    kept.touch(held)
    kept.know(held, manifest_id=bare_uuid(made.entries[0].id))
    remove(kept, made)
    assert studies(kept) == ["available"]
    assert kept.sql("SELECT manifest_id FROM imaging_study") == [(None,)]


def test_a_study_is_cancelled_while_its_manifest_is_deprecated(kept):
    made, _ = manifested(kept)
    entry = made.entries[0]
    for original, new, expected in (
        (Status.APPROVED, Status.DEPRECATED, "cancelled"),
        (Status.DEPRECATED, Status.APPROVED, "available"),
    ):
        owner = submission(patient=ANNA)
        slots = (("OriginalStatus", (original,)), ("NewStatus", (new,)))
        move = Association(urn(), A.UPDATE_AVAILABILITY_STATUS, owner.submission_set.id, entry.id, extra=slots)
        asked = type(owner)(owner.submission_sets, associations=(move,))
        kept.registry.update(asked, ADMINISTRATOR)
        assert studies(kept) == [expected]
