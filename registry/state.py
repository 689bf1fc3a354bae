"""What the registry holds of the objects that a submission names, as far as the rules of registering ask."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from registry.metadata.identify import bare_uuid, is_uuid
from registry.metadata.model import Submission

LOGICAL = "logical"


class Registered(NamedTuple):
    """One registered object. `kind` is document, set, folder or association, `id` a bare UUID, `status` a word.

    A later version that has a named UUID for its logicalID is one of kind `LOGICAL`, whose `id` is the logicalID.
    """

    kind: str
    id: str
    patient_id: str
    status: str
    unique_id: str | None = None
    hash: str | None = None
    size: str | None = None
    object_type: str | None = None


class State:
    """The registered objects that a submission names by id or uniqueId."""

    __slots__ = ("_by_id", "_by_unique_id", "_logical_ids")

    def __init__(self, objects: Iterable[Registered]) -> None:
        self._by_id: dict[str, Registered] = {}
        self._by_unique_id: dict[tuple[str, str], list[Registered]] = {}
        self._logical_ids: set[str] = set()
        for one in objects:
            if one.kind == LOGICAL:
                self._logical_ids.add(one.id)
                continue
            self._by_id[one.id] = one
            if one.unique_id:
                self._by_unique_id.setdefault((one.kind, one.unique_id), []).append(one)

    def by_id(self, urn: str) -> Registered | None:
        """The object whose entryUUID is `urn`."""
        return self._by_id.get(bare_uuid(urn))

    def is_logical_id(self, urn: str) -> bool:
        """True for the logicalID of what has newer versions than its first."""
        return bare_uuid(urn) in self._logical_ids

    def by_unique_id(self, kind: str, unique_id: str | None) -> Sequence[Registered]:
        """The objects of one kind with this uniqueId."""
        return self._by_unique_id.get((kind, unique_id or ""), ())


def named(submission: Submission) -> tuple[list[str], list[str]]:
    """The UUIDs (bare) and uniqueIds that a submission names: what `State` must be asked for."""
    ids = {bare_uuid(o.id) for o in submission.objects() if is_uuid(o.id)}
    for association in submission.associations:
        ids |= {bare_uuid(end) for end in (association.source, association.target) if is_uuid(end)}
    return sorted(ids), sorted({o.unique_id for o in submission.holders() if o.unique_id})
