"""Registered objects as updates and removals see them: every version, and the associations that tie them together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from registry.metadata.identify import bare_uuid
from registry.metadata.model import Slots
from registry.metadata.urn import AssociationType

DOCUMENT, SET, FOLDER, ASSOCIATION = "document", "set", "folder", "association"
APPROVED, DEPRECATED = "Approved", "Deprecated"
NAMES = {DOCUMENT: "DocumentEntry", SET: "SubmissionSet", FOLDER: "Folder", ASSOCIATION: "Association"}


class Known(NamedTuple):
    """One version of a registered object. UUIDs are bare, `status` is a word, `patient_id` canonical CX text.

    `type`, `source` and `target` are an Association's; the fields between are a DocumentEntry's, and `unique_id` also
    a Folder's and a SubmissionSet's. `slots` are those of a DocumentEntry's body, where they were asked for.
    """

    kind: str
    id: str
    logical_id: str
    version: int
    status: str
    is_latest: bool
    patient_id: str
    unique_id: str | None = None
    object_type: str | None = None
    mime_type: str | None = None
    repository_unique_id: str | None = None
    hash: str | None = None
    size: str | None = None
    type: str | None = None
    source: str | None = None
    target: str | None = None
    slots: Slots = ()

    @property
    def is_membership(self) -> bool:
        """True for a HasMember."""
        return self.type == AssociationType.HAS_MEMBER

    def slot(self, name: str) -> tuple[str, ...]:
        """The values of a Slot; none when it is not there."""
        return next((values for slot, values in self.slots if slot == name), ())


class Objects:
    """Some registered objects, to be looked up."""

    __slots__ = ("_by_id", "_ending", "_versions")

    def __init__(self, objects: Iterable[Known]) -> None:
        self._by_id = {one.id: one for one in objects}
        self._versions: dict[tuple[str, str], list[Known]] = defaultdict(list)
        self._ending: dict[str, list[Known]] = defaultdict(list)
        for one in self._by_id.values():
            self._versions[one.kind, one.logical_id].append(one)
            for end in {one.source, one.target} - {None}:
                self._ending[str(end)].append(one)

    def __iter__(self) -> Iterator[Known]:
        return iter(self._by_id.values())

    def by_id(self, urn: str | None) -> Known | None:
        """The object whose entryUUID is `urn`."""
        return self._by_id.get(bare_uuid(urn or ""))

    def versions(self, kind: str, logical_id: str) -> Sequence[Known]:
        """All versions of a logical object."""
        return self._versions.get((kind, bare_uuid(logical_id)), ())

    def latest(self, kind: str, logical_id: str) -> Known | None:
        """The newest version of a logical object."""
        return max(self.versions(kind, logical_id), key=lambda one: one.version, default=None)

    def ending_at(self, id_: str) -> Sequence[Known]:
        """The associations that have this object (a bare UUID) at either end."""
        return self._ending.get(id_, ())
