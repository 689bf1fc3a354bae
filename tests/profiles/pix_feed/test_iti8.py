"""ITI-8 by a client from another hand: what is told is known, and the answer says what became of it."""

import pytest
from feed_world import ANNA, BO, PNR, Ack, FeedWorld, a01, a37, a40, adt, number, opened, pid

FOREIGN = "1^^^&1.2.3&ISO"


@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08"])
@pytest.mark.parametrize("version", ["2.3.1", "2.5.1", "2.8"])
def test_a_patient_that_is_told_of_is_known(small: FeedWorld, event: str, version: str) -> None:
    (ack,) = small.hl7(adt(event, pid(ANNA), version=version))
    assert (ack.code, ack.control, ack.errors) == ("AA", "7", [])
    patient = small.patient(ANNA)
    assert patient["active"] is True
    assert patient["name"] == [{"family": "Ek", "given": ["Anna"]}]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1912-12-12")


def test_who_was_asked_answers_whom_it_came_from(small: FeedWorld) -> None:
    (ack,) = small.hl7(a01(ANNA, version="2.4", control="CTRL-9"))
    assert [ack.header(n) for n in (3, 4, 5, 6, 11, 12)] == ["XDS", "REGION", "REG", "NORTH", "P", "2.4"]
    assert ack.header(9) == "ACK^A01^ACK"
    assert ack.control == "CTRL-9"
    assert ack.header(10) != "CTRL-9"


def test_a_revision_changes_what_it_says_and_deletes_what_it_denies(world: FeedWorld) -> None:
    world.feed(a01(ANNA), adt("A08", pid(ANNA, "Al^", "", "")))
    assert world.patient(ANNA)["name"] == [{"family": "Al", "given": ["Anna"]}]
    assert world.patient(ANNA)["birthDate"] == "1912-12-12"
    world.feed(adt("A08", pid(ANNA, "Al^Anna", '""', '""')))
    assert "birthDate" not in world.patient(ANNA)
    assert "gender" not in world.patient(ANNA)


def test_a_write_is_audited_in_its_unit(world: FeedWorld) -> None:
    world.feed(a01(ANNA), a40(BO, ANNA))
    rows = world.sql('SELECT "transaction", action, record FROM audit ORDER BY recorded')
    assert [row[:2] for row in rows] == [("ITI-8", "C"), ("ITI-8", "U")]
    assert "REG|NORTH" in rows[0][2]
    assert ANNA in rows[1][2]
    assert BO in rows[1][2]


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("", "utf-8"), ("UNICODE UTF-8", "utf-8"), ("8859/1", "iso-8859-1"), ("8859/15~UNICODE UTF-8", "iso-8859-15")],
)
def test_letters_are_read_in_the_declared_character_set(small: FeedWorld, charset: str, encoding: str) -> None:
    (ack,) = small.hl7(adt("A01", pid(ANNA, "Åström^Zoë"), charset=charset), encoding=encoding)
    assert ack.code == "AA"
    assert small.patient(ANNA)["name"] == [{"family": "Åström", "given": ["Zoë"]}]


@pytest.mark.parametrize(
    ("charset", "encoding"), [("", "iso-8859-1"), ("ASCII", "utf-8"), ("UNICODE UTF-8", "iso-8859-1"), ("X", "utf-8")]
)
def test_a_character_set_that_lies_is_rejected(small: FeedWorld, charset: str, encoding: str) -> None:
    (ack,) = small.hl7(adt("A01", pid(ANNA, "Åström^Zoë"), charset=charset), encoding=encoding)
    assert ack.code == "AR"
    assert "MSH-18" in ack.raw or "MSH^1^18" in ack.raw
    assert small.rows_of("patient") == 0


def test_escapes_are_read_late_and_bounded(small: FeedWorld) -> None:
    name = "O\\T\\B\\S\\C\\R\\D\\F\\E\\E\\F^A\\.sp99999999\\B\\X41\\\\H\\C\\N\\"
    small.feed(adt("A01", pid(ANNA, name)))
    assert small.patient(ANNA)["name"] == [{"family": "O&B^C~D|E\\F", "given": ["A", "BAC"]}]


@pytest.mark.parametrize("name", ["A\\X00\\^B", "A\\X4\\^B", "A\\X410\\^B", "A\\Q\\^B", "A\\^B", "A\x01^B", "A" * 2000])
def test_a_value_that_cannot_be_is_refused_by_place(small: FeedWorld, name: str) -> None:
    (ack,) = small.hl7(adt("A01", pid(ANNA, name)))
    assert ack.code == "AE"
    assert "PID^1^5^102" in ack.errors[0]
    assert small.rows_of("patient") == 0


def test_other_delimiters_and_line_feeds(small: FeedWorld) -> None:
    message = a01(ANNA).replace("|", "#").replace("^", ";").replace("~", "!").replace(f"&{PNR}&", f"@{PNR}@")
    message = message.replace("\\&", "%@").replace("\r", "\r\n")
    assert b"MSA#AA#7" in small.raw_hl7(message.encode())
    assert small.patient(ANNA)["active"] is True


@pytest.mark.parametrize(
    ("identifiers", "known"),
    [
        (f"5^^^NORTH&1.2.9&ISO~{ANNA}", {number(ANNA)}),
        (f"{number(ANNA)}^^^{PNR}", {number(ANNA)}),
        (f"{number(ANNA)}^^^SKV&{PNR}&ISO^NNSWE", {number(ANNA)}),
        (f"{ANNA}~{BO}", {number(ANNA), number(BO)}),
    ],
)
def test_ids_of_the_domains_authorities_are_taken(small: FeedWorld, identifiers: str, known: set[str]) -> None:
    small.feed(adt("A01", pid(identifiers)))
    assert {value for (value,) in small.sql("SELECT value FROM patient")} == known


FAULTS = {
    "a foreign authority": (a01(FOREIGN), "AE", "PID^1^3^204"),
    "an id without authority": (a01("123"), "AE", "PID^1^3^204"),
    "no id": (a01(""), "AE", "PID^1^3^101"),
    "an id with a delimiter": (a01(f"1\\S\\2^^^&{PNR}&ISO"), "AE", "PID^1^3^102"),
    "no PID": (adt("A01", "PV1|1"), "AE", "PID^1^^101"),
    "two PIDs": (adt("A01", pid(ANNA), pid(BO)), "AE", "PID^1^^101"),
    "no MRG": (adt("A40", pid(ANNA)), "AE", "MRG^1^^101"),
    "a foreign MRG": (a40(ANNA, FOREIGN), "AE", "MRG^1^1^204"),
    "one PID to unlink": (adt("A37", pid(ANNA)), "AE", "PID^1^^101"),
    "nothing to unlink": (a37(ANNA, BO), "AE", "205"),
    "a merge with itself": (a40(ANNA, ANNA), "AE", "205"),
    "no such day": (adt("A01", pid(ANNA, birth="19121332")), "AE", "PID^1^7^102"),
    "another event": (adt("A43", pid(ANNA)), "AR", "MSH^1^9^201"),
    "another message": (a01(ANNA).replace("ADT^A01", "ORU^R01"), "AR", "MSH^1^9^200"),
    "another version": (a01(ANNA, version="1.0"), "AR", "MSH^1^12"),
    "another processing": (a01(ANNA).replace("|P|", "|X|"), "AR", "MSH^1^11^202"),
    "no control id": (a01(ANNA, control=""), "AR", "MSH^1^10^101"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_in_a_good_message_is_named(small: FeedWorld, fault: str) -> None:
    message, code, place = FAULTS[fault]
    (ack,) = small.hl7(message)
    assert ack.code == code, ack.raw
    assert place in ack.errors[0]
    assert small.rows_of("patient") == 0
    assert small.rows_of("audit") == 0


def test_err_of_later_versions_says_what_where_and_for_whom(small: FeedWorld) -> None:
    (ack,) = small.hl7(a01(FOREIGN, version="2.5.1"))
    error = hl7_fields(ack)
    assert error[2] == "PID^1^3"
    assert error[3] == "204^Unknown key identifier^HL70357"
    assert error[4] == "E"
    assert "XDSUnknownPatientId" in error[7]
    assert "authority" in error[8]


def hl7_fields(ack: Ack) -> list[str]:
    return [str(field) for field in ack.message["ERR"][0]]


def test_all_header_faults_at_once(small: FeedWorld) -> None:
    (ack,) = small.hl7(adt("A99", pid(ANNA), version="2.5", control="").replace("|P|", "|X|"))
    assert [str(s[3][0][0]) for s in ack.message["ERR"]] == ["201", "202", "101"]


def test_the_same_message_again_is_answered_the_same_and_changes_nothing(world: FeedWorld) -> None:
    world.feed(a01(ANNA), a40(BO, ANNA))
    before = world.sql("SELECT id, version, survivor FROM patient ORDER BY id")
    world.feed(a01(ANNA), a40(BO, ANNA))
    assert world.sql("SELECT id, version, survivor FROM patient ORDER BY id") == before
    assert world.rows_of("patient_link") == 1


def test_a_facility_is_bound_to_its_peers(sqlite: str, tmp_path: object) -> None:
    with opened(sqlite, tmp_path, hl7v2={"senders": {"NORTH": ["127.0.0.1"], "SOUTH": ["192.0.2.1"]}}) as world:
        world.feed(a01(ANNA))
        for facility in ("SOUTH", "EAST"):
            (ack,) = world.hl7(a40(BO, ANNA).replace("NORTH", facility))
            assert ack.code == "AR"
            assert "MSH^1^4" in ack.errors[0]
        assert world.rows_of("patient_link") == 0


def test_names_stay_out_of_the_log(small: FeedWorld, capfd: pytest.CaptureFixture[str]) -> None:
    small.hl7(adt("A01", pid(ANNA, "Hemlig^Person")), adt("A01", pid(ANNA, "Hemlig\\Q\\^Person")), a01(FOREIGN))
    said = "".join(capfd.readouterr())
    assert "Hemlig" not in said
    assert number(ANNA) not in said
