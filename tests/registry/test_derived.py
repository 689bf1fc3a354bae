"""What documents make or are filed in, when they are updated, withdrawn or removed and others take their place."""

from dataclasses import replace

import pytest
from keeping import (
    ANNA,
    BO,
    CALLER,
    CODE,
    REPORT,
    STUDY_UID,
    document,
    reference,
    relation,
    report,
    study,
    submission,
    uid,
    urn,
)

from profiles.composition import RENDERERS
from registry import derived
from registry.identities import Merge, Unmerge
from registry.identity import report_id
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association, Folder, PatientDetails
from registry.metadata.urn import AssociationType, Status
from registry.patients import Told
from registry.queries import FindResources, ResourceType
from registry.store import resources

DIAGNOSTIC_REPORT, IMAGING_STUDY = ResourceType.DIAGNOSTIC_REPORT, ResourceType.IMAGING_STUDY
OTHER = {Status.APPROVED: Status.DEPRECATED, Status.DEPRECATED: Status.APPROVED}


def update(kept, entry, previous=1, *, restricted=False, **changes):
    """Make a new version of an entry: the submission."""
    new = replace(entry, **({"id": urn(), "logical_id": entry.logical_id or entry.id} | changes))
    asked = submission(new)
    member = replace(asked.associations[0], extra=(("PreviousVersion", (str(previous),)),))
    asked = replace(asked, associations=(member,))
    kept.registry.update(asked, CALLER, restricted=restricted)
    return asked


def move(kept, entry, new):
    """Give an entry another status."""
    owner = submission(patient=ANNA)
    slots = (("OriginalStatus", (OTHER[new],)), ("NewStatus", (new,)))
    ask = AssociationType.UPDATE_AVAILABILITY_STATUS
    one = Association(urn(), ask, owner.submission_set.id, entry.id, extra=slots)
    kept.registry.update(replace(owner, associations=(one,)), CALLER)


def remove(kept, made):
    kept.registry.remove([one.id for one in made.objects()], CALLER)


def again(entry):
    """The same document in an entry of its own."""
    return replace(entry, id=urn())


def reports(kept):
    """(id, status, entry) of all reports."""
    return kept.sql("SELECT id, status, entry_id FROM diagnostic_report ORDER BY id")


def shown(entry, status, of=None):
    """What `reports` finds when there is but this one: the report that began with `of`."""
    return [(report_id((of or entry).unique_id), status, bare_uuid(entry.id))]


def studies(kept):
    """(status, manifest, patient) of all studies."""
    return kept.sql("SELECT status, manifest_id, patient_id FROM imaging_study")


def described(entry, status, patient=ANNA):
    return [(status, bare_uuid(entry.id), patient)]


# --- reports ---


@pytest.mark.parametrize("replaces", [True, False])
def test_a_report_is_filed_under_the_patient_of_the_entry_that_it_shows(kept, replaces):
    """While two ids are one patient's an entry of the one takes the place of the other's; then they are two again."""
    old = report(patient=BO)
    new = report(title="Anna's") if replaces else replace(again(old), patient_id=ANNA)
    kept.submit(old)
    kept.registry.identify(Merge(Told(PatientDetails(ANNA)), (BO,)), CALLER)
    if replaces:
        kept.replace(new, old)
    else:
        kept.submit(new)
    kept.registry.identify(Unmerge(ANNA, BO), CALLER)
    found = {
        patient: kept.registry.search(FindResources(DIAGNOSTIC_REPORT, patient_ids=(patient,)), CALLER).total
        for patient in (ANNA, BO)
    }
    assert found == {ANNA: 1, BO: 0}


def test_a_report_goes_back_to_what_was_replaced(kept):
    """Each time that the newest of three goes; it is valid again when its document is."""
    first, second, third = report(), report(), report()
    kept.submit(first)
    later = [kept.replace(second, first), kept.replace(third, second)]
    assert reports(kept) == shown(third, "amended", first)
    remove(kept, later[1])
    assert reports(kept) == shown(second, "entered-in-error", first)
    move(kept, second, Status.APPROVED)
    assert reports(kept) == shown(second, "amended", first)
    remove(kept, later[0])
    assert reports(kept) == shown(first, "entered-in-error")
    move(kept, first, Status.APPROVED)
    assert reports(kept) == shown(first, "final")


def test_a_report_goes_back_past_all_that_go_at_once(kept):
    first, second, third = report(), report(), report()
    kept.submit(first)
    going = [*kept.replace(second, first).objects(), *kept.replace(third, second).objects()]
    kept.registry.remove([one.id for one in going], CALLER)
    assert reports(kept) == shown(first, "entered-in-error")


def test_a_document_that_is_a_report_again(kept):
    entry = report()
    kept.submit(entry)
    none = update(kept, entry, type_code=CODE).entries[0]
    assert reports(kept) == shown(none, "entered-in-error")
    back = update(kept, none, 2, type_code=REPORT).entries[0]
    assert reports(kept) == shown(back, "final")


def test_what_is_no_report_any_more_makes_none_valid(kept):
    entry = report()
    kept.submit(entry)
    none = update(kept, entry, type_code=CODE).entries[0]
    for status in (Status.DEPRECATED, Status.APPROVED):
        move(kept, none, status)
        assert reports(kept) == shown(none, "entered-in-error")


def test_a_correction_of_what_was_replaced_is_no_second_report(kept):
    old, new = report(), report()
    kept.submit(old)
    made = kept.replace(new, old)
    corrected = update(kept, old, restricted=True, title="corrected").entries[0]
    assert kept.statuses(corrected) == ["Deprecated"]
    assert reports(kept) == shown(new, "amended", old)
    # The relation is the new version's too.
    relations = kept.sql("SELECT id FROM association WHERE source = :id", id=bare_uuid(new.id))
    kept.registry.remove([*{bare_uuid(one.id) for one in made.objects()} | {id_ for (id_,) in relations}], CALLER)
    assert reports(kept) == shown(corrected, "entered-in-error", old)


def test_a_report_is_shown_by_whichever_of_its_entries_is_approved(kept):
    one = report()
    other = again(one)
    kept.submit(one)
    kept.submit(other)
    move(kept, other, Status.DEPRECATED)
    assert reports(kept) == shown(one, "final")
    move(kept, one, Status.DEPRECATED)
    assert reports(kept) == shown(one, "entered-in-error")
    move(kept, other, Status.APPROVED)
    assert reports(kept) == shown(other, "final")


def test_an_entry_that_is_left_when_the_other_is_replaced(kept):
    one = report()
    other = again(one)
    kept.submit(one)
    kept.submit(other)
    kept.replace(document(), other)
    assert reports(kept) == shown(one, "final")


@pytest.mark.parametrize("kind", [DIAGNOSTIC_REPORT, IMAGING_STUDY])
def test_what_is_removed_before_it_is_rendered(kept, monkeypatch, kind):
    """A removal comes between the question for a stale resource and its rendering, once for a search and a read."""

    def stale():
        made = kept.submit(report())
        kept.know(study(uid()), manifest_id=bare_uuid(made.entries[0].id))
        kept.sql("UPDATE imaging_study SET fhir = NULL")
        return made

    def after(name, made):
        real = getattr(resources, name)

        def found(*asked, **how):
            answer = real(*asked, **how)
            remove(kept, made)
            return answer

        monkeypatch.setattr(resources, name, found)

    after("find", stale())
    found = kept.registry.search(FindResources(kind, patient_ids=(ANNA,)), CALLER)
    assert (list(found.items), found.total) == ([], 0)
    made = stale()
    ((id_,),) = kept.sql(f"SELECT id FROM {'imaging_study' if kind is IMAGING_STUDY else 'diagnostic_report'}")
    after("read", made)
    with pytest.raises(Rejected) as refused:
        kept.registry.read(kind, id_, CALLER)
    assert [finding.code for finding in refused.value.findings] == [ErrorCode.NotFound]


# --- studies ---


def manifest(study_uid):
    return document(mime_type="application/dicom", reference_ids=(reference(study_uid, STUDY_UID),))


def manifested(kept, entry, study_uid):
    """Register a manifest of a study."""
    made = kept.submit(entry)
    kept.know(study(study_uid), manifest_id=bare_uuid(entry.id))
    return made


def test_a_study_goes_back_to_the_version_before(kept):
    study_uid = uid()
    entry = manifest(study_uid)
    manifested(kept, entry, study_uid)
    made = update(kept, entry)
    assert studies(kept) == described(made.entries[0], "available")
    remove(kept, made)
    assert studies(kept) == described(entry, "cancelled")
    move(kept, entry, Status.APPROVED)
    assert studies(kept) == described(entry, "available")


@pytest.mark.parametrize("same", [True, False])
def test_a_study_goes_with_the_last_of_its_manifests(kept, same):
    """Whether they are entries of one document or two documents."""
    study_uid = uid()
    one = manifest(study_uid)
    other = again(one) if same else manifest(study_uid)
    made = [manifested(kept, entry, study_uid) for entry in (one, other)]
    remove(kept, made[1])
    assert studies(kept) == described(one, "available")
    remove(kept, made[0])
    assert studies(kept) == []


@pytest.mark.parametrize("same", [True, False])
def test_a_study_is_available_while_one_of_its_manifests_is_approved(kept, same):
    study_uid = uid()
    one = manifest(study_uid)
    other = again(one) if same else manifest(study_uid)
    for entry in (one, other):
        manifested(kept, entry, study_uid)
    move(kept, other, Status.DEPRECATED)
    assert studies(kept) == described(one, "available")
    move(kept, one, Status.DEPRECATED)
    assert studies(kept) == described(one, "cancelled")
    move(kept, other, Status.APPROVED)
    assert studies(kept) == described(other, "available")


def test_a_manifest_of_another_source_describes_its_own_study(kept):
    study_uid = uid()
    one, other = manifest(study_uid), manifest(study_uid)
    made = manifested(kept, one, study_uid)
    kept.submit(other)
    kept.know(study(study_uid, source="1.2.8"), manifest_id=bare_uuid(other.id))
    remove(kept, made)
    assert studies(kept) == described(other, "available")


def test_a_study_goes_back_to_the_patient_of_the_version_before(kept):
    study_uid = uid()
    entry = manifest(study_uid)
    manifested(kept, entry, study_uid)
    kept.submit(document(BO))
    before = kept.sql("SELECT fhir FROM imaging_study")
    made = update(kept, entry, patient_id=BO)
    assert studies(kept) == described(made.entries[0], "available", BO)
    going = [bare_uuid(made.entries[0].id)]
    kept.database.transact(lambda unit: derived.forget_studies(unit, going, RENDERERS, kept.time))
    assert studies(kept) == described(entry, "cancelled")
    assert kept.sql("SELECT fhir FROM imaging_study") == before
    assert set(kept.sql("SELECT patient_id FROM reference_id WHERE record = 'study'")) == {(ANNA,)}


# --- Folders ---


def test_an_update_replaces_a_document_by_one_that_is_in_its_folder(kept):
    """What is there already does not come in once more."""
    old, new = document(), document()
    holder = Folder(urn(), uid(), ANNA, "F", codes=(CODE,))
    filing = [relation(AssociationType.HAS_MEMBER, holder, entry) for entry in (old, new)]
    kept.submit(old, new, folders=(holder,), associations=filing)
    link, owner = relation(AssociationType.RPLC, new, old), submission(patient=ANNA)
    ask = Association(urn(), AssociationType.SUBMIT_ASSOCIATION, owner.submission_set.id, link.id)
    kept.registry.update(replace(owner, associations=(link, ask)), CALLER)
    assert kept.statuses(old, new) == ["Deprecated", "Approved"]
    found = kept.sql("SELECT target FROM association WHERE source = :id", id=bare_uuid(holder.id))
    assert sorted(found) == sorted((bare_uuid(entry.id),) for entry in (old, new))
