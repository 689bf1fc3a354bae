"""DICOM files written byte by byte for the tests, and the real ones that come with pydicom (no download)."""

import io
import struct
from pathlib import Path

import pytest
from pydicom.data import get_testdata_files

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.scanner import LIMITS, scan

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
RLE = "1.2.840.10008.1.2.5"
CT = "1.2.840.10008.5.1.4.1.1.2"
SOP, STUDY, SERIES = "1.2.3.4.5", "1.2.3.4", "1.2.3.4.6"
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
UNDEFINED = 0xFFFFFFFF
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def element(tag, vr, value=b"", *, length=None, order="<"):
    """One explicit VR element; `length` overrides the true one."""
    raw = value if isinstance(value, bytes) else value.encode()
    if len(raw) % 2:
        raw += b"\0" if vr in ("UI", "OB", "UN") else b" "
    said = len(raw) if length is None else length
    head = struct.pack(f"{order}HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + struct.pack(f"{order}2xI" if vr in LONG else f"{order}H", said) + raw


def implicit(tag, value=b"", *, length=None):
    """One implicit VR element."""
    raw = value if isinstance(value, bytes) else value.encode()
    raw += b" " * (len(raw) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(raw) if length is None else length) + raw


def item(content=b"", *, length=None):
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content


def sequence(tag, *items):
    return element(tag, "SQ", b"".join(map(item, items)))


def identity(order="<"):
    """The four UIDs that every object has: those of group 8, and those of group 20."""
    first = element(0x00080016, "UI", CT, order=order) + element(0x00080018, "UI", SOP, order=order)
    return first, element(0x0020000D, "UI", STUDY, order=order) + element(0x0020000E, "UI", SERIES, order=order)


def data_set(between=b"", after=b"", before=b""):
    """A whole explicit VR little endian data set with other elements about its UIDs."""
    first, second = identity()
    return before + first + between + second + after


def part10(data, syntax=EXPLICIT, *, sop=SOP, meta=b"", group_length=None):
    """Preamble, prefix, group 2 and the data set."""
    group = element(0x00020002, "UI", CT) + element(0x00020003, "UI", sop) + element(0x00020010, "UI", syntax) + meta
    said = struct.pack("<I", len(group) if group_length is None else group_length)
    return bytes(128) + b"DICM" + element(0x00020000, "UL", said) + group + data


def real_files():
    """The DICOM files of pydicom's installation."""
    for name in sorted(get_testdata_files()):
        path = Path(name)
        if path.is_file() and (path.suffix == ".dcm" or path.read_bytes()[128:132] == b"DICM"):
            yield path


def real_file(name):
    return next(path for path in real_files() if path.name == name)


def scanned(data, limits=LIMITS):
    return scan(io.BytesIO(data), len(data), limits)


def refused(data, limits=LIMITS):
    with pytest.raises(Rejected) as caught:
        scanned(data, limits)
    assert {f.code for f in caught.value.findings} <= {ErrorCode.DicomUnreadable, ErrorCode.DicomMismatch}
    assert all(f.where and f.source for f in caught.value.findings)
    return str(caught.value)
