"""ITI-41, Provide and Register Document Set-b (ITI TF-2, 3.41); RAD-68 is the same door."""

from collections import Counter
from dataclasses import dataclass, replace

import structlog

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import codes, outcome
from profiles.document_sharing import submission as rules
from profiles.document_sharing.transactions import PROVIDE
from profiles.faces import mtom, soap, xml
from profiles.faces.ebrim_read import RIM, read_submission
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Submission
from registry.metadata.urn import Action, Namespace
from repository.service import Received

log = structlog.get_logger(__name__)
XDS_B = "{" + Namespace.XDS_B + "}"
SUBMIT = "{" + Namespace.LCM + "}SubmitObjectsRequest"
SOURCE = "ITI TF-2, 3.41.4.1.2"


@dataclass(frozen=True, slots=True)
class Provided:
    """A submission with its documents by DocumentEntry id: received ones, or bytes that stood in the envelope."""

    submission: Submission
    documents: dict[str, Received | bytes]
    findings: tuple[Finding, ...]


def decode(request: soap.Request[Received]) -> Provided:
    """The submission and documents in a ProvideAndRegisterDocumentSetRequest.

    Raises:
        Fault: the message is no MTOM package, and has no document in the envelope either, as some senders do it.
    """
    elements = list(request.body.iterchildren(XDS_B + "Document"))
    if not request.message.packaged and not any((e.text or "").strip() for e in elements):
        text = "ITI-41 is sent as MTOM: multipart/related with type application/xop+xml (ITI TF-2, 3.41.4.1 and V.3.6)"
        raise soap.Fault("Sender", text, 415)
    submit = request.body.find(SUBMIT)
    objects = submit.find(RIM + "RegistryObjectList") if submit is not None else None
    submission, findings = read_submission(objects, PROVIDE.metadata_error)
    findings += rules.findings(submission, PROVIDE)
    documents: dict[str, Received | bytes] = {}
    for id_, times in Counter(e.get("id", "") for e in elements).items():
        if not id_ or times > 1:
            text = "a Document needs an id" if not id_ else f"{times} Documents have the id {id_!r}"
            findings.append(Finding(PROVIDE.metadata_error, id_ or "Document", text, SOURCE))
    own_ids = {bare_uuid(entry.id): entry.id for entry in submission.entries}
    for element in elements:
        # A UUID may be written in either case; the entry's spelling is the one that pairs.
        id_ = own_ids.get(bare_uuid(element.get("id", "")), element.get("id", ""))
        try:
            documents[id_] = _content(element, request.message)
        except Rejected as rejected:
            # This wire's book has no code for bytes that cannot be decoded but the repository's own.
            findings += [replace(f, code=ErrorCode.XDSRepositoryError, where=id_) for f in rejected.findings]
            documents[id_] = b""
    return Provided(submission, documents, tuple(findings))


def _content(element: xml.Element, message: mtom.Message[Received]) -> Received | bytes:
    included = mtom.included(element, message)
    if included is not None:
        return included
    log.warning("document inline instead of MTOM")
    return mtom.inline(element)


def handle(asked: Provided, house: House, caller: Caller) -> tuple[Finding, ...]:
    """Keep the documents and register them; the warnings that remain.

    Raises:
        Rejected: with everything that is wrong.
    """
    repository = house.repository
    received = {
        id_: repository.receive([content]) if isinstance(content, bytes) else content
        for id_, content in asked.documents.items()
    }
    wrong = codes.findings(asked.submission, house.settings.affinity_domain.codes, PROVIDE.metadata_error)
    found = (*asked.findings, *wrong)
    repository.provide(asked.submission, received, caller, findings=found)
    return found


TRANSACTION = Transaction(
    id="ITI-41",
    name="Provide and Register Document Set-b",
    actor="Document Repository",
    source="ITI TF-2, 3.41",
    face=Soap(
        service="repository",
        action=Action.PROVIDE_AND_REGISTER_DOCUMENT_SET,
        request=XDS_B + "ProvideAndRegisterDocumentSetRequest",
        response="{" + Namespace.RS + "}RegistryResponse",
        mtom=True,
    ),
    decode=decode,
    handle=handle,
    encode=outcome.succeed,
    refuse=outcome.refuse,
)
