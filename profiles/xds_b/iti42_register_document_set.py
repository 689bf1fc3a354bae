"""ITI-42, Register Document Set-b (ITI TF-2, 3.42): metadata of documents that lie in some repository."""

from dataclasses import dataclass

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import codes, outcome
from profiles.document_sharing import submission as rules
from profiles.document_sharing.transactions import REGISTER
from profiles.faces import soap
from profiles.faces.ebrim_read import RIM, read_submission
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import Finding, Rejected
from registry.metadata.model import Submission
from registry.metadata.urn import Action, Namespace


@dataclass(frozen=True, slots=True)
class Registering:
    """A submission, and what is wrong with it by itself."""

    submission: Submission
    findings: tuple[Finding, ...]


def decode(request: soap.Request[object]) -> Registering:
    """The submission in a SubmitObjectsRequest, judged by the rules of ITI TF-3."""
    submission, findings = read_submission(request.body.find(RIM + "RegistryObjectList"), REGISTER.metadata_error)
    wrong = rules.findings(submission, REGISTER)
    return Registering(submission, (*findings, *wrong))


def handle(asked: Registering, house: House, caller: Caller) -> tuple[Finding, ...]:
    """Register; the warnings that remain.

    Raises:
        Rejected: with everything that is wrong, the registry's own findings among it.
    """
    accepted = house.settings.affinity_domain.codes
    found = (*asked.findings, *codes.findings(asked.submission, accepted, REGISTER.metadata_error))
    if any(not f.warning for f in found):
        raise Rejected([*found, *house.registry.check(asked.submission, caller)])
    house.registry.submit(asked.submission, caller)
    return found


TRANSACTION = Transaction(
    id="ITI-42",
    name="Register Document Set-b",
    actor="Document Registry",
    source="ITI TF-2, 3.42",
    face=Soap(
        service="registry",
        action=Action.REGISTER_DOCUMENT_SET,
        request="{" + Namespace.LCM + "}SubmitObjectsRequest",
        response="{" + Namespace.RS + "}RegistryResponse",
    ),
    decode=decode,
    handle=handle,
    encode=outcome.succeed,
    refuse=outcome.refuse,
)
