"""Resources whose body is stale: rendered when they are read, of what is known then."""

from collections.abc import Callable, Mapping

from database.engine import Unit
from registry import reports, studies
from registry.metadata.model import StudyDescription
from registry.queries import ResourceType
from registry.renderers import Renderers
from registry.resources import StoredResource
from registry.store import resource_rows, resources
from registry.store.fragments import compress


def render(
    unit: Unit,
    stale: StoredResource,
    renderers: Renderers,
    describe: Callable[[str, str], StudyDescription] | None,
    locations: Mapping[str, str],
    now: float,
) -> bytes | None:
    """The body of a stale resource, kept for the next reader; None when the resource is gone.

    `describe(uid, source)` gives a held study's contents, `locations` is Retrieve Location UID -> WADO-RS base URL.
    """
    body: bytes | None
    if stale.type is ResourceType.IMAGING_STUDY:
        there = unit.rows(resource_rows.STUDY_ROW, id=stale.id)
        if not there:
            return None
        uid, source, _ = there[0]
        study = describe(uid, source) if describe else StudyDescription(uid, source)
        body = studies.render(unit, study, renderers, locations, now)
    else:
        body = reports.render(unit, stale.id, renderers)
        if body is None:
            return None
    resources.keep_rendered(unit, stale.type, stale.id, stale.version, compress(body))
    return body
