"""ITI-62: what is removed is gone from every face, and every reason why something stays."""

import json
import threading
from dataclasses import replace

from soap_client import client
from wire import submissions as s
from wire.changes import A, bare, done, filed, refused, registered, urn, version
from wire.soap_world import served

from conformance import messages
from registry.access import Caller
from registry.identity import report_id
from registry.metadata.errors import Rejected
from registry.metadata.urn import Action, Namespace

ADMINISTRATOR = Caller("administrator", "127.0.0.1", "ITI-62")
UNRESOLVED, REFERENCED = "UnresolvedReferenceException", "ReferencesExistException"
UNREFERENCED, MODEL, ERROR = "XDSUnreferencedObjectException", "XDSMetadataModelException", "XDSRegistryError"


def ids(made):
    return [one.id for one in made.objects()]


def told(world, *wanted):
    return refused(world, lambda: world.remove(*wanted))


def test_a_whole_submission_is_gone_from_every_face(world):
    made = registered(world, s.new(2))
    entry = made.entries[0]
    before, objects = world.everything()
    more = registered(world)
    done(world.remove(*ids(more)))
    after, left = world.everything()
    assert ({name for name, rows in after.items() if rows != before[name]}, left) == ({"patient"}, objects)
    done(world.remove(*ids(made)))
    assert world.entry(entry.id) is None
    assert world.associations(entry.id) == set()
    assert world.fhir(f"DocumentReference/{bare(entry.id)}") in (404, 410)
    assert world.fhir(f"DiagnosticReport/{report_id(entry.unique_id)}") in (404, 410)
    assert world.sql("SELECT count(*) FROM reference_id WHERE record_id = :id", id=bare(entry.id)) == [(0,)]


def test_what_was_removed_can_be_registered_again(world):
    made = registered(world)
    done(world.remove(*ids(made)))
    registered(world, made)
    assert world.entry(made.entries[0].id)[2] == "Approved"
    assert world.fhir(f"DiagnosticReport/{report_id(made.entries[0].unique_id)}")["status"] == "final"


def test_ids_in_upper_case_and_twice(world):
    made = registered(world)
    wanted = [id_.replace("urn:uuid:", "").upper() for id_ in ids(made)]
    done(world.remove(*(f"urn:uuid:{id_}" for id_ in [*wanted, wanted[0]])))
    assert world.entry(made.entries[0].id) is None


def test_a_document_is_taken_out_of_a_folder(world):
    """The Folder may stay empty: its SubmissionSet still has it."""
    made = filed(world)
    done(world.remove(made.associations[-1].id))
    assert len(world.associations(made.folders[0].id)) == 1
    assert world.entry(made.entries[0].id)[2] == "Approved"


def test_a_relation_alone_is_removed_and_fhir_forgets_it(world):
    made = registered(world)
    sent = registered(world, s.following(made, A.APND))
    assert world.fhir(f"DocumentReference/{bare(sent.entries[0].id)}")["relatesTo"]
    done(world.remove(sent.associations[-1].id))
    assert "relatesTo" not in world.fhir(f"DocumentReference/{bare(sent.entries[0].id)}")


def test_the_original_of_a_replacement_is_removed_with_the_relation(world):
    made = registered(world)
    sent = registered(world, s.following(made, A.RPLC))
    relation, newer = sent.associations[-1], sent.entries[0]
    done(world.remove(*ids(made), relation.id))
    assert world.entry(newer.id)[2] == "Approved"
    assert "relatesTo" not in world.fhir(f"DocumentReference/{bare(newer.id)}")
    assert world.fhir(f"DiagnosticReport/{report_id(made.entries[0].unique_id)}")["status"] == "amended"


def test_the_newest_version_goes_and_the_one_before_is_the_latest_again(world):
    made = registered(world)
    old = made.entries[0]
    asked = version(old, title="Ny")
    done(world.update(asked))
    done(world.remove(*ids(asked)))
    assert world.sql("SELECT version, status, is_latest FROM document_entry WHERE id = :id", id=bare(old.id)) in (
        [(1, "Deprecated", True)],
        [(1, "Deprecated", 1)],
    )
    shown = world.fhir(f"DiagnosticReport/{report_id(old.unique_id)}")
    assert (shown["status"], bare(old.id) in json.dumps(shown)) == ("entered-in-error", True)


def test_the_first_version_goes_and_the_newest_stays(world):
    made = registered(world)
    asked = version(made.entries[0], title="Ny")
    done(world.update(asked))
    done(world.remove(*ids(made)))
    assert world.entry(asked.entries[0].id) == (bare(made.entries[0].id), "2", "Approved", "Ny")
    assert world.fhir(f"DiagnosticReport/{report_id(made.entries[0].unique_id)}")["status"] == "final"


def test_a_document_that_is_removed_while_another_is_related_to_it(world):
    """Whoever comes first: never is there an association with an end that is not."""
    for _ in range(4):
        made = registered(world)
        later = s.following(made, A.APND)
        outcomes = []

        def run(work, *arguments, outcomes=outcomes):
            try:
                work(*arguments)
                outcomes.append("done")
            except Rejected:
                outcomes.append("refused")

        registry = world.house.registry
        both = [
            threading.Thread(target=run, args=(registry.remove, ids(made), ADMINISTRATOR)),
            threading.Thread(target=run, args=(registry.submit, later, ADMINISTRATOR)),
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert sorted(outcomes) == ["done", "refused"]
    ends = "SELECT id FROM document_entry UNION SELECT id FROM folder UNION SELECT id FROM association"
    assert world.sql(f"SELECT count(*) FROM association WHERE target NOT IN ({ends})") == [(0,)]


# --- why not ---


def test_what_is_not_registered(world):
    made, strange, other = registered(world), urn(), "Document01"
    assert told(world, *ids(made), strange, other) == [(UNRESOLVED, strange), (UNRESOLVED, other)]


def test_what_an_association_refers_to_that_would_stay(world):
    made = filed(world)
    wanted = (made.submission_set.id, made.entries[0].id, made.folders[0].id)
    assert told(world, *wanted) == [(REFERENCED, id_) for id_ in wanted]


def test_an_association_that_another_refers_to(world):
    made = filed(world)
    placed = replace(made.associations[0], id=urn(), target=made.associations[-1].id)
    other = s.of_patient(s.new(), made.entries[0].patient_id)
    link = replace(placed, source=other.submission_set.id)
    again = replace(made.associations[-1], id=urn(), source=made.folders[0].id, target=other.entries[0].id)
    sent = registered(world, replace(other, associations=(*other.associations, again, replace(link, target=again.id))))
    assert told(world, again.id) == [(REFERENCED, again.id)]
    done(world.remove(again.id, sent.associations[-1].id))


def test_a_submission_set_without_content(world):
    made = registered(world)
    member = made.associations[0].id
    assert told(world, made.entries[0].id, member) == [(UNREFERENCED, member)]


def test_a_document_without_anything(world):
    made = registered(world, s.new(2))
    member = made.associations[0].id
    assert told(world, member) == [(UNREFERENCED, member)]


def test_a_document_without_a_submission_set(world):
    made = registered(world, s.new(2))
    registered(world, s.following(made, A.APND))
    member = made.associations[0].id
    assert told(world, member) == [(MODEL, member)]


def test_one_that_must_stay_keeps_all(world):
    made, other = registered(world), registered(world)
    assert told(world, *ids(made), other.entries[0].id) == [(REFERENCED, other.entries[0].id)]
    assert world.entry(made.entries[0].id)[2] == "Approved"


RIM = f'xmlns:lcm="{Namespace.LCM}" xmlns:rim="{Namespace.RIM}"'
LIST = '<rim:ObjectRefList><rim:ObjectRef id="{id}"/></rim:ObjectRefList>'


def sent(world, inside, attributes=""):
    body = f"<lcm:RemoveObjectsRequest {RIM} {attributes}>{inside}</lcm:RemoveObjectsRequest>"
    message = messages.envelope(Action.DELETE_DOCUMENT_SET, body)
    return refused(world, lambda: world.send(Action.DELETE_DOCUMENT_SET, message))


def test_requests_that_are_none(world):
    made = registered(world)
    good = LIST.format(id=made.entries[0].id)
    assert sent(world, f'<rim:AdhocQuery id="{urn()}"/>{good}') == [(ERROR, "AdhocQuery")]
    assert sent(world, "") == [(ERROR, "ObjectRefList")]
    assert sent(world, "<rim:ObjectRefList/>") == [(ERROR, "ObjectRefList")]
    assert sent(world, good + good) == [(ERROR, "ObjectRefList")]
    assert sent(world, "<rim:ObjectRefList><rim:ObjectRef/></rim:ObjectRefList>") == [(ERROR, "ObjectRef[1].id")]
    only = 'deletionScope="urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteRepositoryItemOnly"'
    assert sent(world, good, only) == [(ERROR, "deletionScope")]


def test_a_removal_is_audited(world):
    made = registered(world)
    done(world.remove(*ids(made)))
    action, record = world.audited()
    told_of = json.loads(record)
    assert (action, told_of["transaction"], told_of["patients"]) == ("D", "ITI-62", [made.entries[0].patient_id])
    assert set(told_of["objects"]) == {bare(id_) for id_ in ids(made)}


def test_a_client_of_another_hand_removes_by_the_wsdl(world):
    made = registered(world)
    with served(world) as base:
        registry = client(f"{base}/xds/registry?wsdl")
        service = registry.create_service(f"{{{Namespace.XDS_B}}}registryBinding", f"{base}/xds/registry")
        refs = [{"id": id_} for id_ in ids(made)]
        answer = service.RemoveMetadata(ObjectRefList={"ObjectRef": refs})
    assert answer.status.endswith(":Success"), answer
    assert world.entry(made.entries[0].id) is None
