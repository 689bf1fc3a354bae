from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from dicom_samples import CT, SERIES, SOP, STUDY, data_set, element, part10, real_file, scanned, sequence

from registry.metadata.model import Code, Instance
from repository.imaging import attributes, describe

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def issuer(tag, oid, kind="ISO"):
    return sequence(tag, element(0x00400032, "UT", oid) + element(0x00400033, "CS", kind))


def obj(between=b"", after=b""):
    return scanned(part10(data_set(between=between, after=after)))


@pytest.mark.parametrize(
    ("date", "time", "zone", "expected"),
    [
        ("20260701", "101500.123456", STOCKHOLM, "20260701081500"),
        ("20260101", "0030", STOCKHOLM, "202512312330"),
        ("20260101", "10", STOCKHOLM, "2026010109"),
        ("20260101", "10", timezone(timedelta(hours=5, minutes=30)), "202601010430"),
        ("20260101", "", STOCKHOLM, "20260101"),
        ("2026.01.01", "10:15:30", STOCKHOLM, "20260101091530"),
        ("20260101", "noon", STOCKHOLM, "20260101"),
        ("20261301", "10", STOCKHOLM, None),
        ("20260101", "2560", STOCKHOLM, None),
        ("00010101", "0000", STOCKHOLM, None),
        ("", "10", STOCKHOLM, None),
    ],
)
def test_local_times_become_utc_of_the_same_precision(date, time, zone, expected):
    assert attributes.utc(date, time, zone) == expected


def test_the_offset_of_the_object_comes_before_that_of_the_site():
    clock = element(0x00080020, "DA", "20260701") + element(0x00080030, "TM", "101500")
    assert obj(clock).started(STOCKHOLM) == "20260701081500"
    assert obj(clock + element(0x00080201, "SH", "-0500")).started(STOCKHOLM) == "20260701151500"
    assert obj(clock + element(0x00080201, "SH", "CET")).started() == "20260701101500"


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        (issuer(0x00100024, "1.2.3"), "1.2.3"),
        (element(0x00100021, "LO", "1.2.4") + issuer(0x00100024, "1.2.3"), "1.2.3"),
        (element(0x00100021, "LO", "1.2.4"), "1.2.4"),
        (element(0x00100021, "LO", "HOSPITAL"), ""),
        (issuer(0x00100024, "hospital.example", "DNS"), ""),
        (b"", ""),
    ],
)
def test_the_issuer_of_a_patient_id_is_an_oid_or_unknown(between, expected):
    assert obj(element(0x00100020, "LO", "17") + between).patient == ("17", expected)


def test_accession_and_order_numbers_of_the_study_and_its_requests_each_once():
    requests = sequence(
        0x00400275,
        element(0x00080050, "SH", "A1") + issuer(0x00080051, "1.2.8"),
        element(0x00080050, "SH", "A2") + element(0x00402016, "LO", "O1") + issuer(0x00400026, "1.2.9"),
    )
    found = obj(element(0x00080050, "SH", "A1"), requests)
    assert found.accessions == (("A1", "1.2.8"), ("A2", ""))
    assert found.orders == (("O1", "1.2.9"),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Berg^Eva^Maria^Dr^MD", ("Berg", "Eva Maria")),
        ("Berg", ("Berg", "")),
        (" Berg ^", ("Berg", "")),
        ("", ("", "")),
    ],
)
def test_person_names(name, expected):
    assert describe.person_name(name) == expected


def test_a_patient_without_a_known_issuer_has_no_identifier():
    name = element(0x00100010, "PN", "Berg^Eva")
    found = obj(name + element(0x00100020, "LO", "17") + element(0x00100040, "CS", "X"))
    assert describe.patient_details(found.json).source_patient_id == ""
    details = describe.patient_details(found.json, "42^^^&1.2.9&ISO", "1.2.3")
    assert (details.patient_id, details.source_patient_id) == ("42^^^&1.2.9&ISO", "17^^^&1.2.3&ISO")
    assert (details.family, details.given, details.sex) == ("Berg", "Eva", "")


def test_a_study_is_described_from_its_objects():
    first = obj(element(0x00080060, "CS", "CT") + element(0x00180015, "CS", "CHEST"), element(0x00200013, "IS", "2"))
    second = scanned(part10(data_set(after=element(0x00200013, "IS", "1")).replace(SOP.encode(), b"1.2.3.4.7"), sop=""))
    procedure = sequence(0x00081032, element(0x00080100, "SH", "P1") + element(0x00080102, "SH", "SCT"))
    third = obj(procedure)
    found = describe.study([d.json for d in (first, second, third)], source="1.9", retrieve_url="https://x")
    assert (found.uid, found.source, found.patient_id) == (STUDY, "1.9", None)
    assert found.procedure_codes == (Code("P1", "2.16.840.1.113883.6.96"),)
    (series,) = found.series
    assert (series.uid, series.modality, series.body_part) == (SERIES, "CT", "CHEST")
    assert (series.retrieve_location_uid, series.retrieve_url) == ("1.9", "https://x")
    assert series.instances == (Instance(CT, "1.2.3.4.7", 1), Instance(CT, SOP))


def test_a_real_slice_is_described():
    found = scanned(real_file("CT_small.dcm").read_bytes())
    study = describe.study([found.json], source="1.9", zone=STOCKHOLM)
    assert study.started == "20040119122730"
    assert (study.series[0].modality, study.series[0].number) == ("CT", 1)
    assert study.patient.family == "CompressedSamples"
