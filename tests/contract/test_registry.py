"""One registry on two engines: the same submissions, and then the same answers to the same questions."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from conformance import synthetic
from database.engine import Database
from profiles.composition import RENDERERS
from registry.access import Caller, Visibility
from registry.audit import NoAudit
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association, DocumentEntry
from registry.metadata.urn import AssociationType, Status
from registry.queries import (
    FindDocuments,
    FindResources,
    GetAssociations,
    GetDocuments,
    GetSubmissionSetAndContents,
    Page,
    ReferenceId,
    ResourceType,
    ReturnType,
)
from registry.service import Domain, Registry

CALLER = Caller("tester", "127.0.0.1", "ITI-18")
PATIENTS = [synthetic.patient_id(n) for n in range(3)]


@dataclass
class Narrow:
    """Everything, or these patients only."""

    patients: frozenset[str] | None = None

    def visibility(self, caller: Caller) -> Visibility:
        return Visibility(self.patients)


@dataclass
class Twins:
    """The registry on each engine, and the entries that both hold."""

    registries: list[Registry]
    policy: Narrow
    entries: list[DocumentEntry]
    sets: list[str]


def _replacing(rng: random.Random, old: DocumentEntry) -> tuple[DocumentEntry, Association]:
    new = synthetic.entry(rng, str(old.patient_id))
    return new, Association(f"urn:uuid:{bare_uuid(new.id)[:-4]}0000", AssociationType.RPLC, new.id, old.id)


@pytest.fixture(scope="module")
def twins(postgres_databases, sqlite_template, tmp_path_factory) -> Iterator[Twins]:
    path = tmp_path_factory.mktemp("twins") / "registry.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    url = postgres_databases.fresh()
    policy, rng, clock = Narrow(), random.Random(11), [1.7e9]
    databases = [Database(f"sqlite:///{path}"), Database(url)]
    domain = Domain((synthetic.AUTHORITY,), frozenset({"85430-7"}))
    registries = [Registry(d, RENDERERS, NoAudit(), domain, policy, lambda: clock[0]) for d in databases]
    entries: list[DocumentEntry] = []
    sets: list[str] = []
    for turn in range(18):
        clock[0] += turn % 3  # some at the same second
        sent = synthetic.submission(rng, PATIENTS[turn % len(PATIENTS)], 2)
        if turn % 4 == 3:
            old = next(e for e in entries if e.patient_id == sent.submission_set.patient_id)
            new, relation = _replacing(rng, old)
            if turn < 8:
                members = Association(f"{relation.id[:-1]}1", AssociationType.HAS_MEMBER, sent.submission_set.id, new.id, "Original")  # fmt: skip
                sent = replace(sent, entries=(*sent.entries, new), associations=(*sent.associations, members, relation))
        for registry in registries:
            registry.submit(sent, CALLER)
        entries += sent.entries
        sets.append(bare_uuid(sent.submission_set.id))
    yield Twins(registries, policy, entries, sets)
    for database in databases:
        database.close()
    postgres_databases.drop(url)


def questions(entries: list[DocumentEntry], sets: list[str]) -> Iterator[object]:
    """Questions made of what is there, two values at a time, and of what is not."""
    rng = random.Random(5)
    for patient in PATIENTS:
        yield FindDocuments(patient)
        yield FindDocuments(patient, statuses=tuple(Status))
    for _ in range(30):
        one, two = rng.sample(entries, 2)
        base = FindDocuments(one.patient_id, statuses=tuple(Status))
        low, high = sorted((str(one.creation_time), str(two.creation_time)))
        person = one.authors[0].person[0]
        accession = one.reference_ids[0].split("^")
        yield replace(base, event_codes=((one.event_codes[0].key,),))
        yield replace(base, event_codes=((one.event_codes[0].key, two.event_codes[0].key), (two.event_codes[1].key,)))
        yield replace(base, creation_time_from=low, creation_time_to=high)
        yield replace(base, service_start_time_from=low)
        yield replace(base, author_persons=(person, f"%{person[14:18]}%"))
        yield replace(base, author_persons=(f"SE_{person[3:]}", "\\%"))
        yield replace(base, reference_ids=((ReferenceId(accession[0]), ReferenceId("none")),))
        yield replace(base, reference_ids=((ReferenceId(accession[0], accession[4], "1.2"),),))
        yield GetDocuments(ids=(bare_uuid(one.id), "none"))
        yield GetDocuments(unique_ids=(str(one.unique_id),))
        yield GetAssociations((bare_uuid(one.id),))
    for owner in sets:
        yield GetSubmissionSetAndContents(id=owner)


def answer(registry: Registry, query: object, returns: ReturnType) -> list[tuple[object, ...]]:
    found = registry.query(query, returns, CALLER)  # type: ignore[arg-type]
    # A body's inner ids are made anew for each registry; its length is that of what was sent.
    objects = [(o.kind, o.id, o.logical_id, o.version, o.status, o.patient_id, o.type, o.source, o.target, len(o.body)) for o in found.objects]  # fmt: skip
    return sorted([*objects, *map(tuple, found.refs)], key=str)


@pytest.mark.parametrize("returns", ReturnType)
def test_stored_queries(twins, returns):
    asked = list(dict.fromkeys(questions(twins.entries, twins.sets)))
    found = 0
    for query in asked:
        sqlite, postgresql = (answer(registry, query, returns) for registry in twins.registries)
        assert sqlite == postgresql, query
        found += bool(sqlite)
    assert found > len(asked) // 2, "most questions must find something, or nothing is compared"


@pytest.mark.parametrize("size", [3, 100])
@pytest.mark.parametrize("patients", [None, frozenset(PATIENTS[:1]), frozenset()], ids=["all", "one", "none"])
def test_pages(twins, monkeypatch, size, patients):
    monkeypatch.setattr(twins.policy, "patients", patients)
    for patient in PATIENTS:
        walks = []
        for registry in twins.registries:
            walk, after = [], None
            while True:
                page = Page(size, after)
                reports = registry.search(FindResources(ResourceType.DIAGNOSTIC_REPORT, patient_ids=(patient,), page=page), CALLER)  # fmt: skip
                entries = registry.find_document_references(FindDocuments(patient, page=page), CALLER)
                walk.append([(i.id, i.version, i.updated, i.status) for i in (*reports.items, *entries.items)])
                walk.append((reports.total, entries.total, reports.next, entries.next))
                if entries.next is None:
                    break
                after = entries.next
            walks.append(walk)
        assert walks[0] == walks[1]
        if patients is not None and patient not in patients:
            assert walks[0] == [[], (0, 0, None, None)]


def test_what_is_refused_is_refused_in_the_same_words(twins):
    entry = twins.entries[0]
    again = synthetic.submission(random.Random(3), PATIENTS[0], 1)
    wrong = replace(again, entries=(replace(again.entries[0], unique_id=entry.unique_id),))
    told = [[str(f) for f in registry.check(wrong, CALLER)] for registry in twins.registries]
    assert told[0] == told[1]
    assert len(told[0]) == 1
