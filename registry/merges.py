"""Merges of patient ids: a link that answers follow at once, and that can be undone (ITI TF-2, 3.8.4.2 and 3.44.4.2).

A merge moves nothing. What was submitted for the subsumed id stays filed under it; questions ask for the whole group of
ids that ended in one survivor, and answers show the survivor's. So an unmerge restores exactly what was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from database.engine import Unit
from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Rejected
from registry.renderers import Renderers
from registry.store import patients as rows
from registry.store.fragments import compress, decompress
from registry.store.tables import PATIENT_LINK

LINKS = "patient links"  # the lock that orders all merges: a chain of them may meet another in any of its ids
LONGEST_CHAIN = 1000
MERGING = "ITI TF-2, 3.8.4.2"


class Merged(NamedTuple):
    """A patient id that was merged away: its FHIR id and version, and the survivor's identifier and FHIR id."""

    patient_id: str
    fhir_id: str
    version: int
    survivor: str
    survivor_fhir_id: str


@dataclass(frozen=True, slots=True)
class Group:
    """The ids of one patient, the survivor's first. One who was never merged is a group alone."""

    ids: tuple[str, ...]

    @property
    def survivor(self) -> str:
        """The id that answers show."""
        return self.ids[0]


def group_of(reader: Any, patient_id: str) -> Group:
    """All ids that are one patient's with `patient_id`, known or not. `reader` is a Database or a Unit."""
    found = reader.rows(rows.END, patient=patient_id)
    end = found[0][0] if found else None
    return Group((patient_id,)) if end is None else _groups(reader, (end,))[end]


def groups_of(reader: Any, patient_ids: Iterable[str]) -> dict[str, Group]:
    """The group of each of these ids."""
    wanted = list(dict.fromkeys(patient_ids))
    ends = dict(reader.rows(rows.ENDS, patients=wanted)) if wanted else {}
    groups = _groups(reader, ends.values())
    return {patient: groups[ends[patient]] if patient in ends else Group((patient,)) for patient in wanted}


def everyone(reader: Any, patient_ids: Iterable[str]) -> tuple[str, ...]:
    """These ids and all that are one patient's with any of them."""
    wanted = tuple(patient_ids)
    if len(wanted) == 1:
        return group_of(reader, wanted[0]).ids
    return tuple(dict.fromkeys(id_ for group in groups_of(reader, wanted).values() for id_ in group.ids))


def same_as(reader: Any, value: str, authority: str | None) -> tuple[str, ...]:
    """All ids of whoever has this identifier, of any authority when none is given; empty if nobody was merged."""
    if authority:
        found = group_of(reader, str(Cx(value, authority))).ids
        return found if len(found) > 1 else ()
    owners = dict(reader.rows(rows.ENDS_OF_VALUE, value=value))
    groups = _groups(reader, (end for end in owners.values() if end))
    if not groups:
        return ()
    alone = [patient for patient, end in owners.items() if end is None]
    return tuple(dict.fromkeys((*(id_ for group in groups.values() for id_ in group.ids), *alone)))


def merged(reader: Any, patient_ids: Iterable[str]) -> dict[str, Merged]:
    """Those of the ids that were merged away, with their survivors."""
    wanted = list(patient_ids)
    if len(wanted) == 1:
        ends = [(wanted[0], row[0]) for row in reader.rows(rows.END, patient=wanted[0])]
    else:
        ends = reader.rows(rows.ENDS, patients=wanted) if wanted else []
    away = [patient for patient, end in ends if end not in (None, patient)]
    return {row[0]: Merged._make(row) for row in reader.rows(rows.MERGED, patients=away)} if away else {}


def _groups(reader: Any, ends: Iterable[str]) -> dict[str, Group]:
    """The group of each survivor."""
    wanted = list(dict.fromkeys(ends))
    members: dict[str, list[str]] = {end: [end] for end in wanted}
    for end, patient in reader.rows(rows.MEMBERS, ends=wanted) if wanted else ():
        if patient != end:
            members[end].append(patient)
    return {end: Group(tuple(ids)) for end, ids in members.items()}


def lock(unit: Unit, *patient_ids: str) -> None:
    """Hold off other merges, and whoever writes about these patients, by any of their ids, until the unit ends."""
    unit.lock(LINKS)
    # Nobody else can change now who is in a group, and all of its Patients may come to show other links.
    unit.lock(*patient_ids, *everyone(unit, patient_ids))


def merge(unit: Unit, survivor: str, subsumed: str, renderers: Renderers, now: float) -> None:
    """Make `subsumed` part of `survivor`; both are known and locked. Saying it twice changes nothing.

    Raises:
        Rejected: PatientLinkConflict, the subsumed id was merged into another already, or the survivor into it.
    """
    whole = groups_of(unit, (survivor, subsumed))
    link = unit.rows(rows.LINK_OF, patient=subsumed)
    if link and link[0][0] == survivor:
        return
    if link:
        raise _conflict(f"{subsumed} was merged into another id already: unmerge it first")
    end = whole[survivor].survivor
    if subsumed in (survivor, end):
        raise _conflict(f"{survivor} was itself merged into {subsumed}, or is the same id")
    row = {"subsumed": subsumed, "survivor": survivor, "at": now, "undone": None}
    unit.insert(PATIENT_LINK, [row])
    unit.execute(rows.MOVE_GROUP, b_patient=subsumed, end=end)
    unit.execute(rows.SET_SURVIVOR, patients=[end], end=end)
    _follow(unit, (end,), {*whole[survivor].ids, *whole[subsumed].ids}, renderers, now)


def unmerge(unit: Unit, one: str, other: str, renderers: Renderers, now: float) -> tuple[str, str]:
    """Undo the merge between two ids, whichever was told to survive; (survivor, subsumed). Both are locked.

    Raises:
        Rejected: PatientLinkConflict, no merge ties the two.
    """
    for subsumed, survivor in ((one, other), (other, one)):
        if unit.execute(rows.UNDO_LINK, b_subsumed=subsumed, b_survivor=survivor, now=now):
            break
    else:
        raise _conflict(f"{one} and {other} are not merged")
    whole = group_of(unit, subsumed)
    parted = [subsumed, *_below(unit, subsumed)]
    left = [id_ for id_ in whole.ids if id_ not in parted]
    for ids, end in ((parted, subsumed), (left, whole.survivor)):
        if len(ids) == 1:
            unit.execute(rows.FREE, b_patient=ids[0])
        else:
            unit.execute(rows.SET_SURVIVOR, patients=ids, end=end)
    _follow(unit, (whole.survivor, subsumed), set(whole.ids), renderers, now)
    return survivor, subsumed


def _below(unit: Unit, patient_id: str) -> list[str]:
    """All that were merged into a patient, at any remove."""
    found: dict[str, None] = {}
    frontier = [patient_id]
    for _ in range(LONGEST_CHAIN):
        frontier = [row[0] for row in unit.rows(rows.LINKED_TO, patients=frontier) if row[0] not in found]
        if not frontier:
            break
        found |= dict.fromkeys(frontier)
    return list(found)


def _follow(unit: Unit, survivors: Iterable[str], everyone: set[str], renderers: Renderers, now: float) -> None:
    """Let the bodies of Patients and reports show what the links say now."""
    for survivor in survivors:
        show_links(unit, survivor, renderers, now)
    unit.execute(rows.STALE_REPORTS, patients=sorted(everyone), now=now)


def show_links(unit: Unit, patient_id: str, renderers: Renderers, now: float) -> None:
    """Write the links of a patient, and of those that were merged into it, into their Patients (FHIR R4, Patient.link).

    Who was merged away is not active any more and points to the survivor, which points back; the others are active.
    """
    found = unit.rows(rows.BODIES, patient=patient_id)
    end = next((survivor for _, id_, survivor, _ in found if id_ == patient_id), None)
    if end not in (None, patient_id):
        found = unit.rows(rows.BODIES, patient=end)
    ids = {patient: fhir_id for fhir_id, patient, _, _ in found}
    for fhir_id, patient, survivor, packed in found:
        away = survivor not in (None, patient)
        replaces = [] if away else sorted(id_ for other, id_ in ids.items() if other != patient)
        before = decompress(packed)
        after = renderers.patient_links(before, ids[survivor] if away else None, replaces)
        if after != before:
            unit.execute(rows.KEEP_BODY, b_id=fhir_id, body=compress(after), now=now)


def _conflict(text: str) -> Rejected:
    return Rejected.because(ErrorCode.PatientLinkConflict, "patient", text, MERGING)
