"""What a stored query finds, ready for a SOAP face to print."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import NamedTuple


@unique
class Kind(StrEnum):
    """The element that a registry object is on the wire."""

    DOCUMENT_ENTRY = "ExtrinsicObject"
    SUBMISSION_SET = "SubmissionSet"
    FOLDER = "Folder"
    ASSOCIATION = "Association"


class StoredObject(NamedTuple):
    """A registry object as stored: columns that can change, and its ready body. UUIDs are bare, `status` is a word.

    `mime_type` and `object_type` are a DocumentEntry's; `type`, `source` and `target` an Association's;
    `last_update_time` a Folder's, 14 digits in UTC.
    """

    kind: Kind
    id: str
    logical_id: str
    version: int
    status: str
    home: str | None
    patient_id: str
    mime_type: str
    object_type: str
    body: bytes
    type: str = ""
    source: str = ""
    target: str = ""
    last_update_time: str = ""


class ObjectRef(NamedTuple):
    """An object's UUID (bare) and its community, when only references were asked for."""

    id: str
    home: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stored query found: `objects`, or `refs` when references were asked for."""

    objects: tuple[StoredObject, ...] = ()
    refs: tuple[ObjectRef, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The UUIDs (bare) of what was found, either way."""
        return [one.id for one in self.objects] or [one.id for one in self.refs]
