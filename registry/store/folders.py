"""What registering adds to Folders that are registered already (ITI TF-2, 3.42.4.1.3; ITI TF-3, 4.2.3.4.6).

A document comes into a registered Folder because a submission says so, or because it replaces one that is there. In
both cases the Folder's lastUpdateTime moves; it stands in a column alone, since the stored body never changes.
"""

from uuid import uuid4

from sqlalchemy import bindparam, exists, literal, select, update

from database.engine import Unit
from database.sql import any_of
from database.statement import Statement
from registry.lifecycle import DEPRECATING
from registry.metadata.model import Association, Submission
from registry.metadata.urn import AssociationType
from registry.renderers import Renderers
from registry.store.registration import association_row, second_of
from registry.store.tables import ASSOCIATION, FOLDER

a, f = ASSOCIATION.c, FOLDER.c
APPROVED = literal("Approved")

TOUCH = Statement(update(FOLDER).where(any_of(f.id, "ids")).values(last_update_time=bindparam("time")))
# (Folder, document in it)
FOLDERS_OF = Statement(
    select(a.source, a.target).where(
        any_of(a.target, "documents"),
        a.type == literal(AssociationType.HAS_MEMBER.value),
        a.status == APPROVED,
        exists().where(f.id == a.source, f.status == APPROVED),
    )
)


def add(unit: Unit, submission: Submission, renderers: Renderers, now: float) -> None:
    """Bring the registered Folders up to date with `submission` (bare UUIDs), which has just been written.

    Asks nothing of the database when the submission neither replaces a document nor names a registered Folder.
    """
    own = {submission.submission_set.id, *(folder.id for folder in submission.folders)}
    members = [one for one in submission.associations if one.type == AssociationType.HAS_MEMBER]
    touched = {one.source for one in members if one.source not in own}
    joining = _joining(unit, submission, {(one.source, one.target) for one in members})
    if joining:
        owner = str(submission.submission_set.patient_id)
        unit.insert(ASSOCIATION, [association_row(one, owner, renderers, now) for one in joining])
        touched |= {one.source for one in joining}
    if touched:
        unit.execute(TOUCH, ids=sorted(touched), time=second_of(now))


def _joining(unit: Unit, submission: Submission, there: set[tuple[str, str]]) -> list[Association]:
    """HasMembers of replacements in the Folders of what they replace, but for those that are `there` (Folder, id)."""
    replacing = [(one.target, one.source) for one in submission.associations if one.type in DEPRECATING]
    if not replacing:
        return []
    # An update may replace a document by one that is registered, and in the Folder, already.
    filed = set(unit.rows(FOLDERS_OF, documents=sorted({id_ for both in replacing for id_ in both})))
    wanted = {(folder, new) for folder, held in filed for old, new in replacing if held == old}
    return [
        Association(str(uuid4()), AssociationType.HAS_MEMBER, folder, new)
        for folder, new in sorted(wanted - there - filed)
    ]
