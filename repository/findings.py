"""Findings: what contradicts what is held, kept for people to see and to decide on (PS3.5 9; PS3.3 A.1.2, C.7.1.1).

A contradiction is one finding however often it comes: its id follows from its kind, its object and the object's bytes.
A finding may keep an object aside: the bytes are in the blob store, no index and no answer knows of them.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique

from database.engine import Database, Unit
from registry.metadata.errors import ErrorCode, Rejected
from repository.store import findings as rows
from repository.store.findings import FindingRow

OPEN, RESOLVED = "open", "resolved"
ID_DIGITS = 12
MOST = 200
SOURCE = "PS3.4 B.2"


@unique
class FindingKind(StrEnum):
    """What is found, as it is stored; `WORDS` say it. Those of `KEEPS_OBJECT` keep an object aside."""

    TWO_PATIENTS = "two-patients"
    TWO_CONTENTS = "two-contents"
    OTHER_ISSUER = "other-issuer"
    UNKNOWN_ISSUER = "unknown-issuer"
    TWO_SOURCES = "two-sources"
    REFERENCES_DIFFER = "references-differ"
    REJECTION_PROBLEM = "rejection-problem"


KEEPS_OBJECT = frozenset(
    {FindingKind.TWO_PATIENTS, FindingKind.TWO_CONTENTS, FindingKind.OTHER_ISSUER, FindingKind.UNKNOWN_ISSUER}
)


@unique
class Resolution(StrEnum):
    """What people decided: the newcomer is put away, is taken in, is taken for a patient; or they only saw it."""

    KEEP = "kept"
    ACCEPT = "accepted"
    TAKE_FOR = "taken-for-patient"
    REPLACED = "replaced"
    CLOSE = "closed"


WORDS: Mapping[FindingKind | Resolution, str] = {
    FindingKind.TWO_PATIENTS: "two patients in one study",
    FindingKind.TWO_CONTENTS: "one SOP Instance UID with two contents",
    FindingKind.OTHER_ISSUER: "one patient number of two issuers in one study",
    FindingKind.UNKNOWN_ISSUER: "a patient number of an unknown issuer",
    FindingKind.TWO_SOURCES: "one study from two sources",
    FindingKind.REFERENCES_DIFFER: "a manifest whose two lists differ",
    FindingKind.REJECTION_PROBLEM: "a rejection note that cannot be followed",
    Resolution.KEEP: "what is held stays, the newcomer is put away",
    Resolution.ACCEPT: "the newcomer is taken",
    Resolution.TAKE_FOR: "the newcomer is taken for a patient",
    Resolution.REPLACED: "another object took its place",
    Resolution.CLOSE: "seen",
}


@dataclass(frozen=True, slots=True)
class HeldFinding:
    """One finding. `patients` are canonical CX texts, `size` is in bytes, times are seconds since 1970.

    `kept`: the object's bytes are in the blob store by their `sha256`. The last four are None while it is open.
    """

    id: str
    kind: FindingKind
    state: str
    patients: tuple[str, ...]
    study_uid: str
    object_uid: str
    sha256: str | None
    size: int | None
    kept: bool
    text: str
    first_seen: float
    last_seen: float
    times: int
    resolution: Resolution | None
    resolved: float | None
    resolved_by: str | None
    reason: str | None

    @classmethod
    def of_row(cls, row: FindingRow) -> "HeldFinding":
        """From its row."""
        values = row._asdict() | {
            "kind": FindingKind(row.kind),
            "patients": tuple(json.loads(row.patients)),
            "kept": bool(row.kept),
            "resolution": Resolution(row.resolution) if row.resolution else None,
        }
        return cls(**values)


class Findings:
    """The findings of one repository."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def add(
        self,
        unit: Unit,
        kind: FindingKind,
        *,
        text: str,
        patient_ids: Iterable[str] = (),
        study_uid: str = "",
        object_uid: str = "",
        sha256: str | None = None,
        size: int | None = None,
    ) -> str:
        """Note a contradiction, or that it was seen once more; the finding's id.

        What was decided on it stays decided. With `sha256` and `size` (bytes) the object of `object_uid` is kept aside
        as that blob, which must be durable already.
        """
        now, patients = self._now(), json.dumps(sorted(set(patient_ids)))
        id_ = finding_id(kind, study_uid, object_uid, sha256)
        row = FindingRow(
            id_,
            str(kind),
            OPEN,
            patients,
            study_uid,
            object_uid,
            sha256,
            size,
            int(size is not None),
            text,
            now,
            now,
            1,
        )
        rows.add(unit, row, now)
        return id_

    def find(
        self,
        *,
        state: str | None = None,
        kind: FindingKind | None = None,
        study_uid: str | None = None,
        object_uid: str | None = None,
        limit: int = MOST,
    ) -> list[HeldFinding]:
        """The findings that match all that is given, the open ones first, then the latest first."""
        given = {"state": state, "kind": kind, "study_uid": study_uid, "object_uid": object_uid}
        filters = {name: str(value) for name, value in given.items() if value is not None}
        return [HeldFinding.of_row(row) for row in rows.find(self._database.rows, filters, limit)]

    def get(self, id_: str, unit: Unit | None = None) -> HeldFinding:
        """One finding.

        Raises:
            Rejected: NotFound.
        """
        row = rows.get((unit or self._database).rows, id_)
        if row is None:
            raise Rejected.because(ErrorCode.NotFound, id_, "there is no finding of this id", SOURCE)
        return HeldFinding.of_row(row)

    def counts(self) -> Mapping[tuple[FindingKind, str], int]:
        """How many there are of each kind and state."""
        return {(FindingKind(kind), state): count for kind, state, count in self._database.rows(rows.COUNTS)}

    def lock(self, unit: Unit, id_: str) -> None:
        """Hold off whoever else would decide on this finding, until the unit ends."""
        unit.lock(f"finding {id_}")

    def resolve(
        self, unit: Unit, id_: str, resolution: Resolution, *, by: str, reason: str, keeps: bool = False
    ) -> None:
        """Write down what was decided; doing it is the caller's. `keeps`: the object's bytes stay in the blob store."""
        unit.execute(
            rows.RESOLVE,
            b_id=id_,
            new_state=RESOLVED,
            keeps=int(keeps),
            how=str(resolution),
            now=self._now(),
            who=by,
            why=reason,
        )


def finding_id(kind: FindingKind, study_uid: str, object_uid: str, sha256: str | None) -> str:
    """The id that follows from what a finding is about; of one that has an object, from the object alone."""
    about = "|".join((kind.name, object_uid or study_uid, sha256 or ""))
    return hashlib.sha256(about.encode()).hexdigest()[:ID_DIGITS]
