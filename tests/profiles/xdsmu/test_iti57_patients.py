"""ITI-57 and patients: an update changes one patient's objects, and the bytes of a document are whose entry stands."""

import json
from dataclasses import replace

import pytest
from wire import submissions as s
from wire.changes import A, adding, asking, bare, done, filed, moving, refused, registered, version
from wire.soap_world import REPOSITORY

from conformance import messages
from registry.access import Caller
from registry.identities import Merge, Unmerge
from registry.metadata.model import PatientDetails
from registry.metadata.urn import Status
from registry.patients import Told

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
PATIENTS = "XDSPatientIDReconciliationError"
FEED = Caller("feed", "127.0.0.1", "ITI-8")


def told(world, asked):
    return refused(world, lambda: world.update(asked))


def of_same_patient(world, made):
    return registered(world, s.of_patient(s.new(), made.entries[0].patient_id))


def stranger(world):
    """The id of a patient who is known here."""
    return registered(world).entries[0].patient_id


def provided(world, patient=None):
    """A document in the repository, as its entry is registered."""
    made = messages.provided(s.of_patient(s.new(), patient) if patient else s.new())
    assert world.provide(made, {made.entries[0].id: b"%PDF-1.4"}).outcome == "Success"
    return registered_as(world, made)


def registered_as(world, made):
    (sha1, size), = world.sql("SELECT hash, size FROM document_entry WHERE id = :id", id=bare(made.entries[0].id))  # fmt: skip
    return s.entry(made, hash=sha1, size=str(size), repository_unique_id=REPOSITORY)


def holder(world, entry):
    """Whose the bytes of a document are."""
    return world.sql("SELECT patient_id FROM document WHERE unique_id = :uid", uid=entry.unique_id)


@pytest.mark.parametrize("type_", [A.RPLC, A.APND, A.HAS_MEMBER])
def test_what_is_another_patient_s_is_not_tied_together(world, type_):
    made = filed(world)
    other = of_same_patient(world, made)
    source = made.folders[0] if type_ == A.HAS_MEMBER else made.entries[0]
    pair = adding(type_, source.id, other.entries[0].id)
    assert told(world, asking(stranger(world), associations=pair)) == [(PATIENTS, pair[0].id)]


@pytest.mark.parametrize("what", ["document", "folder", "association"])
@pytest.mark.parametrize("new", [DEPRECATED, APPROVED])
def test_the_status_of_what_is_another_patient_s_is_not_changed(world, what, new):
    made = filed(world)
    target = {"document": made.entries[0], "folder": made.folders[0], "association": made.associations[-1]}[what].id
    if new == APPROVED:
        own = asking(made.entries[0].patient_id, associations=(moving(target, DEPRECATED),))
        done(world.update(own))
    move = moving(target, new)
    assert told(world, asking(stranger(world), associations=(move,))) == [(PATIENTS, move.id)]


def test_a_tie_is_undone_when_its_document_is_given_to_another_patient(world):
    made = filed(world)
    asked = version(made.entries[0], patient=stranger(world))
    move = replace(moving(made.associations[-1].id, DEPRECATED), source=asked.submission_set.id)
    done(world.update(replace(asked, associations=(*asked.associations, move))))
    membership = ("HasMember", bare(made.folders[0].id))
    assert (*membership, bare(made.entries[0].id), "Deprecated") in world.associations(made.folders[0].id)
    assert [one[1] for one in world.associations(asked.entries[0].id)] == [bare(asked.submission_set.id)]


def test_the_audit_names_the_ends_and_all_that_fell(world):
    made = registered(world)
    appended, other = registered(world, s.following(made, A.APND)), of_same_patient(world, made)
    pair = adding(A.RPLC, other.entries[0].id, made.entries[0].id)
    done(world.update(asking(made.entries[0].patient_id, associations=pair)))
    record = json.loads(world.audited()[1])
    fallen = (made.entries[0].id, appended.entries[0].id)
    assert set(record["objects"]) == {bare(id_) for id_ in (pair[0].id, other.entries[0].id, *fallen)}
    assert record["patients"] == [made.entries[0].patient_id]


def test_after_a_merge_an_association_is_filed_for_whom_its_documents_are(world):
    """So that it is theirs when the patients are parted again."""
    survivor, made = stranger(world), registered(world)
    patient, other = made.entries[0].patient_id, of_same_patient(world, made)
    world.house.registry.identify(Merge(Told(PatientDetails(survivor)), (patient,)), FEED)
    one, trigger = adding(A.APND, other.entries[0].id, made.entries[0].id)
    done(world.update(asking(survivor, associations=(one, trigger))))
    assert world.sql("SELECT patient_id FROM association WHERE id = :id", id=bare(one.id)) == [(patient,)]


def test_one_of_two_entries_of_a_document_is_not_given_to_another_patient(world):
    made, patient = registered(world), stranger(world)
    same = {name: getattr(made.entries[0], name) for name in ("unique_id", "hash", "size")}
    again = registered(world, s.entry(s.of_patient(s.new(), made.entries[0].patient_id), **same))
    asked = version(made.entries[0], patient=patient)
    assert told(world, asked) == [(PATIENTS, f"{asked.entries[0].id}.patientId")]
    done(world.update(version(made.entries[0])))
    done(world.remove(*(one.id for one in again.objects())))
    done(world.update(version(made.entries[0], "2", patient=patient)))


def test_a_removed_version_gives_the_bytes_back(world):
    made = provided(world)
    old, patient = made.entries[0], stranger(world)
    asked = version(old, patient=patient)
    done(world.update(asked))
    assert holder(world, old) == [(patient,)]
    done(world.remove(*(one.id for one in asked.objects())))
    assert holder(world, old) == [(old.patient_id,)]


def test_the_bytes_follow_an_update_after_a_merge(world):
    made, survivor = provided(world), stranger(world)
    old = made.entries[0]
    world.house.registry.identify(Merge(Told(PatientDetails(survivor)), (old.patient_id,)), FEED)
    done(world.update(version(old, patient=survivor)))
    world.house.registry.identify(Unmerge(survivor, old.patient_id), FEED)
    assert holder(world, old) == [(survivor,)]


@pytest.mark.parametrize("kind", ["document", "folder"])
def test_no_new_object_takes_the_logical_id_of_another(world, kind):
    """The first version may be gone."""
    made = filed(world)
    thing = made.entries[0] if kind == "document" else made.folders[0]
    asked = version(thing, propagation="no")
    done(world.update(asked))
    owners = [one for one in made.associations if bare(one.target) == bare(thing.id)]
    owners += [one for one in made.associations if bare(one.source) == bare(thing.id)]
    done(world.remove(thing.id, *(one.id for one in owners)))
    taken = s.of_patient(s.new(), thing.patient_id)
    member = replace(taken.associations[0], target=thing.id)
    assert refused(world, lambda: world.register(replace(s.entry(taken, id=thing.id), associations=(member,)))) == [
        ("XDSRegistryMetadataError", thing.id)
    ]
    other = of_same_patient(world, made).entries[0]
    again = version(other)
    member = replace(again.associations[0], target=thing.id)
    again = replace(s.entry(again, id=thing.id), associations=(member,))
    assert told(world, again) == [("XDSMetadataUpdateError", thing.id)]
