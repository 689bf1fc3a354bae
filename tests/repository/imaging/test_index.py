"""The index of held objects: what is kept, what is refused, and what is found again."""

import json
import sqlite3
from dataclasses import replace

import holding
import pytest
from holding import CALLER, OTHER, PATIENT, PNR, SOURCE, STUDY, Holding, ct, dataset, part10
from pydicom.dataset import Dataset
from sqlalchemy import select

from database.statement import Statement
from database.tables import AUDIT, OUTBOX
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.matching import matches_of
from repository.imaging.query import DicomQuery, Level, include_of
from repository.store.tables import INSTANCE
from repository.store.tables import STUDY as STUDY_TABLE

SECOND = "1.2.3.4.2"


@pytest.fixture
def held(database_url, tmp_path):
    house = Holding(database_url, tmp_path)
    yield house
    house.database.close()


def rows(held, *columns):
    return held.database.rows(Statement(select(*columns)))


def audits(held):
    return [json.loads(text) for (text,) in rows(held, AUDIT.c.record)]


def find(held, level=Level.STUDY, fuzzy=False, include=(), limit=1000, offset=0, **asked):
    query = DicomQuery(level, matches_of(level, asked.items(), fuzzy=fuzzy), include_of(include), limit, offset)
    ask = {
        Level.STUDY: held.imaging.find_studies,
        Level.SERIES: held.imaging.find_series,
        Level.INSTANCE: held.imaging.find_instances,
    }
    return ask[level](query, CALLER)


def uids(found, tag="0020000D"):
    return [match[tag]["Value"][0] for match in found.matches]


# --- storing ---


def test_a_stored_study_is_counted_told_to_the_registry_and_due_for_publishing(held):
    held.kept(ct(), ct(number=2), ct(series="2", Modality="SR"))
    s = STUDY_TABLE.c
    (row,) = rows(held, s.patient_id, s.modalities, s.series_count, s.instance_count, s.version, s.started)
    assert row == (PATIENT, "CT\\SR", 2, 3, 1, "20240701063000")
    assert held.registrar.patients[0].patient_id == PATIENT
    study, modalities = held.registrar.touched[0]
    assert (study.uid, study.source, study.patient_id, study.series) == (STUDY, SOURCE, PATIENT, ())
    assert (study.accessions, modalities) == ((("A1", "1.2.3.7"),), ("CT", "SR"))
    o = OUTBOX.c
    assert rows(held, o.topic, o.key, o.due) == [("publish-study", f"{STUDY}|{SOURCE}", holding.START + 60)]
    (audit,) = audits(held)
    assert (audit["patients"], audit["objects"], audit["count"]) == ([PATIENT], [STUDY], 3)


def test_the_same_object_again_is_a_success_that_changes_nothing(held):
    data = ct()
    held.kept(data, data)
    before = rows(held, STUDY_TABLE.c.version, STUDY_TABLE.c.instance_count)
    held.kept(data)
    assert rows(held, STUDY_TABLE.c.version, STUDY_TABLE.c.instance_count) == before == [(1, 1)]
    assert len(held.registrar.touched) == 1
    assert len(audits(held)) == 2
    assert list(held.blobs.temporaries()) == []


def test_a_lost_blob_is_mended_by_the_same_object_again(held):
    data = ct()
    held.kept(data)
    (one,) = held.imaging.instances(CALLER, STUDY)
    held.blobs.set_aside(one.sha256)
    with pytest.raises(Rejected) as caught:
        held.imaging.open(one)
    assert caught.value.findings[0].code is ErrorCode.XDSRepositoryError
    held.kept(data)
    with held.imaging.open(one) as file:
        assert file.read() == data


@pytest.mark.parametrize(
    ("second", "code", "words"),
    [
        (ct(StudyDescription="Changed"), ErrorCode.DicomConflict, "other bytes"),
        (ct(number=2, PatientID="190101010101"), ErrorCode.DicomConflict, "another patient"),
        (ct(number=2, PatientID=""), ErrorCode.DicomConflict, "another patient"),
        (ct(number=2, IssuerOfPatientID="1.9.9"), ErrorCode.XDSUnknownPatientId, "Issuer"),
        (ct(number=2, PatientID="1^2"), ErrorCode.XDSUnknownPatientId, "^"),
        (b"no DICOM", ErrorCode.DicomUnreadable, "object 2"),
        (ct(number=2)[:-2], ErrorCode.DicomUnreadable, "object 2"),
    ],
    ids=["bytes", "patient", "no patient", "authority", "caret", "garbage", "cut"],
)
def test_a_contradiction_is_refused_and_the_rest_is_kept(held, second, code, words):
    held.kept(ct())
    good = ct(number=3)
    outcomes = held.store(ct(), second, good)
    assert [o.finding and o.finding.code for o in outcomes] == [None, code, None]
    assert words in str(outcomes[1].finding)
    assert "190101010101" not in str(outcomes[1].finding)
    assert sorted(uid for (uid,) in rows(held, INSTANCE.c.uid)) == [f"{STUDY}.1.1", f"{STUDY}.1.3"]
    failures = [a for a in audits(held) if a["outcome"]]
    assert [(a["count"], a["detail"]) for a in failures] == [(1, code.name)]
    aside = {finding.sha256 for finding in held.imaging.findings.find() if finding.kept}
    assert len(aside) == (code is not ErrorCode.DicomUnreadable)
    assert sorted(held.blobs.walk()) == sorted({sha for (sha,) in rows(held, INSTANCE.c.sha256)} | aside)
    assert list(held.blobs.temporaries()) == []


def test_a_conflict_names_both_hashes(held):
    held.kept(ct())
    (outcome,) = held.store(ct(StudyDescription="Changed"))
    (known,) = rows(held, INSTANCE.c.sha256)
    assert known[0] in outcome.finding.text
    assert outcome.sop_instance_uid == f"{STUDY}.1.1"


def test_contradictions_within_one_request_are_seen(held):
    outcomes = held.store(ct(), ct(StudyDescription="Changed"), ct(number=2, PatientID="2"))
    assert [o.finding and o.finding.code for o in outcomes] == [None, ErrorCode.DicomConflict, ErrorCode.DicomConflict]


def test_a_request_for_one_study_takes_no_other(held):
    mine, stray = held.store(ct(), ct(SECOND), study_uid=STUDY)
    assert mine.finding is None
    assert stray.finding.code is ErrorCode.InvalidRequest
    assert rows(held, STUDY_TABLE.c.uid) == [(STUDY,)]


def test_an_object_without_patient_is_held_and_not_published(held):
    held.kept(ct(PatientID=""))
    assert rows(held, STUDY_TABLE.c.patient_id) == [(None,)]
    assert rows(held, OUTBOX.c.key) == []
    with pytest.raises(Rejected) as caught:
        held.imaging.publish(STUDY, CALLER)
    assert caught.value.findings[0].code is ErrorCode.XDSUnknownPatientId


def test_a_named_issuer_makes_another_patient_of_the_same_number(held):
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = OTHER, "ISO"
    held.kept(ct(), ct(SECOND, IssuerOfPatientIDQualifiersSequence=[issuer]))
    assert {p.patient_id for p in held.registrar.patients} == {PATIENT, PATIENT.replace(PNR, OTHER)}
    assert uids(find(held, PatientID="191212121212", IssuerOfPatientID=OTHER)) == [SECOND]
    bare = find(held, PatientID="191212121212")
    assert (len(bare.matches), OTHER in str(bare.matches), "2 authorities" in bare.note) == (1, False, True)


def test_a_request_that_breaks_off_leaves_no_temporary_file(held):
    def objects():
        yield [ct()]
        raise Rejected.because(ErrorCode.InvalidRequest, "body", "cut off", "test")

    with pytest.raises(Rejected, match="cut off"):
        held.imaging.store(objects(), CALLER)
    assert rows(held, INSTANCE.c.uid) == []
    assert list(held.blobs.temporaries()) == []


def test_a_long_request_is_durable_batch_by_batch(held):
    def objects():
        for number in range(1, 101):
            if number == 100:
                assert len(rows(held, INSTANCE.c.uid)) == 64
            yield [ct(number=number)]

    assert not any(o.finding for o in held.imaging.store(objects(), CALLER))
    assert rows(held, STUDY_TABLE.c.instance_count, STUDY_TABLE.c.version) == [(100, 2)]


def test_a_refusing_registry_leaves_no_row(held):
    def refuse(*_):
        raise Rejected.because(ErrorCode.XDSUnknownPatientId, "patient", "not here", "test")

    held.registrar.know_patient = refuse
    with pytest.raises(Rejected, match="not here"):
        held.store(ct())
    assert rows(held, INSTANCE.c.uid) == rows(held, STUDY_TABLE.c.uid) == rows(held, AUDIT.c.id) == []


def test_the_cost_of_an_instance_does_not_grow_with_the_study(held, monkeypatch):
    """Counted in steps of SQLite's machine: they grow when a statement walks over what is there already."""
    if held.database.dialect != "sqlite":
        pytest.skip("SQLite's own step counter is read")
    steps = []
    connect = sqlite3.connect

    def counting(*args, **options):
        connection = connect(*args, **options)
        connection.set_progress_handler(lambda: steps.append(1) and 0, 10)
        return connection

    monkeypatch.setattr(sqlite3, "connect", counting)
    held.database.close()

    def cost(number):
        steps.clear()
        held.kept(ct(number=number))
        return len(steps)

    held.kept(ct())
    early = cost(2)
    held.kept(*(ct(number=number) for number in range(3, 200)))
    assert cost(200) < early * 1.5 + 20


# --- questions ---


@pytest.fixture
def region(held):
    """Three studies of two patients."""
    held.kept(
        ct(),
        ct(number=2),
        ct(series="2", Modality="MR", SeriesDescription="T1"),
        ct(SECOND, StudyDate="20240702", AccessionNumber="A2", Modality="US", StudyDescription="100%_liver"),
        ct(
            "1.2.3.4.3",
            StudyDate="20230101",
            StudyTime="",
            AccessionNumber="B1",
            PatientID="200002022384",
            PatientName="Åström^Örjan=山田^太郎",
            Modality="CR",
        ),
    )
    return held


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [2, 1, 3]),
        ({"PatientID": "191212121212"}, [2, 1]),
        ({"00100020": "191212121212"}, [2, 1]),
        ({"PatientID": "1912*"}, [2, 1]),
        ({"PatientID": "*"}, [2, 1, 3]),
        ({"PatientID": ""}, [2, 1, 3]),
        ({"PatientID": "19121212121_"}, []),
        ({"PatientName": "tolvansson^tolvan"}, [2, 1]),
        ({"PatientName": "Tolvansson"}, []),
        ({"PatientName": "TOLV*"}, [2, 1]),
        ({"PatientName": "åström*"}, [3]),
        ({"PatientName": "山田^太郎"}, [3]),
        ({"PatientName": "*ör?an*"}, [3]),
        ({"StudyInstanceUID": f"{STUDY},{SECOND}"}, [2, 1]),
        ({"StudyInstanceUID": f"{STUDY}\\{SECOND}"}, [2, 1]),
        ({"AccessionNumber": "A?"}, [2, 1]),
        ({"AccessionNumber": "A2"}, [2]),
        ({"StudyDate": "20240701"}, [1]),
        ({"StudyDate": "20240701-"}, [2, 1]),
        ({"StudyDate": "-20240701"}, [1, 3]),
        ({"StudyDate": "20230101-20240701"}, [1, 3]),
        ({"StudyTime": "08"}, [2, 1]),
        ({"StudyTime": "0900-"}, []),
        ({"ModalitiesInStudy": "MR"}, [1]),
        ({"ModalitiesInStudy": "MR\\US"}, [2, 1]),
        ({"Modality": "CR"}, [3]),
        ({"StudyDescription": "100%_*"}, [2]),
        ({"StudyDescription": "thor*"}, [1, 3]),
        ({"StudyDescription": "100?*' OR 1=1 --"}, []),
        ({"IssuerOfPatientID": PNR}, [2, 1, 3]),
        ({"IssuerOfPatientIDQualifiersSequence.UniversalEntityID": OTHER}, []),
        ({"ReferringPhysicianName": "Ek*", "StudyDate": "20240702"}, [2]),
    ],
)
def test_studies_are_found_newest_first(region, asked, expected):
    assert [int(uid.rpartition(".")[2]) for uid in uids(find(region, **asked))] == expected


def test_fuzzy_names_match_the_beginning_of_any_word(region):
    assert uids(find(region, fuzzy=True, PatientName="örj ÅST")) == ["1.2.3.4.3"]
    assert uids(find(region, fuzzy=True, PatientName="rjan")) == []


def test_pages_follow_each_other_and_say_when_there_is_more(region):
    first, second = find(region, limit=2), find(region, limit=2, offset=2)
    assert (len(first.matches), first.more, len(second.matches), second.more) == (2, True, 1, False)
    assert set(uids(first)).isdisjoint(uids(second))


def test_series_and_instances_are_found_in_order_with_their_counts(region):
    series = find(region, Level.SERIES, StudyInstanceUID=STUDY)
    assert uids(series, "0020000E") == [f"{STUDY}.1", f"{STUDY}.2"]
    assert [s["00201209"]["Value"] for s in series.matches] == [[2], [1]]
    assert "00100010" not in series.matches[0]
    instances = find(region, Level.INSTANCE, StudyInstanceUID=STUDY, SeriesNumber="1")
    assert uids(instances, "00080018") == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    assert instances.matches[0]["00280010"]["Value"] == [2]
    assert uids(find(region, Level.INSTANCE, Modality="US,CR"), "00080018") == [f"{SECOND}.1.1", "1.2.3.4.3.1.1"]
    assert uids(find(region, Level.INSTANCE, InstanceNumber="2"), "00080018") == [f"{STUDY}.1.2"]


def test_a_question_about_no_single_study_tells_of_the_study_too(region):
    (match,) = find(region, Level.SERIES, Modality="MR").matches
    assert match["00100020"]["Value"] == ["191212121212"]
    assert match["00201208"]["Value"] == [3]


def test_an_answer_has_the_attributes_of_the_book_and_those_asked_for(region):
    (match,) = find(region, AccessionNumber="A2").matches
    assert match["00080061"] == {"vr": "CS", "Value": ["US"]}
    assert match["00081190"]["Value"] == [f"http://here/dicomweb/studies/{SECOND}"]
    assert "00080080" not in match
    assert list(match) == sorted(match)
    (match,) = find(region, include=["InstitutionName"], AccessionNumber="A2").matches
    assert match["00080080"]["Value"] == ["North"]
    (match,) = find(region, Level.INSTANCE, include=["all"], StudyInstanceUID=SECOND).matches
    assert match["00280008" if "00280008" in match else "00280100"]["Value"] == [8]
    assert match["00080080"]["Value"] == ["North"]


def test_what_a_caller_may_not_see_is_neither_found_nor_counted(region):
    region.policy.patients = frozenset({f"200002022384^^^&{PNR}&ISO"})
    assert uids(find(region, limit=1)) == ["1.2.3.4.3"]
    assert not find(region, limit=1).more
    assert find(region, StudyInstanceUID=STUDY).matches == []
    assert uids(find(region, Level.INSTANCE), "00080018") == ["1.2.3.4.3.1.1"]
    for call in (lambda: region.imaging.instances(CALLER, STUDY), lambda: region.imaging.publish(STUDY, CALLER)):
        with pytest.raises(Rejected) as caught:
            call()
        assert caught.value.findings[0].code is ErrorCode.NotFound


def test_every_read_is_audited_before_it_is_answered(region):
    find(region, PatientID="191212121212")
    region.imaging.instances(CALLER, STUDY, f"{STUDY}.2")
    question, retrieval = region.audit.records
    assert (question.action, question.patients, question.count, question.detail) == ("E", (PATIENT,), 2, "PatientID")
    assert (retrieval.action, retrieval.objects, retrieval.count) == ("R", (STUDY, f"{STUDY}.2"), 1)

    def fail(record):
        raise Rejected.because(ErrorCode.XDSRegistryOutOfResources, "", "the spool is full", "test")

    region.audit.keep = fail
    with pytest.raises(Rejected, match="spool"):
        find(region)


@pytest.mark.parametrize(
    ("level", "asked", "words"),
    [
        (Level.STUDY, {"SeriesInstanceUID": "1.2"}, "cannot be matched"),
        (Level.STUDY, {"PatientComments": "x"}, "cannot be matched"),
        (Level.STUDY, {"StudyDate": "2024-01-01"}, "YYYYMMDD"),
        (Level.STUDY, {"StudyDate": "2024010120240102"}, "YYYYMMDD"),
        (Level.STUDY, {"StudyDate": "-"}, "YYYYMMDD"),
        (Level.STUDY, {"StudyTime": "8:30"}, "hh"),
        (Level.STUDY, {"StudyInstanceUID": "1.2.x"}, "UID"),
        (Level.STUDY, {"StudyInstanceUID": ",".join(f"1.{n}" for n in range(501))}, "500"),
        (Level.SERIES, {"SeriesNumber": "one"}, "whole number"),
        (Level.STUDY, {"PatientID": "x" * 300}, "longer"),
        (Level.STUDY, {"PatientID": "1", "00100020": "2"}, "twice"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(level, asked, words):
    with pytest.raises(Rejected) as caught:
        matches_of(level, asked.items())
    assert [f.where for f in caught.value.findings] == [list(asked)[-1]]
    assert words in caught.value.findings[0].text


def test_all_wrong_parameters_are_told_at_once():
    with pytest.raises(Rejected) as caught:
        matches_of(Level.STUDY, [("StudyDate", "x"), ("Nonsense", "y"), ("StudyInstanceUID", "z")])
    assert len(caught.value.findings) == 3
    with pytest.raises(Rejected) as caught:
        include_of(["PatientName,Nonsense", "00081030"])
    assert len(caught.value.findings) == 1


# --- retrieval ---


def test_objects_come_back_as_they_were_sent(region):
    instances = region.imaging.instances(CALLER, STUDY)
    assert [one.uid for one in instances] == [f"{STUDY}.1.1", f"{STUDY}.1.2", f"{STUDY}.2.1"]
    with region.imaging.open(instances[1]) as file:
        assert file.read() == ct(number=2)
    (one,) = region.imaging.instances(CALLER, STUDY, f"{STUDY}.1", f"{STUDY}.1.2")
    assert one == instances[1]
    with pytest.raises(Rejected):
        region.imaging.instances(CALLER, SECOND, f"{STUDY}.1", f"{STUDY}.1.2")


def test_metadata_is_the_data_set_in_utf8_without_bulk(held):
    held.kept(part10(dataset(SpecificCharacterSet="ISO_IR 100", PatientName="Åström^Örjan")))
    (one,) = held.imaging.instances(CALLER, STUDY)
    data = json.loads(held.imaging.metadata(one))
    assert data["00100010"]["Value"] == [{"Alphabetic": "Åström^Örjan"}]
    assert data["00080005"]["Value"] == ["ISO_IR 192"]
    assert data["7FE00010"]["BulkDataURI"] == "bulkdata/7FE00010"
    assert b"".join(held.imaging.bulk(one, "7FE00010")) == bytes([1, 1, 2, 3])


def test_frames_are_cut_without_reading_the_object_again(held):
    held.kept(ct(NumberOfFrames=2, PixelData=bytes(range(8))), ct(number=2, PixelData=None))
    image, other = held.imaging.instances(CALLER, STUDY)
    frames = held.imaging.frames(image, [2, 1])
    assert [b"".join(f.pieces) for f in frames] == [bytes([4, 5, 6, 7]), bytes([0, 1, 2, 3])]
    for one, numbers in ((image, [3]), (image, [0]), (other, [1])):
        with pytest.raises(Rejected) as caught:
            held.imaging.frames(one, numbers)
        assert caught.value.findings[0].code is ErrorCode.NotFound


def test_a_study_is_described_from_its_rows(held):
    request = Dataset()
    request.AccessionNumber = "A9"
    held.kept(ct(number=2), ct(), ct(series="2", Modality="PR", RequestAttributesSequence=[request]))
    study = held.imaging.describe(STUDY, SOURCE)
    assert (study.started, study.description, study.institution) == ("20240701063000", "Thorax", "North")
    assert study.accessions == (("A1", "1.2.3.7"), ("A9", "1.2.3.7"))
    assert (study.patient.family, study.patient.given, study.patient.sex) == ("Tolvansson", "Tolvan", "M")
    assert [(s.uid, s.modality, s.body_part, s.retrieve_location_uid) for s in study.series] == [
        (f"{STUDY}.1", "CT", "CHEST", SOURCE),
        (f"{STUDY}.2", "PR", "CHEST", SOURCE),
    ]
    assert [i.number for i in study.series[0].instances] == [1, 2]
    with pytest.raises(Rejected):
        held.imaging.describe(STUDY, "1.1.1")


def test_automatic_publishing_can_be_off(database_url, tmp_path):
    held = Holding(database_url, tmp_path, replace(holding.HERE, automatic=False))
    held.kept(ct())
    assert rows(held, OUTBOX.c.key) == []
    held.database.close()
