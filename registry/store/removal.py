"""Objects taken out of the registry (ITI TF-2, 3.62.4.1.3), with all that only they brought."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Table, delete, exists, func, literal, select, true, update

from database.engine import Database, Unit
from database.sql import any_of
from database.statement import Statement
from registry.known import ASSOCIATION, DOCUMENT, FOLDER, Known, Objects
from registry.metadata.identify import bare_uuid
from registry.store import known
from registry.store.tables import DOCUMENT_ENTRY, ENTRY_AUTHOR, ENTRY_CODE, MANIFEST, REFERENCE_ID
from registry.store.tables import FOLDER as FOLDER_TABLE

FORGET = {kind: Statement(delete(table).where(any_of(table.c.id, "ids"))) for kind, table in known.KINDS.items()}
# Side tables of codes and authors name their object, whatever its kind.
FORGET_DETAILS = tuple(
    Statement(delete(table).where(any_of(table.c.entry_id, "ids"))) for table in (ENTRY_CODE, ENTRY_AUTHOR)
)
FORGET_REFERENCES = Statement(
    delete(REFERENCE_ID).where(any_of(REFERENCE_ID.c.record_id, "ids"), REFERENCE_ID.c.record == literal("entry"))
)
FORGET_MANIFESTS = Statement(
    delete(MANIFEST).where(
        any_of(MANIFEST.c.unique_id, "unique_ids"),
        ~exists().where(DOCUMENT_ENTRY.c.unique_id == MANIFEST.c.unique_id),
    )
)


def _newest(table: Table) -> Statement:
    """Make the newest version that is left of each logical object the latest one."""
    other = table.alias("other").c
    newest = select(func.max(other.version)).where(other.logical_id == table.c.logical_id).scalar_subquery()
    return Statement(
        update(table).where(any_of(table.c.logical_id, "ids"), table.c.version == newest).values(is_latest=true())
    )


NEWEST = {DOCUMENT: _newest(DOCUMENT_ENTRY), FOLDER: _newest(FOLDER_TABLE)}


def objects_of(reader: Database | Unit, ids: Iterable[str]) -> Objects:
    """What is to be removed, the associations that touch it, and what those tie it to with all associations of that."""
    wanted = {bare_uuid(id_) for id_ in ids}
    found = known.by_id(reader, wanted)
    found += known.ending_at(reader, wanted)
    ends = {str(end) for one in found for end in (one.source, one.target) if end}
    around = known.ending_at(reader, ends - wanted)
    ends |= {str(one.source) for one in around}
    found += around
    return Objects([*found, *known.by_id(reader, ends - {one.id for one in found})])


def forget(unit: Unit, objects: Sequence[Known]) -> None:
    """Take these objects out, and let the newest version that is left of each stand as its latest."""
    for kind, statement in FORGET.items():
        ids = [one.id for one in objects if one.kind == kind]
        if not ids:
            continue
        unit.execute(statement, ids=ids)
        if kind in NEWEST:
            unit.execute(NEWEST[kind], ids=sorted({one.logical_id for one in objects if one.kind == kind}))
        if kind != ASSOCIATION:
            for details in FORGET_DETAILS:
                unit.execute(details, ids=ids)
    entries = [one for one in objects if one.kind == DOCUMENT]
    if entries:
        unit.execute(FORGET_REFERENCES, ids=[one.id for one in entries])
        unit.execute(FORGET_MANIFESTS, unique_ids=sorted({str(one.unique_id) for one in entries}))
