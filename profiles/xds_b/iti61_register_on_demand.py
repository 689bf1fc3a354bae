"""ITI-61, Register On-Demand Document Entry (ITI TF-2, 3.61): a promise of documents that are made when asked for.

On the wire it is ITI-42 with entries that have no bytes yet; who asks for stable documents alone never sees them
(`$XDSDocumentEntryType`; ITI TF-2, 3.18.4.1.2.3.7.1).
"""

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import outcome
from profiles.document_sharing import submission as rules
from profiles.document_sharing.transactions import ON_DEMAND
from profiles.faces import soap
from profiles.faces.ebrim_read import RIM, read_submission
from profiles.xds_b.iti42_register_document_set import Registering, handle
from registry.metadata.urn import Action, Namespace


def decode(request: soap.Request[object]) -> Registering:
    """The submission in a SubmitObjectsRequest, judged by the rules for on-demand entries."""
    submission, findings = read_submission(request.body.find(RIM + "RegistryObjectList"), ON_DEMAND.metadata_error)
    return Registering(submission, (*findings, *rules.findings(submission, ON_DEMAND)))


TRANSACTION = Transaction(
    id="ITI-61",
    name="Register On-Demand Document Entry",
    actor="Document Registry",
    source="ITI TF-2, 3.61",
    face=Soap(
        service="registry",
        action=Action.REGISTER_ON_DEMAND_DOCUMENT_ENTRY,
        request="{" + Namespace.LCM + "}SubmitObjectsRequest",
        response="{" + Namespace.RS + "}RegistryResponse",
    ),
    decode=decode,
    handle=handle,
    encode=outcome.succeed,
    refuse=outcome.refuse,
)
