"""An archive that grows: any number of registered documents, of patients who have few or many of them.

A few hundred submissions are made and rendered by the registry's own code; the rest are their rows under other ids, so
that millions are there in minutes. What is found by id, patient or identifier is as it would be; only the bodies of the
copies still tell of the entry that they were copied from.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Table

from conformance.synthetic import patient_id, submission
from database.engine import Database, Unit
from profiles.composition import RENDERERS
from registry.metadata.identify import with_uuids
from registry.metadata.model import PatientDetails
from registry.metadata.urn import ReferenceIdType
from registry.patients import take
from registry.store.registration import rows_of
from registry.store.tables import DOCUMENT_ENTRY, REFERENCE_ID

DOCUMENTS = 2  # in a submission: a report and a manifest
TEMPLATES = 300
BATCH = 500  # submissions in one unit of work
SAMPLED = 50  # one submission in so many is remembered, to be asked for
FIRST_PATIENT = 1_000_000
# Submissions a patient: most have a few, some have hundreds, and how many does not depend on the size of the archive.
SKEW, MOST = 1.1, 250
IDS = ("id", "logical_id", "entry_id", "record_id", "source", "target")

Rows = list[tuple[Table, list[dict[str, Any]]]]


@dataclass(slots=True)
class Archive:
    """What is in it, as far as questions need to know: documents by patient's number, and some entries to ask for."""

    documents: Counter[int] = field(default_factory=Counter)
    entries: list["Sample"] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Documents in all."""
        return self.documents.total()


class Sample(NamedTuple):
    """An entry's UUID (bare), its patient's number, and its accession number (CXi)."""

    id: str
    patient: int
    accession: str


def grow(archive: Archive, database: Database, to: int, progress: Callable[[int], None]) -> None:
    """Add documents of new patients until there are `to`; `progress` hears how many there are."""
    rng = random.Random(to)  # noqa: S311
    templates = [_rows(rng) for _ in range(TEMPLATES)]
    first = FIRST_PATIENT + len(archive.documents)
    owners = _owners(rng, first, (to - archive.size) // DOCUMENTS)
    for start in range(0, len(owners), BATCH):
        some = owners[start : start + BATCH]
        database.transact(lambda unit, some=some: _add(unit, rng, templates, some, archive))  # type: ignore[misc]
        progress(archive.size)


def _owners(rng: random.Random, first: int, submissions: int) -> list[int]:
    """Whose each submission is. One patient's come years apart, so they are spread over the whole."""
    owners: list[int] = []
    numbers = count(first)
    while len(owners) < submissions:
        owners += [next(numbers)] * min(int(rng.paretovariate(SKEW)), MOST, submissions - len(owners))
    rng.shuffle(owners)
    return owners


def _rows(rng: random.Random) -> Rows:
    ready = with_uuids(submission(rng, patient_id(0), DOCUMENTS))
    return rows_of(ready, RENDERERS, str(UUID(int=0)), rng.uniform(1.4e9, 1.7e9))


def _add(unit: Unit, rng: random.Random, templates: list[Rows], owners: list[int], archive: Archive) -> None:
    added: dict[Table, list[dict[str, Any]]] = {}
    for owner in owners:
        if owner not in archive.documents:
            take(unit, PatientDetails(patient_id(owner)), RENDERERS, 0.0)
        archive.documents[owner] += DOCUMENTS
        fresh = list(_copies(rng, rng.choice(templates), patient_id(owner)))
        for table, row in fresh:
            added.setdefault(table, []).append(row)
        if not archive.entries or rng.randrange(SAMPLED) == 0:
            archive.entries.append(_sample(fresh, owner))
    for table, rows in added.items():
        unit.insert(table, rows)


def _copies(rng: random.Random, rows: Rows, patient: str) -> Iterator[tuple[Table, dict[str, Any]]]:
    ids: dict[str, str] = {}
    for table, some in rows:
        for row in some:
            fresh = {**row, "patient_id": patient}
            for name in IDS:
                if name in row:
                    fresh[name] = ids.setdefault(row[name], str(UUID(int=rng.getrandbits(128), version=4)))
            if "unique_id" in row:
                fresh["unique_id"] = f"1.2.752.129.2.9.5.{rng.getrandbits(96)}"
            if table is REFERENCE_ID:
                fresh["value"] = f"A{rng.getrandbits(48)}"
            yield table, fresh


def _sample(rows: list[tuple[Table, dict[str, Any]]], patient: int) -> Sample:
    entry = next(row for table, row in rows if table is DOCUMENT_ENTRY)
    accession = next(
        row
        for table, row in rows
        if table is REFERENCE_ID and row["record_id"] == entry["id"] and row["kind"] == ReferenceIdType.ACCESSION
    )
    cxi = f"{accession['value']}^^^&{accession['authority']}&ISO^{accession['kind']}"
    return Sample(entry["id"], patient, cxi)
