"""What a transaction's `handle` may ask: the actors, and the settings."""

from dataclasses import dataclass

from profiles.communities import Communities
from profiles.faces.soap_async import PostOffice
from profiles.imaging_sources import ImagingSources
from profiles.settings import Settings
from registry.access import OpenPolicy
from registry.audit import ReadAudit
from registry.service import Registry
from repository.imaging.service import ImagingRepository
from repository.service import Repository


@dataclass(frozen=True, slots=True)
class House:
    """The actors of one running server; `post` takes answers that go elsewhere, `policy` and `audit` guard the rest.

    `communities` are those that our gateway asks, `sources` the imaging sources of this one.
    """

    settings: Settings
    registry: Registry
    repository: Repository
    imaging: ImagingRepository
    post: PostOffice
    policy: OpenPolicy
    audit: ReadAudit
    communities: Communities
    sources: ImagingSources
