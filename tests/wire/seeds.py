"""Valid messages of every SOAP transaction, fresh at each call: what mutants are made of."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wire import changes
from wire import submissions as s
from wire.imaging import CALLER, EXPLICIT, J2K, Study, retrieval, sop_uid
from wire.soap_world import IMAGING_SOURCE, REPOSITORY, World, packaged

from conformance import messages
from conformance.mutations import Message
from registry.metadata.model import Submission
from registry.metadata.urn import Action, Namespace, Status, StoredQueryId

HOME = "urn:oid:1.2.752.129.2.9.1"
V3 = Namespace.HL7_V3
Maker = Callable[[], Message]
_numbers = itertools.count(700_000)


@dataclass
class Known:
    """What is there before the first mutant comes."""

    registered: Submission
    kept: Submission
    study: Study
    instance: bytes


def known(world: World) -> Known:
    registered, kept, study = s.new(2), messages.provided(s.new()), Study()
    assert world.register(registered).outcome == "Success"
    assert world.provide(kept, {kept.entries[0].id: b"kept"}).outcome == "Success"
    instance = study.object()
    assert world.house.imaging.store([[instance]], CALLER)[0].finding is None
    return Known(registered, kept, study, instance)


def plain(action: Action, whole: bytes) -> Message:
    return messages.headers(action), whole


def other_action(whole: bytes, before: Action, after: Action) -> bytes:
    assert whole.count(f">{before}<".encode()) == 1
    return whole.replace(f">{before}<".encode(), f">{after}<".encode())


def queries(there: Known) -> Maker:
    """The stored queries in turn, with as many kinds of parameters as there are."""
    entry, turn = there.registered.entries[0], itertools.count()
    both = f"('{Status.APPROVED}','{Status.DEPRECATED}')"
    find = [
        ("$XDSDocumentEntryPatientId", f"'{entry.patient_id}'"),
        ("$XDSDocumentEntryStatus", both),
        ("$XDSDocumentEntryClassCode", "('IMG^^1.2.752.129.2.9.6.1')"),
        ("$XDSDocumentEntryCreationTimeFrom", "'2014'"),
        ("$XDSDocumentEntryEventCodeList", "('CT^^1.2.840.10008.2.16.4')"),
        ("$XDSDocumentEntryAuthorPerson", "('%a%')"),
    ]
    reference = ("$XDSDocumentEntryReferenceIdList", "('A1^^^&1.2&ISO^urn:ihe:iti:xds:2013:accession')")
    set_id = there.registered.submission_set.id
    asked: list[tuple[StoredQueryId, list[tuple[str, str]]]] = [
        (StoredQueryId.FIND_DOCUMENTS, find),
        (StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, [*find, reference]),
        (StoredQueryId.FIND_DOCUMENTS_EXCLUDE, [*find[:2], ("$XDSDocumentEntryClassCodeExclude", "('a^^b')")]),
        (StoredQueryId.FIND_SUBMISSION_SETS, [("$XDSSubmissionSetPatientId", find[0][1]), ("$XDSSubmissionSetStatus", both)]),
        (StoredQueryId.FIND_FOLDERS, [("$XDSFolderPatientId", find[0][1]), ("$XDSFolderStatus", both)]),
        (StoredQueryId.GET_ALL, [("$patientId", find[0][1])] + [(f"$XDS{n}Status", both) for n in ("DocumentEntry", "SubmissionSet", "Folder")]),
        (StoredQueryId.GET_DOCUMENTS, [("$XDSDocumentEntryUniqueId", f"('{entry.unique_id}','1.2')")]),
        (StoredQueryId.GET_ASSOCIATIONS, [("$uuid", f"('{entry.id}')")]),
        (StoredQueryId.GET_SUBMISSION_SETS, [("$uuid", f"('{entry.id}')")]),
        (StoredQueryId.GET_DOCUMENTS_AND_ASSOCIATIONS, [("$XDSDocumentEntryEntryUUID", f"('{entry.id}')")]),
        (StoredQueryId.GET_FOLDERS_FOR_DOCUMENT, [("$XDSDocumentEntryEntryUUID", f"'{entry.id}'")]),
        (StoredQueryId.GET_RELATED_DOCUMENTS, [("$XDSDocumentEntryEntryUUID", f"'{entry.id}'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:RPLC')")]),
        (StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS, [("$XDSSubmissionSetEntryUUID", f"'{set_id}'"), ("$XDSDocumentEntryFormatCode", "('a^^b')")]),
    ]  # fmt: skip

    def make() -> Message:
        id_, parameters = asked[next(turn) % len(asked)]
        return plain(Action.REGISTRY_STORED_QUERY, messages.stored_query(id_, parameters))

    return make


def several_patients(there: Known) -> Message:
    patients = f"('{there.registered.entries[0].patient_id}','1^^^&1.2.3&ISO')"
    whole = messages.stored_query(
        StoredQueryId.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS,
        [("$XDSDocumentEntryPatientId", patients), ("$XDSDocumentEntryStatus", f"('{Status.APPROVED}')")],
    )
    action = Action.MULTI_PATIENT_STORED_QUERY
    return plain(action, other_action(whole, Action.REGISTRY_STORED_QUERY, action))


def at_home(message: Message, action: Action) -> Message:
    """A query for a gateway: of its action, and with our community's name."""
    _, whole = message
    if action != Action.REGISTRY_STORED_QUERY:
        whole = other_action(whole, Action.REGISTRY_STORED_QUERY, action)
    return plain(action, whole.replace(b"<rim:AdhocQuery ", f'<rim:AdhocQuery home="{HOME}" '.encode()))


def retrieve(there: Known, action: Action = Action.RETRIEVE_DOCUMENT_SET, home: str = "") -> Message:
    wanted = [(REPOSITORY, str(there.kept.entries[0].unique_id)), (REPOSITORY, "1.2"), ("1.2.3", "4")]
    whole = messages.retrieve_document_set(wanted)
    if action != Action.RETRIEVE_DOCUMENT_SET:
        whole = other_action(whole, Action.RETRIEVE_DOCUMENT_SET, action)
    if home:
        named = f"<xdsb:DocumentRequest><xdsb:HomeCommunityId>{home}</xdsb:HomeCommunityId>"
        whole = whole.replace(b"<xdsb:DocumentRequest>", named.encode())
    return packaged(whole, ("a", b"stray"))


def imaging(there: Known, action: Action = Action.RETRIEVE_IMAGING_DOCUMENT_SET, home: str = "") -> Message:
    wanted = {there.study.uid: {there.study.series: [(IMAGING_SOURCE, sop_uid(there.instance)), ("1.2", "1.3")]}}
    return packaged(messages.envelope(action, retrieval(wanted, EXPLICIT, J2K, home=home)))


def provide() -> Message:
    made = messages.provided(s.new())
    content_type, chunks = messages.provide_and_register(made, {made.entries[0].id: [b"a document"]})
    return {"Content-Type": content_type}, b"".join(chunks)


def update(world: World, *, restricted: bool) -> Message:
    made = s.new()
    world.register(made)
    change = changes.version(made.entries[0], title="mended")
    action = Action.RESTRICTED_UPDATE_DOCUMENT_SET if restricted else Action.UPDATE_DOCUMENT_SET
    return plain(action, messages.update_document_set(change, restricted=restricted))


def removal(world: World) -> Message:
    made = s.new()
    world.register(made)
    return plain(Action.DELETE_DOCUMENT_SET, messages.remove_metadata([one.id for one in made.objects()]))


def removal_of_documents(world: World) -> Message:
    made = messages.provided(s.new())
    world.provide(made, {made.entries[0].id: b"soon gone"})
    wanted = [(REPOSITORY, str(made.entries[0].unique_id)), (REPOSITORY, "1.2.3")]
    return plain(Action.REMOVE_DOCUMENTS, messages.remove_documents(wanted))


def person(action: Action) -> Message:
    """A whole message of the patient feed."""
    number = next(_numbers)
    name = action.rpartition(":")[2]
    authority = "1.2.752.129.2.1.3.1"
    prior = ""
    if action == Action.PATIENTS_MERGED:
        prior = (
            '<replacementOf typeCode="RPLC"><priorRegistration classCode="REG" moodCode="EVN"><statusCode code="obsolete"/>'
            f'<subject1 typeCode="SBJ"><priorRegisteredRole classCode="PAT"><id root="{authority}" extension="{number}9"/>'
            "</priorRegisteredRole></subject1></priorRegistration></replacementOf>"
        )
    body = (
        f'<{name} xmlns="{V3}" ITSVersion="XML_1.0"><id root="1.2.3" extension="{number}"/>'
        f'<creationTime value="20260101"/><interactionId root="2.16.840.1.113883.1.6" extension="{name}"/>'
        '<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="AL"/>'
        '<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.4"/></device></receiver>'
        '<sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.5"/></device></sender>'
        '<controlActProcess classCode="CACT" moodCode="EVN"><subject typeCode="SUBJ"><registrationEvent classCode="REG"'
        ' moodCode="EVN"><statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">'
        f'<id root="{authority}" extension="{number}"/><statusCode code="active"/><patientPerson classCode="PSN"'
        ' determinerCode="INSTANCE"><name use="L"><family>Zqfeed</family><given>Xw</given></name>'
        '<administrativeGenderCode code="F"/><birthTime value="19121212"/></patientPerson></patient></subject1>'
        f"{prior}</registrationEvent></subject></controlActProcess></{name}>"
    )
    return plain(action, messages.envelope(action, body))


def makers(world: World, there: Known) -> dict[tuple[str, str], Maker]:
    """By service and action."""
    query, turn = queries(there), itertools.count()

    def register() -> Message:
        made = s.new() if next(turn) % 2 else s.following(there.registered)
        return plain(Action.REGISTER_DOCUMENT_SET, messages.register_document_set(made))

    on_demand = Action.REGISTER_ON_DEMAND_DOCUMENT_ENTRY
    a: Any = Action
    return {
        ("registry", a.REGISTRY_STORED_QUERY): query,
        ("registry", a.REGISTER_DOCUMENT_SET): register,
        ("repository", a.PROVIDE_AND_REGISTER_DOCUMENT_SET): provide,
        ("repository", a.RETRIEVE_DOCUMENT_SET): lambda: retrieve(there),
        ("imaging", a.RETRIEVE_IMAGING_DOCUMENT_SET): lambda: imaging(there),
        ("registry", on_demand): lambda: plain(on_demand, messages.register_on_demand(messages.promised(s.new()))),
        ("registry", a.MULTI_PATIENT_STORED_QUERY): lambda: several_patients(there),
        ("registry", a.UPDATE_DOCUMENT_SET): lambda: update(world, restricted=False),
        ("registry", a.RESTRICTED_UPDATE_DOCUMENT_SET): lambda: update(world, restricted=True),
        ("registry", a.DELETE_DOCUMENT_SET): lambda: removal(world),
        ("repository", a.REMOVE_DOCUMENTS): lambda: removal_of_documents(world),
        ("gateway", a.CROSS_GATEWAY_QUERY): lambda: at_home(query(), a.CROSS_GATEWAY_QUERY),
        ("gateway", a.CROSS_GATEWAY_RETRIEVE): lambda: retrieve(there, a.CROSS_GATEWAY_RETRIEVE, HOME),
        ("gateway", a.CROSS_GATEWAY_RETRIEVE_IMAGING_DOCUMENT_SET): lambda: imaging(
            there, a.CROSS_GATEWAY_RETRIEVE_IMAGING_DOCUMENT_SET, HOME
        ),
        ("initiating-gateway", a.RETRIEVE_IMAGING_DOCUMENT_SET): lambda: imaging(there, home=HOME),
        ("initiating-gateway", a.REGISTRY_STORED_QUERY): lambda: at_home(query(), a.REGISTRY_STORED_QUERY),
        ("initiating-gateway", a.RETRIEVE_DOCUMENT_SET): lambda: retrieve(there, home=HOME),
        **{
            ("registry", action): lambda action=action: person(action)
            for action in (a.PATIENT_ADDED, a.PATIENT_REVISED, a.PATIENTS_MERGED)
        },
    }
