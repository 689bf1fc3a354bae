"""Updates and removals carried out, each within one unit of work (ITI TF-2, 3.57, 3.62 and 3.92)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from database.engine import Database, Unit
from registry import derived, lifecycle, patients, removal, update_rules
from registry.access import Caller
from registry.audit import DELETE, UPDATE, AuditRecord, audit_write
from registry.known import APPROVED, DEPRECATED, DOCUMENT, Known, Objects
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.identify import bare_uuid, canonical, with_uuids
from registry.metadata.model import PatientDetails, Submission
from registry.renderers import Renderers
from registry.store import folders, registration, updates
from registry.store import removal as rows_of_removal
from registry.store.derived import OTHER_ENTRY
from registry.store.registration import second_of
from registry.store.state import state_of
from registry.updates import RELATIONS, Plan, named, plan


@dataclass(frozen=True, slots=True)
class Means:
    """What a change needs of its registry: renderers, typeCodes of reports, whom it knows, and the time.

    `moved` is told the uniqueId of a document that may be another patient's from now on, and whose it is.
    """

    renderers: Renderers
    report_types: frozenset[str]
    admission: patients.Admission
    now: float
    moved: Callable[[Unit, str, str], None] | None = None


def update(unit: Unit, submission: Submission, caller: Caller, means: Means, *, restricted: bool) -> None:
    """Do what a metadata update (ids as sent) asks.

    Raises:
        Rejected: with everything that is wrong.
    """
    _lock(unit, submission)
    found, known = problems(unit, submission, means, restricted=restricted)
    if found:
        raise Rejected(found)
    ready = with_uuids(submission)
    said = [patients.details_of(entry) for entry in ready.entries]
    patient = said[0] if said else PatientDetails(str(ready.submission_set.patient_id))
    fhir_id = patients.take(unit, patient, means.renderers, means.now)
    planned = plan(ready, known)
    fallen = _write(unit, planned, fhir_id, means)
    touched = tuple(dict.fromkeys((*planned.touched, *fallen)))
    audit_write(unit, AuditRecord(caller, UPDATE, planned.patients, touched), means.now)


def remove(unit: Unit, ids: Sequence[str], caller: Caller, means: Means) -> None:
    """Remove the objects with these entryUUIDs (as sent).

    Raises:
        Rejected: with everything that is wrong.
    """
    unit.lock(*map(bare_uuid, ids))
    unit.lock(*(one.id for one in rows_of_removal.objects_of(unit, ids)))
    known = rows_of_removal.objects_of(unit, ids)
    found = removal.problems(ids, known)
    if found:
        raise Rejected(found)
    going = [one for one in map(known.by_id, dict.fromkeys(map(bare_uuid, ids))) if one]
    _take_out(unit, going, means)
    owners = tuple(sorted({one.patient_id for one in going}))
    audit_write(unit, AuditRecord(caller, DELETE, owners, tuple(one.id for one in going)), means.now)


def _lock(unit: Unit, submission: Submission) -> None:
    """Hold off whoever would change, until the unit ends, what an update touches."""
    ids, logical_ids = named(submission)
    sets = submission.submission_sets
    owners = {one.unique_id for one in sets} | {canonical(one.patient_id) for one in sets}
    owners |= {one.unique_id for one in submission.entries}
    unit.lock(*ids, *logical_ids, *(str(one) for one in owners - {None}))
    # Which versions and neighbours those are can only be asked now.
    unit.lock(*(one.id for one in updates.objects_of(unit, submission)))


def problems(
    reader: Database | Unit, submission: Submission, means: Means, *, restricted: bool
) -> tuple[list[Finding], Objects]:
    """Everything in the registry's state that keeps an update from being made, and what that state is."""
    codes = update_rules.RESTRICTED if restricted else update_rules.UPDATE
    known = updates.objects_of(reader, submission, means.renderers.slots_of if restricted else None)
    owners = Submission(submission.submission_sets)
    state = state_of(reader, replace(owners, entries=submission.entries))
    of_set = lifecycle.problems(owners, state)
    # The code for what is wrong with a first registration is none of this transaction's (ITI TF-3, table 4.2.4.1-2).
    found = [replace(f, code=update_rules.FAULT) if f.code is ErrorCode.XDSRegistryMetadataError else f for f in of_set]
    found += update_rules.problems(submission, known, codes)
    found += update_rules.shared_documents(submission, known, state)
    owners_named = [canonical(one.patient_id) for one in submission.submission_sets[:1]]
    unknown = patients.problems(reader, [one for one in owners_named if one], means.admission)
    return [*found, *dict(unknown).values()], known


def _write(unit: Unit, planned: Plan, fhir_id: str, means: Means) -> Sequence[str]:
    """Do what was planned, `fhir_id` is the submission's patient's; the documents that fell by what replaces them."""
    renderers, now = means.renderers, means.now
    ready, owner = planned.submission, str(planned.submission.submission_set.patient_id)
    updates.supersede(unit, planned.places.values(), now)
    rows = updates.placed(registration.rows_of(ready, renderers, fhir_id, now), planned)
    for table, some in updates.filed(unit, rows, planned):
        unit.insert(table, some)
    updates.keep_times(unit, planned)
    updates.copy_associations(unit, planned.copies, owner, now)
    updates.set_statuses(unit, planned.moves, now)
    fallen = registration.deprecate(unit, planned.standing.associations, now)
    folders.add(unit, planned.standing, renderers, now)
    _touch_folders(unit, planned, now)
    sources = [one.source for one in ready.associations if one.type in RELATIONS]
    sources += [copy.source for copy, _ in planned.copies]
    sources += [str(one.source) for one, _ in planned.moves if one.type in RELATIONS]
    updates.relate(unit, sources, renderers, now)
    _follow(unit, planned, fallen, means)
    return fallen


def _touch_folders(unit: Unit, planned: Plan, now: float) -> None:
    """Folders that new versions come into."""
    into = {copy.source for copy, _ in planned.copies if copy.original.is_membership} - planned.places.keys()
    if into:
        unit.execute(folders.TOUCH, ids=sorted(into), time=second_of(now))


def _follow(unit: Unit, planned: Plan, fallen: Sequence[str], means: Means) -> None:
    """Let the reports and studies that documents make go with them."""
    for entry in planned.submission.entries:
        before = planned.places[entry.id].before
        derived.follow(unit, entry, before.id, means.renderers, means.report_types, means.now)
        # Whose the bytes are is not told by the version before: a merge may have changed the id that it has here.
        if means.moved:
            means.moved(unit, str(entry.unique_id), str(entry.patient_id))
    moved = [(one.id, word) for one, word in planned.moves if one.kind == DOCUMENT]
    new = [(id_, place.status) for id_, place in planned.places.items() if place.before.kind == DOCUMENT]
    derived.withdraw(unit, [*fallen, *(id_ for id_, word in (*moved, *new) if word == DEPRECATED)], means.now)
    derived.restore(unit, [id_ for id_, word in moved if word == APPROVED], means.now)


def _take_out(unit: Unit, going: Sequence[Known], means: Means) -> None:
    """Remove registered objects, and all that was made of them."""
    entries = [one.id for one in going if one.kind == DOCUMENT]
    reports = derived.reports_of(unit, entries) if entries else []
    if entries:
        derived.forget_studies(unit, entries, means.renderers, means.now)
    rows_of_removal.forget(unit, going)
    derived.forget_reports(unit, reports, means.now)
    _hand_back(unit, going, means)
    updates.relate(unit, (str(one.source) for one in going if one.type in RELATIONS), means.renderers, means.now)


def _hand_back(unit: Unit, gone: Sequence[Known], means: Means) -> None:
    """A removed version may have moved its document: it is the patient's again whose entries are left."""
    if means.moved is None:
        return
    for unique_id in dict.fromkeys(str(one.unique_id) for one in gone if one.kind == DOCUMENT):
        for _, patient, *_ in unit.rows(OTHER_ENTRY, unique_id=unique_id):
            means.moved(unit, unique_id, str(patient))
