"""What may be removed from the registry (ITI TF-2, 3.62.4.1.3).

Pure: `registry.known.Objects` is what is to be removed, every association that touches it, and what those tie it to.
The checks go from the coarse to the fine, and the later ones would only repeat what an earlier one found.
"""

from collections.abc import Iterable, Iterator, Sequence

from registry.known import ASSOCIATION, DOCUMENT, FOLDER, NAMES, SET, Known, Objects
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.identify import bare_uuid

SOURCE = "ITI TF-2, 3.62.4.1.3"


def problems(ids: Sequence[str], known: Objects) -> list[Finding]:
    """Everything that keeps the objects with these ids (as sent) from being removed together."""
    going = {bare_uuid(id_) for id_ in ids}
    for check in (_unknown(ids, known), _referenced(ids, known, going), _left_over(ids, known, going)):
        found = list(check)
        if found:
            return found
    return []


def _unknown(ids: Iterable[str], known: Objects) -> Iterator[Finding]:
    for id_ in ids:
        if known.by_id(id_) is None:
            text = "no object with this entryUUID is registered"
            yield Finding(ErrorCode.UnresolvedReferenceException, id_, text, SOURCE)


def _referenced(ids: Iterable[str], known: Objects, going: set[str]) -> Iterator[Finding]:
    """What has an association that would stay."""
    for id_ in ids:
        staying = [one.id for one in known.ending_at(bare_uuid(id_)) if one.id not in going]
        if staying:
            text = f"association {staying[0]}{_and_more(staying)} has it at an end, and is not to be removed"
            yield Finding(ErrorCode.ReferencesExistException, id_, text, SOURCE)


def _left_over(ids: Iterable[str], known: Objects, going: set[str]) -> Iterator[Finding]:
    """What would stay without what must be there: any association at all, and a SubmissionSet that it came with."""
    said: set[str] = set()
    for id_, association in _associations(ids, known):
        for end in (association.source, association.target):
            left = known.by_id(end)
            if left is None or left.id in going or left.id in said or left.kind == ASSOCIATION:
                continue
            said.add(left.id)
            staying = [one for one in known.ending_at(left.id) if one.id not in going]
            name = f"{NAMES[left.kind]} {left.id}"
            if not staying:
                text = f"{name} would be left without an association"
                yield Finding(ErrorCode.XDSUnreferencedObjectException, id_, text, SOURCE)
            elif left.kind in (DOCUMENT, FOLDER) and not any(_owns(one, left, known) for one in staying):
                text = f"{name} would be left without a SubmissionSet"
                yield Finding(ErrorCode.XDSMetadataModelException, id_, text, "ITI TF-3, 4.2.1.4")


def _associations(ids: Iterable[str], known: Objects) -> Iterator[tuple[str, Known]]:
    found = ((id_, known.by_id(id_)) for id_ in ids)
    return ((id_, one) for id_, one in found if one and one.kind == ASSOCIATION)


def _owns(one: Known, member: Known, known: Objects) -> bool:
    """True for a SubmissionSet's HasMember of `member`."""
    owner = known.by_id(one.source)
    return one.is_membership and one.target == member.id and bool(owner and owner.kind == SET)


def _and_more(ids: Sequence[str]) -> str:
    return f" (and {len(ids) - 1} more)" if len(ids) > 1 else ""
