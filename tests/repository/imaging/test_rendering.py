"""Pictures of real images, read back by another reader, against pydicom's own pipeline."""

import io

import numpy as np
import pydicom
import pytest
from decoding import OneObject
from dicom_samples import real_file
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from test_transcode import FILES

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.pixels import pixels_of
from repository.imaging.rendering import Media, Region, View, render, representative

PNG = View(Media.PNG)


def shown(one, number=1, view=PNG):
    return Image.open(io.BytesIO(render(one, one.held, number, view).content))


# An odd number of bytes in words of two, whose last byte is the padding.
NOT_CUT = "SC_rgb_small_odd_big_endian.dcm"


def not_drawn(one, theirs):
    if one.held.pixels is None or theirs.filename.endswith(NOT_CUT):
        return True
    try:
        return theirs.pixel_array is None
    except (RuntimeError, ValueError, AttributeError, NotImplementedError):
        return True


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_real_image_is_drawn_or_refused_in_words(path, decoder):
    one = OneObject(path.read_bytes(), decoder)
    theirs = pydicom.dcmread(path)
    if not_drawn(one, theirs):
        with pytest.raises(Rejected) as caught:
            shown(one)
        assert {f.code for f in caught.value.findings} <= {ErrorCode.NotAcceptable, ErrorCode.DicomUnreadable}
        return
    picture = shown(one)
    assert picture.size == (theirs.Columns, theirs.Rows)
    if picture.mode == "L" and "PixelData" in theirs:
        expected = theirs.pixel_array
        frame = expected[0] if int(theirs.get("NumberOfFrames") or 1) > 1 else expected
        spread = np.ptp(np.asarray(picture))
        assert spread > 20 or np.ptp(frame) == 0 or "WindowCenter" in theirs, "a picture with nothing on it"


def drawn_by_pydicom(data, frame):
    low_high = np.asarray(apply_voi_lut(apply_modality_lut(frame, data), data), float)
    bits, slope, intercept = data.BitsStored, data.get("RescaleSlope", 1), data.get("RescaleIntercept", 0)
    ends = (-(1 << bits - 1), (1 << bits - 1) - 1) if data.PixelRepresentation else (0, (1 << bits) - 1)
    low, high = sorted(float(end) * float(slope) + float(intercept) for end in ends)
    return (low_high - low) / (high - low) * 255


@pytest.mark.parametrize("name", ["MR_small.dcm", "693_J2KI.dcm"])
def test_the_window_of_the_object_is_seen_through(name, decoder):
    one, data = OneObject(real_file(name).read_bytes(), decoder), pydicom.dcmread(real_file(name))
    assert np.abs(np.asarray(shown(one), float) - drawn_by_pydicom(data, data.pixel_array)).max() <= 1


def test_a_window_asked_for_is_seen_through(decoder):
    one, data = OneObject(real_file("CT_small.dcm").read_bytes(), decoder), pydicom.dcmread(real_file("CT_small.dcm"))
    found = np.asarray(shown(one, view=View(Media.PNG, window=(40, 400, "LINEAR_EXACT"))), float)
    units = data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept)
    assert np.abs(found - ((units - 40) / 400 + 0.5).clip(0, 1) * 255).max() <= 1


def test_a_palette_gives_colours(decoder):
    one = OneObject(real_file("examples_palette.dcm").read_bytes(), decoder)
    assert shown(one).mode == "RGB"
    assert len(shown(one).getcolors(1 << 20)) > 10


@pytest.mark.parametrize(("media", "name"), [(Media.JPEG, "JPEG"), (Media.PNG, "PNG"), (Media.GIF, "GIF")])
def test_the_picture_is_of_the_kind_asked_for(media, name, decoder):
    one = OneObject(real_file("SC_rgb_jpeg_dcmtk.dcm").read_bytes(), decoder)
    assert shown(one, view=View(media)).format == name


@pytest.mark.parametrize(
    ("viewport", "size"),
    [((64, 64), (16, 64)), ((64, 0), (64, 256)), ((0, 100), (25, 100)), ((2000, 2000), (500, 2000))],
)
def test_the_viewport_is_fitted_with_the_proportions_kept(viewport, size, decoder):
    one = OneObject(real_file("JPEG2000.dcm").read_bytes(), decoder)
    assert shown(one, view=View(Media.PNG, viewport=viewport)).size == size


def test_a_region_is_cut_and_mirrored(decoder):
    one = OneObject(real_file("CT_small.dcm").read_bytes(), decoder)
    whole = np.asarray(shown(one))
    cut = np.asarray(shown(one, view=View(Media.PNG, region=Region(10, 20, 30, 40))))
    assert np.array_equal(cut, whole[20:60, 10:40])
    mirrored = np.asarray(shown(one, view=View(Media.PNG, region=Region(10, 20, 30, 40, flipped=True))))
    assert np.array_equal(mirrored, cut[:, ::-1])
    with pytest.raises(Rejected, match="outside"):
        shown(one, view=View(Media.PNG, region=Region(128, 0, 1, 1)))


@pytest.mark.parametrize(("frames", "middle"), [(1, 1), (2, 1), (3, 2), (100, 50)])
def test_the_middle_frame_stands_for_all(frames, middle):
    assert representative(frames) == middle


def test_what_is_no_image_is_not_drawn():
    one = OneObject(real_file("reportsi.dcm").read_bytes(), None)
    with pytest.raises(Rejected, match="no image"):
        render(one, one.held, 1, PNG)


def test_frames_are_drawn_each_for_itself(decoder):
    one = OneObject(real_file("SC_rgb_rle_2frame.dcm").read_bytes(), decoder)
    assert pixels_of(one.held).frames == 2
    assert not np.array_equal(np.asarray(shown(one, 1)), np.asarray(shown(one, 2)))
