"""FHIR searches and reads as SQL, and the rows of ImagingStudy, DiagnosticReport, Patient and Endpoint."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, exists, func, or_, select, update

from database.engine import Database, Unit
from database.sql import any_of
from database.statement import Statement
from registry.access import Visibility
from registry.queries import FindDocuments, FindResources, Page, ReferenceId, ResourceType
from registry.resources import Found, StoredResource
from registry.store.conditions import not_merged, referring
from registry.store.documents import conditions, d
from registry.store.fragments import decompress
from registry.store.tables import DIAGNOSTIC_REPORT, ENDPOINT, IMAGING_STUDY, PATIENT, REFERENCE_ID
from registry.store.where import Where

r = REFERENCE_ID.c
TABLES: Mapping[ResourceType, Table] = {
    ResourceType.IMAGING_STUDY: IMAGING_STUDY,
    ResourceType.DIAGNOSTIC_REPORT: DIAGNOSTIC_REPORT,
    ResourceType.PATIENT: PATIENT,
    ResourceType.ENDPOINT: ENDPOINT,
}


class Columns(NamedTuple):
    """What a search reads of a row; at hand, since SQLAlchemy looks a column of a table up anew each time."""

    id: ColumnElement[Any]
    version: ColumnElement[Any]
    updated: ColumnElement[Any]
    status: ColumnElement[Any]
    fhir: ColumnElement[Any]
    patient_id: ColumnElement[Any]


COLUMNS = {kind: Columns(*(table.c[name] for name in Columns._fields)) for kind, table in TABLES.items()}
STATUS_OF_ENTRY = {"Approved": "current", "Deprecated": "superseded"}

# The row of a resource that is stale: what it takes to render it again.
Stale = tuple[ResourceType, str, int]


# Whose each item of a page is.
Owners = list[str | None]


def find_document_references(
    database: Database, query: FindDocuments, visibility: Visibility, *, unmerged: bool = False
) -> tuple[Found, Owners]:
    """A DocumentReference search: the same conditions as FindDocuments, newest first, paged."""
    where = conditions(query, visibility, unmerged=unmerged)
    # The third is what a page is in the order of: the order must stay when a document is superseded.
    columns = (d.id, d.revision, d.registered, d.status, d.fhir, d.dictionary, d.patient_id, d.updated)
    rows, total, after = _page(database, where, columns, d.registered, d.id, query.page)
    items = [
        StoredResource(
            ResourceType.DOCUMENT_REFERENCE, id_, version, at, STATUS_OF_ENTRY[status], decompress(body, number)
        )
        for id_, version, _, status, body, number, _, at in rows
    ]
    return Found(items, total, after), [row[6] for row in rows]


def find(
    database: Database, query: FindResources, visibility: Visibility, *, unmerged: bool = False
) -> tuple[Found, Owners]:
    """A search of one of `TABLES`; what it found stale has an empty body.

    With `unmerged` nothing is found for a patient who has part in a merge.
    """
    c = COLUMNS[query.type]
    where = Where(query.type)
    if unmerged and query.patient_ids:
        not_merged(where, query.patient_ids[0])
    where.among(c.id, query.ids)
    if query.patient_ids is not None and len(query.patient_ids) == 1:
        # An index gives one patient's rows in their order.
        where.equal(c.patient_id, query.patient_ids[0])
    elif query.patient_ids is not None:
        where.add("patients", lambda: any_of(c.patient_id, "patients"), patients=list(query.patient_ids))
    if query.type is not ResourceType.ENDPOINT:
        where.visible(c.patient_id, visibility)
    where.among(c.status, query.statuses)
    for ors in query.identifiers:
        _identified(where, query.type, ors)
    if query.type in DATES:
        digits = LENGTHS.get(query.type, 14)
        bounds = (bound and bound[:digits] for bound in (query.date_from, query.date_to))
        where.between(TABLES[query.type].c[DATES[query.type]], *bounds)
    where.between(c.updated, query.updated_from, query.updated_to)
    if query.modalities and query.type is ResourceType.IMAGING_STUDY:
        _modalities(where, query.modalities)
    if query.codes and query.type is ResourceType.DIAGNOSTIC_REPORT:
        _typed(where, query.codes)
    if query.type is ResourceType.PATIENT:
        _people(where, query)
    rows, total, after = _page(database, where, c, c.updated, c.id, query.page)
    items = [
        StoredResource(query.type, id_, version, at, status, decompress(body) if body is not None else b"")
        for id_, version, at, status, body, _ in rows
    ]
    return Found(items, total, after), [row[5] for row in rows]


LENGTHS = {ResourceType.PATIENT: 8}  # digits of a date that has no time
DATES = {
    ResourceType.IMAGING_STUDY: "started",
    ResourceType.DIAGNOSTIC_REPORT: "effective",
    ResourceType.PATIENT: "birth_date",
}


def _identified(where: Where, kind: ResourceType, ors: tuple[ReferenceId, ...]) -> None:
    if kind is ResourceType.IMAGING_STUDY:
        referring(where, ors, "study", IMAGING_STUDY.c.id)
    elif kind is ResourceType.DIAGNOSTIC_REPORT:
        referring(where, ors, "entry", DIAGNOSTIC_REPORT.c.entry_id)
    elif kind is ResourceType.PATIENT:
        names = [(f"p{len(where.params) + 2 * i}", f"p{len(where.params) + 2 * i + 1}") for i in range(len(ors))]
        params = {
            n: v
            for (value, authority), one in zip(names, ors, strict=True)
            for n, v in ((value, one.value), (authority, one.authority))
        }
        open_ = tuple(one.authority is None for one in ors)

        def condition() -> ColumnElement[bool]:
            return or_(
                *(
                    and_(
                        PATIENT.c.value == bindparam(value),
                        *([] if free else [PATIENT.c.authority == bindparam(authority)]),
                    )
                    for (value, authority), free in zip(names, open_, strict=True)
                )
            )

        where.add(("identified", open_), condition, **params)
    else:
        where.among(ENDPOINT.c.location_uid, [one.value for one in ors])


def _typed(where: Where, codes: tuple[str, ...]) -> None:
    """The report's document has one of these typeCodes."""
    name = f"p{len(where.params)}"
    where.add(
        "typed",
        lambda: exists().where(d.id == DIAGNOSTIC_REPORT.c.entry_id, any_of(d.type_code, name)),
        **{name: list(codes)},
    )


def _people(where: Where, query: FindResources) -> None:
    p = PATIENT.c
    for columns, texts in (
        ((p.folded_family,), query.family),
        ((p.folded_given,), query.given),
        ((p.folded_family, p.folded_given), query.names),
    ):
        if texts:
            _named(where, columns, texts)


def _modalities(where: Where, modalities: tuple[str, ...]) -> None:
    names = [f"p{len(where.params) + i}" for i in range(len(modalities))]
    column = IMAGING_STUDY.c.modalities
    where.add(
        ("modalities", len(names)),
        lambda: or_(*(column.like(bindparam(n), escape="\\") for n in names)),
        **{name: f"%|{escaped(modality)}|%" for name, modality in zip(names, modalities, strict=True)},
    )


def escaped(text: str) -> str:
    """`text` for a LIKE pattern in which it stands for itself; the escape is a backslash."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _named(where: Where, columns: Sequence[ColumnElement[Any]], texts: tuple[str, ...]) -> None:
    """A word of one of `columns` begins with one of `texts`, whatever the case (FHIR R4, 3.1.1.4.9)."""
    first = len(where.params)
    names = [(f"p{first + 2 * i}", f"p{first + 2 * i + 1}") for i in range(len(texts))]
    params = {}
    for (start, within), text in zip(names, texts, strict=True):
        params[start], params[within] = f"{escaped(text.casefold())}%", f"% {escaped(text.casefold())}%"
    where.add(
        ("named", tuple(c.key for c in columns), len(texts)),
        lambda: or_(*(c.like(bindparam(n), escape="\\") for c in columns for pair in names for n in pair)),
        **params,
    )


def _page(
    database: Database,
    where: Where,
    columns: Sequence[ColumnElement[Any]],
    at: ColumnElement[Any],
    id_: ColumnElement[Any],
    page: Page | None,
) -> tuple[list[tuple[Any, ...]], int, tuple[float, str] | None]:
    """One page newest first, the total, and the key of the next page; the total is counted only when not in sight."""

    def newest_first() -> Select[Any]:
        return select(*columns).order_by(at.desc(), id_.desc())

    if page is None:
        rows = database.rows(where.statement(newest_first, "all"), **where.params)
        return rows, len(rows), None
    params = {**where.params, "size": page.size + 1}
    if page.after is None:
        statement = where.statement(lambda: newest_first().limit(bindparam("size")), "first")
    else:
        params |= {"after_at": page.after[0], "after_id": page.after[1]}
        statement = where.statement(lambda: newest_first().where(_older(at, id_)).limit(bindparam("size")), "next")
    rows = database.rows(statement, **params)
    more = len(rows) > page.size
    if page.after is None and not more:
        return rows, len(rows), None
    total = database.rows(
        where.statement(lambda: select(func.count()).select_from(columns[0].table), "count"), **where.params
    )[0][0]
    rows = rows[: page.size]
    last = rows[-1] if more and rows else None
    return rows, total, (last[2], last[0]) if last else None


def _older(at: ColumnElement[Any], id_: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(at < bindparam("after_at"), and_(at == bindparam("after_at"), id_ < bindparam("after_id")))


READ = {
    kind: Statement(
        select(table.c.id, table.c.version, table.c.updated, table.c.status, table.c.fhir, table.c.patient_id).where(
            table.c.id == bindparam("id")
        )
    )
    for kind, table in TABLES.items()
}
READ_ENTRY = Statement(
    select(d.id, d.revision, d.updated, d.status, d.fhir, d.patient_id, d.dictionary).where(d.id == bindparam("id"))
)


def read(database: Database, kind: ResourceType, id_: str) -> tuple[StoredResource, str | None] | None:
    """A resource by its id and the patient that it is about; an empty body means that it is stale. None: no such id."""
    if kind is ResourceType.DOCUMENT_REFERENCE:
        rows = database.rows(READ_ENTRY, id=id_)
        if not rows:
            return None
        one, version, at, status, body, patient, number = rows[0]
        return StoredResource(kind, one, version, at, STATUS_OF_ENTRY[status], decompress(body, number)), patient
    rows = database.rows(READ[kind], id=id_)
    if not rows:
        return None
    one, version, at, status, body, patient = rows[0]
    return StoredResource(kind, one, version, at, status, decompress(body) if body is not None else b""), patient


KEEP = {
    kind: Statement(
        update(table)
        .where(table.c.id == bindparam("b_id"), table.c.version == bindparam("b_version"))
        .values(fhir=bindparam("body"))
    )
    for kind, table in TABLES.items()
}


def keep_rendered(unit: Unit, kind: ResourceType, id_: str, version: int, body: bytes) -> None:
    """Keep a stale resource's new body, unless it changed again meanwhile."""
    unit.execute(KEEP[kind], b_id=id_, b_version=version, body=body)
