"""What storage commitment asks of the index: the class, blob and size of instances, by their UIDs alone."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, null, select

from database.sql import any_of
from database.statement import Statement
from repository.store.imaging import Rows
from repository.store.tables import INSTANCE

instance = INSTANCE.c
NAMED = Statement(
    select(instance.uid, instance.sop_class_uid, instance.sha256, instance.size).where(
        any_of(instance.uid, "uids"),
        instance.source == bindparam("source"),
        # What was rejected may be deleted soon.
        instance.rejected.is_(null()),
    )
)


class Named(NamedTuple):
    """An instance that has a row; `size` in bytes."""

    uid: str
    sop_class_uid: str
    sha256: str
    size: int


def named(rows: Rows, source: str, uids: Sequence[str]) -> dict[str, Named]:
    """The instances held at `source` among `uids`, by UID."""
    return {row[0]: Named(*row) for row in rows(NAMED, uids=sorted(set(uids)), source=source)}
