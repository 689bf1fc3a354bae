"""Every stored query and every parameter of it, on both engines, against a naive reader of the same metadata."""

import random

import psycopg
import pytest
from keeping import CALLER
from query_world import (
    CODES,
    MOMENTS,
    PATIENTS,
    PATTERNS,
    REFERENCES,
    RELATIONS,
    TYPES,
    Reader,
    World,
)

from database.engine import Database
from profiles.document_sharing.query_decode import decode_query
from profiles.document_sharing.query_tables import MULTIPLE_PATIENTS, SINGLE_PATIENT
from registry.access import Visibility
from registry.answers import Kind
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import AssociationType, Status, StoredQueryId
from registry.queries import FindDocuments, FindFolders, ReturnType
from registry.store import documents, packages

Q = StoredQueryId
SHAPES = {**SINGLE_PATIENT, **MULTIPLE_PATIENTS}
LEAF, REF = ReturnType.LEAF_CLASS, ReturnType.OBJECT_REF
READERS = {
    Q.FIND_DOCUMENTS: "find_documents",
    Q.FIND_DOCUMENTS_BY_REFERENCE_ID: "find_documents",
    Q.FIND_DOCUMENTS_EXCLUDE: "find_documents",
    Q.FIND_SUBMISSION_SETS: "find_submission_sets",
    Q.FIND_FOLDERS: "find_folders",
    Q.GET_ALL: "get_all",
    Q.GET_DOCUMENTS: "get_documents",
    Q.GET_FOLDERS: "get_folders",
    Q.GET_ASSOCIATIONS: "get_associations",
    Q.GET_DOCUMENTS_AND_ASSOCIATIONS: "get_documents_and_associations",
    Q.GET_SUBMISSION_SETS: "get_submission_sets",
    Q.GET_SUBMISSION_SET_AND_CONTENTS: "get_submission_set_and_contents",
    Q.GET_FOLDER_AND_CONTENTS: "get_folder_and_contents",
    Q.GET_FOLDERS_FOR_DOCUMENT: "get_folders_for_document",
    Q.GET_RELATED_DOCUMENTS: "get_related_documents",
    Q.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS: "find_documents",
    Q.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS: "find_folders",
    Q.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS: "find_documents",
}


@pytest.fixture(scope="module")
def world(shared_url):
    found = World(shared_url).fill()
    yield found
    found.kept.database.close()


# --- questions ---


class Questions:
    """Questions of one query: each parameter alone, and some together; as slot -> lists of values."""

    def __init__(self, world, query):
        self.world, self.shape, self.rng = world, SHAPES[query], random.Random(str(query))
        keys = [f"{code.code}^^{code.scheme}" for code in CODES]
        self.pools = {
            "CODE": keys,
            "TIME": MOMENTS,
            "STATUS": list(Status),
            "TYPE": TYPES,
            "RELATION": [*RELATIONS, AssociationType.HAS_MEMBER],
            "REFERENCE": [*REFERENCES, "R1"],
            "REFERENCE_PATTERN": [*REFERENCES, "R1", "%^^^&1.2.9&ISO^%", "R%", "%accession"],
            "PATIENT": PATIENTS,
            "AUTHOR": PATTERNS,
            "LEVEL": ["1", "2"],
        }

    def _pool(self, parameter):
        name, kind = parameter.name, parameter.kind.name
        if kind in self.pools:
            return self.pools[kind]
        if name == "$uuid":
            things = [*self.world.entries, *self.world.folders, *self.world.sets]
        else:
            things = next(
                getattr(self.world, table)
                for prefix, table in (("Document", "entries"), ("Submission", "sets"), ("Folder", "folders"))
                if name.startswith(f"$XDS{prefix}")
            )
        word = name.removeprefix("$XDS")
        if word.endswith("SourceId"):
            return ["1.2.3.9", "1.2.3.8", "9.9"]
        if word.endswith("UniqueId"):
            return [one.it.unique_id for one in things]
        return [f"urn:uuid:{one.logical_id if word.endswith('LogicalID') else one.id}" for one in things]

    def _values(self, parameter, width=None):
        pool = self._pool(parameter)
        width = width or (self.rng.randint(1, min(3, len(pool))) if parameter.many else 1)
        slots = self.rng.randint(1, 2) if parameter.ands else 1
        return [self.rng.sample(pool, width) for _ in range(slots)]

    def _base(self, chosen):
        """What must be there: one of what excludes each other, and what is required."""
        asked = {p.name: self._values(p, 2 if p.name.endswith("Status") else None) for p in self.shape.parameters if p.required}  # fmt: skip
        for group in (self.shape.one_of, self.shape.any_of):
            if group and not set(group) & chosen:
                name = self.rng.choice(group)
                asked[name] = self._values(self.shape.by_name[name])
        return asked

    def __iter__(self):
        names = [p.name for p in self.shape.parameters]
        picks = [{name} for name in names for _ in range(2)] + [set(self.rng.sample(names, min(3, len(names)))) for _ in range(20)]  # fmt: skip
        for pick in picks:
            kept = {n for n in pick if not (n.endswith("Exclude") and n.removesuffix("Exclude") in pick)}
            kept -= set(list(kept & set(self.shape.one_of))[1:])
            asked = self._base(kept) | {n: self._values(self.shape.by_name[n]) for n in sorted(kept)}
            yield {n: v for n, v in asked.items() if f"{n}Exclude" not in asked}


def slots_of(shape, asked):
    """The Slots of a question, with quotes and parentheses."""
    for name, lists in asked.items():
        for values in lists:
            texts = ["'" + value.replace("'", "''") + "'" for value in values]
            yield name, (f"({','.join(texts)})",) if shape.by_name[name].many else tuple(texts)


def ask(world, query, asked, returns):
    shape = SHAPES[query]
    value = decode_query(query, tuple(slots_of(shape, asked)), SHAPES)
    return world.kept.registry.query(value, returns, CALLER)


def test_every_query_has_a_reader():
    assert set(SHAPES) - set(READERS) == {Q.FIND_DOCUMENTS_BY_REFERENCE_ID_DCM4CHE}, "an alias needs none"


@pytest.mark.parametrize("query", READERS, ids=lambda query: query.name)
def test_answers_are_those_of_the_naive_reader(world, query):
    found, used = 0, set()
    for asked in Questions(world, query):
        expected = getattr(Reader(world, asked), READERS[query])()
        wanted = sorted(one.id for one in expected)
        assert sorted(ref.id for ref in ask(world, query, asked, REF).refs) == wanted, asked
        patients = {one.patient for one in expected if one not in world.associations}
        if len(patients) > 1 and query in SINGLE_PATIENT:
            with pytest.raises(Rejected) as caught:
                ask(world, query, asked, LEAF)
            assert [f.code for f in caught.value.findings] == [ErrorCode.XDSResultNotSinglePatient], asked
        else:
            assert sorted(one.id for one in ask(world, query, asked, LEAF).objects) == wanted, asked
        found += bool(wanted)
        used |= asked.keys()
    assert found > 3, "enough questions must find something, or nothing is compared"
    assert used == {p.name for p in SHAPES[query].parameters}


def test_what_is_found_is_told_as_it_stands(world):
    asked = {"$patientId": [[PATIENTS[0]]], "$MetadataLevel": [["2"]], "$XDSDocumentEntryType": [TYPES]}
    both = {f"$XDS{kind}Status": [list(Status)] for kind in ("DocumentEntry", "SubmissionSet", "Folder", "Association")}
    answer = ask(world, Q.GET_ALL, asked | both, LEAF)
    known = {one.id: one for one in (*world.entries, *world.sets, *world.folders, *world.associations)}
    assert {o.kind for o in answer.objects} == set(Kind)
    for one in answer.objects:
        kept = known[one.id]
        assert (one.logical_id, one.patient_id) == (kept.logical_id, kept.patient)
        assert one.status == kept.status.rpartition(":")[2]
        if one.kind is Kind.ASSOCIATION:
            assert (one.type, one.source, one.target) == (kept.it.type, kept.it.source, kept.it.target)
        if one.kind is Kind.FOLDER:
            assert one.last_update_time[: len(kept.it.last_update_time)] == kept.it.last_update_time


# --- access ---


@pytest.mark.parametrize("query", READERS, ids=lambda query: query.name)
def test_nothing_of_others_is_found(world, query, monkeypatch):
    monkeypatch.setattr(world.kept.policy, "patients", frozenset(PATIENTS[:1]))
    others = {one.id for one in (*world.entries, *world.sets, *world.folders, *world.associations) if one.patient != PATIENTS[0]}  # fmt: skip
    found = 0
    for asked in list(Questions(world, query))[::2]:
        ids = {ref.id for ref in ask(world, query, asked, REF).refs}
        assert not ids & others, asked
        found += bool(ids)
    assert found > 1
    assert world.kept.policy.visibility(CALLER) == Visibility(frozenset(PATIENTS[:1]))


# --- limits ---


@pytest.mark.parametrize("query", READERS, ids=lambda query: query.name)
def test_objects_are_capped_and_references_are_not(world, query):
    capped = World(str(world.kept.database.url), most_results=2)
    refused = 0
    for asked in list(Questions(world, query))[::2]:
        count = len(ask(capped, query, asked, REF).refs)
        try:
            assert len(ask(capped, query, asked, LEAF).objects) == count <= 2, asked
        except Rejected as rejected:
            (finding,) = rejected.findings
            refused += finding.code is ErrorCode.XDSTooManyResults
            assert (finding.code is ErrorCode.XDSTooManyResults) == (count > 2), asked
    capped.kept.database.close()
    assert refused or query is Q.GET_FOLDERS_FOR_DOCUMENT, "a document is in few folders"


def test_references_of_many_patients_have_a_limit_too(world, monkeypatch):
    monkeypatch.setattr(documents, "MOST_REFS", 3)
    monkeypatch.setattr(packages, "MOST_REFS", 3)
    for query in (FindDocuments(patient_ids=tuple(PATIENTS), several_patients=True),
                  FindFolders(patient_ids=tuple(PATIENTS), several_patients=True)):  # fmt: skip
        with pytest.raises(Rejected) as caught:
            world.kept.registry.query(query, REF, CALLER)
        assert [f.code for f in caught.value.findings] == [ErrorCode.XDSTooManyResults]
        assert world.kept.registry.query(query, LEAF, CALLER).objects


# --- plans ---


@pytest.fixture
def statements(world, monkeypatch):
    """The distinct statements that all questions of all queries run, with parameters of one of them."""
    seen, rows = {}, Database.rows

    def noting(database, statement, **params):
        sql, constants = statement.compiled(database.dialect)
        seen.setdefault(sql, constants | params)
        return rows(database, statement, **params)

    monkeypatch.setattr(Database, "rows", noting)
    for query in READERS:
        for asked in Questions(world, query):
            ask(world, query, asked, REF)
    monkeypatch.undo()
    return seen


def test_no_statement_reads_a_table_from_end_to_end(world, statements):
    assert len(statements) > 100
    if world.kept.database.dialect == "sqlite":
        connection, _ = world.kept.database._pool.take()
        for sql, params in statements.items():
            plan = [row[3] for row in connection.run(f"EXPLAIN QUERY PLAN {sql}", params)]
            scans = [step for step in plan if step.startswith("SCAN ") and "VIRTUAL TABLE" not in step]
            assert not scans, f"{scans}: an index is missing, or the condition is written so that none is used\n{sql}"
        return
    with psycopg.connect(str(world.kept.database.url.render_as_string(hide_password=False)).replace("+psycopg", "")) as connection:  # fmt: skip
        # The tables are small: a planner that may read them whole would.
        connection.execute("SET enable_seqscan = off")
        for sql, params in statements.items():
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}", params))
            assert "Seq Scan" not in plan, f"{plan}\n{sql}"
