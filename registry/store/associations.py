"""Associations, and what is found by way of them (ITI TF-2, 3.18.4.1.2.3.7.7 to .9, .12 and .13)."""

from collections.abc import Iterable, Sequence

from sqlalchemy import and_, or_

from database.engine import Database
from database.sql import any_of
from registry.access import Visibility
from registry.answers import Answer, StoredObject
from registry.metadata.urn import AssociationType, Status
from registry.queries import (
    GetAssociations,
    GetDocuments,
    GetDocumentsAndAssociations,
    GetFoldersForDocument,
    GetRelatedDocuments,
    GetSubmissionSets,
    ReturnType,
)
from registry.store.documents import named, present
from registry.store.objects import ASSOCIATIONS, ENTRY, FOLDERS, SET, Shape, answer, given, objects, statuses, types
from registry.store.packages import latest
from registry.store.tables import ASSOCIATION, DOCUMENT_ENTRY
from registry.store.where import Where

d, a = DOCUMENT_ENTRY.c, ASSOCIATION.c


class Links:
    """The associations that a question may see: its caller's, of its statuses."""

    def __init__(
        self, database: Database, visibility: Visibility, wanted: Sequence[Status], *, all_versions: bool
    ) -> None:
        self._database, self._visibility = database, visibility
        # Deprecated associations are a matter of all versions (XDS Metadata Update, 3.18.4.1.2.3.5.1.1).
        self._statuses = tuple(one for one in wanted if all_versions or one is Status.APPROVED)

    def around(self, ids: Iterable[str], types: Sequence[AssociationType] = ()) -> list[StoredObject]:
        """Those whose source or target is one of `ids`."""
        return self._found(self._around(ids, types))

    def of(self, sources: Iterable[str], types: Sequence[AssociationType] = ()) -> list[StoredObject]:
        """Those whose source is one of `sources`."""
        return self._found(self._where("of", a.source, sources, types))

    def to(self, targets: Iterable[str], types: Sequence[AssociationType] = ()) -> list[StoredObject]:
        """Those whose target is one of `targets`."""
        return self._found(self._where("to", a.target, targets, types))

    def between(self, ids: Iterable[str]) -> list[StoredObject]:
        """Those whose source and target are both of `ids`."""
        where = Where("between")
        where.add("ends", lambda: and_(any_of(a.source, "ends"), any_of(a.target, "ends")), ends=list(ids))
        return self._found(self._narrowed(where))

    def answer(self, ids: Sequence[str], returns: ReturnType, most: int) -> Answer:
        """`around`, as it was asked for; at most `most` + 1 objects."""
        if not (ids and self._statuses):
            return Answer()
        return answer(self._database, ASSOCIATIONS, self._around(ids), returns, most)

    def _around(self, ids: Iterable[str], types: Sequence[AssociationType] = ()) -> Where:
        where = Where("around")
        where.add("ends", lambda: or_(any_of(a.source, "ends"), any_of(a.target, "ends")), ends=list(ids))
        return self._narrowed(where, types)

    def _where(self, name: str, column: object, ends: Iterable[str], types: Sequence[AssociationType]) -> Where:
        where = Where(name)
        where.add("ends", lambda: any_of(column, "ends"), ends=list(ends))  # type: ignore[arg-type]
        return self._narrowed(where, types)

    def _narrowed(self, where: Where, types: Sequence[AssociationType] = ()) -> Where:
        statuses(where, a.status, self._statuses)
        where.among(a.type, types)
        where.visible(a.patient_id, self._visibility)
        return where

    def _found(self, where: Where) -> list[StoredObject]:
        if not (where.params["ends"] and self._statuses):
            return []
        return objects(self._database, ASSOCIATIONS, where)


def get_associations(
    database: Database, query: GetAssociations, returns: ReturnType, visibility: Visibility, most: int
) -> Answer:
    """GetAssociations."""
    links = Links(database, visibility, query.association_statuses, all_versions=query.all_versions)
    return links.answer(query.ids, returns, most)


def get_documents_and_associations(
    database: Database, query: GetDocumentsAndAssociations, returns: ReturnType, visibility: Visibility, most: int
) -> Answer:
    """GetDocumentsAndAssociations: GetDocuments, and GetAssociations of what it found."""
    if not (query.ids or query.unique_ids):
        return Answer()
    links = Links(database, visibility, query.association_statuses, all_versions=query.all_versions)
    asked = GetDocuments(query.ids, query.unique_ids, all_versions=query.all_versions)
    found = answer(database, ENTRY, named(asked, visibility), returns, most)
    around = links.answer(found.ids, returns, most)
    return Answer((*found.objects, *around.objects), (*found.refs, *around.refs))


def get_submission_sets(
    database: Database, query: GetSubmissionSets, returns: ReturnType, visibility: Visibility
) -> Answer:
    """GetSubmissionSets: the sets, and the HasMember associations that led to them."""
    links = Links(database, visibility, query.association_statuses, all_versions=query.all_versions)
    members = links.to(query.ids, (AssociationType.HAS_MEMBER,))
    sets = _by_id(database, SET, [one.source for one in members], visibility)
    inside = {one.id for one in sets}
    return given((*sets, *(one for one in members if one.source in inside)), returns)


def get_folders_for_document(
    database: Database, query: GetFoldersForDocument, returns: ReturnType, visibility: Visibility
) -> Answer:
    """GetFoldersForDocument; a uniqueId may name several entries, of which each counts."""
    links = Links(database, visibility, query.association_statuses, all_versions=query.all_versions)
    entries = _entries(database, query.id, query.unique_id, visibility, all_versions=query.all_versions)
    sources = [one.source for one in links.to((e.id for e in entries), (AssociationType.HAS_MEMBER,))]
    if not sources:
        return Answer()
    where = _ids("folders for document", FOLDERS, sources, visibility)
    latest(where, all_versions=query.all_versions)
    return given(objects(database, FOLDERS, where), returns)


def get_related_documents(
    database: Database, query: GetRelatedDocuments, returns: ReturnType, visibility: Visibility
) -> Answer:
    """GetRelatedDocuments: associations with a document at both ends, one of them the one named, and these documents.

    A document of a type that is not wanted is left out, and its associations with it.
    """
    links = Links(database, visibility, query.association_statuses, all_versions=query.all_versions)
    named_here = _entries(database, query.id, query.unique_id, visibility, all_versions=query.all_versions)
    around = links.around((one.id for one in named_here), query.types)
    ends = {end for one in around for end in (one.source, one.target)}
    if not ends:
        return Answer()
    where = _ids("related", ENTRY, sorted(ends), visibility)
    where.among(d.object_type, types(query.object_types))
    present(where, all_versions=query.all_versions)
    entries = objects(database, ENTRY, where)
    inside = {one.id for one in entries}
    between = [one for one in around if {one.source, one.target} <= inside]
    related = {end for one in between for end in (one.source, one.target)}
    return given((*(one for one in entries if one.id in related), *between), returns)


def _entries(
    database: Database, id_: str | None, unique_id: str | None, visibility: Visibility, *, all_versions: bool
) -> list[StoredObject]:
    if id_ is None and unique_id is None:
        return []
    ids, unique_ids = (() if one is None else (one,) for one in (id_, unique_id))
    return objects(database, ENTRY, named(GetDocuments(ids, unique_ids, all_versions=all_versions), visibility))


def _by_id(database: Database, shape: Shape, ids: Sequence[str], visibility: Visibility) -> list[StoredObject]:
    return objects(database, shape, _ids("by id", shape, ids, visibility)) if ids else []


def _ids(name: str, shape: Shape, ids: Sequence[str], visibility: Visibility) -> Where:
    where = Where(name)
    where.add("ids", lambda: any_of(shape.c.id, "ids"), ids=list(dict.fromkeys(ids)))
    where.visible(shape.c.patient_id, visibility)
    return where
