"""Formats of attribute values: None for what is right, words for what is not."""

import pytest

from registry.metadata import formats as f

CASES = [
    (f.dtm, ["2024", "20240229070809"], ["", "2024-01", "20240230"]),
    (f.cx, ["42^^^&1.2.3&ISO"], ["42", "42^^^&1.2.3&DNS"]),
    (f.cxi, ["42^^^&1.2.3&ISO^kind", "42^^^^kind", "42^^^HOSP^kind^1.2.3"], ["42", "^^^&1.2&ISO^kind"]),
    (f.cxi, [], ["42^1^^&1.2&ISO^kind", "42^^A^&1.2&ISO^kind", "42^^^&1.2^kind", "42^^^&&ISO^kind", "42^^^^kind^^^x"]),
    (f.xcn, ["1^Welby", "^Welby", "Scanner 4", "1^Welby^^^^^^^&1.2.3&ISO"], ["", "^^Marcus"]),
    (f.xcn, [], ["^Welby^^^^^^^&1.2.3&ISO", "1^Welby^^^^^^^HOSP", "1^Welby^^^^^^^&1.2.3&DNS", "1^^^^^^^^A&1.2&ISO"]),
    (f.hd, ["&1.2.3&ISO", "&3.4.5&ISO"], ["", "HOSP", "HOSP&1.2.3&ISO", "&1.2.3", "&1.2.3&DNS", "&x&ISO", "&1.2&ISO&"]),
    (f.xon, ["North", "North^^^^^^^^^1.2.3.9", "North^^^^^&1.2.3&ISO^^^^45", "North^^^^^^^^^"], ["", "^^^^^^^^^1.2.3"]),
    (f.xon, [], ["N^L", "N^^^^^^XX", "N^^^^^^^^^45", "N^^^^^HOSP^^^^45", "N^^^^^^^^^1.2^", " ^^^^^^^^^1.2"]),
    (f.xtn, ["^^Internet^a@b.c", "^PRN^PH^^^^7"], ["", "08-123", "^NET^PH^^^^7"]),
    (f.oid, ["1.2.3", "2.25.12"], ["", "1", "urn:oid:1.2.3", "1.2.3\n", "1." + "9" * 63]),
    (f.language, ["sv", "sv-SE", "zh-Hant-TW"], ["", "sv_SE", "swedishlanguage", "sv-", "sv-SE\n"]),
    (f.mime_type, ["application/pdf", "application/fhir+json", "text/x.y-z"], ["", "pdf", "a/b/c", "a/b; c=d", "ä/b"]),
    (
        f.unique_id,
        ["1.2.3", "1.2.3^doc", "x" * 128, "1." + "2" * 62 + "^" + "x" * 16],
        ["", "a b", "x" * 129, "å", "a\n", "x^y", "1.2^", "1.2^" + "x" * 17, "^1"],
    ),
    (f.sha1, ["0" * 40, "ABCDEFabcdef" + "1" * 28], ["", "0" * 39, "0" * 41, "g" * 40, "0" * 40 + "\n"]),
    (f.digits, ["0", "123", "9" * 18], ["", "-1", "1.5", "1e3", "9" * 19, "１２"]),
    (f.patient_info, ["PID-3|x", "PID-5|a^b", "PID-39|"], ["", "PID-5", "PID-40|x", "PID-0|x", "PID-05|x", "pid-5|x"]),
    (f.patient_info, ["PID-1|1", "PID-3|x", "PID-11|x"], ["PID-2|x", "PID-4|x", "PID-12|x", "PID-19|x"]),
    (f.home, ["urn:oid:1.2.3"], ["", "1.2.3", "urn:oid:", "urn:oid:1.2.3 ", "urn:uuid:1.2.3"]),
    (f.title, ["", "x" * 128], ["x" * 129]),
    (f.folder_time, ["20240101000000"], ["2024", "202401010000", "20249901000000"]),
    (f.recipient, ["North", "|1^Welby", "||^^Internet^a@b.c", "a|b|^^PH^^^^7"], ["", "||", "a|b|^^PH^^^^7|d"]),
    (f.recipient, [], ["^x", "|^^Marcus", "||08-123", "North|^^Marcus"]),
    (f.uri, ["report.pdf", "http://a.example.org/b?c=d#e", "file:///å%20b"], ["", "a b", "a\nb", "a\tb", "\x7f"]),
    (
        f.availability,
        [f"urn:ihe:iti:2010:DocumentAvailability:{w}" for w in ("Online", "Offline")],
        ["", "Online", "x"],
    ),
    (
        f.entry_uuid,
        ["Document01", "a54d6aa5", "urn:uuid:A54D6AA5-d40d-43f9-88c5-b4633d873bdd"],
        ["urn:uuid:", "URN:UUID:1"],
    ),
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
    assert there - tried - {"is_oid", "is_authority", "uuid_urn"} == set(), "add examples to CASES"
