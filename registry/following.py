"""Answers that follow merges at once: questions ask for all ids of a patient, answers show the surviving one.

Who was never merged pays one look into an index; what was found for a merged id is changed when it is shown, since what
is stored stays as it was submitted (`registry.merges`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from registry import merges
from registry.answers import StoredObject
from registry.queries import FindDocuments, FindFolders, FindResources, FindSubmissionSets, GetAll, ResourceType
from registry.renderers import Renderers
from registry.resources import StoredResource

Q = TypeVar("Q")
R = TypeVar("R")
ABOUT_NOBODY = (ResourceType.PATIENT, ResourceType.ENDPOINT)
"""Resources that are no patient's: a Patient shows its own links."""


def named(query: object) -> tuple[str, ...]:
    """The patients that a question names, canonical CX texts."""
    if isinstance(query, FindResources):
        return query.patient_ids or () if query.type not in ABOUT_NOBODY else ()
    if isinstance(query, FindDocuments | FindSubmissionSets | FindFolders | GetAll):
        return (query.patient_id,) if query.patient_id else query.patient_ids
    return ()


def widened(reader: Any, query: Q) -> tuple[Q, frozenset[str]]:
    """The question for all ids of the patients that it names, and those of its patients who were never merged.

    `reader` is a Database or a Unit.
    """
    asked = named(query)
    if not asked:
        return query, frozenset()
    ids = merges.everyone(reader, asked)
    if len(ids) == len(asked):
        # A group of one is never that of somebody who was merged away: the survivor would be in it.
        return query, frozenset(asked) if len(asked) == 1 else frozenset()
    if isinstance(query, FindResources):
        return replace(query, patient_ids=ids), frozenset()
    return replace(query, patient_id=None, patient_ids=ids), frozenset()  # type: ignore[type-var]


def answered(
    reader: Any, query: Q, ask: Callable[[Q, bool], R], is_found: Callable[[R], object]
) -> tuple[R, frozenset[str]]:
    """What `ask(query, unmerged)` finds for all ids of the patients that the question names, and whom to call settled.

    Nearly every question is about one patient who was never merged. It is asked first for just such a patient, as a
    condition of the statement itself (`unmerged`), and the merges are looked at only when that finds nothing.
    """
    asked = named(query)
    if len(asked) == 1:
        found = ask(query, True)
        if is_found(found):
            return found, frozenset(asked)
        wide, settled = widened(reader, query)
        return (found, settled) if wide is query else (ask(wide, False), settled)
    wide, settled = widened(reader, query)
    return ask(wide, False), settled


def shown(
    reader: Any, objects: Sequence[StoredObject], settled: frozenset[str], renderers: Renderers
) -> tuple[StoredObject, ...]:
    """Registry objects as those of the surviving patients; `settled` are patients known not to be merged."""
    away = merges.merged(reader, {one.patient_id for one in objects} - settled)
    if not away:
        return tuple(objects)
    return tuple(
        one._replace(patient_id=to.survivor, body=renderers.ebrim_of(one.body, to.survivor))
        if (to := away.get(one.patient_id))
        else one
        for one in objects
    )


def about(
    reader: Any,
    resources: Sequence[StoredResource],
    owners: Iterable[str | None],
    settled: frozenset[str],
    renderers: Renderers,
) -> list[StoredResource]:
    """FHIR resources, with the patient of each, as those of the surviving patients.

    The version counts the merges too: who holds the resource as it was before one must not be told that it is current.
    """
    whose = list(owners)
    away = merges.merged(reader, {one for one in whose if one} - settled)
    if not away:
        return list(resources)
    return [
        one._replace(
            version=one.version + to.version, body=renderers.subject_of(one.body, to.fhir_id, to.survivor_fhir_id)
        )
        if (to := away.get(owner or "")) and one.type not in ABOUT_NOBODY
        else one
        for one, owner in zip(resources, whose, strict=True)
    ]
