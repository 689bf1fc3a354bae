"""Requests as a client sends them, for probes, benchmarks and tests: envelopes of ITI-18, 41, 42 and 43, and MTOM."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from uuid import uuid4

from profiles.faces import ebrim_write, mtom
from registry.answers import Kind, StoredObject
from registry.metadata.identify import bare_uuid, with_uuids
from registry.metadata.model import Association, DocumentEntry, Folder, Submission, SubmissionSet
from registry.metadata.urn import Action, Namespace, ObjectType, Status, StoredQueryId

KINDS = {SubmissionSet: Kind.SUBMISSION_SET, Folder: Kind.FOLDER}


def envelope(action: str, body: str) -> bytes:
    """A SOAP 1.2 request with WS-Addressing."""
    return (
        f'<soap:Envelope xmlns:soap="{Namespace.SOAP}" xmlns:wsa="{Namespace.ADDRESSING}"><soap:Header>'
        f'<wsa:Action soap:mustUnderstand="true">{action}</wsa:Action>'
        f"<wsa:MessageID>urn:uuid:{uuid4()}</wsa:MessageID><wsa:To>http://registry.example.org</wsa:To>"
        f"</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def headers(action: str) -> dict[str, str]:
    """HTTP headers of a plain SOAP 1.2 request."""
    return {"Content-Type": f'application/soap+xml; charset=UTF-8; action="{action}"'}


def objects(submission: Submission) -> str:
    """The rim:RegistryObjectList of a submission; every id becomes a UUID."""
    ready = with_uuids(submission)
    return "".join(_element(thing) for thing in ready.objects())


def _element(thing: DocumentEntry | SubmissionSet | Folder | Association) -> str:
    body = ebrim_write.body(thing)
    if isinstance(thing, Association):
        stored = StoredObject(
            Kind.ASSOCIATION,
            thing.id,
            thing.id,
            1,
            "Approved",
            None,
            "",
            "",
            "",
            body,
            thing.type,
            thing.source,
            thing.target,
        )
    elif isinstance(thing, DocumentEntry):
        stored = StoredObject(
            Kind.DOCUMENT_ENTRY,
            thing.id,
            _lid(thing),
            1,
            "Approved",
            None,
            "",
            thing.mime_type,
            thing.object_type,
            body,
        )
    else:
        stored = StoredObject(KINDS[type(thing)], thing.id, _lid(thing), 1, "Approved", thing.home, "", "", "", body)
        if isinstance(thing, Folder):
            stored = stored._replace(last_update_time=thing.last_update_time or "")
    return ebrim_write.element(stored).decode()


def _lid(thing: DocumentEntry | SubmissionSet | Folder) -> str:
    """A new version has the logicalID of what it updates, a first version its own id."""
    return bare_uuid(thing.logical_id or thing.id)


def submit_objects(submission: Submission) -> str:
    """An lcm:SubmitObjectsRequest."""
    return (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{Namespace.LCM}" xmlns:rim="{Namespace.RIM}"><rim:RegistryObjectList>'
        f"{objects(submission)}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


def register_document_set(submission: Submission) -> bytes:
    """ITI-42."""
    return envelope(Action.REGISTER_DOCUMENT_SET, submit_objects(submission))


def register_on_demand(submission: Submission) -> bytes:
    """ITI-61; the DocumentEntries must be on-demand, see `promised`."""
    return envelope(Action.REGISTER_ON_DEMAND_DOCUMENT_ENTRY, submit_objects(submission))


def promised(submission: Submission) -> Submission:
    """The submission with on-demand DocumentEntries: nothing in them tells of bytes (ITI TF-2, 3.61.4.1)."""
    entries = (
        replace(
            e,
            object_type=ObjectType.ON_DEMAND_DOCUMENT,
            creation_time=None,
            hash=None,
            size=None,
            legal_authenticator=None,
        )
        for e in submission.entries
    )
    return replace(submission, entries=tuple(entries))


def provide_and_register(
    submission: Submission, documents: Mapping[str, Iterable[bytes]]
) -> tuple[str, Iterable[bytes]]:
    """ITI-41 by MTOM: its Content-Type and its bytes. `documents` by DocumentEntry id, which must be UUIDs."""
    attachments = {id_: mtom.Attachment(mtom.new_content_id(), chunks) for id_, chunks in documents.items()}
    parts = "".join(
        f'<xdsb:Document id="{escape(id_)}">{mtom.include(one.content_id).decode()}</xdsb:Document>'
        for id_, one in attachments.items()
    )
    body = (
        f'<xdsb:ProvideAndRegisterDocumentSetRequest xmlns:xdsb="{Namespace.XDS_B}">{submit_objects(submission)}'
        f"{parts}</xdsb:ProvideAndRegisterDocumentSetRequest>"
    )
    action = Action.PROVIDE_AND_REGISTER_DOCUMENT_SET
    return mtom.write_message([envelope(action, body)], list(attachments.values()), action=action)


def provided(submission: Submission) -> Submission:
    """The submission as a Document Source sends it: what the repository fills in is left out."""
    entries = tuple(replace(e, hash=None, size=None, repository_unique_id=None) for e in submission.entries)
    return replace(submission, entries=entries)


def stored_query(
    query: StoredQueryId,
    parameters: Sequence[tuple[str, str]],
    returns: str = "LeafClass",
    action: Action = Action.REGISTRY_STORED_QUERY,
) -> bytes:
    """ITI-18, or another by `action`; `parameters` are (slot, value) with the value's quotes and parentheses."""
    slots = "".join(
        f'<rim:Slot name="{escape(name)}"><rim:ValueList><rim:Value>{escape(value, quote=False)}</rim:Value>'
        f"</rim:ValueList></rim:Slot>"
        for name, value in parameters
    )
    body = (
        f'<query:AdhocQueryRequest xmlns:query="{Namespace.QUERY}" xmlns:rim="{Namespace.RIM}">'
        f'<query:ResponseOption returnComposedObjects="true" returnType="{returns}"/>'
        f'<rim:AdhocQuery id="{query}">{slots}</rim:AdhocQuery></query:AdhocQueryRequest>'
    )
    return envelope(action, body)


def find_documents(patient_id: str, returns: str = "LeafClass") -> bytes:
    """FindDocuments of a patient's approved documents."""
    parameters = [
        ("$XDSDocumentEntryPatientId", f"'{patient_id}'"),
        ("$XDSDocumentEntryStatus", f"('{Status.APPROVED}')"),
    ]
    return stored_query(StoredQueryId.FIND_DOCUMENTS, parameters, returns)


def retrieve_document_set(requests: Sequence[tuple[str, str]]) -> bytes:
    """ITI-43 of (repositoryUniqueId, documentUniqueId)."""
    asked = "".join(
        f"<xdsb:DocumentRequest><xdsb:RepositoryUniqueId>{escape(repository)}</xdsb:RepositoryUniqueId>"
        f"<xdsb:DocumentUniqueId>{escape(document)}</xdsb:DocumentUniqueId></xdsb:DocumentRequest>"
        for repository, document in requests
    )
    body = f'<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="{Namespace.XDS_B}">{asked}</xdsb:RetrieveDocumentSetRequest>'
    return envelope(Action.RETRIEVE_DOCUMENT_SET, body)


def update_document_set(submission: Submission, *, restricted: bool = False) -> bytes:
    """ITI-57, or ITI-92: new versions have a logical_id, and slots of updates are in their associations' `extra`."""
    action = Action.RESTRICTED_UPDATE_DOCUMENT_SET if restricted else Action.UPDATE_DOCUMENT_SET
    return envelope(action, submit_objects(submission))


def remove_metadata(ids: Iterable[str]) -> bytes:
    """ITI-62 of these entryUUIDs."""
    refs = "".join(f'<rim:ObjectRef id="{escape(id_)}"/>' for id_ in ids)
    body = (
        f'<lcm:RemoveObjectsRequest xmlns:lcm="{Namespace.LCM}" xmlns:rim="{Namespace.RIM}"><rim:ObjectRefList>'
        f"{refs}</rim:ObjectRefList></lcm:RemoveObjectsRequest>"
    )
    return envelope(Action.DELETE_DOCUMENT_SET, body)


def remove_documents(requests: Sequence[tuple[str, str]]) -> bytes:
    """ITI-86 of (repositoryUniqueId, documentUniqueId)."""
    asked = "".join(
        f"<xdsb:DocumentRequest><xdsb:RepositoryUniqueId>{escape(repository)}</xdsb:RepositoryUniqueId>"
        f"<xdsb:DocumentUniqueId>{escape(document)}</xdsb:DocumentUniqueId></xdsb:DocumentRequest>"
        for repository, document in requests
    )
    names = f'xmlns:rmd="{Namespace.RMD}" xmlns:xdsb="{Namespace.XDS_B}"'
    return envelope(
        Action.REMOVE_DOCUMENTS, f"<rmd:RemoveDocumentsRequest {names}>{asked}</rmd:RemoveDocumentsRequest>"
    )
