"""What a FHIR search or read finds, ready for the face to print."""

from dataclasses import dataclass
from typing import NamedTuple

from registry.queries import ResourceType


class StoredResource(NamedTuple):
    """A resource as stored: columns that can change, and its ready body.

    `updated` is in seconds since 1970. `status` is the resource's FHIR code. `body` is a JSON object (UTF-8, not empty)
    without resourceType, id, meta and status, in which `registry.renderers.BASE_IN_JSON` stands for the server's base
    URL.
    """

    type: ResourceType
    id: str
    version: int
    updated: float
    status: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search.

    `total` counts the matches on all pages; `next` is the (time, id) after which the next page begins, if there is one.
    """

    items: list[StoredResource]
    total: int
    next: tuple[float, str] | None = None
