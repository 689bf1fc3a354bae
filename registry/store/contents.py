"""What is in a SubmissionSet, in a Folder, and registered for a patient at all.

ITI TF-2, 3.18.4.1.2.3.7.4, .10 and .11.
"""

from collections.abc import Sequence

from database.engine import Database
from database.sql import any_of
from registry.access import Visibility
from registry.answers import Answer, StoredObject
from registry.metadata.urn import AssociationType
from registry.queries import (
    FindDocuments,
    FindFolders,
    FindSubmissionSets,
    GetAll,
    GetFolderAndContents,
    GetSubmissionSetAndContents,
    ReturnType,
)
from registry.store.associations import Links
from registry.store.conditions import coded
from registry.store.documents import find_documents, present
from registry.store.objects import ENTRY, FOLDERS, SET, given, objects, types
from registry.store.packages import find_folders, find_submission_sets, latest
from registry.store.tables import DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET
from registry.store.where import Where

d, s, f = DOCUMENT_ENTRY.c, SUBMISSION_SET.c, FOLDER.c
MEMBER = (AssociationType.HAS_MEMBER,)


def get_all(database: Database, query: GetAll, returns: ReturnType, visibility: Visibility, most: int) -> Answer:
    """GetAll: the patient's objects, and the associations that have one of them at an end."""
    whose = {"patient_id": query.patient_id, "patient_ids": query.patient_ids, "all_versions": query.all_versions}
    sets = FindSubmissionSets(statuses=query.set_statuses, **whose)  # type: ignore[arg-type]
    folders = FindFolders(statuses=query.folder_statuses, **whose)  # type: ignore[arg-type]
    entries = FindDocuments(
        statuses=query.entry_statuses,
        object_types=query.object_types,
        format_codes=query.format_codes,
        confidentiality_codes=query.confidentiality_codes,
        **whose,  # type: ignore[arg-type]
    )
    found = (
        find_submission_sets(database, sets, returns, visibility, most),
        find_documents(database, entries, returns, visibility, most),
        find_folders(database, folders, returns, visibility, most),
    )
    ids = [id_ for part in found for id_ in part.ids]
    links = Links(database, visibility, query.association_statuses, all_versions=query.all_versions)
    around = links.answer(ids, returns, most)
    return Answer(
        tuple(one for part in (*found, around) for one in part.objects),
        tuple(one for part in (*found, around) for one in part.refs),
    )


def get_submission_set_and_contents(
    database: Database, query: GetSubmissionSetAndContents, returns: ReturnType, visibility: Visibility
) -> Answer:
    """The set, the entries and folders that it has as members, and the associations between what is returned.

    The filters leave entries out, and with them their associations. Associations that the set has as members, or that
    came with it and join two of its objects, are part of it; the former with the HasMember that says so.
    """
    where = Where("get set")
    where.equal(s.id, query.id)
    where.equal(s.unique_id, query.unique_id)
    if not where.params:
        return Answer()
    where.visible(s.patient_id, visibility)
    found = objects(database, SET, where)
    if not found:
        return Answer()
    owner = found[0]
    links = Links(database, visibility, query.association_statuses, all_versions=query.all_versions)
    members = links.of((owner.id,), MEMBER)
    targets = [one.target for one in members]
    contents = [*_entries(database, query, targets, visibility), *_folders(database, query, targets, visibility)]
    inside = {one.id for one in contents}
    between = links.between(sorted(inside))
    inside |= {one.id for one in between}
    return given((owner, *contents, *between, *(one for one in members if one.target in inside)), returns)


def get_folder_and_contents(
    database: Database, query: GetFolderAndContents, returns: ReturnType, visibility: Visibility
) -> Answer:
    """The folder, the entries in it that pass the filters, and the HasMember associations that put them there."""
    where = Where("get folder")
    where.equal(f.id, query.id)
    where.equal(f.unique_id, query.unique_id)
    if not where.params:
        return Answer()
    where.visible(f.patient_id, visibility)
    latest(where, all_versions=query.all_versions)
    folders = objects(database, FOLDERS, where)
    links = Links(database, visibility, query.association_statuses, all_versions=query.all_versions)
    members = links.of((one.id for one in folders), MEMBER)
    entries = _entries(database, query, [one.target for one in members], visibility)
    inside = {one.id for one in entries}
    return given((*folders, *entries, *(one for one in members if one.target in inside)), returns)


def _entries(
    database: Database,
    query: GetSubmissionSetAndContents | GetFolderAndContents,
    ids: Sequence[str],
    visibility: Visibility,
) -> list[StoredObject]:
    """Those of the entries that pass the query's filters."""
    if not ids:
        return []
    where = Where("members")
    where.add("ids", lambda: any_of(d.id, "ids"), ids=list(ids))
    where.visible(d.patient_id, visibility)
    where.among(d.object_type, types(query.object_types))
    where.among(d.format_code, query.format_codes)
    for codes in query.confidentiality_codes:
        coded(where, d.id, "confidentiality", codes)
    present(where, all_versions=query.all_versions)
    return objects(database, ENTRY, where)


def _folders(
    database: Database, query: GetSubmissionSetAndContents, ids: Sequence[str], visibility: Visibility
) -> list[StoredObject]:
    if not ids:
        return []
    where = Where("member folders")
    where.add("ids", lambda: any_of(f.id, "ids"), ids=list(ids))
    where.visible(f.patient_id, visibility)
    latest(where, all_versions=query.all_versions)
    return objects(database, FOLDERS, where)
