"""The stored queries as SQL (ITI TF-2, 3.18.4.1.2.3.7)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, and_, bindparam, exists, literal, null, or_, select, union_all

from database.engine import Database
from database.sql import any_of
from database.statement import Statement
from registry.access import Visibility
from registry.answers import Answer, Kind, ObjectRef, StoredObject
from registry.metadata.urn import ObjectType, Status
from registry.queries import (
    FindDocuments,
    GetAssociations,
    GetDocuments,
    GetSubmissionSetAndContents,
    ReferenceId,
    ReturnType,
)
from registry.store.fragments import decompress
from registry.store.tables import (
    ASSOCIATION,
    DOCUMENT_ENTRY,
    ENTRY_AUTHOR,
    ENTRY_CODE,
    FOLDER,
    REFERENCE_ID,
    SUBMISSION_SET,
)
from registry.store.where import Where

d, s, f, a = DOCUMENT_ENTRY.c, SUBMISSION_SET.c, FOLDER.c, ASSOCIATION.c
r, k, w = REFERENCE_ID.c, ENTRY_CODE.c, ENTRY_AUTHOR.c

ENTRY_COLUMNS = (
    d.id,
    d.logical_id,
    d.version,
    d.status,
    d.home,
    d.patient_id,
    d.mime_type,
    d.object_type,
    d.ebrim,
    d.dictionary,
)
ASSOCIATION_COLUMNS = (
    a.id,
    a.logical_id,
    a.version,
    a.status,
    a.home,
    a.patient_id,
    a.type,
    a.source,
    a.target,
    a.ebrim,
    a.dictionary,
)


def entry_of(row: tuple[Any, ...]) -> StoredObject:
    """A row of `ENTRY_COLUMNS`."""
    return StoredObject._make((Kind.DOCUMENT_ENTRY, *row[:8], decompress(row[8], row[9]), "", "", ""))


def association_of(row: tuple[Any, ...]) -> StoredObject:
    """A row of `ASSOCIATION_COLUMNS`."""
    return StoredObject._make((Kind.ASSOCIATION, *row[:6], "", "", decompress(row[9], row[10]), *row[6:9]))


def package_of(kind: Kind, row: tuple[Any, ...]) -> StoredObject:
    """A row of a SubmissionSet's or a Folder's columns."""
    return StoredObject._make((kind, *row[:6], "", "", decompress(row[6], row[7]), "", "", ""))


# The parameters of FindDocuments that compare one column: (field, column), a list of which any may match.
AMONG = (
    ("object_types", d.object_type),
    ("class_codes", d.class_code),
    ("type_codes", d.type_code),
    ("practice_setting_codes", d.practice_setting_code),
    ("healthcare_facility_type_codes", d.healthcare_facility_type_code),
    ("format_codes", d.format_code),
    ("ids", d.id),
    ("unique_ids", d.unique_id),
)
# The same for ranges: (field of the lower bound, of the upper bound, column).
BETWEEN = (
    ("updated_from", "updated_to", d.registered),
    ("creation_time_from", "creation_time_to", d.creation_time),
    ("service_start_time_from", "service_start_time_to", d.service_start_time),
    ("service_stop_time_from", "service_stop_time_to", d.service_stop_time),
)
PATIENT, STATUS = d.patient_id, d.status
WORDS = {status: status.name.title() for status in Status}


def conditions(query: FindDocuments, visibility: Visibility) -> Where:
    """What FindDocuments, and a DocumentReference search, ask of document_entry."""
    where = Where("documents")
    where.equal(PATIENT, query.patient_id)
    where.visible(PATIENT, visibility)
    where.among(STATUS, [WORDS[status] for status in query.statuses])
    for field, column in AMONG:
        values = getattr(query, field)
        if values:
            where.among(column, values)
    for low, high, column in BETWEEN:
        where.between(column, getattr(query, low), getattr(query, high))
    for codes in query.event_codes:
        _coded(where, "event", codes)
    for codes in query.confidentiality_codes:
        _coded(where, "confidentiality", codes)
    if query.author_persons:
        _authored(where, query.author_persons)
    for ors in query.reference_ids:
        referring(where, ors, "entry", d.id)
    return where


def _coded(where: Where, kind: str, codes: tuple[str, ...]) -> None:
    name = f"p{len(where.params)}"
    where.add(
        ("coded", kind, name),
        lambda: exists().where(k.entry_id == d.id, k.kind == literal(kind), any_of(k.code, name)),
        **{name: list(codes)},
    )


def _authored(where: Where, patterns: tuple[str, ...]) -> None:
    names = [f"p{len(where.params) + i}" for i in range(len(patterns))]
    where.add(
        ("authored", len(names)),
        lambda: exists().where(w.entry_id == d.id, or_(*(w.person.like(bindparam(n), escape="\\") for n in names))),
        **dict(zip(names, patterns, strict=True)),
    )


def referring(where: Where, ors: tuple[ReferenceId, ...], record: str, id_column: Any) -> None:
    """The record has one of these identifiers in the cross-index."""
    params: dict[str, Any] = {}
    parts: list[tuple[str, str | None, str | None]] = []
    for one in ors:
        names: list[str | None] = []
        for value in (one.value, one.kind, one.authority):
            name = f"p{len(where.params) + len(params)}" if value is not None else None
            if name:
                params[name] = value
            names.append(name)
        parts.append((str(names[0]), names[1], names[2]))

    def condition() -> Any:
        any_one = [
            and_(
                r.value == bindparam(value),
                *([r.kind == bindparam(kind)] if kind else []),
                *([r.authority == bindparam(authority)] if authority else []),
            )
            for value, kind, authority in parts
        ]
        return exists().where(r.record_id == id_column, r.record == literal(record), or_(*any_one))

    where.add(("refers", record, tuple(parts)), condition, **params)


def find_documents(
    database: Database, query: FindDocuments, returns: ReturnType, visibility: Visibility, most: int
) -> Answer:
    """FindDocuments and FindDocumentsByReferenceId; at most `most` + 1 objects, so that the caller sees an excess."""
    where = conditions(query, visibility)
    if returns is ReturnType.OBJECT_REF:
        statement = where.statement(lambda: select(d.id, d.home), "refs")
        return Answer(refs=tuple(map(ObjectRef._make, database.rows(statement, **where.params))))
    statement = where.statement(lambda: select(*ENTRY_COLUMNS).limit(bindparam("most")), "leaf")
    return Answer(tuple(map(entry_of, database.rows(statement, most=most + 1, **where.params))))


def get_documents(database: Database, query: GetDocuments, returns: ReturnType, visibility: Visibility) -> Answer:
    """GetDocuments: all that have one of these ids; none for no id."""
    if not (query.ids or query.unique_ids or query.logical_ids):
        return Answer()
    where = Where("get documents")
    where.among(d.id, query.ids)
    where.among(d.unique_id, query.unique_ids)
    where.among(d.logical_id, query.logical_ids)
    where.visible(d.patient_id, visibility)
    return _entries(database, where, returns)


def _entries(database: Database, where: Where, returns: ReturnType) -> Answer:
    if returns is ReturnType.OBJECT_REF:
        rows = database.rows(where.statement(lambda: select(d.id, d.home), "refs"), **where.params)
        return Answer(refs=tuple(map(ObjectRef._make, rows)))
    rows = database.rows(where.statement(lambda: select(*ENTRY_COLUMNS), "leaf"), **where.params)
    return Answer(tuple(map(entry_of, rows)))


def get_associations(database: Database, query: GetAssociations, returns: ReturnType, visibility: Visibility) -> Answer:
    """GetAssociations: those whose source or target is one of these objects."""
    where = Where("get associations")
    where.add("ends", lambda: or_(any_of(a.source, "ends"), any_of(a.target, "ends")), ends=list(query.ids))
    where.visible(a.patient_id, visibility)
    if returns is ReturnType.OBJECT_REF:
        rows = database.rows(where.statement(lambda: select(a.id, a.home), "refs"), **where.params)
        return Answer(refs=tuple(map(ObjectRef._make, rows)))
    rows = database.rows(where.statement(lambda: select(*ASSOCIATION_COLUMNS), "leaf"), **where.params)
    return Answer(tuple(map(association_of, rows)))


def get_submission_set_and_contents(
    database: Database, query: GetSubmissionSetAndContents, returns: ReturnType, visibility: Visibility
) -> Answer:
    """The set, the entries and folders that it has as members, and the associations between those and the set.

    The filters on format and confidentiality leave entries out, and with them their associations
    (ITI TF-2, 3.18.4.1.2.3.7.10).
    """
    where = Where("get set")
    where.equal(s.id, query.id)
    where.equal(s.unique_id, query.unique_id)
    where.visible(s.patient_id, visibility)
    columns = (s.id, s.logical_id, s.version, s.status, s.home, s.patient_id, s.ebrim, s.dictionary)
    found = database.rows(where.statement(lambda: select(*columns)), **where.params)
    if not found:
        return Answer()
    submission_set = package_of(Kind.SUBMISSION_SET, found[0])
    members = [association_of(row) for row in database.rows(MEMBERS, owner=submission_set.id)]
    contents = _members(database, query, [m.target for m in members], visibility)
    inside = {thing.id for thing in contents} | {submission_set.id}
    members = [m for m in members if m.target in inside]
    # Associations that the set itself brought (RPLC and its like) are members of it by way of their ends.
    between = [association_of(row) for row in database.rows(OWN, ends=sorted(inside))]
    others = [b for b in between if b.target in inside and b.id not in {m.id for m in members}]
    objects = (submission_set, *contents, *members, *others)
    if returns is ReturnType.OBJECT_REF:
        return Answer(refs=tuple(ObjectRef(o.id, o.home) for o in objects))
    return Answer(objects)


MEMBERS = Statement(select(*ASSOCIATION_COLUMNS).where(a.source == bindparam("owner")))
OWN = Statement(select(*ASSOCIATION_COLUMNS).where(any_of(a.source, "ends")))


def _members(
    database: Database, query: GetSubmissionSetAndContents, ids: list[str], visibility: Visibility
) -> list[StoredObject]:
    where = Where("members")
    where.add("ids", lambda: any_of(d.id, "ids"), ids=ids)
    where.visible(d.patient_id, visibility)
    where.among(d.object_type, query.object_types or (ObjectType.STABLE_DOCUMENT,))
    where.among(d.format_code, query.format_codes)
    for codes in query.confidentiality_codes:
        _coded(where, "confidentiality", codes)
    entries = database.rows(where.statement(lambda: select(*ENTRY_COLUMNS)), **where.params)
    folders = Where("member folders")
    folders.add("ids", lambda: any_of(f.id, "ids"), ids=ids)
    folders.visible(f.patient_id, visibility)
    columns = (f.id, f.logical_id, f.version, f.status, f.home, f.patient_id, f.ebrim, f.dictionary)
    rows = database.rows(folders.statement(lambda: select(*columns)), **folders.params)
    return [*map(entry_of, entries), *(package_of(Kind.FOLDER, row) for row in rows)]


class EntryFacts(NamedTuple):
    """A DocumentEntry, as far as giving its document goes."""

    id: str
    patient_id: str
    unique_id: str
    repository_unique_id: str
    mime_type: str
    status: str


FACTS = (d.id, d.patient_id, d.unique_id, d.repository_unique_id, d.mime_type, d.status)


def facts(database: Database, ids: list[str], visibility: Visibility) -> list[EntryFacts]:
    """The facts of those of the entries that exist and may be seen."""
    where = Where("facts")
    where.add("ids", lambda: any_of(d.id, "ids"), ids=ids)
    where.visible(d.patient_id, visibility)
    return [EntryFacts._make(row) for row in database.rows(where.statement(lambda: select(*FACTS)), **where.params)]


def _state(kind: str, columns: Any, condition: Any) -> Select[Any]:
    """One branch of `STATE`; a kind without some column has NULL there."""
    uid = getattr(columns, "unique_id", null().cast(Text))
    document = kind == "document"
    hash_, size = (columns.hash, columns.size.cast(Text)) if document else (null().cast(Text), null().cast(Text))
    return select(literal(kind), columns.id, columns.patient_id, columns.status, uid, hash_, size).where(condition)


_BY_ID: Callable[[Any], Any] = lambda columns: any_of(columns.id, "ids")  # noqa: E731
_BY_UID: Callable[[Any], Any] = lambda columns: any_of(columns.unique_id, "unique_ids")  # noqa: E731

# Everything that a submission's rules need to know of the registry, in one round trip:
# (kind, id, patient_id, status, unique_id, hash, size) of the objects that it names.
STATE = Statement(
    union_all(
        _state("document", d, _BY_ID(d)),
        _state("document", d, _BY_UID(d)),
        _state("set", s, _BY_ID(s)),
        _state("set", s, _BY_UID(s)),
        _state("folder", f, _BY_ID(f)),
        _state("folder", f, _BY_UID(f)),
        _state("association", a, _BY_ID(a)),
    )
)
