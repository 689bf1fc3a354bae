import io
import struct

import numpy as np
import pydicom
import pytest
from dicom_samples import RLE, SEQUENCE_END, UNDEFINED, data_set, element, item, part10, real_files, scanned
from pydicom.encaps import generate_frames

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.frames import frame, frames_of

JPEG = "1.2.840.10008.1.2.4.50"
MPEG4 = "1.2.840.10008.1.2.4.102"
SOI, MIDDLE = b"\xff\xd8\xff\xe0", b"\x11\x22\x33\x44"


def of(data):
    found = scanned(data)
    return frames_of(io.BytesIO(data), found.pixel_data, found.json)


def read(data):
    frames = of(data)
    return [b"".join(frames.read(number)) for number in range(1, frames.count + 1)]


def image(frames, bits=8, rows=2, columns=2, samples=1):
    return (
        element(0x00280002, "US", struct.pack("<H", samples))
        + element(0x00280008, "IS", str(frames))
        + element(0x00280010, "US", struct.pack("<H", rows))
        + element(0x00280011, "US", struct.pack("<H", columns))
        + element(0x00280100, "US", struct.pack("<H", bits))
    )


def encapsulated(frames, *fragments, table=b"", syntax=JPEG, extended=b""):
    value = item(table) + b"".join(map(item, fragments)) + SEQUENCE_END
    pixels = element(0x7FE00010, "OB", value, length=UNDEFINED)
    return part10(data_set(after=image(frames) + extended + pixels), syntax)


def with_pixels():
    for path in real_files():
        try:
            found = scanned(path.read_bytes())
        except Rejected:
            continue
        if found.pixel_data is not None:
            yield path


@pytest.mark.parametrize("path", list(with_pixels()), ids=lambda path: path.name)
def test_frames_are_those_of_pydicom(path):
    data = path.read_bytes()
    ours = read(data)
    theirs = pydicom.dcmread(path)
    count = int(theirs.get("NumberOfFrames") or 1)
    if scanned(data).pixel_data.encapsulated:
        assert ours == list(generate_frames(theirs.PixelData, number_of_frames=count))
    else:
        size = len(ours[0])
        assert ours == [theirs.PixelData[at : at + size] for at in range(0, count * size, size)]


@pytest.mark.parametrize("number", [0, -1, 3, 2**31])
def test_a_frame_out_of_range_is_not_found(number):
    with pytest.raises(Rejected) as caught:
        of(encapsulated(2, b"ab", b"cd")).pieces(number)
    assert caught.value.findings[0].code is ErrorCode.NotFound


def test_an_object_without_pixels_has_no_frame():
    data = part10(data_set())
    with pytest.raises(Rejected) as caught:
        frame(io.BytesIO(data), scanned(data), 1)
    assert caught.value.findings[0].code is ErrorCode.NotFound


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (4, 4), (5, 7), (1, 1), (301, 1777)])
def test_one_bit_frames_start_at_bit_0_wherever_they_lie(rows, columns):
    frames = np.random.default_rng(7).integers(0, 2, (5, rows * columns), dtype=np.uint8)
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    data = part10(data_set(after=image(5, 1, rows, columns) + element(0x7FE00010, "OB", packed)))
    assert read(data) == [np.packbits(f, bitorder="little").tobytes() for f in frames]


def test_native_pixels_that_are_too_few_are_told_of():
    data = part10(data_set(after=image(3) + element(0x7FE00010, "OB", bytes(8))))
    assert sum(length for _, length in of(data).pieces(2)) == 4
    with pytest.raises(Rejected, match="shorter than Rows"):
        of(data).pieces(3)


def test_native_pixels_need_their_size():
    with pytest.raises(Rejected, match="are needed"):
        of(part10(data_set(after=element(0x7FE00010, "OB", bytes(8)))))


def test_a_basic_offset_table_gathers_the_fragments_of_a_frame():
    table = struct.pack("<2I", 0, 8 + 2 + 8 + 4)
    assert read(encapsulated(2, b"ab", b"cdef", b"gh", table=table)) == [b"abcdef", b"gh"]


@pytest.mark.parametrize("second", [1, 9, 23, 2**31, 2**32 - 1])
def test_an_offset_table_that_points_astray_is_told_of(second):
    frames = of(encapsulated(2, b"ab", b"cdef", b"gh", table=struct.pack("<2I", 0, second)))
    with pytest.raises(Rejected) as caught:
        [frames.pieces(1), frames.pieces(2)]
    assert caught.value.findings[0].code is ErrorCode.DicomUnreadable


def test_the_extended_offset_table_gives_lengths_without_padding():
    offsets, lengths = struct.pack("<2Q", 0, 12), struct.pack("<2Q", 3, 2)
    extended = element(0x7FE00001, "OV", offsets) + element(0x7FE00002, "OV", lengths)
    assert read(encapsulated(2, b"abc\0", b"de", extended=extended)) == [b"abc", b"de"]
    astray = element(0x7FE00001, "OV", struct.pack("<2Q", 5, 2**63))
    for number in (1, 2):
        with pytest.raises(Rejected):
            of(encapsulated(2, b"abc\0", b"de", extended=astray)).pieces(number)


def test_one_frame_is_all_fragments_and_a_fragment_each_a_frame():
    assert read(encapsulated(1, b"ab", b"cd", b"ef", syntax=RLE)) == [b"abcdef"]
    assert read(encapsulated(3, b"ab", b"cd", b"ef", syntax=RLE)) == [b"ab", b"cd", b"ef"]


def test_without_a_table_frames_are_cut_where_a_codestream_begins():
    found = read(encapsulated(2, SOI + b"ab", MIDDLE, MIDDLE, SOI + b"cd", MIDDLE))
    assert found == [SOI + b"ab" + MIDDLE * 2, SOI + b"cd" + MIDDLE]


@pytest.mark.parametrize("fragments", [(MIDDLE, SOI, SOI), (SOI, MIDDLE, MIDDLE), (MIDDLE,), ()])
def test_frames_that_cannot_be_told_apart_are_not_guessed(fragments):
    with pytest.raises(Rejected) as caught:
        of(encapsulated(2, *fragments, syntax=MPEG4)).pieces(1)
    assert caught.value.findings[0].code is ErrorCode.NotAcceptable


def test_subsampled_colour_takes_two_samples_a_pixel():
    after = (
        element(0x00280002, "US", b"\3\0")
        + element(0x00280004, "CS", "YBR_FULL_422")
        + image(2, samples=3)[10:]
        + element(0x7FE00010, "OB", bytes(range(16)))
    )
    assert read(part10(data_set(after=after))) == [bytes(range(8)), bytes(range(8, 16))]
