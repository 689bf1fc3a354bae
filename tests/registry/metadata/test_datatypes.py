"""HL7 data types: what goes in comes out, and each fault has its own words."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.metadata.datatypes import Cx, Cxi, Dtm, Xcn, Xon, Xtn, is_authority, is_oid, offset_of, uuid_urn

ARC = st.integers(0, 2**40).map(str)
OIDS = st.builds(
    lambda head, arcs: ".".join([head, *arcs]), st.sampled_from("012"), st.lists(ARC, min_size=1, max_size=4)
)
PART = st.text(st.characters(exclude_characters="^&|~", exclude_categories=["C"]), min_size=1, max_size=20).filter(str.strip)  # fmt: skip
PRECISIONS = (4, 6, 8, 10, 12, 14)


@pytest.mark.parametrize("text", ["1.2", "0.0", "2.25.1", "2.999.0", "1." + "1" * 62])
def test_oids(text):
    assert is_oid(text)


@pytest.mark.parametrize(
    "text",
    ["", "1", "3.1", "1.", ".1", "1..2", "1.02", "1.2 ", "1.2\n", "1.-2", "1.2a", "1.2.3x", "1." + "1" * 63, "1.٢"],
)
def test_not_oids(text):
    assert not is_oid(text)


@pytest.mark.parametrize("text", ["1.2.3", "3.4.5", "12.0.7", "1." + "1" * 62])
def test_an_authority_need_not_be_below_a_real_first_arc(text):
    assert is_authority(text)
    assert Cx.parse(f"42^^^&{text}&ISO") == Cx("42", text)


@pytest.mark.parametrize("text", ["", "1", "1.02", "01.2", "a.b", "1.2 ", "1." + "1" * 63])
def test_not_authorities(text):
    assert not is_authority(text)


def test_uuid_urn():
    urn = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    assert uuid_urn(urn.upper()) == uuid_urn(urn) == urn
    for other in ("Document01", urn[:-1], urn + "0", urn + "\n", urn.removeprefix("urn:uuid:"), urn.replace("-", "")):
        assert uuid_urn(other) is None


@given(PART, OIDS)
def test_cx_round_trip(value, authority):
    one = Cx(value, authority)
    assert Cx.parse(str(one)) == one


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("^^^&1.2.3&ISO", "empty"),
        (" ^^^&1.2.3&ISO", "empty"),
        ("", "empty"),
        ("42", "assigning authority must be written"),
        ("42^^^", "assigning authority must be written"),
        ("42^^^&&ISO", "assigning authority must be written"),
        ("42^^^&1.2.x&ISO", "assigning authority must be written"),
        ("42^^^1.2.3", "assigning authority must be written"),
        ("42^^^&1.2.3&DNS", "must be ISO"),
        ("42^^^&1.2.3&iso", "must be ISO"),
        ("42^^^&1.2.3", "must be ISO"),
        ("42^^^Name&1.2.3&ISO", "namespace must be empty"),
        ("42^1^^&1.2.3&ISO", "components other than"),
        ("42^^M10^&1.2.3&ISO", "components other than"),
        ("42^^^&1.2.3&ISO^PI^Hospital", "components other than"),
    ],
)
def test_cx_says_what_is_wrong(text, words):
    with pytest.raises(ValueError, match=words):
        Cx.parse(text)


def test_cx_leaves_out_the_kind():
    assert str(Cx.parse("42^^^&1.2.3&ISO^PI")) == "42^^^&1.2.3&ISO"


@given(PART, OIDS, PART)
def test_cxi_round_trip(value, authority, kind):
    one = Cxi(value, authority, kind)
    assert Cxi.parse(str(one)) == one


@given(PART, PART)
def test_cxi_without_authority_and_with_a_namespace(value, kind):
    assert Cxi.parse(str(Cxi(value, "", kind))) == Cxi(value, "", kind)
    assert Cxi.parse(f"{value}^^^HOSP^{kind}").authority == "HOSP"
    assert Cxi.parse(f"{value}^^^HOSP&1.2&ISO^{kind}").authority == "1.2"
    assert Cxi.parse(f"{value}^^^&1.2&ISO^{kind}^1.9.8").kind == kind


@pytest.mark.parametrize(("text", "words"), [("^^^&1.2&ISO^k", "empty"), ("a^^^&1.2&ISO", "component 5"), ("a^^^^", "component 5")])  # fmt: skip
def test_cxi_says_what_is_wrong(text, words):
    with pytest.raises(ValueError, match=words):
        Cxi.parse(text)


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("11375^Welby^Marcus^J^Jr. MD^Dr^^^&1.2.840.113619.6.197&ISO", ("11375", "Welby", "Marcus", "1.2.840.113619.6.197")),
        ("^Welby", ("", "Welby", "", "")),
        ("11375", ("11375", "", "", "")),
        ("11375^^^^^^^^HOSP", ("11375", "", "", "")),
    ],
)  # fmt: skip
def test_xcn(text, one):
    assert Xcn.parse(text) == Xcn(*one)


def test_xcn_needs_somebody():
    for text in ("", "^", "^^Marcus", "^^^^^^^^&1.2&ISO"):
        with pytest.raises(ValueError, match="id or a family name"):
            Xcn.parse(text)


def test_xon():
    assert Xon.parse("North^^^^^^^^^1.2.3.9") == Xon("North", "1.2.3.9", "")
    assert Xon.parse("North^^^^^&1.2.3&ISO^^^^45") == Xon("North", "45", "1.2.3")
    assert Xon.parse("North") == Xon("North", "", "")
    with pytest.raises(ValueError, match="needs a name"):
        Xon.parse("^^^^^^^^^1.2.3")


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("^^Internet^eva@example.org", ("", "Internet", "eva@example.org", "")),
        ("^NET^Internet^eva@example.org^^^", ("NET", "Internet", "eva@example.org", "")),
        ("^PRN^PH^^46^8^1234567", ("PRN", "PH", "", "1234567")),
        ("^WPN^CP^^^^^^^^^+46 8 1234567", ("WPN", "CP", "", "+46 8 1234567")),
        ("^^FX^^^^7", ("", "FX", "", "7")),
    ],
)
def test_xtn(text, one):
    assert Xtn.parse(text) == Xtn(*one)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "component 3"),
        ("08-123456", "component 3"),
        ("^PRN^^^^^7", "component 3"),
        ("^PRN^Internet^eva@example.org", "NET or empty"),
        ("^NET^Internet", "is written"),
        ("^NET^Internet^eva@example.org^46", "nothing after it"),
        ("08^NET^Internet^eva@example.org", "nothing after it"),
        ("^NET^PH^^^^7", "neither the use NET"),
        ("^PRN^PH^eva@example.org^^^7", "nor an e-mail"),
        ("^PRN^PH^^46^8", "needs a local number"),
        ("^PRN^Pigeon^^^^7", "must be Internet or one of PH"),
    ],
)
def test_xtn_says_what_is_wrong(text, words):
    with pytest.raises(ValueError, match=words):
        Xtn.parse(text)


@given(st.datetimes(min_value=datetime(1, 1, 1)), st.sampled_from(PRECISIONS))
def test_a_time_of_any_precision_spans_what_it_says(moment, digits):
    full = moment.strftime("%Y%m%d%H%M%S").zfill(14)
    one = Dtm.parse(full[:digits])
    assert str(one) == full[:digits]
    assert one.first <= full <= one.last
    assert len(one.first) == len(one.last) == 14
    assert one.first.startswith(one.text)
    assert one.last.startswith(one.text)
    # Both ends are times themselves, and the next second after the last is no longer meant.
    Dtm.parse(one.first), Dtm.parse(one.last)
    after = datetime.strptime(one.last, "%Y%m%d%H%M%S")
    if after.year < 9999:
        assert not (after + timedelta(seconds=1)).strftime("%Y%m%d%H%M%S").zfill(14).startswith(one.text)


@pytest.mark.parametrize("year", [1900, 1999, 2000, 2023, 2024, 2100])
@pytest.mark.parametrize("month", range(1, 13))
def test_the_last_day_of_each_month(year, month):
    days = monthrange(year, month)[1]
    assert Dtm.parse(f"{year}{month:02}").last == f"{year}{month:02}{days}235959"
    assert Dtm.parse(f"{year}{month:02}{days}").text
    with pytest.raises(ValueError, match="no such date"):
        Dtm.parse(f"{year}{month:02}{days + 1}")


@pytest.mark.parametrize(
    ("text", "fhir"),
    [
        ("2024", "2024"),
        ("202402", "2024-02"),
        ("20240229", "2024-02-29"),
        ("2024022907", "2024-02-29T07:00:00Z"),
        ("202402290708", "2024-02-29T07:08:00Z"),
        ("20240229070809", "2024-02-29T07:08:09Z"),
    ],
)
def test_fhir_keeps_the_precision(text, fhir):
    assert Dtm.parse(text).fhir() == fhir


@pytest.mark.parametrize(
    "text",
    ["", "202", "20245", "2024022", "2024-02", "20240229070809.1", "20240229+0100", "2024 ", "2024\n", "２０２４", " 2024", "202402290708091"],
)  # fmt: skip
def test_not_written_as_a_time(text):
    with pytest.raises(ValueError, match="is written"):
        Dtm.parse(text)


@pytest.mark.parametrize(
    "text", ["202413", "202400", "20240230", "20230229", "20240100", "2024010124", "202401010060", "20240101000060"]
)
def test_no_such_time(text):
    with pytest.raises(ValueError, match="no such"):
        Dtm.parse(text)


def test_the_year_nought_can_be_read():
    one = Dtm.parse("0000")
    assert (one.first, one.last) == ("00000101000000", "00001231235959")
    assert Dtm.parse("000002").last == "00000229235959"


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_of_an_aware_moment_is_in_utc(moment, minutes):
    aware = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    back = datetime.strptime(Dtm.of(aware).text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert back == aware


@given(st.integers(-(14 * 60 + 59), 14 * 60 + 59))
def test_offsets(minutes):
    text = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    assert offset_of(text).utcoffset(None) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "0100", "+1", "+01:00", "+1500", "+0160", "Z", "+0100 "])
def test_not_offsets(text):
    with pytest.raises(ValueError, match="offset"):
        offset_of(text)
