"""Updates by their rules alone: what is planned, and what the rules say of a state that is made by hand."""

from dataclasses import replace

import pytest
from keeping import ANNA, BO, document, study, submission, uid, urn

from registry import update_rules
from registry.access import Caller
from registry.known import APPROVED, ASSOCIATION, DEPRECATED, DOCUMENT, FOLDER, SET, Known, Objects
from registry.metadata.errors import ErrorCode
from registry.metadata.identify import bare_uuid, with_uuids
from registry.metadata.model import Association, Submission
from registry.metadata.urn import AssociationType as A
from registry.metadata.urn import ObjectType, ReferenceIdType, Status
from registry.queries import FindResources, ResourceType
from registry.updates import operations, plan

ADMINISTRATOR = Caller("administrator", "127.0.0.1", "ITI-57")
STABLE, ON_DEMAND = ObjectType.STABLE_DOCUMENT, ObjectType.ON_DEMAND_DOCUMENT
FAULT, PATIENTS = ErrorCode.XDSMetadataUpdateError, ErrorCode.XDSPatientIDReconciliationError


def known(kind, id_=None, lid=None, version=1, status=APPROVED, latest=True, patient=ANNA, **more):
    bare = bare_uuid(id_ or urn())
    return Known(kind, bare, bare_uuid(lid) if lid else bare, version, status, latest, patient, **more)


def tied(type_, source, target, status=APPROVED):
    return known(ASSOCIATION, status=status, type=str(type_), source=source.id, target=target.id)


def as_known(entry, **more):
    values = {"unique_id": entry.unique_id, "object_type": str(entry.object_type), "patient": entry.patient_id}
    return known(DOCUMENT, entry.id, **(values | more))


def update_of(entry, *extra, **changes):
    """A request for version 2 of `entry`; `extra` are more associations of its SubmissionSet."""
    new = replace(entry, **({"id": urn(), "logical_id": entry.id} | changes))
    asked = submission(new)
    member = replace(asked.associations[0], extra=(("PreviousVersion", ("1",)),))
    owner = asked.submission_set.id
    return replace(asked, associations=(member, *(replace(one, source=one.source or owner) for one in extra)))


def moving(target, original=Status.APPROVED, new=Status.DEPRECATED):
    slots = (("OriginalStatus", (original,)), ("NewStatus", (new,)))
    return Association(urn(), A.UPDATE_AVAILABILITY_STATUS, "", target, extra=slots)


def problems(asked, *objects, codes=update_rules.UPDATE):
    return [(f.code, f.where) for f in update_rules.problems(asked, Objects(objects), codes)]


def planned(asked, *objects):
    return plan(with_uuids(asked), Objects(objects))


def test_a_new_version_has_the_number_after_the_latest():
    entry = document()
    versions = [as_known(entry, version=1, status=DEPRECATED, latest=False)]
    versions.append(as_known(document(id=urn(), unique_id=entry.unique_id), lid=entry.id, version=2))
    asked = update_of(entry)
    asked = replace(asked, associations=(replace(asked.associations[0], extra=(("PreviousVersion", ("2",)),)),))
    assert problems(asked, *versions) == []
    (place,) = planned(asked, *versions).places.values()
    assert (place.version, place.logical_id, place.status, place.before) == (
        3,
        bare_uuid(entry.id),
        APPROVED,
        versions[1],
    )


@pytest.mark.parametrize("named", ["old", "new"])
def test_a_status_beside_a_new_version_is_the_new_version_s(named):
    entry = document()
    asked = update_of(entry)
    target = entry.id if named == "old" else asked.entries[0].id
    asked = replace(asked, associations=(*asked.associations, replace(moving(target), source=asked.submission_set.id)))
    assert problems(asked, as_known(entry)) == []
    made = planned(asked, as_known(entry))
    assert [place.status for place in made.places.values()] == [DEPRECATED]
    assert made.moves == (), "the version before is deprecated by the update, and by nothing else"


def test_what_only_asks_is_not_registered():
    entry, other = document(), as_known(document())
    one = Association(urn(), A.APND, f"urn:uuid:{other.id}", entry.id)
    trigger = Association(urn(), A.SUBMIT_ASSOCIATION, "", one.id)
    asked = update_of(document(id=urn()), moving(f"urn:uuid:{other.id}"), one, trigger)
    kinds = [
        one.type
        for one in planned(asked, as_known(asked.entries[0], lid=asked.entries[0].logical_id)).submission.associations
    ]
    assert sorted(kinds) == sorted([A.HAS_MEMBER, A.APND])


@pytest.mark.parametrize("type_", [A.APND, A.XFRM, A.RPLC, A.XFRM_RPLC, A.SIGNS, A.IS_SNAPSHOT_OF])
def test_relations_follow_in_both_directions(type_):
    entry, other = document(), as_known(document())
    old = as_known(entry)
    both = [tied(type_, old, other), tied(type_, other, old)]
    asked = update_of(entry)
    new = bare_uuid(asked.entries[0].id)
    ends = {(copy.source, copy.target) for copy, _ in planned(asked, old, other, *both).copies}
    assert ends == {(new, other.id), (other.id, new)}


def test_what_does_not_follow():
    entry, folder = document(), known(FOLDER)
    old, owner = as_known(entry), known(SET)
    replaced = as_known(document(), latest=False, status=DEPRECATED)
    ties = [
        tied(A.HAS_MEMBER, owner, old),
        tied(A.APND, old, replaced),
        tied(A.HAS_MEMBER, folder, old, status=DEPRECATED),
    ]
    assert planned(update_of(entry), old, owner, folder, replaced, *ties).copies == ()


def test_an_association_of_two_new_versions_follows_once():
    first, second = document(), document()
    one, two = update_of(first), update_of(second)
    member = replace(two.associations[0], source=one.submission_set.id)
    asked = replace(one, entries=(*one.entries, *two.entries), associations=(*one.associations, member))
    olds = (as_known(first), as_known(second))
    (copy, _), = planned(asked, *olds, tied(A.APND, *olds)).copies  # fmt: skip
    assert (copy.source, copy.target) == tuple(bare_uuid(e.id) for e in asked.entries)


def test_a_copy_is_not_made_to_what_is_replaced_without_its_associations():
    first, second = document(), document()
    one, two = update_of(first), update_of(second)
    silent = (("PreviousVersion", ("1",)), ("AssociationPropagation", ("no",)))
    member = replace(two.associations[0], source=one.submission_set.id, extra=silent)
    asked = replace(one, entries=(*one.entries, *two.entries), associations=(*one.associations, member))
    olds = (as_known(first), as_known(second))
    assert planned(asked, *olds, tied(A.APND, *olds)).copies == ()


def test_what_the_request_deprecates_does_not_follow():
    entry, other = document(), as_known(document())
    old = as_known(entry)
    going, staying = tied(A.APND, other, old), tied(A.XFRM, other, old)
    made = planned(update_of(entry, moving(f"urn:uuid:{going.id}")), old, other, going, staying)
    assert [copy.original for copy, _ in made.copies] == [staying]
    assert made.moves == ((going, DEPRECATED),)


def adding(type_, source, target):
    one = Association(urn(), type_, f"urn:uuid:{source.id}", f"urn:uuid:{target.id}")
    return one, Association(urn(), A.SUBMIT_ASSOCIATION, "", one.id)


def asking(*associations):
    asked = submission(patient=ANNA)
    owner = asked.submission_set.id
    return replace(asked, associations=tuple(replace(one, source=one.source or owner) for one in associations))


def test_the_same_association_is_not_submitted_twice():
    one, other = as_known(document()), as_known(document())
    first, second = adding(A.APND, one, other), adding(A.APND, one, other)
    assert problems(asking(*first, *second), one, other) == [(FAULT, first[0].id), (FAULT, second[0].id)]
    assert problems(asking(*first, *adding(A.APND, other, one), *adding(A.XFRM, one, other)), one, other) == []


def test_a_snapshot_is_a_stable_document_of_an_on_demand_one():
    stable, on_demand = (as_known(document(), object_type=str(type_)) for type_ in (STABLE, ON_DEMAND))
    assert problems(asking(*adding(A.IS_SNAPSHOT_OF, stable, on_demand)), stable, on_demand) == []
    pair = adding(A.IS_SNAPSHOT_OF, on_demand, stable)
    ends = [(FAULT, f"{pair[0].id}.{name}") for name in ("sourceObject", "targetObject")]
    assert problems(asking(*pair), stable, on_demand) == ends


def test_propagation_is_yes_unless_it_is_said_otherwise():
    asked = update_of(document())
    (version,) = operations(asked).versions
    assert version.propagates
    member = replace(version.members[0], extra=(("AssociationPropagation", ("NO",)),))
    assert not version._replace(members=(member,)).propagates


def test_patients_are_told_by_whom_the_objects_are_now():
    entry, other = document(), as_known(document(BO))
    old = as_known(entry)
    asked = update_of(entry, patient_id=BO)
    tie = tied(A.APND, other, old)
    # Tied to another patient's before; the new version is of that patient, and the tie is right now.
    assert problems(asked, old, other, tie) == []
    assert problems(update_of(entry), old, other, tie)[0][0] is PATIENTS


def test_an_empty_request_and_a_request_of_nothing_but_a_set():
    for asked in (Submission(), submission(patient=ANNA)):
        assert problems(asked) == [(FAULT, "")]


def test_each_transaction_has_its_own_codes():
    asked = update_of(document(), logical_id=None)
    assert problems(asked)[0][0] is FAULT
    assert problems(asked, codes=update_rules.RESTRICTED)[0][0] is ErrorCode.XDSInvalidRequestException


def test_every_fixed_attribute_of_a_restricted_update_is_told_by_name():
    entry = document(size="12", document_availability="urn:ihe:iti:2010:DocumentAvailability:Offline")
    old = as_known(entry, repository_unique_id="9.9", hash="b" * 40, size="13", mime_type="x/y")
    asked = update_of(entry)
    names = {where.rpartition(".")[2] for _, where in problems(asked, old, codes=update_rules.RESTRICTED)}
    assert names == {"repositoryUniqueId", "hash", "size", "mimeType", "sourcePatientId", "documentAvailability"}


def test_the_registry_of_a_store_keeps_every_version(kept):
    made = kept.submit(document())
    entry = made.entries[0]
    for number in ("1", "2", "3"):
        asked = update_of(replace(entry, title=number))
        member = replace(asked.associations[0], extra=(("PreviousVersion", (number,)),))
        kept.registry.update(replace(asked, associations=(member,)), ADMINISTRATOR)
    rows = kept.sql("SELECT version, status, is_latest FROM document_entry ORDER BY version")
    assert [(v, s) for v, s, latest in rows if latest] == [(4, "Approved")]
    assert {s for v, s, _ in rows if v < 4} == {"Deprecated"}
    assert len(kept.found(statuses=(Status.APPROVED,))) == 1


def test_the_identifiers_codes_and_authors_of_each_version_are_its_own(kept):
    entry = kept.submit(document(reference_ids=("A1^^^^urn:ihe:iti:xds:2013:accession",))).entries[0]
    kept.registry.update(update_of(entry, reference_ids=("A2^^^^urn:ihe:iti:xds:2013:accession",)), ADMINISTRATOR)
    assert kept.counts()["entry_code"] == 2
    found = kept.sql("SELECT kind, value FROM reference_id WHERE record = 'entry'")
    assert sorted(value for kind, value in found if kind == ReferenceIdType.ACCESSION) == ["A1", "A2"]


def test_a_study_follows_its_manifest_to_another_patient(kept):
    manifest = kept.submit(document(mime_type="application/dicom")).entries[0]
    kept.submit(document(BO))
    kept.know(study(uid(), accessions=(("A9", ""),)), manifest_id=bare_uuid(manifest.id))
    asked = update_of(manifest, patient_id=BO)
    kept.registry.update(asked, ADMINISTRATOR)
    (fhir_id,) = (row[0] for row in kept.sql("SELECT id FROM patient WHERE patient_id = :bo", bo=BO))
    for patient, expected in ((ANNA, []), (BO, [f'"Patient/{fhir_id}"'])):
        found = kept.registry.search(FindResources(ResourceType.IMAGING_STUDY, patient_ids=(patient,)), ADMINISTRATOR)
        assert [expected[0].encode() in item.body for item in found.items] == [True] * len(expected)
    assert kept.sql("SELECT manifest_id FROM imaging_study") == [(bare_uuid(asked.entries[0].id),)]
    assert kept.sql("SELECT DISTINCT patient_id FROM reference_id WHERE record = 'study'") == [(BO,)]
