"""What the imaging gateways say of communities: each error is located in the one it is of (RAD TF-2, 4.75.4.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from profiles.document_sharing.imaging_request import ImagingRequest, InstanceRequest
from profiles.document_sharing.imaging_sources import of_this_community
from profiles.document_sharing.retrieve import Document
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding


def located(findings: Iterable[Finding], home: str) -> list[Finding]:
    """The findings as a gateway tells them: their location is the community, what they are about stands in the text."""
    return [replace(f, where=home, text=f"{f.where}: {f.text}" if f.where else f.text) for f in findings]


def in_this_community(
    instances: Sequence[InstanceRequest], syntaxes: tuple[str, ...], house: House, caller: Caller
) -> list[Document | Finding]:
    """Each instance of this community's imaging sources, or why not; every one of them names us as home."""
    if not instances:
        return []
    found = of_this_community(ImagingRequest(tuple(instances), syntaxes), house, caller)
    return [located([one], house.communities.own)[0] if isinstance(one, Finding) else one for one in found]


def misaddressed(one: InstanceRequest, otherwise: str, source: str) -> Finding:
    """That a request names no community, or one that `otherwise` says what is wrong with."""
    if one.home is None:
        text = "its HomeCommunityId is missing: a gateway must be told whose instance it is"
        return Finding(ErrorCode.XDSMissingHomeCommunityId, one.unique_id, text, source)
    text = f"the HomeCommunityId {one.home[:100]!r} {otherwise}"
    return Finding(ErrorCode.XDSUnknownCommunity, one.unique_id, text, source)
