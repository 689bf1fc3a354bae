"""What a transaction's `handle` may ask: the actors, and the settings."""

from dataclasses import dataclass

from profiles.settings import Settings
from registry.service import Registry
from repository.imaging.service import ImagingRepository
from repository.service import Repository


@dataclass(frozen=True, slots=True)
class House:
    """The actors of one running server."""

    settings: Settings
    registry: Registry
    repository: Repository
    imaging: ImagingRepository
