"""ITI-86: documents are gone with their bytes, unless the bytes are another document's too."""

import json
from dataclasses import replace

import pytest
from soap_client import client
from wire import submissions as s
from wire.changes import done, refused, registered
from wire.soap_world import REPOSITORY, served

from conformance import messages
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import Action, Namespace
from repository import fsck
from repository.service import DocumentRequest

UNKNOWN, MISSING, ERROR = "XDSUnknownRepositoryId", "XDSDocumentUniqueIdError", "XDSRemoveDocumentsError"
ADMINISTRATOR = Caller("administrator", "127.0.0.1", "ITI-86")


def provided(world, content=None):
    """A document of this repository: its uniqueId and its bytes."""
    made = messages.provided(s.new())
    content = content or made.entries[0].unique_id.encode()
    answer = world.provide(made, {made.entries[0].id: content})
    assert answer.outcome == "Success", answer.text
    return made.entries[0], content


def retrieved(world, unique_id):
    answer = world.retrieve((REPOSITORY, unique_id))
    return answer.codes or [one for _, one, _ in answer.documents]


def told(world, *wanted):
    before = world.blobs()
    found = refused(world, lambda: world.remove_documents(*wanted))
    assert world.blobs() == before
    return found


def test_a_document_is_gone_with_its_bytes(world):
    before = world.blobs()
    entry, _ = provided(world)
    done(world.remove_documents((REPOSITORY, entry.unique_id)))
    assert retrieved(world, entry.unique_id) == [MISSING]
    assert world.blobs() == before
    assert told(world, (REPOSITORY, entry.unique_id)) == [(MISSING, entry.unique_id)]
    # What the registry says of it is ITI-62's to remove.
    assert world.entry(entry.id)[2] == "Approved"


def test_what_is_asked_of_another_community_stays(world):
    entry, _ = provided(world)
    message = messages.remove_documents([(REPOSITORY, entry.unique_id)])
    home = b"<xdsb:HomeCommunityId>urn:oid:9.9.9</xdsb:HomeCommunityId><xdsb:RepositoryUniqueId>"
    message = message.replace(b"<xdsb:RepositoryUniqueId>", home)
    assert refused(world, lambda: world.send(Action.REMOVE_DOCUMENTS, message)) == [(ERROR, entry.unique_id)]
    assert retrieved(world, entry.unique_id) == [entry.unique_id]


def test_bytes_that_another_document_has_too_stay(world):
    first, content = provided(world)
    second, _ = provided(world, content)
    done(world.remove_documents((REPOSITORY, first.unique_id)))
    assert retrieved(world, first.unique_id) == [MISSING]
    assert retrieved(world, second.unique_id) == [second.unique_id]
    before = world.blobs()
    done(world.remove_documents((REPOSITORY, second.unique_id)))
    assert len(world.blobs()) == len(before) - 1


def test_a_removed_document_may_be_provided_again(world):
    entry, content = provided(world)
    done(world.remove_documents((REPOSITORY, entry.unique_id)))
    again = replace(messages.provided(s.new()).entries[0], unique_id=entry.unique_id, patient_id=entry.patient_id)
    made = s.of_patient(messages.provided(s.new()), entry.patient_id)
    made = s.entry(made, unique_id=again.unique_id)
    assert world.provide(made, {made.entries[0].id: content}).outcome == "Success"
    assert retrieved(world, entry.unique_id) == [entry.unique_id]


def test_one_error_a_document_and_none_is_removed(world):
    entry, _ = provided(world)
    elsewhere = registered(world).entries[0]
    wanted = [(REPOSITORY, entry.unique_id), ("1.2.3", entry.unique_id), (REPOSITORY, elsewhere.unique_id)]
    assert told(world, *wanted) == [(UNKNOWN, entry.unique_id), (MISSING, elsewhere.unique_id)]
    assert retrieved(world, entry.unique_id) == [entry.unique_id]


def test_the_same_document_twice_is_one(world):
    entry, _ = provided(world)
    done(world.remove_documents(*[(REPOSITORY, entry.unique_id)] * 2))
    assert retrieved(world, entry.unique_id) == [MISSING]


def test_a_removal_is_audited(world):
    entry, _ = provided(world)
    done(world.remove_documents((REPOSITORY, entry.unique_id)))
    action, record = world.audited()
    told_of = json.loads(record)
    assert (action, told_of["transaction"]) == ("D", "ITI-86")
    assert (told_of["objects"], told_of["patients"]) == ([entry.unique_id], [entry.patient_id])


def request(inside):
    names = f'xmlns:rmd="{Namespace.RMD}" xmlns:x="{Namespace.XDS_B}"'
    return messages.envelope(
        Action.REMOVE_DOCUMENTS, f"<rmd:RemoveDocumentsRequest {names}>{inside}</rmd:RemoveDocumentsRequest>"
    )


PART = (
    "<{p}:DocumentRequest><{p}:RepositoryUniqueId>{r}</{p}:RepositoryUniqueId>"
    "<{p}:DocumentUniqueId>{d}</{p}:DocumentUniqueId></{p}:DocumentRequest>"
)


@pytest.mark.parametrize("prefix", ["x", "rmd"])
def test_either_namespace_names_documents(world, prefix):
    entry, _ = provided(world)
    message = request(PART.format(p=prefix, r=REPOSITORY, d=entry.unique_id))
    done(world.send(Action.REMOVE_DOCUMENTS, message))
    assert retrieved(world, entry.unique_id) == [MISSING]


def test_requests_that_are_none(world):
    for inside, where in (
        ("", ["DocumentRequest"]),
        (PART.format(p="x", r="", d="1.2"), ["DocumentRequest[1].RepositoryUniqueId"]),
        (PART.format(p="x", r="1.2", d=" "), ["DocumentRequest[1].DocumentUniqueId"]),
        ("<x:DocumentRequest/>", ["DocumentRequest[1].RepositoryUniqueId", "DocumentRequest[1].DocumentUniqueId"]),
    ):
        found = refused(world, lambda inside=inside: world.send(Action.REMOVE_DOCUMENTS, request(inside)))
        assert found == [(ERROR, one) for one in where]


def test_bytes_that_cannot_be_deleted_are_told_and_found_by_fsck(world, monkeypatch):
    entry, _ = provided(world)
    repository = world.house.repository

    def fail(sha256):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(type(repository._blobs), "remove", lambda self, sha256: fail(sha256))
        answer = world.remove_documents((REPOSITORY, entry.unique_id))
    assert (answer.outcome, answer.codes) == ("Failure", [ERROR])
    assert retrieved(world, entry.unique_id) == [MISSING], "never a row without its bytes"
    found = fsck.check(repository._database, repository._blobs, grace=0.0).problems
    assert [one.kind for one in found] == [fsck.Kind.ORPHAN]
    fsck.check(repository._database, repository._blobs, grace=0.0, repair=True)


def test_the_same_bytes_that_come_while_they_are_removed(world, monkeypatch):
    """They are kept already and are not written again: the row must not be there without them."""
    entry, content = provided(world)
    repository = world.house.repository
    made = messages.provided(s.new())
    keep = type(repository._blobs).keep

    def keep_and_remove(self, *incoming):
        keep(self, *incoming)
        repository.remove([DocumentRequest(REPOSITORY, entry.unique_id)], ADMINISTRATOR)

    with monkeypatch.context() as patch:
        patch.setattr(type(repository._blobs), "keep", keep_and_remove)
        answer = world.provide(made, {made.entries[0].id: content})
    assert answer.codes == ["XDSRepositoryBusy"]
    assert world.provide(made, {made.entries[0].id: content}).outcome == "Success"
    assert retrieved(world, made.entries[0].unique_id) == [made.entries[0].unique_id]


def test_what_is_not_here_is_refused_by_the_actor_itself(world):
    with pytest.raises(Rejected) as caught:
        world.house.repository.remove([DocumentRequest("1.2.3", "1.2.3.4")], ADMINISTRATOR)
    assert [f.code for f in caught.value.findings] == [ErrorCode.XDSUnknownRepositoryId]


def test_a_client_of_another_hand_removes_by_the_wsdl(world):
    entry, _ = provided(world)
    with served(world) as base:
        repository = client(f"{base}/xds/repository?wsdl")
        service = repository.create_service(f"{{{Namespace.XDS_B}}}repositoryBinding", f"{base}/xds/repository")
        wanted = {"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": entry.unique_id}
        answer = service.RemoveDocuments(DocumentRequest=[wanted])
    assert answer.status.endswith(":Success"), answer
    assert retrieved(world, entry.unique_id) == [MISSING]
