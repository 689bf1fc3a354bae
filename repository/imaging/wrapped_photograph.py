"""Photographs in a DICOM object: VL Photographic Image (PS3.3 A.32.4).

A baseline JPEG that stands upright stays compressed as it is: decoding and compressing it again would lose. What a
camera writes beside the picture (place, owner, thumbnail) is left out, whatever it says. Other pictures are decoded
by the bounded process, turned upright, and kept uncompressed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, VLPhotographicImageStorage

from repository.imaging.wrapped_document import Made

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
SOF0, SOS, EOI, DQT, DHT, DRI, APP0, APP2, APP14 = 0xC0, 0xDA, 0xD9, 0xDB, 0xC4, 0xDD, 0xE0, 0xE2, 0xEE
KEPT = frozenset({SOF0, DQT, DHT, DRI, APP0, APP14})
ICC = b"ICC_PROFILE\0"
UPRIGHT = (0, 1)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A JPEG of one baseline frame, cleared of everything but the picture. `icc` is its colour profile, or empty."""

    content: bytes
    interpretation: str
    icc: bytes


def photograph_of(content: bytes, decoder: Any) -> Made | None:
    """The object around a picture; None for a file of another kind. `decoder` is a `decoder.Decoder`.

    Raises:
        Rejected: NotAcceptable: it cannot be decoded, or not within bounds.
    """
    is_jpeg = content.startswith(JPEG)
    if not is_jpeg and not content.startswith(PNG):
        return None
    baseline = _baseline(content) if is_jpeg else None
    # Also what is kept as it is must have been seen to be a picture.
    seen, pixels = decoder.run("photograph", content, keep=baseline is not None)
    data = _common(seen)
    if is_jpeg:
        data.LossyImageCompression, data.LossyImageCompressionMethod = "01", "ISO_10918_1"
        whole = seen["rows"] * seen["columns"] * seen["samples"]
        data.LossyImageCompressionRatio = f"{whole / len(content):.2f}"
    else:
        data.LossyImageCompression = "00"
    if baseline and seen["orientation"] in UPRIGHT:
        data.PhotometricInterpretation = baseline.interpretation
        if baseline.icc:
            data.ICCProfile = baseline.icc + b"\0" * (len(baseline.icc) % 2)
        data.PixelData = encapsulate([baseline.content])
        return Made("JPEG photograph", JPEGBaseline8Bit, data)
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data["PixelData"].VR = "OW" if seen["bits"] == 16 else "OB"
    return Made(f"{'JPEG' if is_jpeg else 'PNG'} photograph, decoded", ExplicitVRLittleEndian, data)


def _common(seen: Any) -> Dataset:
    data = Dataset()
    data.SOPClassUID, data.Modality = VLPhotographicImageStorage, "XC"
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.AcquisitionContextSequence = []
    data.PatientOrientation = ""
    data.SamplesPerPixel = seen["samples"]
    data.PhotometricInterpretation = "RGB" if seen["samples"] == 3 else "MONOCHROME2"
    if seen["samples"] == 3:
        data.PlanarConfiguration = 0
    data.Rows, data.Columns = seen["rows"], seen["columns"]
    data.BitsAllocated = data.BitsStored = seen["bits"]
    data.HighBit, data.PixelRepresentation = seen["bits"] - 1, 0
    data.ContentDate, data.ContentTime = seen["taken"][:8], seen["taken"][8:]
    return data


def _baseline(content: bytes) -> Baseline | None:
    """The picture without what is beside it; None for a JPEG of another process, or one that does not fit together."""
    kept, profile, frame, adobe = [b"\xff\xd8"], [], b"", -1
    for marker, segment, after in _segments(content):
        if marker in KEPT:
            kept.append(segment)
        elif 0xC1 <= marker <= 0xCF:
            return None
        if marker == SOF0:
            frame = segment[4:]
        elif marker == APP14 and segment[4:9] == b"Adobe" and len(segment) >= 16:
            adobe = segment[15]
        elif marker == APP2 and segment[4:].startswith(ICC):
            profile.append(segment[4 + len(ICC) + 2 :])
        elif marker == SOS:
            # In the scans, no byte but that of an end mark follows FF as D9; pictures behind it are not the picture.
            end = content.find(b"\xff\xd9", after)
            interpretation = _interpretation(frame, adobe)
            if end < 0 or not interpretation:
                return None
            return Baseline(b"".join([*kept, content[after : end + 2]]), interpretation, b"".join(profile))
    return None


def _segments(content: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, whole segment and where it begins, up to the first scan."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        if marker < SOF0 or 0xD0 <= marker <= EOI or length < 2:
            return
        yield marker, content[at : at + 2 + length], at
        if marker == SOS:
            return
        at += 2 + length


def _interpretation(frame: bytes, adobe: int) -> str:
    """PS3.5 8.2.1; empty for what a photograph may not have. `frame` is the frame header after its length."""
    if len(frame) < 6 or frame[0] != 8 or len(frame) < 6 + 3 * frame[5]:
        return ""
    if frame[5] == 1:
        return "MONOCHROME2"
    if frame[5] != 3:
        return ""
    if adobe == 0 or frame[6::3][:3] == b"RGB":
        return "RGB"
    return "YBR_FULL" if frame[7] == 0x11 else "YBR_FULL_422"
