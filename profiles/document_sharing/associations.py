"""Associations other than HasMember, as far as a message by itself shows what is wrong with them (ITI TF-3, 4.2.2).

Whether a registered end exists, is approved and of the same patient is the registry's to tell.
"""

from collections.abc import Iterator
from enum import Enum, unique
from typing import NamedTuple

from profiles.document_sharing.contents import Contents
from profiles.document_sharing.transactions import Rules
from registry.metadata.errors import Finding
from registry.metadata.identify import is_uuid
from registry.metadata.model import Association, DocumentEntry
from registry.metadata.rules import shown
from registry.metadata.urn import AssociationType, ObjectType

BOOK = "ITI TF-3, 4.2.2"
TYPES = tuple(one.value for one in AssociationType)


@unique
class End(Enum):
    """What an end of an association may be, in words for the sender."""

    ENTRY = "must be a DocumentEntry of this submission"
    STABLE_ENTRY = "must be a stable DocumentEntry of this submission"
    REGISTERED = "must be registered already, and not be in this submission: give its entryUUID"
    ENTRY_OR_REGISTERED = "must be a DocumentEntry of this submission, or registered already"


class Relation(NamedTuple):
    """One type of association: its ends, whether it may carry a documentation code, and where the book says so."""

    source: End
    target: End
    documented: bool
    book: str


# fmt: off
RELATIONS = {
    #   type                                 source            target                   documented book
    AssociationType.RPLC:           Relation(End.ENTRY,        End.REGISTERED,          True,  "ITI TF-3, 4.2.2.2"),
    AssociationType.APND:           Relation(End.ENTRY,        End.REGISTERED,          True,  "ITI TF-3, 4.2.2.2"),
    AssociationType.XFRM:           Relation(End.ENTRY,        End.REGISTERED,          True,  "ITI TF-3, 4.2.2.2"),
    AssociationType.XFRM_RPLC:      Relation(End.ENTRY,        End.REGISTERED,          True,  "ITI TF-3, 4.2.2.2"),
    # A signature may come together with what it signs.
    AssociationType.SIGNS:          Relation(End.ENTRY,        End.ENTRY_OR_REGISTERED, True,  "ITI TF-3, 4.2.2.2"),
    AssociationType.IS_SNAPSHOT_OF: Relation(End.STABLE_ENTRY, End.REGISTERED,          False, "ITI TF-3, 4.2.2.2"),
}
# fmt: on
OPERATIONS = (AssociationType.UPDATE_AVAILABILITY_STATUS, AssociationType.SUBMIT_ASSOCIATION)


def findings(contents: Contents, rules: Rules) -> Iterator[Finding]:
    """Everything wrong with the associations of a submission, but for what is HasMember's own.

    Of a metadata update only what is wrong in any transaction: which operation an association belongs to, and what its
    ends must be then, is told with the registry's state (`registry.update_rules`).
    """
    for association in contents.submission.associations:
        if not association.type:
            continue
        if association.type not in TYPES:
            text = f"{shown(association.type)} is not known; the types are {', '.join(TYPES)}"
            yield Finding(rules.metadata_error, f"{association.id}.associationType", text, BOOK)
            continue
        if association.type not in rules.associations and not rules.updates:
            yield _refused(association, rules)
        yield from _ends(contents, association, rules)
        relation = RELATIONS.get(AssociationType(association.type))
        if relation and association.documentation and not relation.documented:
            text = "an association of this type has no association documentation"
            yield Finding(rules.metadata_error, f"{association.id}.associationDocumentation", text, relation.book)


def _refused(association: Association, rules: Rules) -> Finding:
    operation = "; it is an operation of Metadata Update, ITI-57" if association.type in OPERATIONS else ""
    text = f"{rules.transaction} takes no {association.type.rpartition(':')[2]}{operation}"
    return Finding(rules.metadata_error, f"{association.id}.associationType", text, rules.source)


def _ends(contents: Contents, association: Association, rules: Rules) -> Iterator[Finding]:
    if association.source and association.source == association.target:
        text = "source and target are the same object"
        yield Finding(rules.metadata_error, association.id, text, BOOK)
    relation = None if rules.updates else RELATIONS.get(AssociationType(association.type))
    wanted = (relation.source, relation.target) if relation else (None, None)
    ends = (("sourceObject", association.source), ("targetObject", association.target))
    for (name, id_), end in zip(ends, wanted, strict=True):
        if not id_:
            continue
        if contents.get(id_) is None and not is_uuid(id_):
            text = f"{shown(id_)} is neither the id of an object of this submission nor a UUID"
            yield Finding(rules.metadata_error, f"{association.id}.{name}", text, BOOK)
        elif relation and end and not _is(contents, id_, end):
            text = f"is {contents.described(id_)}; it {end.value}"
            yield Finding(rules.metadata_error, f"{association.id}.{name}", text, relation.book)


def _is(contents: Contents, id_: str, end: End) -> bool:
    found = contents.get(id_)
    match end:
        case End.ENTRY:
            return isinstance(found, DocumentEntry)
        case End.STABLE_ENTRY:
            return isinstance(found, DocumentEntry) and found.object_type == ObjectType.STABLE_DOCUMENT
        case End.REGISTERED:
            return contents.may_be_registered(id_)
        case End.ENTRY_OR_REGISTERED:
            return isinstance(found, DocumentEntry) or contents.may_be_registered(id_)
