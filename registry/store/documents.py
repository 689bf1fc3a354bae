"""DocumentEntries: FindDocuments and GetDocuments as SQL, and what it takes to give a document.

ITI TF-2, 3.18.4.1.2.3.7.1, .5 and .14; 3.51.4.1.2.1.1.
"""

from typing import NamedTuple

from sqlalchemy import select

from database.engine import Database
from database.sql import any_of
from registry.access import Visibility
from registry.answers import Answer
from registry.metadata.urn import ObjectType
from registry.queries import Excluded, FindDocuments, GetDocuments, ReturnType
from registry.store.conditions import authored, coded, not_coded, not_merged, not_referring, referring
from registry.store.objects import ENTRY, answer, refs, statuses
from registry.store.tables import DOCUMENT_ENTRY
from registry.store.where import Where

d = DOCUMENT_ENTRY.c
MOST_REFS = 100_000
"""The most references that a question without a patient may find: it could mean the whole archive."""

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
EXCLUDED = AMONG[:6]
# The codes of which an entry may have several: (field, kind).
CODED = (("event_codes", "event"), ("confidentiality_codes", "confidentiality"))
# A service time that an entry lacks is not used to decide whether it matches (ITI TF-2, 3.18.4.1.2.3.3.1):
# (field of the lower bound, of the upper bound, column).
SERVICE_TIMES = (
    ("service_start_time_from", "service_start_time_to", d.service_start_time),
    ("service_stop_time_from", "service_stop_time_to", d.service_stop_time),
)
# SQLAlchemy looks a column of a table up anew each time.
ID, PATIENT, STATUS, IS_LATEST, IS_ONLINE = d.id, d.patient_id, d.status, d.is_latest, d.is_online
REGISTERED, UPDATED, CREATION_TIME = d.registered, d.updated, d.creation_time


def conditions(query: FindDocuments, visibility: Visibility, *, unmerged: bool = False) -> Where:
    """What FindDocuments, and a DocumentReference search, ask of document_entry; `unmerged` as in `not_merged`."""
    where = Where("documents")
    if unmerged:
        not_merged(where, query.patient_id or query.patient_ids[0])
    where.equal(PATIENT, query.patient_id)
    where.among(PATIENT, query.patient_ids)
    where.visible(PATIENT, visibility)
    statuses(where, STATUS, query.statuses)
    present(where, all_versions=query.all_versions)
    excluding = query.excluding
    for field, column in AMONG:
        values = getattr(query, field)
        if values and not (field == "object_types" and excluding and excluding.object_types):
            where.among(column, values)
    _times(where, query)
    driving = not (query.patient_id is not None or query.patient_ids or query.ids or query.unique_ids)
    for field, kind in CODED:
        for codes in getattr(query, field):
            coded(where, ID, kind, codes, driving=driving)
    if query.author_persons:
        authored(where, ID, query.author_persons)
    for ors in query.reference_ids:
        referring(where, ors, "entry", ID, driving=driving)
    if excluding:
        _exclude(where, excluding)
    return where


def _times(where: Where, query: FindDocuments) -> None:
    where.between(REGISTERED, query.registered_from, query.registered_to)
    where.between(UPDATED, query.updated_from, query.updated_to)
    # On-demand entries have no creationTime, and its bounds are not used for them (3.18.4.1.2.3.7.1, footnote 6).
    stable = query.object_types == (ObjectType.STABLE_DOCUMENT,) and not query.excluding
    where.between(CREATION_TIME, query.creation_time_from, query.creation_time_to, or_absent=not stable)
    for low, high, column in SERVICE_TIMES:
        where.between(column, getattr(query, low), getattr(query, high), or_absent=True)


def _exclude(where: Where, excluded: Excluded) -> None:
    for field, column in EXCLUDED:
        where.none_of(column, getattr(excluded, field))
    for field, kind in CODED:
        if getattr(excluded, field):
            not_coded(where, ID, kind, getattr(excluded, field))
    if excluded.author_persons:
        authored(where, ID, excluded.author_persons, negated=True)
    if excluded.reference_ids:
        not_referring(where, excluded.reference_ids, "entry", ID)


def find_documents(
    database: Database,
    query: FindDocuments,
    returns: ReturnType,
    visibility: Visibility,
    most: int,
    *,
    unmerged: bool = False,
) -> Answer:
    """FindDocuments and its kin; at most `most` + 1 objects, so that the caller sees an excess.

    With `unmerged` nothing is found for a patient who has part in a merge.
    """
    where = conditions(query, visibility, unmerged=unmerged)
    if query.several_patients and returns is ReturnType.OBJECT_REF:
        return Answer(refs=tuple(refs(database, ENTRY, where, MOST_REFS)))
    return answer(database, ENTRY, where, returns, most)


def get_documents(
    database: Database, query: GetDocuments, returns: ReturnType, visibility: Visibility, most: int
) -> Answer:
    """GetDocuments: all that have one of these ids; none for no id."""
    if not (query.ids or query.unique_ids or query.logical_ids):
        return Answer()
    return answer(database, ENTRY, named(query, visibility), returns, most)


def named(query: GetDocuments, visibility: Visibility) -> Where:
    """The entries that a query names by one of their kinds of id."""
    where = Where("get documents")
    where.among(ID, query.ids)
    where.among(d.unique_id, query.unique_ids)
    where.among(d.logical_id, query.logical_ids)
    where.visible(PATIENT, visibility)
    present(where, all_versions=query.all_versions)
    return where


def present(where: Where, *, all_versions: bool) -> None:
    """Without all versions, neither superseded entries nor those whose document is offline.

    XDS Metadata Update, 3.18.4.1.2.3.5.1.1.
    """
    if not all_versions:
        where.true(IS_LATEST)
        where.true(IS_ONLINE)


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
