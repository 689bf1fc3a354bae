"""Values of stored query parameters: what is in the quotes is text, whatever it looks like."""

import time

import pytest

from profiles.document_sharing.query_values import MOST_VALUES, Malformed, like_pattern, parse


@pytest.mark.parametrize(
    ("value", "is_list", "items"),
    [
        ("'a'", False, ["a"]),
        ("''", False, [""]),
        ("'it''s'", False, ["it's"]),
        ("''''", False, ["'"]),
        ("''''''", False, ["''"]),
        ("'a,b'", False, ["a,b"]),
        ("'(a)'", False, ["(a)"]),
        ("20260101", False, ["20260101"]),
        ("'20260101'", False, ["20260101"]),
        ("('a')", True, ["a"]),
        ("('a','b')", True, ["a", "b"]),
        ("( ' a' ,\n\t\t'b' )", True, [" a", "b"]),
        ("('a,b','c)','(d')", True, ["a,b", "c)", "(d"]),
        ("('it''s','''')", True, ["it's", "'"]),
        ("(1,2)", True, ["1", "2"]),
        ("('a',2)", True, ["a", "2"]),
        ("'x%20y'", False, ["x%20y"]),
        ("'1''; DROP TABLE document_entry; --'", False, ["1'; DROP TABLE document_entry; --"]),
        ("'1'' or ''1''=''1'", False, ["1' or '1'='1"]),
        ("'åäö 😀 \u202e'", False, ["åäö 😀 \u202e"]),
        (" 'a' ", False, ["a"]),
    ],
)
def test_values_are_read(value: str, is_list: bool, items: list[str]) -> None:
    assert parse(value) == (is_list, items)


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "a", "'a", "a'", "'a''", "'''", "()", "( )", "(", ")", "('a'", "'a')", "('a',)", "(,'a')", "(,)",
        "('a',,'b')", "('a' 'b')", "'a','b'", "'a' 'b'", "(('a'))", "('a',('b'))", "('a')('b')", "('a'),('b')",
        "('a';'b')", "-1", "1.5", "'1' or '1'='1'", "'593^^^&1.2&ISO''%20and%20611%3d611--%20", "(a)", '"a"', "\u00a0x",
    ],
)  # fmt: skip
def test_other_writings_are_refused_with_a_reason(value: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(value)
    assert len(str(caught.value)) > 10


def test_the_place_of_the_fault_is_named() -> None:
    with pytest.raises(Malformed, match="character 6"):
        parse("'ok' x")


def test_the_cap_is_exact() -> None:
    most = "(" + ",".join(f"'{n}'" for n in range(MOST_VALUES)) + ")"
    assert len(parse(most)[1]) == MOST_VALUES
    with pytest.raises(Malformed, match=str(MOST_VALUES)):
        parse(most.replace(")", ",'one more')"))


@pytest.mark.parametrize(
    "value", ["'" + "''" * 200_000, "(" * 200_000, "'a'," * 50_000, " " * 200_000, "1" * 200_000 + "x"]
)
def test_hostile_lengths_are_refused_in_no_time(value: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(Malformed):
        parse(value)
    assert time.perf_counter() - begin < 1


def test_a_backslash_is_no_wildcard() -> None:
    assert like_pattern(r"%A\_") == r"%A\\_"
