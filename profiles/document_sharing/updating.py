"""What Metadata Update and its restricted form share: one message, two sets of rules (ITI TF-2, 3.57 and 3.92)."""

from collections.abc import Iterable
from dataclasses import dataclass

from profiles.document_sharing import codes
from profiles.document_sharing import submission as rules
from profiles.document_sharing.transactions import Rules
from profiles.faces import soap
from profiles.faces.ebrim_read import RIM, read_submission
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import Finding, Rejected
from registry.metadata.model import Submission
from registry.metadata.urn import Namespace

REQUEST = "{" + Namespace.LCM + "}SubmitObjectsRequest"
RESPONSE = "{" + Namespace.RS + "}RegistryResponse"


@dataclass(frozen=True, slots=True)
class Updating:
    """An update as sent, and what is wrong with it by itself."""

    submission: Submission
    findings: tuple[Finding, ...]


def decode(request: soap.Request[object], wanted: Rules) -> Updating:
    """The update in a SubmitObjectsRequest, judged by the transaction's rules."""
    submission, findings = read_submission(request.body.find(RIM + "RegistryObjectList"), wanted.metadata_error)
    return Updating(submission, (*findings, *rules.findings(submission, wanted)))


def handle(asked: Updating, house: House, caller: Caller, wanted: Rules, *, restricted: bool) -> tuple[Finding, ...]:
    """Do what is asked; the warnings that remain.

    Raises:
        Rejected: with everything that is wrong, the registry's own findings among it.
    """
    accepted = house.settings.affinity_domain.codes
    found = (*asked.findings, *codes.findings(asked.submission, accepted, wanted.metadata_error))
    if any(not f.warning for f in found):
        more = house.registry.check_update(asked.submission, caller, restricted=restricted)
        raise Rejected(_once([*found, *more]))
    house.registry.update(asked.submission, caller, restricted=restricted)
    return found


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """What the message alone and the registry's state both show wrong is told once."""
    return list({(f.code, f.where): f for f in findings}.values())
