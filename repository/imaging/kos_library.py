"""What the content tree of a key object document tells of its references (PS3.16 TID 2010 and TID 1600).

The image library describes series and instances. Real libraries put an instance's number beside the instance rather
than under it, counts into text, and codes into the wrong scheme; all of that is read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import tzinfo

from registry.metadata.model import Code, Series
from repository.imaging import attributes
from repository.imaging.codes import Concept, concept_of
from repository.imaging.tags import Tag
from repository.imaging.values import Json

FIRST_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(slots=True)
class Library:
    """Gathered from one content tree.

    `references`: SOP Instance UIDs that the tree points to. `series`: descriptions by UID, without instances.
    `instances`: instance number and number of frames by UID. `counts`: instances that a series is said to have.
    """

    references: set[str] = field(default_factory=set)
    series: dict[str, Series] = field(default_factory=dict)
    instances: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    procedure_codes: tuple[Code, ...] = ()


def read(data: Json) -> Library:
    """The library of a key object document; empty where there is none."""
    library = Library()
    for item in attributes.items(data, Tag.CONTENT_SEQUENCE):
        if _concept(item) is Concept.PROCEDURE_CODE:
            library.procedure_codes += tuple(attributes.codes(item, Tag.CONCEPT_CODE_SEQUENCE))
    _read_container(data, library, attributes.zone_of(data))
    return library


def _read_container(container: Json, library: Library, zone: tzinfo) -> None:
    """The items of one container, and of those within it; `zone` is the document's."""
    told: dict[Concept, str] = {}
    numbers: tuple[int | None, int | None] = (None, None)
    for item in attributes.items(container, Tag.CONTENT_SEQUENCE):
        concept = _concept(item)
        references = list(_references(item))
        if references:
            own = _numbers({c: _value(child) for child in _children(item) if (c := _concept(child))}, numbers)
            for uid in references:
                library.references.add(uid)
                if own != (None, None):
                    library.instances[uid] = own
            numbers = (None, None)
        elif concept in (Concept.INSTANCE_NUMBER, Concept.NUMBER_OF_FRAMES):
            numbers = _numbers({concept: _value(item)}, numbers)
        elif concept is not None:
            told.setdefault(concept, _value(item))
        if not references:
            _read_container(item, library, zone)
    uid = told.get(Concept.SERIES_INSTANCE_UID, "")
    if _concept(container) is Concept.LIBRARY_GROUP and uid:
        _read_group(uid, told, library, zone)


def _read_group(uid: str, told: dict[Concept, str], library: Library, zone: tzinfo) -> None:
    library.series[uid] = Series(
        uid=uid,
        modality=told.get(Concept.MODALITY, ""),
        number=attributes.integer(told.get(Concept.SERIES_NUMBER, "")),
        description=told.get(Concept.SERIES_DESCRIPTION, ""),
        body_part=told.get(Concept.TARGET_REGION, ""),
        started=attributes.utc(told.get(Concept.SERIES_DATE, ""), told.get(Concept.SERIES_TIME, ""), zone),
    )
    count = FIRST_NUMBER.search(told.get(Concept.SERIES_INSTANCES, ""))
    if count is not None:
        library.counts[uid] = int(count[0])


def _numbers(told: dict[Concept, str], before: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    """Instance number and number of frames as `told`, else as told by the items before."""
    number = attributes.integer(told.get(Concept.INSTANCE_NUMBER, ""))
    frames = attributes.integer(told.get(Concept.NUMBER_OF_FRAMES, ""))
    return (before[0] if number is None else number, before[1] if frames is None else frames)


def _children(item: Json) -> Iterator[Json]:
    return attributes.items(item, Tag.CONTENT_SEQUENCE)


def _concept(item: Json) -> Concept | None:
    name = attributes.code(item, Tag.CONCEPT_NAME_CODE_SEQUENCE)
    return concept_of(name.code) if name else None


def _references(item: Json) -> Iterator[str]:
    """The instances that a content item of IMAGE, WAVEFORM or COMPOSITE points to (PS3.3 C.18.3 to C.18.5)."""
    for found in attributes.items(item, Tag.REFERENCED_SOP_SEQUENCE):
        uid = attributes.text(found, Tag.REFERENCED_SOP_INSTANCE_UID)
        if uid:
            yield uid


def _value(item: Json) -> str:
    """The item's value as text, in whichever value type; of a region the meaning, of other codes the code."""
    coded = attributes.code(item, Tag.CONCEPT_CODE_SEQUENCE)
    if coded is not None:
        return coded.display or coded.code if _concept(item) is Concept.TARGET_REGION else coded.code
    for tag in (Tag.TEXT_VALUE, Tag.UID, Tag.DATE, Tag.TIME):
        found = attributes.text(item, tag)
        if found:
            return found
    measured = next(attributes.items(item, Tag.MEASURED_VALUE_SEQUENCE), {})
    return attributes.text(measured, Tag.NUMERIC_VALUE)
