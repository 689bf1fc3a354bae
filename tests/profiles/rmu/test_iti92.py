"""ITI-92: corrections that keep what a document is, and every attempt to do more."""

import json
from dataclasses import replace

import pytest
from wire import submissions as s
from wire.changes import (
    A,
    adding,
    asking,
    bare,
    done,
    filed,
    moving,
    refused,
    registered,
    urn,
    version,
)

from conformance import messages
from registry.identity import report_id
from registry.metadata.model import Association, Code
from registry.metadata.urn import Action, ObjectType, Status

HOME = "urn:oid:1.2.752.129.2.9.1"
FAULT, VERSION, ANNOTATION = "XDSMetadataUpdateError", "XDSMetadataVersionError", "XDSMetadataAnnotationError"
INITIAL, TYPE = "XDSInvalidRequestException", "XDSObjectTypeError"
IDENTIFIER, FIXED = "XDSMetadataIdentifierError", "UnmodifiableMetadataError"
PATIENTS = "XDSPatientIDReconciliationError"


def told(world, asked):
    return refused(world, lambda: world.update(asked, restricted=True))


@pytest.mark.parametrize("home", [None, HOME])
def test_codes_and_titles_are_corrected(world, home):
    old = registered(world).entries[0]
    secret = (Code("R", "2.16.840.1.113883.5.25", "restricted"),)
    asked = s.owner(version(old, title="Rättad", confidentiality_codes=secret), home=home)
    done(world.update(asked, restricted=True))
    new = asked.entries[0]
    assert world.entry(new.id) == (bare(old.id), "2", "Approved", "Rättad")
    assert world.entry(old.id)[2] == "Deprecated"
    assert world.fhir(f"DocumentReference/{bare(new.id)}")["securityLabel"][0]["coding"][0]["code"] == "R"


def test_what_is_deprecated_stays_so(world):
    old = registered(world).entries[0]
    done(world.update(asking(old.patient_id, associations=(moving(old.id, Status.DEPRECATED),))))
    asked = version(old, title="Rättad")
    done(world.update(asked, restricted=True))
    assert world.entry(asked.entries[0].id) == (bare(old.id), "2", "Deprecated", "Rättad")
    assert world.fhir(f"DiagnosticReport/{report_id(old.unique_id)}")["status"] == "entered-in-error"


def test_associations_follow(world):
    made = filed(world)
    asked = version(made.entries[0], propagation="yes")
    done(world.update(asked, restricted=True))
    wanted = ("HasMember", bare(made.folders[0].id), bare(asked.entries[0].id), "Approved")
    assert wanted in world.associations(asked.entries[0].id)


FIXED_ATTRIBUTES = [
    ("uniqueId", {"unique_id": "1.2.3.4"}, IDENTIFIER),
    ("repositoryUniqueId", {"repository_unique_id": "1.2.3.4"}, FIXED),
    ("hash", {"hash": "0" * 40}, FIXED),
    ("size", {"size": "1"}, FIXED),
    ("mimeType", {"mime_type": "text/plain"}, FIXED),
    ("sourcePatientId", {"source_patient_id": "other^^^&1.2.3&ISO"}, FIXED),
    ("documentAvailability", {"document_availability": "urn:ihe:iti:2010:DocumentAvailability:Offline"}, FIXED),
    ("logicalID", {"logical_id": None}, INITIAL),
]


@pytest.mark.parametrize(("name", "changes", "code"), FIXED_ATTRIBUTES, ids=[row[0] for row in FIXED_ATTRIBUTES])
def test_what_may_not_change(world, name, changes, code):
    asked = s.entry(version(registered(world).entries[0]), **changes)
    assert told(world, asked) == [(code, f"{asked.entries[0].id}.{name}")]


def test_another_status(world):
    asked = version(registered(world).entries[0])
    message = messages.update_document_set(asked, restricted=True)
    before, _, after = message.partition(b"<rim:ExtrinsicObject")
    message = before + b"<rim:ExtrinsicObject" + after.replace(b"StatusType:Approved", b"StatusType:Deprecated", 1)
    found = refused(world, lambda: world.send(Action.RESTRICTED_UPDATE_DOCUMENT_SET, message))
    assert found == [(FIXED, f"{asked.entries[0].id}.availabilityStatus")]


def test_another_object_type(world):
    asked = s.entry(version(registered(world).entries[0]), object_type=ObjectType.ON_DEMAND_DOCUMENT)
    assert (TYPE, f"{asked.entries[0].id}.objectType") in told(world, asked)


def test_values_that_are_written_otherwise_are_the_same(world):
    old = registered(world).entries[0]
    online = "urn:ihe:iti:2010:DocumentAvailability:Online"
    changes = {
        "hash": old.hash.upper(),
        "size": f"0{old.size}",
        "document_availability": online,
        "source_patient_id": f"{old.source_patient_id}^PI",
    }
    done(world.update(s.entry(version(old), **changes), restricted=True))


def test_another_patient(world):
    old, other = registered(world).entries[0], registered(world).entries[0]
    asked = version(old, patient=other.patient_id)
    assert told(world, asked) == [(PATIENTS, f"{asked.entries[0].id}.patientId")]


MEMBERS = [
    ("no PreviousVersion", (("Other", ("1",)),), ANNOTATION, "PreviousVersion"),
    ("another PreviousVersion", (("PreviousVersion", ("2",)),), VERSION, "PreviousVersion"),
    (
        "no propagation",
        (("PreviousVersion", ("1",)), ("AssociationPropagation", ("no",))),
        ANNOTATION,
        "AssociationPropagation",
    ),
]


@pytest.mark.parametrize(("extra", "code", "name"), [row[1:] for row in MEMBERS], ids=[row[0] for row in MEMBERS])
def test_a_has_member_that_is_wrong(world, extra, code, name):
    asked = version(registered(world).entries[0])
    member = replace(asked.associations[0], extra=extra)
    assert told(world, replace(asked, associations=(member,))) == [(code, f"{member.id}.{name}")]


def test_no_has_member(world):
    asked = version(registered(world).entries[0])
    assert told(world, replace(asked, associations=())) == [(ANNOTATION, asked.entries[0].id)]


def test_a_document_that_is_not_registered(world):
    asked = s.entry(version(registered(world).entries[0]), logical_id=urn())
    assert told(world, asked) == [(VERSION, f"{asked.entries[0].id}.logicalID")]


def test_folders_statuses_and_associations_are_not_its_business(world):
    made = filed(world)
    folder, entry, patient = made.folders[0], made.entries[0], made.entries[0].patient_id
    asked = version(folder)
    assert told(world, asked) == [(TYPE, asked.folders[0].id)]
    move = moving(entry.id, Status.DEPRECATED)
    assert told(world, asking(patient, associations=(move,))) == [(TYPE, move.id)]
    pair = adding(A.HAS_MEMBER, folder.id, entry.id)
    assert (TYPE, pair[1].id) in told(world, asking(patient, associations=pair))
    asked = version(entry)
    relation = Association(urn(), A.APND, asked.entries[0].id, entry.id)
    found = told(world, replace(asked, associations=(*asked.associations, relation)))
    assert found == [(TYPE, relation.id)]


def test_an_update_for_another_community(world):
    asked = s.owner(version(registered(world).entries[0]), home="urn:oid:1.2.3")
    assert told(world, asked) == [("XDSUnknownCommunity", f"{asked.submission_set.id}.homeCommunityId")]


def test_a_home_that_is_none(world):
    asked = s.owner(version(registered(world).entries[0]), home="1.2.3")
    assert (FAULT, f"{asked.submission_set.id}.homeCommunityId") in told(world, asked)


def test_everything_is_told_at_once(world):
    asked = s.entry(version(registered(world).entries[0]), hash="0" * 40, unique_id="1.2.3.4", title="x" * 129)
    id_ = asked.entries[0].id
    assert set(told(world, asked)) == {(FIXED, f"{id_}.hash"), (IDENTIFIER, f"{id_}.uniqueId"), (FAULT, f"{id_}.title")}


def test_it_is_audited_as_what_it_is(world):
    asked = version(registered(world).entries[0])
    done(world.update(asked, restricted=True))
    action, record = world.audited()
    assert (action, json.loads(record)["transaction"]) == ("U", "ITI-92")


def test_the_message_is_its_own_action_s(world):
    """The same body is ITI-42's, ITI-57's and ITI-92's: wsa:Action tells them apart."""
    asked = version(registered(world).entries[0], title="Rättad")
    answer = world.send(Action.RESTRICTED_UPDATE_DOCUMENT_SET, messages.update_document_set(asked, restricted=True))
    assert answer.action == Action.RESTRICTED_UPDATE_DOCUMENT_SET.response
