"""What the content tree of a key object document tells of its references (PS3.16 TID 2010 and TID 1600).

The image library describes series and instances. Real libraries put an instance's number beside the instance rather
than under it, counts into text, and codes into the wrong scheme; all of that is read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import NamedTuple

from registry.metadata.model import Code, Series
from repository.imaging import attributes
from repository.imaging.codes import Concept, concept_of
from repository.imaging.tags import Tag
from repository.imaging.values import Json

FIRST_NUMBER = re.compile(r"[0-9]{1,9}")
OF_INSTANCE = frozenset(
    {
        Concept.INSTANCE_NUMBER,
        Concept.NUMBER_OF_FRAMES,
        Concept.DOCUMENT_TITLE,
        Concept.KEY_OBJECT_DESCRIPTION,
    }
)


class Told(NamedTuple):
    """What a library says of an instance: its number, its frames, and a key object document's title and text."""

    number: int | None = None
    frames: int | None = None
    title: Code | None = None
    description: str = ""


NOTHING = Told()


@dataclass(slots=True)
class Library:
    """Gathered from one content tree.

    `references`: SOP Instance UIDs that the tree points to. `series`: descriptions by UID, without instances.
    `instances`: what is said of instances, by UID. `counts`: instances that a series is said to have.
    """

    references: set[str] = field(default_factory=set)
    series: dict[str, Series] = field(default_factory=dict)
    instances: dict[str, Told] = field(default_factory=dict)
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


def told_of(document: Json) -> tuple[Code | None, str]:
    """Title and description of a key object document itself (PS3.16 TID 2010)."""
    texts = (_value(one) for one in _children(document) if _concept(one) is Concept.KEY_OBJECT_DESCRIPTION)
    return attributes.code(document, Tag.CONCEPT_NAME_CODE_SEQUENCE), next(texts, "")


def _read_container(container: Json, library: Library, zone: tzinfo) -> None:
    """The items of one container, and of those within it; `zone` is the document's."""
    told: dict[Concept, Json] = {}
    before = NOTHING
    for item in attributes.items(container, Tag.CONTENT_SEQUENCE):
        concept = _concept(item)
        references = list(_references(item))
        if references:
            own = before
            for child in _children(item):
                own = _plus(own, child)
            for uid in references:
                library.references.add(uid)
                if own != NOTHING:
                    library.instances[uid] = own
            before = NOTHING
        elif concept in OF_INSTANCE:
            before = _plus(before, item)
        elif concept is not None:
            told.setdefault(concept, item)
        if not references:
            _read_container(item, library, zone)
    uid = _value(told.get(Concept.SERIES_INSTANCE_UID, {}))
    if _concept(container) is Concept.LIBRARY_GROUP and uid:
        _read_group(uid, told, library, zone)


def _read_group(uid: str, told: dict[Concept, Json], library: Library, zone: tzinfo) -> None:
    def text(concept: Concept) -> str:
        return _value(told.get(concept, {}))

    region = attributes.code(told.get(Concept.TARGET_REGION, {}), Tag.CONCEPT_CODE_SEQUENCE)
    library.series[uid] = Series(
        uid=uid,
        modality=text(Concept.MODALITY),
        number=attributes.integer(text(Concept.SERIES_NUMBER)),
        description=text(Concept.SERIES_DESCRIPTION),
        body_part=(region.display or region.code) if region else text(Concept.TARGET_REGION),
        started=attributes.utc(text(Concept.SERIES_DATE), text(Concept.SERIES_TIME), zone),
        region=region,
    )
    count = FIRST_NUMBER.search(text(Concept.SERIES_INSTANCES))
    if count is not None:
        library.counts[uid] = int(count[0])


def _plus(told: Told, item: Json) -> Told:
    """What is said of an instance, and what one more item says of it."""
    concept, value = _concept(item), _value(item)
    match concept:
        case Concept.INSTANCE_NUMBER:
            return told._replace(number=attributes.integer(value))
        case Concept.NUMBER_OF_FRAMES:
            return told._replace(frames=attributes.integer(value))
        case Concept.DOCUMENT_TITLE:
            return told._replace(title=attributes.code(item, Tag.CONCEPT_CODE_SEQUENCE))
        case Concept.KEY_OBJECT_DESCRIPTION:
            return told._replace(description=value)
    return told


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
    """The item's value as text, in whichever value type; of a code its value."""
    coded = attributes.code(item, Tag.CONCEPT_CODE_SEQUENCE)
    if coded is not None:
        return coded.code
    for tag in (Tag.TEXT_VALUE, Tag.UID, Tag.DATE, Tag.TIME):
        found = attributes.text(item, tag)
        if found:
            return found
    measured = next(attributes.items(item, Tag.MEASURED_VALUE_SEQUENCE), {})
    return attributes.text(measured, Tag.NUMERIC_VALUE)
