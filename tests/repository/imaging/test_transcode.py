"""Objects in other transfer syntaxes, against pydicom's own reading; and bombs, which break a child and nothing else."""

import io
import os
import struct
import subprocess
import sys
import time

import numpy as np
import pydicom
import pytest
from decoding import OneObject
from dicom_samples import SEQUENCE_END, UNDEFINED, data_set, element, part10, real_file, real_files
from pydicom import uid
from pydicom.encaps import encapsulate

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.decoder import PROGRAM, Decoder
from repository.imaging.pixels import pixels_of
from repository.imaging.transcode import MADE, is_decodable, transcoded

EXPLICIT, IMPLICIT = str(uid.ExplicitVRLittleEndian), str(uid.ImplicitVRLittleEndian)


def held_files():
    for path in real_files():
        try:
            OneObject(path.read_bytes(), None)
        except Rejected:
            continue
        yield path


FILES = list(held_files())


def given(one, accepted):
    syntax, chunks, size = transcoded(one, one.held, accepted)
    data = b"".join(chunks)
    assert len(data) == size
    return syntax, data


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("target", MADE)
def test_every_real_object_is_the_same_in_another_syntax(path, target, decoder):
    one = OneObject(path.read_bytes(), decoder)
    if not is_decodable(one.held):
        pytest.skip("video, or a form without decoder")
    theirs = pydicom.dcmread(path, force=True)
    try:
        syntax, data = given(one, [target])
    except Rejected:
        with pytest.raises((RuntimeError, ValueError, AttributeError)):
            theirs.pixel_array
        return
    ours = pydicom.dcmread(io.BytesIO(data))
    assert syntax == target == ours.file_meta.TransferSyntaxUID or one.held.transfer_syntax_uid == target
    if "PixelData" in theirs and "Rows" in theirs:
        try:
            expected = theirs.pixel_array
        except Exception:
            return
        assert np.array_equal(ours.pixel_array, expected)
    assert [e.tag for e in ours if e.tag not in CHANGED] == [
        e.tag for e in theirs if e.tag.element and e.tag not in CHANGED
    ]
    assert [e for e in ours if says_the_same(e)] == [e for e in theirs if says_the_same(e)]


CHANGED = {0x7FE00001, 0x7FE00002, 0x7FE00010, 0x00280004, 0x00280006}


def says_the_same(element):
    """A private element's VR is lost in implicit VR, a nested one's too."""
    return (
        element.tag.element
        and element.tag not in CHANGED
        and not element.tag.is_private
        and element.VR not in ("SQ", "UN")
    )


@pytest.mark.parametrize("accepted", [None, ["*"], [EXPLICIT, str(uid.JPEG2000)], [IMPLICIT, "*"]])
def test_stored_bytes_go_out_untouched(accepted):
    data = real_file("693_J2KI.dcm").read_bytes()
    assert given(OneObject(data, None), accepted) == (uid.JPEG2000, data)


def test_explicit_is_preferred_to_implicit(decoder):
    one = OneObject(real_file("693_J2KI.dcm").read_bytes(), decoder)
    assert given(one, [IMPLICIT, EXPLICIT])[0] == EXPLICIT
    assert given(one, [uid.RLELossless, IMPLICIT])[0] == IMPLICIT


def test_what_cannot_be_made_is_refused_with_what_can():
    one = OneObject(real_file("693_J2KI.dcm").read_bytes(), None)
    with pytest.raises(Rejected) as caught:
        transcoded(one, one.held, [str(uid.RLELossless)])
    (finding,) = caught.value.findings
    assert finding.code is ErrorCode.WadoTransferSyntax
    assert uid.JPEG2000 in finding.text
    assert EXPLICIT in finding.text


@pytest.mark.parametrize(
    "head", [b"MZ", b"\x7fELF", b"#!/bin/sh", b"%PDF-1.7", b"GIF89a", b"<html>", b"PK\3\4", b"\x89PNG\r\n"]
)
def test_no_preamble_that_runs_goes_out(head):
    data = real_file("CT_small.dcm").read_bytes()
    _, sent = given(OneObject(head.ljust(128, b"\1") + data[128:], None), None)
    assert sent == bytes(128) + data[128:]


def test_a_tiff_that_is_dicom_too_stays_both():
    data = b"II*\0".ljust(128, b"\1") + real_file("CT_small.dcm").read_bytes()[128:]
    assert given(OneObject(data, None), None)[1] == data


# --- bombs: the codestream is the attacker's, the attributes too ---


def image(rows, columns, frames=1, bits=8):
    return (
        element(0x00280002, "US", b"\1\0")
        + element(0x00280004, "CS", "MONOCHROME2")
        + element(0x00280008, "IS", str(frames))
        + element(0x00280010, "US", struct.pack("<H", rows))
        + element(0x00280011, "US", struct.pack("<H", columns))
        + element(0x00280100, "US", struct.pack("<H", bits))
        + element(0x00280101, "US", struct.pack("<H", bits))
        + element(0x00280103, "US", b"\0\0")
    )


def compressed(syntax, frame, **attributes):
    pixels = element(0x7FE00010, "OB", encapsulate([frame]) + SEQUENCE_END, length=UNDEFINED)
    return part10(data_set(after=image(**attributes) + pixels), str(syntax))


def codestream(rows, columns, tile=None):
    """A JPEG 2000 codestream of this size, with the data of a small one."""
    frame = bytearray(next(pydicom.encaps.generate_frames(
        pydicom.dcmread(real_file("693_J2KI.dcm")).PixelData, number_of_frames=1
    )))  # fmt: skip
    size = frame.index(b"\xff\x51") + 6
    frame[size : size + 8] = struct.pack(">II", columns, rows)
    width, height = tile or (columns, rows)
    frame[size + 16 : size + 24] = struct.pack(">II", width, height)
    return bytes(frame)


def rle(rows, columns):
    """One segment that says `repeat` for ever, and is much longer than the image."""
    return struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 6_000_000


BOMBS = {
    "J2K 60000 x 60000": lambda: compressed(uid.JPEG2000, codestream(60_000, 60_000), rows=64, columns=64),
    "J2K of a billion tiles": lambda: compressed(uid.JPEG2000, codestream(60_000, 60_000, (1, 1)), rows=64, columns=64),
    "J2K of 2^31": lambda: compressed(uid.JPEG2000, codestream(2**31 - 1, 2**31 - 1), rows=64, columns=64),
    "attributes of 65535 x 65535": lambda: compressed(uid.JPEG2000, b"\xff\x4f", rows=65535, columns=65535),
    "RLE that loops": lambda: compressed(uid.RLELossless, rle(64, 64), rows=64, columns=64),
    "2^31 frames": lambda: compressed(uid.RLELossless, rle(64, 64)[:80], rows=512, columns=512, frames=2**31),
    "no codestream": lambda: compressed(uid.JPEGBaseline8Bit, b"no image at all.", rows=64, columns=64),
    "a JPEG that ends at once": lambda: compressed(uid.JPEGLosslessSV1, b"\xff\xd8\xff\xd9", rows=64, columns=64),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_words_and_soon(name, decoder):
    one = OneObject(BOMBS[name](), decoder)
    before, began = os.getpid(), time.monotonic()
    with pytest.raises(Rejected) as caught:
        transcoded(one, one.held, [EXPLICIT])
    assert {f.code.status for f in caught.value.findings} == {406}
    assert all(f.text for f in caught.value.findings)
    assert time.monotonic() - began < 10
    assert os.getpid() == before
    good = OneObject(real_file("693_J2KI.dcm").read_bytes(), decoder)
    assert given(good, [EXPLICIT])[0] == EXPLICIT


def test_a_decoder_that_is_gone_is_started_anew():
    decoder = Decoder()
    good = OneObject(real_file("693_J2KI.dcm").read_bytes(), decoder)
    frame = b"".join(good.frames(good.held, [1])[0].pieces)
    job = {"syntax": good.held.transfer_syntax_uid, "image": pixels_of(good.held).image}
    first = decoder.run("transcode", frame, **job)
    decoder._host.process.kill()
    decoder._host.process.wait()
    assert decoder.run("transcode", frame, **job) == first
    decoder.close()


LIMITED = """
import importlib.util, os, socket, sys
spec = importlib.util.spec_from_file_location("host", sys.argv[1])
host = importlib.util.module_from_spec(spec)
spec.loader.exec_module(host)
host.limit()
for forbidden in (lambda: open("/etc/passwd"), socket.socket, lambda: os.pipe(), lambda: bytearray(1 << 30)):
    try:
        forbidden()
    except (OSError, MemoryError) as error:
        sys.stdout.write(type(error).__name__ + " ")
"""


def test_a_job_has_no_file_no_network_and_no_more_memory():
    asked = [sys.executable, "-I", "-c", LIMITED, str(PROGRAM)]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=20)
    assert told.stdout.split() == ["OSError", "OSError", "OSError", "MemoryError"], told.stderr


def test_jobs_do_not_wait_for_ever():
    decoder = Decoder(at_once=1, wait_seconds=0.01)
    with decoder._places, pytest.raises(Rejected, match="Too many"):
        decoder.run("transcode", b"")
