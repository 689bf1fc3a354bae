"""Values of FHIR search parameters, spelling by spelling."""

import time
from contextlib import suppress

import pytest

from profiles.faces import fhir_codes, fhir_values
from profiles.faces.fhir_values import Interval, Token
from registry.metadata.urn import CodingScheme, FhirSystem, ReferenceIdType
from registry.queries import ReferenceId


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a|b", Token("a", "b")),
        ("|b", Token("", "b")),
        ("b", Token(None, "b")),
        ("a|", Token("a", "")),
        (r"a\|b", Token(None, "a|b")),
        (r"a\\|b", Token("a\\", "b")),
        ("http://x.org/y|a|b", Token("http://x.org/y", "a|b")),
        (" a | b ", Token("a", "b")),
    ],
)
def test_tokens(text, found):
    assert fhir_values.token(text) == found


@pytest.mark.parametrize("text", ["", "|", " "])
def test_a_token_has_a_system_or_a_value(text):
    with pytest.raises(ValueError, match="missing"):
        fhir_values.token(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [("a,b", ["a", "b"]), (r"a\,b,c", [r"a\,b", "c"]), (",,", []), ("a", ["a"]), ("a\\", ["a\\"])],
)
def test_alternatives(text, found):
    assert fhir_values.alternatives(text) == found


@pytest.mark.parametrize(
    "text",
    ["1.2.840.5", "urn:oid:1.2.840.5", "urn:dicom:uid|1.2.840.5", "urn:dicom:uid|urn:oid:1.2.840.5", "|1.2.840.5"],
)
def test_a_uid_in_all_its_spellings(text):
    assert fhir_values.uid(fhir_values.token(text)) == "1.2.840.5"


@pytest.mark.parametrize("text", ["1..2", "urn:oid:", "abc", "urn:oid:9.9|1.2.3", "urn:dicom:uid|"])
def test_what_is_no_uid(text):
    with pytest.raises(ValueError):
        fhir_values.uid(fhir_values.token(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("urn:dicom:uid|urn:oid:1.2.3", ReferenceId("1.2.3", ReferenceIdType.STUDY_INSTANCE_UID)),
        ("urn:oid:1.2.3", ReferenceId("1.2.3")),
        ("1.2.3", ReferenceId("1.2.3")),
        ("urn:oid:1.2.3|A-1", ReferenceId("A-1", None, "1.2.3")),
        ("|A-1", ReferenceId("A-1", None, "")),
        ("http://hospital.example/acc|A-1", ReferenceId("A-1", None, "http://hospital.example/acc")),
    ],
)
def test_reference_ids(text, found):
    assert fhir_values.reference_id(fhir_values.token(text)) == found


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "20260101000000", "20270101000000"),
        ("eq2026-02", "20260201000000", "20260301000000"),
        ("2026-12", "20261201000000", "20270101000000"),
        ("2024-02-29", "20240229000000", "20240301000000"),
        ("ge2026-03-01", "20260301000000", None),
        ("gt2026-03-01", "20260302000000", None),
        ("sa2026", "20270101000000", None),
        ("lt2026-03-01", None, "20260301000000"),
        ("eb2026-03-01", None, "20260301000000"),
        ("le2026-03-01", None, "20260302000000"),
        ("ap2026-03-02", "20260301000000", "20260304000000"),
        ("2026-03-01T10:00Z", "20260301100000", "20260301100100"),
        ("2026-03-01T10:00:30+01:00", "20260301090030", "20260301090031"),
        ("2026-03-01T10:00:30 01:00", "20260301090030", "20260301090031"),
        ("2026-03-01T00:30:00-01:00", "20260301013000", "20260301013001"),
        ("ge2026-03-01T10:00:30.123Z", "20260301100030", None),
        ("0999", "09990101000000", "10000101000000"),
    ],
)
def test_dates(text, start, end):
    assert fhir_values.interval(text) == Interval(start, end)


@pytest.mark.parametrize(
    "text",
    ["", "ne2026", "xx2026", "26", "2026-13", "2026-02-30", "2026-1-1", "0000", "9999", "2026-01-01T10",
     "2026-01-01T25:00Z", "2026-01-01T10:00:00+15:00", "2026-01-01T10:00:00+01:60", "today", "２０２６"],
)  # fmt: skip
def test_what_is_no_date(text):
    with pytest.raises(ValueError):
        fhir_values.interval(text)


def test_two_dates_leave_what_is_in_both():
    assert Interval("1", None).both(Interval(None, "3")).both(Interval("2", "4")) == Interval("2", "3")


def test_moments_in_seconds():
    assert Interval("19700101000001", None).seconds == (1.0, None)


@pytest.mark.parametrize(
    "text", ["191212121212", "|191212121212", "urn:oid:x|1", "urn:oid:1.2.3|", "urn:oid:1.2.3|1^2"]
)
def test_a_patient_is_named_by_authority_and_value(text):
    with pytest.raises(ValueError):
        fhir_values.patient_cx(fhir_values.token(text))


def test_the_swedish_uri_and_the_oid_are_one_authority():
    by_uri = fhir_values.token(f"{FhirSystem.PERSONNUMMER}|191212121212")
    by_oid = fhir_values.token("urn:oid:1.2.752.129.2.1.3.1|191212121212")
    assert fhir_values.patient_cx(by_uri) == fhir_values.patient_cx(by_oid) == "191212121212^^^&1.2.752.129.2.1.3.1&ISO"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("http://loinc.org|18748-4", (f"18748-4^^{CodingScheme.LOINC}",)),
        (f"urn:oid:{CodingScheme.LOINC}|18748-4", (f"18748-4^^{CodingScheme.LOINC}",)),
        ("18748-4", ("18748-4^^",)),
        ("urn:oid:1.2.3|x", ("x^^1.2.3",)),
        (
            f"{FhirSystem.IHE_FORMAT_CODES}|urn:ihe:rad:PDF",
            (
                f"urn:ihe:rad:PDF^^{CodingScheme.IHE_FORMAT_CODES}",
                f"urn:ihe:rad:PDF^^{CodingScheme.IHE_RAD_FORMAT_CODES}",
            ),
        ),
    ],
)
def test_codes(text, keys):
    assert fhir_values.code_keys(fhir_values.token(text)) == keys


def test_an_open_scheme_may_be_each_known_one():
    keys = fhir_codes.open_keys(["a^^1.2", "b^^"], ["9.9"])
    assert keys[0] == "a^^1.2"
    assert {f"b^^{CodingScheme.LOINC}", "b^^9.9"} <= set(keys)


def test_each_coding_scheme_goes_there_and_back():
    for scheme in CodingScheme:
        assert scheme in fhir_codes.schemes_of(str(fhir_codes.system_of(scheme))), scheme


@pytest.mark.parametrize("text", ["Patient/1", "1", "Patient/1/_history/2"])
def test_references(text):
    assert fhir_values.reference(text, "Patient") == "1"


def test_a_url_of_another_server_is_nobody_here():
    assert fhir_values.own_id("http://a/fhir/Patient/1", "Patient", "http://a/fhir") == "1"
    assert fhir_values.own_id("http://b/fhir/Patient/1", "Patient", "http://a/fhir") is None


@pytest.mark.parametrize("unit", ["a", "0", " ", "\\", "|", ",", "\\,"])
def test_no_value_takes_long(unit):
    text = unit * 50_000
    start = time.perf_counter()
    fhir_values.alternatives(text)
    for read in (fhir_values.token, fhir_values.interval):
        with suppress(ValueError):
            read(text)
    assert time.perf_counter() - start < 0.5
