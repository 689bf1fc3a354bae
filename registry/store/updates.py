"""A metadata update as rows: what its rules ask, and what it writes (ITI TF-2, 3.57.4.1.3)."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Table, bindparam, false, literal, select, update

from database.engine import Database, Unit
from database.sql import any_of
from database.statement import Statement
from registry.known import FOLDER as FOLDER_KIND
from registry.known import Known, Objects
from registry.metadata.identify import bare_uuid, canonical, is_uuid
from registry.metadata.model import Slots, Submission
from registry.renderers import Related, Renderers
from registry.store import known
from registry.store.fragments import CURRENT, compress, decompress
from registry.store.patients import same_patient
from registry.store.registration import Rows
from registry.store.tables import ASSOCIATION, DOCUMENT_ENTRY, FOLDER
from registry.updates import RELATIONS, Copy, Place, Plan, named, operations

a, d, f = ASSOCIATION.c, DOCUMENT_ENTRY.c, FOLDER.c
before = FOLDER.alias("before").c

BODIES = Statement(select(d.id, d.ebrim, d.fhir, d.dictionary).where(any_of(d.id, "ids")))
WHOLE = Statement(select(*a).where(any_of(a.id, "ids")))
RELATED = Statement(
    select(a.source, a.type, a.target)
    .where(any_of(a.source, "ids"), a.status == literal("Approved"), any_of(a.type, "types"))
    .order_by(a.registered, a.id)
)
RELATE = Statement(
    update(DOCUMENT_ENTRY)
    .where(d.id == bindparam("b_id"))
    .values(
        ebrim=bindparam("body"),
        fhir=bindparam("resource"),
        dictionary=bindparam("number"),
        revision=d.revision + 1,
        updated=bindparam("now"),
    )
)

KEEP_TIME = Statement(
    update(FOLDER)
    .where(f.id == bindparam("b_id"))
    .values(
        last_update_time=select(before.last_update_time).where(before.id == bindparam("b_before")).scalar_subquery()
    )
)


def _status(table: Table, **more: Any) -> Statement:
    # A DocumentReference tells that it changed.
    shown = {"revision": d.revision + 1, "updated": bindparam("now")} if table is DOCUMENT_ENTRY else {}
    values = {"status": bindparam("word"), **shown, **more}
    return Statement(update(table).where(any_of(table.c.id, "ids")).values(**values))


SET_STATUS = {kind: _status(table) for kind, table in known.KINDS.items()}
SUPERSEDE = {kind: _status(known.KINDS[kind], is_latest=false()) for kind in known.VERSIONED}


def objects_of(
    reader: Database | Unit, submission: Submission, slots_of: Callable[[bytes], Slots] | None = None
) -> Objects:
    """What the registry holds of all that an update touches; with the slots of what it makes new versions of, if asked.

    What belongs to the submission's patient by a merge has that patient's id here.
    """
    ids, logical_ids = named(submission)
    # Of its own ids too: none may be the logicalID of something else.
    logical_ids |= {bare_uuid(one.id) for one in submission.objects() if is_uuid(one.id)}
    found = [*known.by_id(reader, ids), *known.by_logical_id(reader, logical_ids)]
    objects = Objects(found)
    asked = operations(submission)
    latest = [objects.latest(v.kind, v.logical_id) for v in asked.versions]
    ends = {one.id for one in latest if one}
    ends |= {bare_uuid(one.association.source) for one in asked.additions if one.association}
    found += known.ending_at(reader, ends)
    there = {one.id for one in found}
    found += known.by_id(reader, {end for one in found for end in (one.source, one.target) if end} - there)
    if slots_of:
        found = _with_slots(reader, found, {one.id for one in latest if one}, slots_of)
    owner = canonical(submission.submission_sets[0].patient_id) if submission.submission_sets else None
    return Objects(_own(reader, found, owner))


def _with_slots(
    reader: Database | Unit, found: list[Known], ids: set[str], slots_of: Callable[[bytes], Slots]
) -> list[Known]:
    rows = reader.rows(BODIES, ids=sorted(ids))
    slots = {id_: slots_of(decompress(body, dictionary)) for id_, body, _, dictionary in rows}
    return [one._replace(slots=slots.get(one.id, ())) for one in found]


def _own(reader: Database | Unit, found: list[Known], owner: str | None) -> list[Known]:
    own = same_patient(reader, owner, {one.patient_id for one in found})
    return [one._replace(patient_id=str(owner)) if one.patient_id in own else one for one in found]


def placed(rows: Rows, planned: Plan) -> Rows:
    """The rows of the submission, with its new versions where they belong."""
    for table, some in rows:
        for row in some if table.name in TABLES else ():
            place = planned.places.get(row["id"])
            if place:
                row |= {"logical_id": place.logical_id, "version": place.version, "status": place.status}
            elif row["id"] in planned.silent:
                row["status"] = "Deprecated"
    return rows


def keep_times(unit: Unit, planned: Plan) -> None:
    """Give new versions of Folders the time of the last, unless documents come into them (ITI TF-3, 4.2.3.4.6)."""
    filled = {one.source for one in planned.standing.associations}
    for id_, place in planned.places.items():
        if place.before.kind == FOLDER_KIND and id_ not in filled:
            unit.execute(KEEP_TIME, b_id=id_, b_before=place.before.id)


def filed(unit: Unit, rows: Rows, planned: Plan) -> Rows:
    """The rows, with each association between what was registered for one patient id filed under that one.

    By a merge it may be another id than the SubmissionSet's, and the two may be parted again.
    """
    ends = {id_ for one in planned.added for id_ in (one.source, one.target)}
    owners = {one.id: one.patient_id for one in known.by_id(unit, ends - planned.places.keys())}
    for row in (row for table, some in rows if table is ASSOCIATION for row in some):
        patients = {owners.get(row[end], row["patient_id"]) for end in ("source", "target")}
        if len(patients) == 1:
            row["patient_id"] = patients.pop()
    return rows


TABLES = {table.name for table in known.KINDS.values()}


def supersede(unit: Unit, places: Iterable[Place], now: float) -> None:
    """Deprecate the versions before those at `places`; they are the latest no longer."""
    before = [place.before for place in places]
    for kind, statement in SUPERSEDE.items():
        ids = [one.id for one in before if one.kind == kind]
        if ids:
            unit.execute(statement, ids=ids, word="Deprecated", now=now)


def set_statuses(unit: Unit, moves: Iterable[tuple[Known, str]], now: float) -> None:
    """Give each object its new status (a word)."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for one, word in moves:
        wanted.setdefault((one.kind, word), []).append(one.id)
    for (kind, word), ids in wanted.items():
        unit.execute(SET_STATUS[kind], ids=ids, word=word, now=now)


def copy_associations(unit: Unit, wanted: Iterable[tuple[Copy, str]], patient: str, now: float) -> None:
    """Register associations again, each with the id beside it and the ends that it says, as `patient`'s.

    The body is the original's to the letter, but for the id that its classification refers to.
    """
    copies = {copy.original.id: (copy, id_) for copy, id_ in wanted}
    names = [column.name for column in a]
    rows = []
    for values in unit.rows(WHOLE, ids=sorted(copies)) if copies else ():
        row = dict(zip(names, values, strict=True))
        copy, id_ = copies[row["id"]]
        body = decompress(row["ebrim"], row["dictionary"]).replace(row["id"].encode(), id_.encode())
        fresh = {"id": id_, "logical_id": id_, "version": 1, "registered": now, "is_latest": True}
        ends = {"source": copy.source, "target": copy.target, "patient_id": patient}
        rows.append({**row, **fresh, **ends, "ebrim": compress(body), "dictionary": CURRENT})
    unit.insert(ASSOCIATION, rows)


def relate(unit: Unit, ids: Iterable[str], renderers: Renderers, now: float) -> None:
    """Let the DocumentReferences of these entries show the relations that are approved now."""
    wanted = sorted(set(ids))
    if not wanted:
        return
    relations: dict[str, list[Related]] = {}
    for source, type_, target in unit.rows(RELATED, ids=wanted, types=sorted(RELATIONS)):
        relations.setdefault(source, []).append(Related(type_, target))
    for id_, body, resource, dictionary in unit.rows(BODIES, ids=wanted):
        before = decompress(resource, dictionary)
        after = renderers.relations_of(before, relations.get(id_, []))
        if after != before:
            unit.execute(
                RELATE,
                b_id=id_,
                # One dictionary is said for both bodies of a row.
                body=compress(decompress(body, dictionary)),
                resource=compress(after),
                number=CURRENT,
                now=now,
            )
