"""Audit: an event as a value, and the spool that makes a read's record durable before its answer leaves.

A write's record goes into the audit table in its own unit of work. A read's goes to an append-only file that is synced
before the answer is released (`registry.spool`).
"""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from database.engine import Unit
from database.tables import AUDIT
from registry.access import Caller
from registry.metadata.identify import fresh_uuid

CREATE, READ, UPDATE, DELETE, EXECUTE = "C", "R", "U", "D", "E"  # DICOM PS3.15 A.5, EventActionCode


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What happened: who, by which transaction, to whose data (DICOM PS3.15 A.5; ITI TF-2, 3.20).

    `outcome` is 0 success, 4 minor failure, 8 serious failure. `objects` are ids of documents, studies or queries;
    never a name.
    """

    caller: Caller
    action: str
    patients: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    outcome: int = 0
    count: int | None = None
    detail: str = ""

    def as_dict(self, recorded: float) -> dict[str, Any]:
        """The record as it is stored; `recorded` is seconds since 1970."""
        return {
            "id": fresh_uuid(),
            "recorded": recorded,
            "transaction": self.caller.transaction,
            "action": self.action,
            "outcome": self.outcome,
            "caller": self.caller.name,
            "address": self.caller.address,
            "request": self.caller.request_id,
            "patients": self.patients,
            "objects": self.objects,
            "count": self.count,
            "detail": self.detail,
        }


class ReadAudit(Protocol):
    """Where the records of reads go."""

    def keep(self, record: AuditRecord) -> None:
        """Return when the record is durable; raise when it cannot be made so, and then nothing may be released."""


class NoAudit:
    """Keeps nothing: only to measure what the audit costs."""

    def keep(self, record: AuditRecord) -> None:
        """Do nothing."""


def row_of(event: dict[str, Any]) -> dict[str, Any]:
    """The row of the audit table for an event that `AuditRecord.as_dict` made."""
    patients = event["patients"]
    return {
        "id": event["id"],
        "recorded": event["recorded"],
        "transaction": event["transaction"],
        "action": event["action"],
        "outcome": event["outcome"],
        "patient_id": patients[0] if len(patients) == 1 else None,
        "record": json.dumps(event),
    }


def audit_write(unit: Unit, record: AuditRecord, now: float) -> None:
    """Keep a write's record in the write's own unit of work: both are there, or neither."""
    unit.insert(AUDIT, [row_of(record.as_dict(now))])
