"""What the tests of the wire log share: how they ask, and what was kept."""

from typing import Any

from wire.soap_world import World

from conformance import messages, synthetic
from profiles.trace.ring import Ring
from registry.metadata.urn import Action

HEADERS = messages.headers(Action.REGISTRY_STORED_QUERY)
QUERY = messages.find_documents(synthetic.patient_id(1))


def ring_of(world: World) -> Ring:
    return Ring.of(world.house.settings)


def get(world: World, path: str, **more: Any) -> Any:
    """A GET whose answer is read to its end, as a client does."""
    return world.client.get(path, buffered=True, **more)


def newest(world: World) -> dict[str, Any]:
    return next(ring_of(world).newest())
