"""Which statement answers which stored query."""

from database.engine import Database
from registry.access import Visibility
from registry.answers import Answer
from registry.queries import (
    FindDocuments,
    FindFolders,
    FindSubmissionSets,
    GetAll,
    GetAssociations,
    GetDocuments,
    GetDocumentsAndAssociations,
    GetFolderAndContents,
    GetFolders,
    GetFoldersForDocument,
    GetRelatedDocuments,
    GetSubmissionSetAndContents,
    GetSubmissionSets,
    ReturnType,
    StoredQuery,
)
from registry.store import associations, contents, documents, packages


def answer(
    database: Database,
    query: StoredQuery,
    returns: ReturnType,
    visibility: Visibility,
    most: int,
    *,
    unmerged: bool = False,
) -> Answer:
    """What `query` finds of what `visibility` admits.

    Objects may be more than `most`, and then are not all that there are; a question without a patient finds as many as
    `documents.MOST_REFS` references and one, at most. `unmerged`, for FindDocuments: nothing is found for a patient who
    has part in a merge.
    """
    match query:
        case FindDocuments():
            return documents.find_documents(database, query, returns, visibility, most, unmerged=unmerged)
        case GetDocuments():
            return documents.get_documents(database, query, returns, visibility, most)
        case FindSubmissionSets():
            return packages.find_submission_sets(database, query, returns, visibility, most)
        case FindFolders():
            return packages.find_folders(database, query, returns, visibility, most)
        case GetFolders():
            return packages.get_folders(database, query, returns, visibility, most)
        case GetAll():
            return contents.get_all(database, query, returns, visibility, most)
        case GetSubmissionSetAndContents():
            return contents.get_submission_set_and_contents(database, query, returns, visibility)
        case GetFolderAndContents():
            return contents.get_folder_and_contents(database, query, returns, visibility)
        case GetAssociations():
            return associations.get_associations(database, query, returns, visibility, most)
        case GetDocumentsAndAssociations():
            return associations.get_documents_and_associations(database, query, returns, visibility, most)
        case GetSubmissionSets():
            return associations.get_submission_sets(database, query, returns, visibility)
        case GetFoldersForDocument():
            return associations.get_folders_for_document(database, query, returns, visibility)
        case GetRelatedDocuments():
            return associations.get_related_documents(database, query, returns, visibility)
