"""Formats of attribute values: None for what is right, words for what is not."""

import pytest

from registry.metadata import formats as f

CASES = [
    (f.dtm, ["2024", "20240229070809"], ["", "2024-01", "20240230"]),
    (f.cx, ["42^^^&1.2.3&ISO"], ["42", "42^^^&1.2.3&DNS"]),
    (f.cxi, ["42^^^&1.2.3&ISO^kind", "42^^^^kind"], ["42", "^^^&1.2&ISO^kind"]),
    (f.xcn, ["1^Welby", "^Welby"], ["", "^^Marcus"]),
    (f.oid, ["1.2.3", "2.25.12"], ["", "1", "urn:oid:1.2.3", "1.2.3\n", "1." + "9" * 63]),
    (f.language, ["sv", "sv-SE", "zh-Hant-TW"], ["", "sv_SE", "swedishlanguage", "sv-", "sv-SE\n"]),
    (f.mime_type, ["application/pdf", "application/fhir+json", "text/x.y-z"], ["", "pdf", "a/b/c", "a/b; c=d", "ä/b"]),
    (f.unique_id, ["1.2.3", "1.2.3^doc", "x" * 128], ["", "a b", "x" * 129, "å", "a\n"]),
    (f.sha1, ["0" * 40, "ABCDEFabcdef" + "1" * 28], ["", "0" * 39, "0" * 41, "g" * 40, "0" * 40 + "\n"]),
    (f.digits, ["0", "123", "9" * 18], ["", "-1", "1.5", "1e3", "9" * 19, "１２"]),
    (f.patient_info, ["PID-3|x", "PID-5|a^b", "PID-39|"], ["", "PID-5", "PID-40|x", "PID-0|x", "PID-05|x", "pid-5|x"]),
    (f.patient_info, ["PID-1|1", "PID-3|x", "PID-11|x"], ["PID-2|x", "PID-4|x", "PID-12|x", "PID-19|x"]),
    (f.home, ["urn:oid:1.2.3"], ["", "1.2.3", "urn:oid:", "urn:oid:1.2.3 ", "urn:uuid:1.2.3"]),
    (f.title, ["", "x" * 128], ["x" * 129]),
    (f.folder_time, ["20240101000000"], ["2024", "202401010000", "20249901000000"]),
    (f.recipient, ["North", "|1^Welby", "||^^Internet^a@b.c", "a|b|c"], ["", "||", "a|b|c|d"]),
    (f.text, ["", "line\nline\ttab\rå"], ["\0", "a\x0bb", "\x1f"]),
]


@pytest.mark.parametrize(("format_", "right"), [(c[0], value) for c in CASES for value in c[1]])
def test_right(format_, right):
    assert format_(right) is None


@pytest.mark.parametrize(("format_", "wrong"), [(c[0], value) for c in CASES for value in c[2]])
def test_wrong_in_words(format_, wrong):
    found = format_(wrong)
    assert found
    assert " " in found


def test_every_format_is_tried():
    """A new format comes with its good and bad examples."""
    there = {name for name in dir(f) if callable(getattr(f, name)) and name.islower() and not name.startswith("_")}
    tried = {name for name in there for case in CASES if getattr(f, name) is case[0]}
    assert there - tried - {"is_oid"} == set(), "add examples to CASES"
