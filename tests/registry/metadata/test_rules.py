"""The rule engine, on a small table of its own."""

from dataclasses import dataclass

from registry.metadata.errors import ErrorCode
from registry.metadata.formats import cx, dtm, oid
from registry.metadata.model import Code
from registry.metadata.rules import Row, check, column

CODE = ErrorCode.XDSRegistryMetadataError


@dataclass
class Thing:
    id: str = "Thing01"
    source_id: str | None = "1.2"
    times: tuple[str, ...] = ("2024", "2025")
    kind_code: Code | None = None
    patient_id: str = "42^^^&1.2.3&ISO"


TABLE = (
    Row("source_id", "R", oid, "book 1"),
    Row("times", "O", dtm, "book 2", "timeList"),
    Row("kind_code", "R", None, "book 3"),
    Row("patient_id", "R", cx, "book 4"),
)
GOOD = Thing(kind_code=Code("a", "b"))


def found(thing):
    return [(f.where, f.source) for f in check(thing, TABLE, CODE)]


def test_nothing_wrong():
    assert found(GOOD) == []


def test_everything_wrong_is_told_at_once_and_in_order():
    bad = Thing(source_id="", times=("x", "2024", "y"), kind_code=None, patient_id="42")
    assert found(bad) == [
        ("Thing01.sourceId", "book 1"),
        ("Thing01.timeList", "book 2"),
        ("Thing01.timeList", "book 2"),
        ("Thing01.kindCode", "book 3"),
        ("Thing01.patientId", "book 4"),
    ]
    assert all(f.code is CODE and not f.warning for f in check(bad, TABLE, CODE))


def test_what_may_be_absent_may_be_empty():
    assert found(Thing(times=(), kind_code=Code("a", "b"))) == []


def test_the_value_is_shown_but_not_all_of_a_long_one():
    (one,) = check(Thing(kind_code=Code("a", "b"), times=("z" * 5000,)), TABLE, CODE)
    assert "'zzz" in one.text
    assert len(one.text) < 200


def test_no_patient_id_stands_in_a_finding():
    (one,) = check(Thing(kind_code=Code("a", "b"), patient_id="191212121212"), TABLE, CODE)
    assert "191212121212" not in one.text


def test_what_is_prohibited_is_named_and_its_format_not_looked_at():
    table = (Row("source_id", "X", oid, "book 1"),)
    (one,) = check(Thing(source_id="not an OID"), table, CODE)
    assert (one.where, one.source) == ("Thing01.sourceId", "book 1")
    assert "must not be sent" in one.text
    assert list(check(Thing(source_id=None), table, CODE)) == []


def test_a_column_is_the_letters_of_one_transaction():
    table = (Row("source_id", "ROX", oid, "book 1"), Row("times", "XRO", dtm, "book 2"))
    assert ["".join(row.use for row in column(table, n)) for n in range(3)] == ["RX", "OR", "XO"]


def test_the_place_may_be_named():
    (one,) = check(Thing(source_id="x", kind_code=Code("a", "b")), TABLE, CODE, "Thing01.part")
    assert one.where == "Thing01.part.sourceId"
