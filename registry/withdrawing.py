"""What a source takes back of what it registered: entries of its manifests, and studies that it shows no more.

A source withdraws its manifest when nothing of the study can be retrieved: by deprecation or by removal (RAD TF-2,
4.68.4.1.2, and the Remove Imaging Document Option). It does so within the unit of work that is the reason for it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, literal, null, select, update

from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from registry import changing, derived, merges
from registry.access import Caller
from registry.audit import UPDATE, AuditRecord, audit_write
from registry.known import APPROVED, DEPRECATED, DOCUMENT, Known, Objects
from registry.metadata.urn import AssociationType
from registry.removal import problems
from registry.store.derived import FORGET_STUDY, OTHER_ENTRY
from registry.store.removal import objects_of
from registry.store.resource_rows import FORGET_STUDY_REFERENCES, STUDY, TOUCH_REPORTS
from registry.store.tables import DOCUMENT_ENTRY, IMAGING_STUDY
from registry.store.updates import SET_STATUS

# FHIR R4, ImagingStudy.status. What was rejected was withdrawn after it had been released; what expired was in order
# and is no longer to be had.
ENTERED_IN_ERROR, CANCELLED = "entered-in-error", "cancelled"

d, s = DOCUMENT_ENTRY.c, IMAGING_STUDY.c
STANDING = Statement(select(d.id, d.patient_id, d.status).where(any_of(d.id, "ids")).order_by(d.id))
WITHDRAW = Statement(
    update(IMAGING_STUDY)
    .where(s.id == bindparam("b_id"))
    .values(
        status=bindparam("word"),
        fhir=null(),
        modalities=literal("||"),
        version=s.version + 1,
        updated=bindparam("now"),
    )
)


def deprecate(unit: Unit, entries: Sequence[str], caller: Caller, means: changing.Means) -> None:
    """Deprecate those of the entries (bare UUIDs) that are approved; nothing takes their place."""
    unit.lock(*entries)
    going = {str(id_): str(patient) for id_, patient, status in _standing(unit, entries) if status == APPROVED}
    if going:
        unit.execute(SET_STATUS[DOCUMENT], ids=sorted(going), word=DEPRECATED, now=means.now)
        derived.withdraw(unit, sorted(going), means.now)
        owners = tuple(sorted(set(going.values())))
        audit_write(unit, AuditRecord(caller, UPDATE, owners, tuple(sorted(going)), detail="deprecated"), means.now)


def remove(unit: Unit, entries: Sequence[str], caller: Caller, means: changing.Means) -> tuple[str, ...]:
    """Remove these entries (bare UUIDs) and those that they took the place of, with all that only ties them.

    The uniqueIds of the documents, of which no entry is left then. What an association of others still holds on to is
    deprecated (ITI TF-2, 3.62.4.1.3).
    """
    known, going = _line(unit, entries)
    wanted = [one.id for one in going]
    if problems(wanted, known):
        deprecate(unit, [one.id for one in going if one.kind == DOCUMENT], caller, means)
        return ()
    if going:
        changing.remove(unit, wanted, caller, means)
    unique_ids = sorted({str(one.unique_id) for one in going if one.kind == DOCUMENT})
    return tuple(one for one in unique_ids if not unit.rows(OTHER_ENTRY, unique_id=one))


def _line(unit: Unit, entries: Sequence[str]) -> tuple[Objects, list[Known]]:
    """Entries back to the first that was replaced, their associations, and the SubmissionSets of nothing else."""
    wanted = set(entries)
    while True:
        known = objects_of(unit, sorted(wanted))
        ties = [tie for id_ in wanted for tie in known.ending_at(id_)]
        before = {str(tie.target) for tie in ties if tie.type == AssociationType.RPLC and tie.source in wanted}
        if before <= wanted:
            break
        wanted |= before
    owners = {str(tie.source) for tie in ties if tie.is_membership}
    cut = {tie.id for tie in ties}
    empty = {one for one in owners if {tie.id for tie in known.ending_at(one)} <= cut}
    going = [one for id_ in dict.fromkeys((*sorted(wanted), *sorted(cut), *sorted(empty))) if (one := known.by_id(id_))]
    return objects_of(unit, [one.id for one in going]), going


def withdraw_study(unit: Unit, uid: str, source: str, now: float, *, expired: bool) -> None:
    """A held study shows nothing any more: its resource says so, to those who know of it."""
    for id_, *_ in unit.rows(STUDY, uid=uid, source=source):
        unit.execute(WITHDRAW, b_id=id_, word=CANCELLED if expired else ENTERED_IN_ERROR, now=now)


def forget_study(unit: Unit, uid: str, source: str, now: float) -> None:
    """A held study was deleted: its resource goes, and the reports that refer to it refer to it no longer."""
    for id_, _, patient in unit.rows(STUDY, uid=uid, source=source):
        owners = list(merges.everyone(unit, (patient,))) if patient else []
        unit.execute(TOUCH_REPORTS, study=id_, patients=owners, now=now)
        unit.execute(FORGET_STUDY_REFERENCES, id=id_)
        unit.execute(FORGET_STUDY, b_id=id_)


def _standing(unit: Unit, entries: Sequence[str]) -> list[tuple[Any, ...]]:
    return unit.rows(STANDING, ids=sorted(set(entries)))
