"""SubmissionSets and Folders as SQL (ITI TF-2, 3.18.4.1.2.3.7.2, .3 and .6; 3.51.4.1.2.1.2)."""

from database.engine import Database
from registry.access import Visibility
from registry.answers import Answer
from registry.metadata.urn import Status
from registry.queries import FindFolders, FindSubmissionSets, GetFolders, ReturnType
from registry.store.conditions import authored, coded
from registry.store.documents import MOST_REFS
from registry.store.objects import FOLDERS, SET, WORDS, answer, refs, statuses
from registry.store.tables import FOLDER, SUBMISSION_SET
from registry.store.where import Where

s, f = SUBMISSION_SET.c, FOLDER.c


def find_submission_sets(
    database: Database, query: FindSubmissionSets, returns: ReturnType, visibility: Visibility, most: int
) -> Answer:
    """FindSubmissionSets; at most `most` + 1 objects."""
    where = Where("submission sets")
    where.equal(s.patient_id, query.patient_id)
    where.among(s.patient_id, query.patient_ids)
    where.visible(s.patient_id, visibility)
    statuses(where, s.status, query.statuses)
    where.among(s.source_id, query.source_ids)
    where.between(s.submission_time, query.submission_time_from, query.submission_time_to)
    where.among(s.content_type_code, query.content_type_codes)
    if query.author_person is not None:
        authored(where, s.id, (query.author_person,))
    return answer(database, SET, where, returns, most)


def find_folders(
    database: Database, query: FindFolders, returns: ReturnType, visibility: Visibility, most: int
) -> Answer:
    """FindFolders and FindFoldersForMultiplePatients; at most `most` + 1 objects."""
    where = Where("folders")
    where.equal(f.patient_id, query.patient_id)
    where.among(f.patient_id, query.patient_ids)
    where.visible(f.patient_id, visibility)
    statuses(where, f.status, query.statuses)
    latest(where, all_versions=query.all_versions)
    where.between(f.last_update_time, query.last_update_time_from, query.last_update_time_to)
    driving = not (query.patient_id is not None or query.patient_ids)
    for codes in query.codes:
        coded(where, f.id, "folder", codes, driving=driving)
    if query.several_patients and returns is ReturnType.OBJECT_REF:
        return Answer(refs=tuple(refs(database, FOLDERS, where, MOST_REFS)))
    return answer(database, FOLDERS, where, returns, most)


def get_folders(
    database: Database, query: GetFolders, returns: ReturnType, visibility: Visibility, most: int
) -> Answer:
    """GetFolders: all that have one of these ids; none for no id."""
    if not (query.ids or query.unique_ids or query.logical_ids):
        return Answer()
    where = Where("get folders")
    where.among(f.id, query.ids)
    where.among(f.unique_id, query.unique_ids)
    where.among(f.logical_id, query.logical_ids)
    where.visible(f.patient_id, visibility)
    latest(where, all_versions=query.all_versions)
    return answer(database, FOLDERS, where, returns, most)


def latest(where: Where, *, all_versions: bool) -> None:
    """Without all versions, neither superseded nor deprecated folders (XDS Metadata Update, 3.18.4.1.2.3.5.1.1)."""
    if not all_versions:
        where.true(f.is_latest)
        where.equal(f.status, WORDS[Status.APPROVED])
