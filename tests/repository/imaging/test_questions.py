"""Questions to the index on both engines: keys, levels, namesakes by number, and what each costs in a large archive."""

import re
import shutil
from dataclasses import replace

import pytest
from holding import CALLER, HERE, OTHER, PNR, Holding, ct
from pydicom.dataset import Dataset
from sqlalchemy import text

from database.statement import Statement
from registry.access import Visibility
from registry.metadata.errors import Rejected
from repository.imaging.matching import matches_of
from repository.imaging.query import DicomQuery, Level, include_of
from repository.imaging.whose import settled
from repository.store.imaging_search import find as find_rows
from repository.store.tables import STUDY

NUMBER = "4711"
OURS, THEIRS, NEXT = "1.2.3.4.10", "1.2.3.4.20", "1.2.3.4.30"


@pytest.fixture
def held(database_url, tmp_path):
    house = Holding(database_url, tmp_path)
    yield house
    house.database.close()


def find(held, level=Level.STUDY, include=(), authority="", viewed=(), **asked):
    named = [(name.replace("__", "."), value) for name, value in asked.items()]
    query = DicomQuery(level, matches_of(level, named), include_of(include), authority=authority, viewed=viewed)
    ask = {
        Level.PATIENT: held.imaging.find_patients,
        Level.STUDY: held.imaging.find_studies,
        Level.SERIES: held.imaging.find_series,
        Level.INSTANCE: held.imaging.find_instances,
    }
    return ask[level](query, CALLER)


def uids(found, tag="0020000D"):
    return [match[tag]["Value"][0] for match in found.matches]


def item(**attributes):
    made = Dataset()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def issued_by(oid):
    return [item(UniversalEntityID=oid, UniversalEntityIDType="ISO")]


def request(accession, procedure, step):
    return item(AccessionNumber=accession, RequestedProcedureID=procedure, ScheduledProcedureStepID=step)


# --- two hospitals, one number ---


@pytest.fixture
def namesakes(held):
    """Patient 4711 of our authority has one study, patient 4711 of the other two."""
    held.kept(
        ct(OURS, PatientID=NUMBER, PatientName="Our^Own"),
        ct(THEIRS, PatientID=NUMBER, PatientName="Some^Other", IssuerOfPatientIDQualifiersSequence=issued_by(OTHER)),
        ct(NEXT, PatientID=NUMBER, PatientName="Some^Other", IssuerOfPatientIDQualifiersSequence=issued_by(OTHER)),
    )
    return held


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {OURS}),
        ({"authority": OTHER}, {THEIRS, NEXT}),
        ({"authority": PNR}, {OURS}),
        ({"authority": "1.2.3.99"}, set()),
        ({"viewed": (THEIRS,)}, {THEIRS, NEXT}),
        ({"viewed": (OURS,)}, {OURS}),
        ({"viewed": ("1.2.3.99",)}, {OURS}),
        ({"IssuerOfPatientID": OTHER}, {THEIRS, NEXT}),
        ({"IssuerOfPatientID": OTHER, "authority": PNR}, {THEIRS, NEXT}),
        ({"StudyInstanceUID": NEXT}, {NEXT}),
        ({"StudyInstanceUID": NEXT, "authority": PNR}, {NEXT}),
        ({"StudyInstanceUID": NEXT, "IssuerOfPatientID": PNR}, set()),
    ],
)
@pytest.mark.parametrize("level", [Level.STUDY, Level.INSTANCE])
def test_a_bare_number_means_one_patient(namesakes, level, asked, expected):
    assert set(uids(find(namesakes, level, PatientID=NUMBER, **asked))) == expected


def test_one_of_several_patients_with_a_number_is_said_to_be_one_of_several(namesakes):
    assert "2 authorities" in find(namesakes, PatientID=NUMBER).note
    assert not find(namesakes, PatientID=NUMBER, IssuerOfPatientID=PNR).note
    assert not find(namesakes, PatientID=NUMBER, authority=OTHER).note


def test_what_the_asker_may_not_see_does_not_make_a_number_ambiguous(namesakes):
    namesakes.policy.patients = frozenset({f"{NUMBER}^^^&{OTHER}&ISO"})
    found = find(namesakes, PatientID=NUMBER)
    assert (set(uids(found)), found.note) == ({THEIRS, NEXT}, "")


def test_a_pattern_is_a_search_and_finds_all_with_their_issuers(namesakes):
    found = find(namesakes, PatientID="47*")
    assert len(found.matches) == 3
    assert str(found.matches).count(OTHER) == 2


def test_a_merged_patient_is_found_by_the_number_that_is_on_the_screen(namesakes):
    old, new = f"{NUMBER}^^^&{OTHER}&ISO", f"99^^^&{OTHER}&ISO"
    namesakes.registrar.same_patient = lambda value, authority: (
        (old, new) if (value, authority) in [(NUMBER, OTHER), ("99", OTHER), ("99", None), (NUMBER, None)] else ()
    )
    namesakes.registrar.survivors = lambda reader, ids: {old: new} if old in ids else {}
    assert set(uids(find(namesakes, PatientID="99"))) == {THEIRS, NEXT}
    assert set(uids(find(namesakes, PatientID=NUMBER, viewed=(NEXT,)))) == {THEIRS, NEXT}
    patients = find(namesakes, Level.PATIENT, PatientID="99").matches
    assert [(p["00100020"]["Value"], p["00201200"]["Value"]) for p in patients] == [(["99"], [2])]


def test_an_issuer_may_be_named_as_the_settings_name_it(namesakes):
    source = replace(namesakes.imaging._source, patient_issuers={"SOUTH": OTHER})
    namesakes.imaging._source = source
    assert set(uids(find(namesakes, PatientID=NUMBER, IssuerOfPatientID="SOUTH"))) == {THEIRS, NEXT}
    with pytest.raises(Rejected, match="OID"):
        find(namesakes, PatientID=NUMBER, IssuerOfPatientID="WEST")


def test_patients_are_told_apart_and_counted(namesakes):
    namesakes.kept(ct(NEXT, series="2", PatientID=NUMBER, IssuerOfPatientIDQualifiersSequence=issued_by(OTHER)))
    found = find(namesakes, Level.PATIENT, PatientID="4*", include=["00201200", "00201202", "00201204"])
    counts = [[p[tag]["Value"][0] for tag in ("00201200", "00201202", "00201204")] for p in found.matches]
    assert counts == [[1, 1, 1], [2, 3, 3]]
    assert len(find(namesakes, Level.PATIENT, PatientID=NUMBER, authority=OTHER).matches) == 1


# --- keys ---


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"RequestAttributesSequence__RequestedProcedureID": "P1"}, ["1"]),
        ({"RequestAttributesSequence__RequestedProcedureID": "P2"}, ["1", "2"]),
        ({"RequestAttributesSequence__RequestedProcedureID": "P*"}, ["1", "2"]),
        ({"00400275__00400009": "S2b"}, ["2"]),
        ({"RequestAttributesSequence__AccessionNumber": "A2"}, ["1", "2"]),
        # One and the same item must have both (PS3.4 C.2.2.2.6).
        ({"00400275__00401001": "P1", "00400275__00400009": "S1"}, ["1"]),
        ({"00400275__00401001": "P1", "00400275__00400009": "S2"}, []),
        ({"PerformedProcedureStepStartDate": "20240702"}, ["2"]),
        ({"PerformedProcedureStepStartDate": "20240701-", "PerformedProcedureStepStartTime": "-0900"}, ["1"]),
    ],
)
def test_series_are_found_by_what_was_requested(held, asked, expected):
    held.kept(
        ct(
            RequestAttributesSequence=[request("A1", "P1", "S1"), request("A2", "P2", "S2")],
            PerformedProcedureStepStartDate="20240701",
            PerformedProcedureStepStartTime="0830",
        ),
        ct(
            series="2",
            RequestAttributesSequence=[request("A2", "P2", "S2b")],
            PerformedProcedureStepStartDate="20240702",
            PerformedProcedureStepStartTime="1030",
        ),
        ct(series="3"),
    )
    found = find(held, Level.SERIES, **asked)
    assert [str(match["00200011"]["Value"][0]) for match in found.matches] == expected


def test_sop_classes_of_a_study_are_told_when_asked_for(held):
    held.kept(ct(), ct(number=2), ct(series="2", SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR"))
    assert "00080062" not in find(held).matches[0]
    (study,) = find(held, include=["SOPClassesInStudy"]).matches
    assert study["00080062"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"]


# --- what it costs ---

HOT = {
    "a patient": (Level.STUDY, {"PatientID": "17"}),
    "a patient with issuer": (Level.STUDY, {"PatientID": "17", "IssuerOfPatientID": PNR}),
    "an accession number": (Level.STUDY, {"AccessionNumber": "A17"}),
    "a study": (Level.STUDY, {"StudyInstanceUID": "1.2.17"}),
    "dates": (Level.STUDY, {"StudyDate": "20240101-20240131"}),
    "the newest": (Level.STUDY, {}),
    "a modality in dates": (Level.STUDY, {"StudyDate": "20240101-20240131", "ModalitiesInStudy": "CT"}),
    "a study's series": (Level.SERIES, {"StudyInstanceUID": "1.2.17"}),
    "a study's instances": (Level.INSTANCE, {"StudyInstanceUID": "1.2.17"}),
    "an instance": (Level.INSTANCE, {"SOPInstanceUID": "1.2.17.1.1"}),
    "a requested procedure": (Level.SERIES, {"RequestAttributesSequence.RequestedProcedureID": "P17"}),
}


def archive(held, studies):
    """Rows of `studies` studies of a series and an instance each, without bytes: as the index would have them."""
    held.kept(ct(RequestAttributesSequence=[request("A", "P", "S")]))
    fresh = {
        "uid": "'1.2.' || n",
        "study_uid": "'1.2.' || n",
        "patient_id": f"(n % 997) || '^^^&{PNR}&ISO'",
        "dicom_patient_id": "'' || (n % 997)",
        "accession_number": "'A' || n",
        "study_date": "'' || (20100101 + (n % 14) * 10000 + (n / 14 % 12) * 100 + n % 28)",
        "requested_procedure_id": "'P' || n",
    }
    below = {"series": "'1.2.' || n || '.1'", "instance": "'1.2.' || n || '.1.1'"}

    def work(unit):
        for table in ("study", "series", "instance", "series_request"):
            own = fresh | ({"uid": below[table]} if table in below else {})
            own |= {"series_uid": below["series"]} if table in ("instance", "series_request") else {}
            columns = [column.name for column in STUDY.metadata.tables[table].columns]
            values = ", ".join(own.get(name, name) for name in columns)
            numbers = f"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {studies})"
            unit.execute(
                Statement(text(f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {values} FROM {table}, t"))
            )

    held.database.transact(work)
    if held.database.dialect == "postgresql":
        held.database.transact(lambda unit: unit.execute(Statement(text("ANALYZE"))))


@pytest.fixture(scope="module")
def large_sqlite(sqlite_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    shutil.copy(sqlite_template, folder / "registry.sqlite")
    house = Holding(f"sqlite:///{folder / 'registry.sqlite'}", folder)
    archive(house, 5_000)
    yield house
    house.database.close()


@pytest.fixture(scope="module")
def large_postgresql(postgres_databases, tmp_path_factory):
    url = postgres_databases.fresh()
    house = Holding(url, tmp_path_factory.mktemp("large"))
    archive(house, 5_000)
    yield house
    house.database.close()
    postgres_databases.drop(url)


class Explained:
    """A database that gives the plan of a question in the place of its answer."""

    def __init__(self, database):
        self.database, self.plan = database, ""

    def rows(self, statement, **params):
        sql, constants = statement.compiled(self.database.dialect)
        explain = "EXPLAIN QUERY PLAN " if self.database.dialect == "sqlite" else "EXPLAIN (ANALYZE, TIMING OFF) "
        values = {**constants, **params}

        def work(unit):
            return unit._connection.run(explain + sql, values)

        self.plan = "\n".join(str(row[-1]) for row in self.database.transact(work))
        return []


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize("shape", HOT)
def test_the_cost_of_a_hot_question_does_not_grow_with_the_archive(request, engine, shape):
    held = request.getfixturevalue(f"large_{engine}")
    level, asked = HOT[shape]
    query = DicomQuery(level, matches_of(level, asked.items()), limit=25, offset=5)
    query, _ = settled(query, HERE, lambda **_: set(), lambda value, authority: ())
    explained = Explained(held.database)
    find_rows(explained, query, Visibility())
    plan = explained.plan
    if engine == "sqlite":
        # A SCAN by an index in the order of the answer stops with its page; one of a table reads it all.
        scans = re.findall(r"^SCAN (?!anon_)(\w+)(?: USING (?:COVERING )?INDEX (\w+))?", plan, re.MULTILINE)
        assert all(index == "study_date" for _, index in scans), plan
        assert shape not in ("dates", "the newest", "a modality in dates") or "TEMP B-TREE" not in plan, plan
    else:
        touched = [int(float(n)) for n in re.findall(r"rows=(\d+(?:\.\d+)?) loops", plan)]
        assert max(touched) <= 500, plan
        assert "Seq Scan" not in plan, plan
