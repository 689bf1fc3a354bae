"""ITI-57: new versions, statuses and associations, and what they show on every face."""

import json
import threading
from dataclasses import replace

import examination
from soap_client import client
from wire import submissions as s
from wire.changes import A, adding, asking, bare, done, filed, moving, registered, urn, version
from wire.soap_world import REPOSITORY, served

from conformance import messages
from registry.access import Caller
from registry.identity import report_id
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import Code
from registry.metadata.urn import Namespace, ReferenceIdType, Status

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
ADMINISTRATOR = Caller("administrator", "127.0.0.1", "ITI-57")


def following(made, kind=A.APND):
    """A submission of a document that is related to the one in `made`."""
    return s.following(made, kind)


def relates(world, entry):
    """What the DocumentReference of an entry says that it relates to: (code, UUID)."""
    found = world.fhir(f"DocumentReference/{bare(entry.id)}").get("relatesTo", [])
    return {(one["code"], one["target"]["reference"].partition("/")[2]) for one in found}


def report(world, entry):
    return world.fhir(f"DiagnosticReport/{report_id(entry.unique_id)}")


# --- new versions ---


def test_a_new_version_takes_the_place_of_the_one_before(world):
    old = registered(world).entries[0]
    asked = version(old, title="Rättad titel")
    done(world.update(asked))
    new = asked.entries[0]
    assert world.entry(new.id) == (bare(old.id), "2", "Approved", "Rättad titel")
    assert world.entry(old.id) == (bare(old.id), "1", "Deprecated", old.title)
    third = version(new, previous="2", title="Och igen")
    done(world.update(third))
    assert world.entry(third.entries[0].id) == (bare(old.id), "3", "Approved", "Och igen")
    assert [world.entry(e.id)[2] for e in (old, new)] == ["Deprecated", "Deprecated"]


def test_the_submission_set_of_an_update_is_registered_with_its_new_version(world):
    old = registered(world).entries[0]
    asked = version(old)
    done(world.update(asked))
    new, owner = asked.entries[0], asked.submission_set
    assert ("HasMember", bare(owner.id), bare(new.id), "Approved") in world.associations(new.id)


def test_fhir_shows_the_new_version_and_what_became_of_the_old(world):
    old = registered(world).entries[0]
    before = report(world, old)
    other = Code("18782-3", "2.16.840.1.113883.6.1", "Radiology study observation")
    asked = version(old, type_code=other, comments="Rättad")
    done(world.update(asked))
    new = asked.entries[0]
    superseded = world.fhir(f"DocumentReference/{bare(old.id)}")
    assert (superseded["status"], superseded["meta"]["versionId"]) == ("superseded", "2")
    found = world.fhir(f"DocumentReference/{bare(new.id)}")
    assert (found["status"], found["description"]) == ("current", "Rättad")
    after = report(world, old)
    assert (before["status"], after["status"]) == ("final", "final"), "a correction of metadata amends no report"
    assert after["code"]["coding"][0]["code"] == "18782-3"
    assert bare(new.id) in json.dumps(after["presentedForm"])
    assert int(after["meta"]["versionId"]) > int(before["meta"]["versionId"])


def test_the_new_version_is_found_by_its_new_identifiers_and_the_report_with_it(world):
    old = registered(world).entries[0]
    number = f"NY{bare(old.id)[:8]}"
    asked = version(old, reference_ids=(f"{number}^^^&1.2.9&ISO^{ReferenceIdType.ACCESSION}",))
    done(world.update(asked))
    own = [report_id(old.unique_id)]
    assert world.fhir_search("DiagnosticReport", identifier=f"urn:oid:1.2.9|{number}") == (1, own)
    was = old.reference_ids[0].partition("^")[0]
    assert world.fhir_search("DiagnosticReport", identifier=was)[0] == 0
    assert world.fhir_search("DiagnosticReport", identifier=f"urn:oid:{old.unique_id}")[0] == 1, "it keeps its uniqueId"


def test_what_an_update_says_is_no_report_is_withdrawn_as_one_until_it_is_one_again(world):
    old = registered(world).entries[0]
    letter = Code("34133-9", "2.16.840.1.113883.6.1", "Summary")
    asked = version(old, type_code=letter, format_code=letter, reference_ids=())
    done(world.update(asked))
    assert report(world, old)["status"] == "entered-in-error"
    again = replace(old, id=asked.entries[0].id, logical_id=old.id)
    done(world.update(version(again, previous="2")))
    assert report(world, old)["status"] == "final"


def test_associations_follow_the_new_version(world):
    made = filed(world)
    old, folder = made.entries[0], made.folders[0]
    addendum = registered(world, following(made)).entries[0]
    asked = version(old, title="Ny")
    done(world.update(asked))
    new = asked.entries[0]
    assert ("HasMember", bare(folder.id), bare(new.id), "Approved") in world.associations(new.id)
    assert ("APND", bare(addendum.id), bare(new.id), "Approved") in world.associations(new.id)
    # What was said of the version before stays said.
    assert ("APND", bare(addendum.id), bare(old.id), "Approved") in world.associations(old.id)
    assert relates(world, addendum) == {("appends", bare(old.id)), ("appends", bare(new.id))}
    assert len(world.associations(new.id)) == 3
    # The source of a relation takes it with it too.
    later = version(addendum)
    done(world.update(later))
    assert relates(world, later.entries[0]) == {("appends", bare(new.id))}, "not to the version that is replaced"


def test_what_an_association_says_of_itself_follows_with_it(world):
    made = registered(world)
    sent = following(made)
    why = Code("ex^1", "1.2.3.4", "Tillägg")
    registered(
        world, replace(sent, associations=(*sent.associations[:-1], replace(sent.associations[-1], documentation=why)))
    )
    asked = version(made.entries[0])
    done(world.update(asked))
    (copy,) = (one for one in world.links(asked.entries[0].id) if one.get("associationType") == A.APND)
    (classification,) = (one for one in copy if one.tag.endswith("}Classification"))
    assert (classification.get("classifiedObject"), classification.get("nodeRepresentation")) == (
        copy.get("id"),
        "ex^1",
    )


def test_associations_do_not_follow_when_the_sender_says_no(world):
    made = filed(world)
    registered(world, following(made))
    asked = version(made.entries[0], propagation="no")
    done(world.update(asked))
    assert {kind for kind, *_ in world.associations(asked.entries[0].id)} == {"HasMember"}
    assert len(world.associations(asked.entries[0].id)) == 1, "its SubmissionSet's alone"


def test_a_deprecated_association_does_not_follow(world):
    made = registered(world)
    sent = registered(world, following(made))
    done(world.update(asking(made.entries[0].patient_id, associations=(moving(sent.associations[-1].id, DEPRECATED),))))
    asked = version(made.entries[0])
    done(world.update(asked))
    assert {kind for kind, *_ in world.associations(asked.entries[0].id)} == {"HasMember"}


def test_a_new_version_of_a_folder_keeps_its_documents(world):
    made = filed(world)
    folder, entry = made.folders[0], made.entries[0]
    asked = version(folder, title="Ny mapp")
    done(world.update(asked))
    new = asked.folders[0]
    assert world.folder(new.id) == (bare(folder.id), "2", "Approved", "Ny mapp")
    assert world.folder(folder.id)[2] == "Deprecated"
    assert ("HasMember", bare(new.id), bare(entry.id), "Approved") in world.associations(new.id)


def test_a_new_version_of_a_folder_leaves_what_was_replaced_and_keeps_its_time(world):
    made = filed(world)
    folder, entry = made.folders[0], made.entries[0]
    done(world.update(asking(entry.patient_id, associations=(moving(entry.id, DEPRECATED),))))
    world.sql("UPDATE folder SET last_update_time = '20200102030405' WHERE id = :id", id=bare(folder.id))
    asked = version(folder, title="Ny mapp")
    done(world.update(asked))
    new = bare(asked.folders[0].id)
    assert world.sql("SELECT last_update_time FROM folder WHERE id = :id", id=new) == [("20200102030405",)]
    assert not [one for one in world.associations(new) if one[0] == "HasMember" and one[1] == new]


def test_a_folder_and_its_document_in_one_request(world):
    made = filed(world)
    folder, entry = version(made.folders[0]), version(made.entries[0])
    both = replace(folder, entries=entry.entries)
    member = replace(entry.associations[0], source=both.submission_set.id)
    done(world.update(replace(both, associations=(*both.associations, member))))
    new = (bare(both.folders[0].id), bare(both.entries[0].id))
    assert ("HasMember", *new, "Approved") in world.associations(both.entries[0].id)
    assert len(world.associations(both.entries[0].id)) == 2


# --- statuses ---


def test_a_document_is_deprecated_and_approved_again(world):
    made = registered(world)
    entry, patient = made.entries[0], made.entries[0].patient_id
    done(world.update(asking(patient, associations=(moving(entry.id, DEPRECATED),))))
    assert world.entry(entry.id)[1:3] == ("1", "Deprecated")
    assert world.fhir(f"DocumentReference/{bare(entry.id)}")["status"] == "superseded"
    assert report(world, entry)["status"] == "entered-in-error"
    assert world.associations(entry.id) == {("HasMember", bare(made.submission_set.id), bare(entry.id), "Approved")}, (
        "what only asked for something is not registered"
    )
    done(world.update(asking(patient, associations=(moving(entry.id, APPROVED),))))
    assert world.entry(entry.id)[2] == "Approved"
    assert report(world, entry)["status"] == "final"


def test_an_amended_report_that_is_approved_again_is_amended(world):
    made = registered(world)
    newer = registered(world, following(made, A.RPLC)).entries[0]
    patient = newer.patient_id
    done(world.update(asking(patient, associations=(moving(newer.id, DEPRECATED),))))
    done(world.update(asking(patient, associations=(moving(newer.id, APPROVED),))))
    assert report(world, made.entries[0])["status"] == "amended"


def test_a_folder_and_an_association_are_deprecated(world):
    made = filed(world)
    folder, membership, patient = made.folders[0], made.associations[-1], made.entries[0].patient_id
    moves = (moving(folder.id, DEPRECATED), moving(membership.id, DEPRECATED))
    done(world.update(asking(patient, associations=moves)))
    assert world.folder(folder.id)[2] == "Deprecated"
    assert ("HasMember", bare(folder.id), bare(made.entries[0].id), "Deprecated") in world.associations(folder.id)


def test_a_relation_that_is_deprecated_is_none_on_fhir_until_it_is_approved(world):
    made = registered(world)
    sent = registered(world, following(made))
    relation, entry, patient = sent.associations[-1], sent.entries[0], made.entries[0].patient_id
    done(world.update(asking(patient, associations=(moving(relation.id, DEPRECATED),))))
    assert relates(world, entry) == set()
    done(world.update(asking(patient, associations=(moving(relation.id, APPROVED),))))
    assert relates(world, entry) == {("appends", bare(made.entries[0].id))}


def test_a_status_in_the_same_request_is_the_new_version_s(world):
    """ITI TF-2, 3.57.4.1.3.1, whichever of the two versions it names."""
    for name in ("old", "new"):
        old = registered(world).entries[0]
        asked = version(old, title="Återtagen")
        new = asked.entries[0]
        move = replace(moving((old if name == "old" else new).id, DEPRECATED), source=asked.submission_set.id)
        done(world.update(replace(asked, associations=(*asked.associations, move))))
        assert world.entry(new.id) == (bare(old.id), "2", "Deprecated", "Återtagen")
        assert report(world, old)["status"] == "entered-in-error"


# --- associations ---


def test_a_registered_document_is_put_into_a_registered_folder(world):
    made = filed(world)
    other = registered(world, s.of_patient(s.new(), made.entries[0].patient_id)).entries[0]
    pair = adding(A.HAS_MEMBER, made.folders[0].id, other.id)
    done(world.update(asking(other.patient_id, associations=pair)))
    assert ("HasMember", bare(made.folders[0].id), bare(other.id), "Approved") in world.associations(other.id)


def test_two_registered_documents_are_related(world):
    made = registered(world)
    other = registered(world, s.of_patient(s.new(), made.entries[0].patient_id)).entries[0]
    done(world.update(asking(other.patient_id, associations=adding(A.APND, other.id, made.entries[0].id))))
    assert ("APND", bare(other.id), bare(made.entries[0].id), "Approved") in world.associations(other.id)
    assert relates(world, other) == {("appends", bare(made.entries[0].id))}


def test_a_replacement_that_is_submitted_later_deprecates_as_one_that_came_with_its_document(world):
    made = registered(world)
    other = registered(world, s.of_patient(s.new(), made.entries[0].patient_id)).entries[0]
    done(world.update(asking(other.patient_id, associations=adding(A.RPLC, other.id, made.entries[0].id))))
    assert world.entry(made.entries[0].id)[2] == "Deprecated"
    assert world.entry(other.id)[2] == "Approved"
    assert report(world, made.entries[0])["status"] == "entered-in-error"


def test_an_association_that_is_deprecated_by_the_request_that_brings_it(world):
    made = registered(world)
    other = registered(world, s.of_patient(s.new(), made.entries[0].patient_id)).entries[0]
    pair = adding(A.RPLC, other.id, made.entries[0].id)
    done(world.update(asking(other.patient_id, associations=(*pair, moving(pair[0].id, DEPRECATED)))))
    assert ("RPLC", bare(other.id), bare(made.entries[0].id), "Deprecated") in world.associations(other.id)
    assert world.entry(made.entries[0].id)[2] == "Approved", "it replaces nothing"
    assert relates(world, other) == set()


def test_a_new_version_and_a_relation_of_its_own_in_one_request(world):
    made = registered(world)
    other = registered(world, s.of_patient(s.new(), made.entries[0].patient_id)).entries[0]
    asked = version(made.entries[0], propagation="no")
    new = asked.entries[0]
    one, trigger = adding(A.APND, new.id, other.id)
    both = (*asked.associations, one, replace(trigger, source=asked.submission_set.id))
    done(world.update(replace(asked, associations=both)))
    assert ("APND", bare(new.id), bare(other.id), "Approved") in world.associations(new.id)
    assert relates(world, new) == {("appends", bare(other.id))}


# --- patients ---


def test_a_document_is_moved_to_another_patient_with_its_report(world):
    old, other = registered(world).entries[0], registered(world).entries[0]
    asked = version(old, patient=other.patient_id, source_patient_info=other.source_patient_info)
    done(world.update(asked))
    shown, wanted = (
        world.fhir(path) for path in (f"DiagnosticReport/{report_id(one.unique_id)}" for one in (old, other))
    )
    assert shown["subject"] == wanted["subject"]
    token = f"urn:oid:{old.patient_id.split('&')[1]}|{old.patient_id.partition('^')[0]}"
    whose = {"patient.identifier": token}
    assert world.fhir_search("DocumentReference", status="current", **whose)[0] == 0
    assert world.fhir_search("DiagnosticReport", **whose)[0] == 0


# --- at once, and by another's client ---


def test_of_two_updates_at_once_one_is_made(world):
    old = registered(world).entries[0]
    outcomes = []

    def update(asked):
        try:
            world.house.registry.update(asked, ADMINISTRATOR)
            outcomes.append("done")
        except Rejected as rejected:
            outcomes.append(rejected.findings[0].code)

    threads = [threading.Thread(target=update, args=(version(old, title=f"Titel {n}"),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [*[ErrorCode.XDSMetadataVersionError] * 5, "done"]
    versions = world.sql("SELECT version, status, is_latest FROM document_entry WHERE logical_id = :id ORDER BY version", id=bare(old.id))  # fmt: skip
    assert [(v, status, bool(latest)) for v, status, latest in versions] == [
        (1, "Deprecated", False),
        (2, "Approved", True),
    ]


def test_an_update_is_audited(world):
    old = registered(world).entries[0]
    asked = version(old)
    done(world.update(asked))
    action, record = world.audited()
    told = json.loads(record)
    assert (action, told["transaction"]) == ("U", "ITI-57")
    assert told["objects"] == [bare(asked.entries[0].id)]
    assert told["patients"] == [old.patient_id]


def test_a_client_of_another_hand_updates_by_the_wsdl(world):
    old = registered(world).entries[0]
    with served(world) as base:
        registry = client(f"{base}/xds/registry?wsdl")
        operations = registry.wsdl.services["registry"].ports["registryPort"].binding._operations
        assert {"UpdateDocumentSet", "RestrictedUpdateDocumentSet", "RemoveMetadata"} <= operations.keys()
        service = registry.create_service(f"{{{Namespace.XDS_B}}}registryBinding", f"{base}/xds/registry")
        answer = service.UpdateDocumentSet(**asked_for(old))
    assert answer.status.endswith(":Success"), answer
    assert world.entry(old.id)[2] == "Deprecated"


def asked_for(entry):
    """A request to deprecate an entry, as zeep takes it."""
    objects = examination.submission(examination.Document(who=examination.person(), cx=entry.patient_id))[
        "RegistryObjectList"
    ]["_value_1"]
    packages = [one for one in objects if "ExtrinsicObject" not in one and "Association" not in one]
    trigger = {
        "id": urn(),
        "associationType": A.UPDATE_AVAILABILITY_STATUS,
        "sourceObject": packages[0]["RegistryPackage"]["id"],
        "targetObject": entry.id,
        "Slot": [examination.slot("OriginalStatus", APPROVED), examination.slot("NewStatus", DEPRECATED)],
    }
    return {"RegistryObjectList": {"_value_1": [*packages, {"Association": trigger}]}}


def test_a_document_that_was_corrected_to_its_patient_is_that_patient_s_alone(world):
    """In the repository too; and it may be provided again for that patient, for the other no more."""
    made, other = messages.provided(s.new()), registered(world).entries[0]
    content = {made.entries[0].id: b"%PDF-1.4"}
    assert world.provide(made, content).outcome == "Success"
    (sha1, size), = world.sql("SELECT hash, size FROM document_entry WHERE id = :id", id=bare(made.entries[0].id))  # fmt: skip
    old = replace(made.entries[0], hash=sha1, size=str(size), repository_unique_id=REPOSITORY)
    done(world.update(version(old, patient=other.patient_id)))
    whose = world.sql("SELECT patient_id FROM document WHERE unique_id = :uid", uid=old.unique_id)
    assert whose == [(other.patient_id,)]
    for patient, expected in ((other.patient_id, "Success"), (old.patient_id, "Failure")):
        again = s.of_patient(s.entry(messages.provided(s.new()), unique_id=old.unique_id), patient)
        answer = world.provide(again, {again.entries[0].id: b"%PDF-1.4"})
        assert answer.outcome == expected, answer.text


def test_a_manifest_that_was_corrected_is_still_replaced_by_the_next_one(world):
    """The publisher replaces the version that stands, and publishes anew what was withdrawn."""
    repository = world.house.imaging.publisher
    first = registered(world).entries[0]
    assert repository._standing(first.unique_id) == bare(first.id)
    asked = version(first)
    done(world.update(asked))
    assert repository._standing(first.unique_id) == bare(asked.entries[0].id)
    done(world.update(asking(first.patient_id, associations=(moving(asked.entries[0].id, DEPRECATED),))))
    assert repository._standing(first.unique_id) is None
