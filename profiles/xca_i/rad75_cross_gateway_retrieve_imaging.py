"""RAD-75, Cross Gateway Retrieve Imaging Document Set (RAD TF-2, 4.75): what RAD-69 gives, to other communities.

It is answered from the imaging sources of this community and never passed on to another, so that gateways that ask each
other end.
"""

from dataclasses import dataclass

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import imaging_request, retrieve
from profiles.document_sharing.imaging_request import ImagingRequest, InstanceRequest
from profiles.faces import soap
from profiles.house import House
from profiles.xca_i.homes import in_this_community, located, misaddressed
from registry.access import Caller
from registry.metadata.errors import Finding, Rejected
from registry.metadata.urn import Action

SOURCE = "RAD TF-2, 4.75.4.1.2"


@dataclass(frozen=True, slots=True)
class CrossGatewayRetrieve:
    """The instances asked for, and what is wrong with the request as a whole.

    The findings wait for `handle`, which knows the community that they are located in.
    """

    asked: ImagingRequest
    findings: tuple[Finding, ...]


def decode(request: soap.Request[object]) -> CrossGatewayRetrieve:
    """The instances that a RetrieveImagingDocumentSetRequest asks for."""
    asked, findings = imaging_request.requested(request.body)
    return CrossGatewayRetrieve(asked, tuple(findings))


def handle(retrieval: CrossGatewayRetrieve, house: House, caller: Caller) -> list[retrieve.Document | Finding]:
    """Each instance, or why not, in the order asked; every error is located in this community (RAD TF-2, 4.75.4.2).

    Raises:
        Rejected: XDSRepositoryError, the request lacks what it needs.
    """
    own = house.communities.own
    if retrieval.findings:
        raise Rejected(located(retrieval.findings, own))
    ours = [one for one in retrieval.asked.instances if one.home == own]
    return [
        *in_this_community(ours, retrieval.asked.transfer_syntaxes, house, caller),
        *(_misaddressed(one, own) for one in retrieval.asked.instances if one.home != own),
    ]


def _misaddressed(one: InstanceRequest, own: str) -> Finding:
    return located([misaddressed(one, f"is not this community, {own}", SOURCE)], own)[0]


TRANSACTION = Transaction(
    id="RAD-75",
    name="Cross Gateway Retrieve Imaging Document Set",
    actor="Responding Imaging Gateway",
    source="RAD TF-2, 4.75",
    face=Soap(
        service="gateway",
        action=Action.CROSS_GATEWAY_RETRIEVE_IMAGING_DOCUMENT_SET,
        request=imaging_request.REQUEST,
        response=retrieve.RESPONSE,
        mtom=True,
    ),
    decode=decode,
    handle=handle,
    encode=retrieve.answer,
    refuse=retrieve.refuse,
)
