import io
import json
import logging
import struct
import warnings

import pydicom
import pytest
from dicom_samples import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    RLE,
    SEQUENCE_END,
    SERIES,
    SOP,
    STUDY,
    UNDEFINED,
    data_set,
    element,
    identity,
    implicit,
    item,
    part10,
    real_files,
    refused,
    scanned,
    sequence,
)
from pydicom.data import get_charset_files

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.scanner import locate, scan
from repository.imaging.values import encodings_of, readers

# Of pydicom's files, those that are no object that an archive can keep, and what is said of them.
REFUSED = {
    "no preamble, no prefix": {"rtstruct.dcm", "ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm", "no_meta.dcm"},
    "Deflated": {"image_dfl.dcm"},
    "Transfer Syntax UID is missing": {"meta_missing_tsyntax.dcm"},
    # The file says explicit VR and goes on in implicit VR within a sequence.
    "There is no VR": {"SC_rgb_jpeg.dcm"},
    "names another object": {
        *("rtplan.dcm", "badVR.dcm", "rtdose.dcm", "rtdose_1frame.dcm", "rtdose_expb.dcm", "rtdose_expb_1frame.dcm"),
    },
    "are left": {"rtplan_truncated.dcm", "MR_truncated.dcm", "DICOMDIR-nooffset"},
    "Study Instance UID is missing": {
        *("JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jls_lossy_sample.dcm"),
        *("SC_rgb_jls_lossy_line.dcm", "UN_sequence.dcm", "no_meta_group_length.dcm", "nested_priv_SQ.dcm"),
        *("priv_SQ.dcm", "empty_charset_LEI.dcm", "DICOMDIR", "DICOMDIR-nopatient", "DICOMDIR-implicit"),
        *("DICOMDIR-empty.dcm", "DICOMDIR-reordered", "DICOMDIR-bigEnd"),
    },
}
SAID = {name: text for text, names in REFUSED.items() for name in names}
SAID |= dict.fromkeys(REFUSED["no preamble, no prefix"], "DICM must follow")


@pytest.fixture(autouse=True)
def _quiet_pydicom():
    logging.getLogger("pydicom").disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.getLogger("pydicom").disabled = False


# ---- against pydicom ---------------------------------------------------------------------------------------------


def comparable(attribute):
    """An attribute without what differs on purpose.

    We strip insignificant leading spaces (PS3.5 6.2), write no empty Value (PS3.18 F.2.5), and keep as text a number
    that is none. Which values are bulk differs: Pixel Data always for us, at any size; UN above 1 KiB.
    """
    if "InlineBinary" in attribute or "BulkDataURI" in attribute:
        return attribute["vr"], "bytes"
    return attribute["vr"], [_comparable_value(value) for value in attribute.get("Value", [])]


def _comparable_value(value):
    if isinstance(value, dict):
        return {k: comparable(v) if isinstance(v, dict) else v for k, v in value.items() if not _left_out(k)}
    try:
        return float(value)
    except (TypeError, ValueError):
        return (value or "").strip()


def _left_out(tag):
    """Group lengths and trailing padding are no part of the object, nor of our JSON (PS3.5 7.2, PS3.10 7.2)."""
    return tag.endswith("0000") or tag == "FFFCFFFC"


@pytest.mark.parametrize("path", list(real_files()), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_file_of_pydicom_reads_as_pydicom_reads_it_or_is_refused(path):
    data = path.read_bytes()
    expected = SAID.get(path.name)
    if expected is not None:
        assert expected in refused(data)
        return
    ours = scanned(data).json
    json.dumps(ours, allow_nan=False)
    theirs = pydicom.dcmread(path).to_json_dict(1024, lambda _: "elsewhere")
    assert {tag: comparable(a) for tag, a in ours.items()} == {
        tag: comparable(a) for tag, a in theirs.items() if not _left_out(tag)
    }


NAMED = [path for path in get_charset_files("*.dcm") if "PatientName" in pydicom.dcmread(path, force=True)]


@pytest.mark.parametrize("path", NAMED, ids=lambda p: p.rsplit("/")[-1])
def test_names_in_every_character_set_read_as_pydicom_reads_them(path):
    found = pydicom.dcmread(path, force=True)
    raw = pydicom.dcmread(path, force=True).get_item("PatientName").value
    declared = found.get("SpecificCharacterSet") or ""
    encodings = encodings_of((declared if isinstance(declared, str) else "\\".join(declared)).encode())
    groups = str(found.PatientName).split("=")
    names = ("Alphabetic", "Ideographic", "Phonetic")
    expected = {name: group for name, group in zip(names, groups, strict=False) if group}
    assert readers("<")[b"PN"](raw, encodings)["Value"] == [expected]


# ---- values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vr", "raw", "expected"),
    [
        ("DS", b"1.50\\ \\-2e3", [1.5, None, -2000.0]),
        ("DS", b"nan", ["nan"]),
        ("DS", b"1_0", ["1_0"]),
        ("DS", b"1e999", ["1e999"]),
        ("IS", b" 42 ", [42]),
        ("IS", b"4.0", ["4.0"]),
        ("IS", b"9" * 18, ["9" * 18]),
        ("FD", struct.pack("<3d", float("nan"), float("inf"), 0.5), ["NaN", "Infinity", 0.5]),
        ("UV", struct.pack("<Q", 2**63), [str(2**63)]),
        ("AT", struct.pack("<4H", 0x10, 0x20, 0x7FE0, 0x10), ["00100020", "7FE00010"]),
        ("LO", b" a \\\\b", ["a", None, "b"]),
        ("LT", b" a\\b ", [" a\\b"]),
        ("CS", b"A\0B\0", ["AB"]),
        ("PN", b"Berg^Eva=\\=x", [{"Alphabetic": "Berg^Eva"}, {"Ideographic": "x"}]),
    ],
)
def test_values_become_json_leniently(vr, raw, expected):
    assert readers("<")[vr.encode()](raw, ("iso8859",)) == {"vr": vr, "Value": expected}


def test_bytes_that_are_no_number_of_their_vr_are_kept_as_unknown():
    found = scanned(part10(data_set(between=element(0x00091001, "US", b"abcd", length=3)[:-1]))).json
    assert found["00091001"] == {"vr": "UN", "InlineBinary": "YWJj"}


def test_big_endian_words_are_turned_for_inline_binary():
    first, second = identity(">")
    data = first + second + element(0x00281201, "OW", b"\x01\x02", order=">")
    assert scanned(part10(data, BIG_ENDIAN)).json["00281201"]["InlineBinary"] == "AgE="


def test_items_inherit_the_character_set_and_may_have_their_own():
    name = "Åsa".encode
    items = (
        element(0x00100010, "PN", name("utf-8")),
        element(0x00080005, "CS", "ISO IR 100") + element(0x00100010, "PN", name("latin-1")),
    )
    before = element(0x00080005, "CS", "ISO_IR 192")
    found = scanned(part10(data_set(before=before, after=sequence(0x00400275, *items)))).json
    assert [i["00100010"]["Value"][0]["Alphabetic"] for i in found["00400275"]["Value"]] == ["Åsa", "Åsa"]


def test_a_public_tag_written_as_unknown_is_read_as_what_it_is():
    inner = implicit(0x00400031, "RIS")
    between = element(0x00080050, "UN", "A1") + element(0x00080051, "UN", item(inner))
    found = scanned(part10(data_set(between=between))).json
    assert found["00080050"] == {"vr": "SH", "Value": ["A1"]}
    assert found["00080051"]["Value"][0]["00400031"]["Value"] == ["RIS"]


def test_a_choice_of_vr_follows_pixel_representation():
    uids = [implicit(int(tag, 16), value) for tag, value in UIDS]
    signed = implicit(0x00280103, b"\1\0") + implicit(0x00280106, b"\xff\xff")
    assert scanned(part10(b"".join(uids) + signed, IMPLICIT)).json["00280106"] == {"vr": "SS", "Value": [-1]}


UIDS = (
    ("00080016", b"1.2.840.10008.5.1.4.1.1.2\0"),
    ("00080018", SOP.encode() + b"\0"),
    ("0020000D", STUDY.encode() + b"\0"),
    ("0020000E", SERIES.encode() + b"\0"),
)


# ---- bulk --------------------------------------------------------------------------------------------------------


def test_bulk_values_are_named_by_their_path_and_found_again():
    icon = element(0x7FE00010, "OW", b"icon")
    big = bytes(range(256)) * 5
    text = "x" * 70_000
    after = (
        element(0x00420011, "OB", big)
        + element(0x0040A160, "UT", text)
        + sequence(0x00880200, element(0x00080005, "CS") + icon)
        + element(0x7FE00010, "OW", b"pixels")
    )
    data = part10(data_set(after=after))
    found = scanned(data)
    assert found.json["0040A160"] == {"vr": "UT", "BulkDataURI": "bulkdata/0040A160"}
    assert found.json["00880200"]["Value"][0]["7FE00010"]["BulkDataURI"] == "bulkdata/00880200/0/7FE00010"
    for path, expected in {
        "00420011": big,
        "0040A160": text.encode(),
        "00880200/0/7FE00010": b"icon",
        "7FE00010": b"pixels",
    }.items():
        pieces = locate(io.BytesIO(data), len(data), path)
        assert b"".join(data[offset : offset + length] for offset, length in pieces) == expected
    pixels = found.pixel_data
    assert (pixels.vr, pixels.encapsulated) == ("OW", False)
    assert data[pixels.offset : pixels.offset + pixels.length] == b"pixels"


@pytest.mark.parametrize("path", ["00420011", "", "..", "00880200/9/7FE00010", "7fe00010"])
def test_a_path_without_bulk_value_is_not_found(path):
    data = part10(data_set())
    with pytest.raises(Rejected) as caught:
        locate(io.BytesIO(data), len(data), path)
    assert caught.value.findings[0].code is ErrorCode.NotFound


def test_pixels_are_passed_by_a_seek_and_never_read():
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size=-1):
            found = super().read(size)
            self.taken += len(found)
            return found

    fragments = item() + b"".join(item(bytes(200_000)) for _ in range(50)) + SEQUENCE_END
    data = part10(data_set(after=element(0x7FE00010, "OB", fragments, length=UNDEFINED)), RLE)
    file = Counting(data)
    assert scan(file, len(data)).pixel_data.encapsulated
    assert file.taken < 100_000


# ---- identity ----------------------------------------------------------------------------------------------------


def test_what_identifies_the_object_is_read():
    found = scanned(part10(data_set(between=element(0x00080060, "CS", "CT"))))
    assert (found.sop_instance_uid, found.study_instance_uid, found.series_instance_uid) == (SOP, STUDY, SERIES)
    assert (found.transfer_syntax_uid, found.text("00080060"), found.pixel_data) == (EXPLICIT, "CT", None)


def test_all_missing_uids_are_named_at_once():
    said = refused(part10(element(0x00080060, "CS", "CT")))
    assert all(name in said for name in ("SOP Class", "SOP Instance", "Study Instance", "Series Instance"))


@pytest.mark.parametrize("uid", ["1.2/../3", "1.2\\1.3", "1" * 65, "é"])
def test_a_uid_that_is_none_is_refused(uid):
    first, _ = identity()
    data = first + element(0x0020000D, "UI", uid.encode("latin-1")) + element(0x0020000E, "UI", SERIES)
    assert "must be one UID" in refused(part10(data))


def test_group_2_and_data_set_must_agree():
    assert "names another object" in refused(part10(data_set(), sop="1.2.3.999"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "DICM"),
        (b"GIF89a" + bytes(500), "DICM"),
        (b"DICM" + bytes(500), "DICM"),
        (part10(data_set(), DEFLATED), "Deflated"),
        (part10(data_set(), "1.2.840.10008.1.2.4.95"), "Deflated"),
        (part10(data_set(), "../../etc"), "Transfer Syntax"),
        (part10(data_set(), group_length=12), "group length"),
        (part10(b"", meta=element(0x00020102, "OB", b"", length=1 << 31)), "left"),
        (part10(data_set(), meta=element(0x00020010, "UI", EXPLICIT)), "twice"),
    ],
)
def test_a_broken_head_is_refused(data, said):
    assert said in refused(data)
