"""What the registry holds of the objects that a submission names: everything its rules ask, in one round trip.

A second one is made only where the submission names what was registered for another patient: the two may have been
merged since.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, literal, null, select, union_all

from database.engine import Database, Unit
from database.sql import any_of
from database.statement import Statement
from registry.metadata.identify import canonical
from registry.metadata.model import Submission
from registry.state import LOGICAL, Registered, State, named
from registry.store.patients import same_patient
from registry.store.tables import ASSOCIATION, DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET

KINDS = {"document": DOCUMENT_ENTRY, "set": SUBMISSION_SET, "folder": FOLDER, "association": ASSOCIATION}
OPTIONAL = ("unique_id", "hash", "size", "object_type")  # columns that not every kind has


def _branch(kind: str, condition: Callable[[Any], ColumnElement[bool]]) -> Select[Any]:
    columns = KINDS[kind].c
    optional = (columns[name].cast(Text) if name in columns else null().cast(Text) for name in OPTIONAL)
    return select(literal(kind), columns.id, columns.patient_id, columns.status, *optional).where(condition(columns))


def _logical(columns: Any) -> Select[Any]:
    nothing = (null().cast(Text) for _ in OPTIONAL)
    return select(literal(LOGICAL), columns.logical_id, columns.patient_id, columns.status, *nothing).where(
        any_of(columns.logical_id, "ids"), columns.id != columns.logical_id
    )


UNIQUE = tuple(kind for kind, table in KINDS.items() if "unique_id" in table.c)
# A union of searches by one index each; a single search by id or uniqueId would use none.
STATE = Statement(
    union_all(
        *(_branch(kind, lambda c: any_of(c.id, "ids")) for kind in KINDS),
        # No new object may become a version of what is registered: the first version may have been removed.
        *(_logical(table.c) for table in (DOCUMENT_ENTRY, FOLDER)),
        # What an update has replaced may have been another patient's, and keeps nobody from anything.
        *(_branch(kind, lambda c: and_(any_of(c.unique_id, "unique_ids"), c.is_latest)) for kind in UNIQUE),
    )
)


def state_of(reader: Database | Unit, submission: Submission) -> State:
    """What the registry holds of the objects that `submission` names.

    What belongs to its patient has that patient's id here, though it was registered before a merge, for another id.
    """
    ids, unique_ids = named(submission)
    found = [Registered._make(row) for row in dict.fromkeys(reader.rows(STATE, ids=ids, unique_ids=unique_ids))]
    owner = canonical(submission.submission_sets[0].patient_id) if submission.submission_sets else None
    own = same_patient(reader, owner, {one.patient_id for one in found if one.kind != LOGICAL})
    return State([one._replace(patient_id=str(owner)) if one.patient_id in own else one for one in found])
