"""Bombs, lies and damage: the scanner refuses them in its own words, soon and within little memory."""

import io
import json
import random
import struct
import time
import tracemalloc

import pytest
from dicom_samples import (
    ITEM_END,
    RLE,
    SEQUENCE_END,
    UNDEFINED,
    data_set,
    element,
    item,
    part10,
    real_file,
    refused,
    scanned,
    sequence,
)

from registry.metadata.errors import Rejected
from repository.imaging.scanner import Limits, scan


def nested(levels, *, undefined):
    content = element(0x00080060, "CS", "CT")
    for _ in range(levels):
        if undefined:
            inner = item(content + ITEM_END, length=UNDEFINED) + SEQUENCE_END
            content = element(0x00400275, "SQ", inner, length=UNDEFINED)
        else:
            content = sequence(0x00400275, content)
    return part10(data_set(after=content))


@pytest.mark.parametrize("undefined", [False, True])
def test_nesting_ends_at_the_limit(undefined):
    assert "00400275" in scanned(nested(32, undefined=undefined)).json
    for levels in (33, 400, 3000):
        assert "nested deeper than 32" in refused(nested(levels, undefined=undefined))


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (element(0x0040A160, "UT", b"ab", length=0xFFFFFFF0), "4294967280 bytes"),
        (element(0x0040A160, "UT", b"ab", length=UNDEFINED), "leave their length open"),
        (element(0x00400009, "SH", b"ab", length=4), "4 bytes is stated where 2"),
        (element(0x00400009, "SH", b"ab")[:-1], "left"),
        (element(0x00400009, "SH", b"ab") + b"\0", "ends within an element"),
        (b"\x40\0\x09\0XX\2\0ab", "no VR 'XX'"),
        (element(0x00400009, "SH") * 2, "twice"),
        (ITEM_END, "No delimiter"),
        (element(0x00400275, "SQ", item(b"", length=9)), "9 bytes"),
        (element(0x00400275, "SQ", item(b"\0" * 3)), "ends within an element"),
        (element(0x00400275, "SQ", element(0x00400009, "SH")), "items alone"),
        (element(0x00400275, "SQ", item(), length=UNDEFINED), "no Sequence Delimitation"),
        (element(0x00400275, "SQ", item(b"", length=UNDEFINED)), "Item Delimitation"),
        (element(0x00400275, "SQ", SEQUENCE_END), "items alone"),
        (element(0x7FE00010, "OW", item() + SEQUENCE_END, length=UNDEFINED), "in one native value"),
        (element(0x7FE00010, "OW", item(), length=UNDEFINED), "without a Sequence Delimitation"),
        (element(0x7FE00010, "OW", item(b"", length=50), length=UNDEFINED), "longer than what is left"),
        (element(0x7FE00010, "OW", item(b"", length=UNDEFINED), length=UNDEFINED), "defined length"),
    ],
)
def test_lengths_and_delimiters_that_lie_are_refused(after, said):
    assert said in refused(part10(data_set(after=after)))


def test_a_compressed_transfer_syntax_needs_fragments():
    assert "in fragments" in refused(part10(data_set(after=element(0x7FE00010, "OW", b"ab")), RLE))


def test_a_file_shorter_than_announced_is_refused():
    data = part10(data_set(after=element(0x7FE00010, "OW", bytes(100))))
    with pytest.raises(Rejected):
        scan(io.BytesIO(data[:-200]), len(data))


@pytest.mark.parametrize("vr", [b"UL", b"OB"])
def test_a_million_tiny_elements_are_refused_at_once(vr):
    tiny = b"".join(
        struct.pack("<HH2sHI", 0x0041 + 2 * (n >> 15), n & 0x7FFF | 0x8000, vr, 4, n) for n in range(600_000)
    )
    if vr == b"OB":
        tiny = b"".join(element(0x00410000 + (n >> 15 << 17) + (n & 0x7FFF | 0x8000), "OB") for n in range(100_000))
    data = part10(data_set(after=tiny))
    began = time.perf_counter()
    assert "more than 50000 elements" in refused(data)
    assert time.perf_counter() - began < 1.5


def test_elements_within_sequences_are_counted_too():
    leaf = element(0x00400009, "SH") + element(0x0040000A, "SH")
    data = part10(data_set(after=sequence(0x00400275, *[leaf] * 50)))
    scanned(data, Limits(elements=155))
    assert "more than 100 elements" in refused(data, Limits(elements=100))


def test_metadata_has_a_limit_in_bytes_and_memory_stays_small():
    text = b"".join(element(0x00410000 + 0x1000 + n, "LT", bytes(10_000)) for n in range(1000))
    data = part10(data_set(after=text))
    tracemalloc.start()
    try:
        assert "more than 4194304 bytes" in refused(data)
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "test-SR.dcm",
        "reportsi.dcm",
    ],
)
def test_mutants_are_read_or_refused_and_nothing_else(name):
    chance = random.Random(name)
    whole = real_file(name).read_bytes()
    interesting = (
        b"\xff\xff\xff\xff",
        b"\xfe\xff\x0d\xe0",
        b"\xfe\xff\xdd\xe0",
        b"SQ\0\0",
        b"UN\0\0",
        b"\0\0",
        b"\x1b$B",
    )
    for _ in range(400):
        mutant = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(128, min(len(mutant), 4000))
            match chance.randrange(4):
                case 0:
                    mutant[at] = chance.randrange(256)
                case 1:
                    del mutant[at : at + chance.randint(1, 9)]
                case 2:
                    mutant[at:at] = chance.choice(interesting)
                case 3:
                    mutant = mutant[: chance.randrange(128, len(mutant))] if chance.random() < 0.1 else mutant
        data = bytes(mutant)
        try:
            found = scanned(data)
        except Rejected:
            continue
        assert "\\u0000" not in json.dumps(found.json, allow_nan=False)
