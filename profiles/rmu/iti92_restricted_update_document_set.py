"""ITI-92, Restricted Update Document Set (ITI TF-2, 3.92): corrections of a DocumentEntry that keep what it is."""

from collections.abc import Iterator
from dataclasses import replace

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import outcome, updating
from profiles.document_sharing.transactions import RESTRICTED_UPDATE
from profiles.faces import soap
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import Submission
from registry.metadata.urn import Action, FhirSystem

FORWARDING = "ITI TF-2, 3.92.4.1.3.1"


def decode(request: soap.Request[object]) -> updating.Updating:
    """The update in a SubmitObjectsRequest."""
    return updating.decode(request, RESTRICTED_UPDATE)


def handle(asked: updating.Updating, house: House, caller: Caller) -> tuple[Finding, ...]:
    """Do what is asked; the warnings that remain.

    Raises:
        Rejected: with everything that is wrong; XDSUnknownCommunity, the update is meant for another community.
    """
    own = FhirSystem.OID_PREFIX + house.settings.affinity_domain.home_community_id
    asked = replace(asked, findings=(*asked.findings, *_elsewhere(asked.submission, own)))
    return updating.handle(asked, house, caller, RESTRICTED_UPDATE, restricted=True)


def _elsewhere(submission: Submission, own: str) -> Iterator[Finding]:
    for one in submission.submission_sets:
        if one.home and one.home != own:
            text = f"is {one.home}, this community is {own}, and updates are not forwarded"
            yield Finding(ErrorCode.XDSUnknownCommunity, f"{one.id}.homeCommunityId", text, FORWARDING)


TRANSACTION = Transaction(
    id="ITI-92",
    name="Restricted Update Document Set",
    actor="Update Responder",
    source="ITI TF-2, 3.92",
    face=Soap(
        service="registry",
        action=Action.RESTRICTED_UPDATE_DOCUMENT_SET,
        request=updating.REQUEST,
        response=updating.RESPONSE,
    ),
    decode=decode,
    handle=handle,
    encode=outcome.succeed,
    refuse=outcome.refuse,
)
