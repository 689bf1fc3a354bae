"""A submission as rows: what registering writes (ITI TF-2, 3.42.4.1.3)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, bindparam, literal, select, update

from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from registry.lifecycle import DEPENDENT, DEPRECATING
from registry.metadata.datatypes import Cxi, Dtm
from registry.metadata.model import Association, Code, DocumentEntry, Folder, Submission, SubmissionSet
from registry.metadata.urn import DocumentAvailability
from registry.renderers import Related, Renderers
from registry.store.fragments import CURRENT, compress
from registry.store.tables import (
    ASSOCIATION,
    DOCUMENT_ENTRY,
    ENTRY_AUTHOR,
    ENTRY_CODE,
    FOLDER,
    REFERENCE_ID,
    SUBMISSION_SET,
)

a, d = ASSOCIATION.c, DOCUMENT_ENTRY.c

APPROVED = literal("Approved")
DEPRECATE = Statement(
    update(DOCUMENT_ENTRY)
    .where(any_of(d.id, "ids"))
    .values(status=literal("Deprecated"), revision=d.revision + 1, updated=bindparam("now"))
)
_fallen = select(a.source.label("id")).where(
    any_of(a.target, "replaced"), any_of(a.type, "types"), a.status == APPROVED
)
_fallen_too = _fallen.cte("fallen", recursive=True)
# Every generation at once; a cycle ends because UNION keeps each document once.
DEPENDENTS = Statement(
    select(
        _fallen_too.union(
            select(a.source).where(a.target == _fallen_too.c.id, any_of(a.type, "types"), a.status == APPROVED)
        ).c.id
    )
)

Rows = list[tuple[Table, list[dict[str, Any]]]]


def rows_of(submission: Submission, renderers: Renderers, patient: str, now: float) -> Rows:
    """All rows of `submission` (bare UUIDs, canonical patient ids); `patient` is the FHIR id of its patient.

    Rendering is most of the work of a registration, and asks nothing of the database: it is done before the unit.
    """
    related: dict[str, list[Related]] = {e.id: [] for e in submission.entries}
    for one in submission.associations:
        if one.source in related:
            related[one.source].append(Related(one.type, one.target))
    owner = str(submission.submission_set.patient_id)
    coded: tuple[DocumentEntry | Folder, ...] = (*submission.entries, *submission.folders)
    authored: tuple[DocumentEntry | SubmissionSet, ...] = (*submission.entries, *submission.submission_sets)
    return [
        (SUBMISSION_SET, [_set_row(s, renderers, now) for s in submission.submission_sets]),
        (DOCUMENT_ENTRY, [_entry_row(e, renderers, patient, related[e.id], now) for e in submission.entries]),
        (FOLDER, [_folder_row(f, renderers, now) for f in submission.folders]),
        (ASSOCIATION, [association_row(one, owner, renderers, now) for one in submission.associations]),
        (ENTRY_CODE, [row for thing in coded for row in _code_rows(thing)]),
        (ENTRY_AUTHOR, [row for thing in authored for row in _author_rows(thing)]),
        (REFERENCE_ID, [row for e in submission.entries for row in reference_rows(e)]),
    ]


def deprecate(unit: Unit, associations: Sequence[Association], now: float) -> list[str]:
    """Deprecate what is replaced, and what was appended to or transformed from it; the ids (bare), replaced first."""
    replaced = [one.target for one in associations if one.type in DEPRECATING]
    if not replaced:
        return []
    # What is being registered is never deprecated by its own relation to what it replaces.
    fresh = {one.source for one in associations}
    dependent = (row[0] for row in unit.rows(DEPENDENTS, replaced=replaced, types=sorted(DEPENDENT)))
    gone = list(dict.fromkeys((*replaced, *(id_ for id_ in dependent if id_ not in fresh))))
    unit.execute(DEPRECATE, ids=gone, now=now)
    return gone


def _common(
    thing: DocumentEntry | SubmissionSet | Folder | Association, patient: str, renderers: Renderers, now: float
) -> dict[str, Any]:
    return {
        "patient_id": patient,
        "id": thing.id,
        "logical_id": thing.id,
        "version": 1,
        "status": "Approved",
        "home": thing.home,
        "registered": now,
        "is_latest": True,
        "dictionary": CURRENT,
        "ebrim": compress(renderers.ebrim(thing)),
    }


def _entry_row(
    entry: DocumentEntry, renderers: Renderers, patient: str, related: Sequence[Related], now: float
) -> dict[str, Any]:
    return {
        **_common(entry, str(entry.patient_id), renderers, now),
        "object_type": str(entry.object_type),
        "is_online": entry.document_availability != DocumentAvailability.OFFLINE,
        "mime_type": entry.mime_type,
        "unique_id": entry.unique_id,
        "repository_unique_id": entry.repository_unique_id,
        "hash": entry.hash and entry.hash.lower(),
        "size": int(entry.size) if entry.size else None,
        "creation_time": first(entry.creation_time),
        "service_start_time": first(entry.service_start_time),
        "service_stop_time": first(entry.service_stop_time),
        "class_code": entry.class_code and entry.class_code.key,
        "type_code": entry.type_code and entry.type_code.key,
        "format_code": entry.format_code and entry.format_code.key,
        "healthcare_facility_type_code": entry.healthcare_facility_type_code
        and entry.healthcare_facility_type_code.key,
        "practice_setting_code": entry.practice_setting_code and entry.practice_setting_code.key,
        "revision": 1,
        "updated": now,
        "fhir": compress(renderers.document_reference(entry, patient, related, now)),
    }


def _set_row(one: SubmissionSet, renderers: Renderers, now: float) -> dict[str, Any]:
    return {
        **_common(one, str(one.patient_id), renderers, now),
        "unique_id": one.unique_id,
        "source_id": one.source_id,
        "submission_time": first(one.submission_time),
        "content_type_code": one.content_type_code and one.content_type_code.key,
    }


def _folder_row(folder: Folder, renderers: Renderers, now: float) -> dict[str, Any]:
    return {
        **_common(folder, str(folder.patient_id), renderers, now),
        "unique_id": folder.unique_id,
        "last_update_time": second_of(now),
    }


def association_row(one: Association, patient: str, renderers: Renderers, now: float) -> dict[str, Any]:
    """The row of a new association (bare UUIDs) between objects of `patient`."""
    return {
        **_common(one, patient, renderers, now),
        "type": str(one.type),
        "source": one.source,
        "target": one.target,
    }


def _code_rows(thing: DocumentEntry | Folder) -> list[dict[str, Any]]:
    kinds: tuple[tuple[str, tuple[Code, ...]], ...]
    if isinstance(thing, Folder):
        kinds = (("folder", thing.codes),)
    else:
        kinds = (("event", thing.event_codes), ("confidentiality", thing.confidentiality_codes))
    return [
        {"patient_id": thing.patient_id, "entry_id": thing.id, "kind": kind, "code": code.key}
        for kind, codes in kinds
        for code in codes
    ]


def _author_rows(thing: DocumentEntry | SubmissionSet) -> list[dict[str, Any]]:
    persons = dict.fromkeys(person for author in thing.authors for person in author.person)
    return [{"patient_id": thing.patient_id, "entry_id": thing.id, "person": person} for person in persons]


def reference_rows(entry: DocumentEntry) -> list[dict[str, Any]]:
    """The entry's rows of the cross-index."""
    found = dict.fromkeys(Cxi.parse(text) for text in entry.reference_ids)
    return [
        {
            "patient_id": entry.patient_id,
            "kind": one.kind,
            "value": one.value,
            "authority": one.authority,
            "record": "entry",
            "record_id": entry.id,
        }
        for one in found
    ]


def second_of(now: float) -> str:
    """A moment (seconds since 1970) as a DTM of 14 digits."""
    return Dtm.of(datetime.fromtimestamp(now, UTC)).text


def first(time: str | None) -> str | None:
    """The first second that a DTM can mean, 14 digits."""
    return Dtm.parse(time).first if time else None
