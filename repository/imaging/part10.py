"""The head of a DICOM file: preamble, prefix and File Meta Information (PS3.10 7.1)."""

import re
import struct
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from pydicom.config import IGNORE
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from repository.imaging.encapsulated import unreadable
from repository.imaging.values import LONG_FORM
from repository.imaging.walk import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding

PREAMBLE = 128
# Far more than any File Meta Information needs, and with it the whole metadata of most objects: one read.
HEAD = 32 * 1024
SOURCE = "PS3.10 7.1"
UID_FORM = re.compile(r"[0-9.]{1,64}")
_HEADER = struct.Struct("<HH2sH")


class FileMeta(NamedTuple):
    """What the head says of the data set, which starts at byte `data_set`. SOP UIDs are empty when left out.

    `head` is the first `HEAD` bytes of the file, read once for both.
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    data_set: int
    head: bytes

    @property
    def encoding(self) -> Encoding:
        """How the data set's elements are written: all but two syntaxes are explicit little endian (PS3.5 A.4)."""
        if self.transfer_syntax_uid == ImplicitVRLittleEndian:
            return IMPLICIT_LITTLE
        return EXPLICIT_BIG if self.transfer_syntax_uid == ExplicitVRBigEndian else EXPLICIT_LITTLE


@lru_cache(maxsize=256)
def is_encapsulated(transfer_syntax_uid: str) -> bool | None:
    """Whether the transfer syntax holds Pixel Data in fragments; None when it is none that PS3.6 knows."""
    uid = UID(transfer_syntax_uid, IGNORE)
    return bool(uid.is_encapsulated) if uid.is_transfer_syntax and not uid.is_private else None


@lru_cache(maxsize=256)
def is_deflated(transfer_syntax_uid: str) -> bool:
    """Whether the transfer syntax compresses the whole data set (PS3.5 A.5, and its JPIP variants)."""
    uid = UID(transfer_syntax_uid, IGNORE)
    return bool(uid == DeflatedExplicitVRLittleEndian or uid.name.endswith("Referenced Deflate"))


def is_uid(text: str) -> bool:
    """Digits and dots, at most 64: safe in a key. Components with leading zeroes occur and are let pass."""
    return UID_FORM.fullmatch(text) is not None


def read_file_meta(file: BinaryIO, size: int) -> FileMeta:
    """The head of a DICOM file of `size` bytes.

    Raises:
        Rejected: with DicomUnreadable: no preamble and prefix, a broken group 2, no or a refused transfer syntax.
    """
    file.seek(0)
    head = file.read(min(size, HEAD))
    if head[PREAMBLE : PREAMBLE + 4] != b"DICM":
        text = "This is no DICOM file: the letters DICM must follow a preamble of 128 bytes."
        raise unreadable(f"byte {PREAMBLE}", text, SOURCE)
    found, end = _group_2(head)
    announced = found.get(0x0000, b"")
    if len(announced) == 4 and PREAMBLE + 16 + int.from_bytes(announced, "little") != end:
        raise unreadable("(0002,0000)", "The group length does not lead to the end of group 2.", SOURCE)
    transfer_syntax, sop_class, sop_instance = (_uid(found.get(element, b"")) for element in (0x0010, 0x0002, 0x0003))
    meta = FileMeta(transfer_syntax, sop_class, sop_instance, end, head)
    if not is_uid(meta.transfer_syntax_uid):
        raise unreadable("(0002,0010)", "The Transfer Syntax UID is missing or is not a UID.", SOURCE)
    if is_deflated(meta.transfer_syntax_uid):
        # A few bytes of these become gigabytes, and nothing within can be reached by a seek.
        text = "Deflated data sets are not taken: send the object in an explicit VR transfer syntax."
        raise unreadable("(0002,0010)", text, "PS3.5 A.5")
    return meta


def _group_2(head: bytes) -> tuple[dict[int, bytes], int]:
    """The values of group 2 by element number, and the byte after them."""
    found: dict[int, bytes] = {}
    at = PREAMBLE + 4
    while head[at : at + 2] == b"\x02\x00":
        where = f"(0002,{int.from_bytes(head[at + 2 : at + 4], 'little'):04X}) at byte {at}"
        if at + 12 > len(head):
            raise unreadable(where, "The file ends within its File Meta Information.", SOURCE)
        _, element, vr, length = _HEADER.unpack_from(head, at)
        start = at + 8
        if vr in LONG_FORM:
            length, start = int.from_bytes(head[at + 8 : at + 12], "little"), at + 12
        if not vr.isalpha():
            raise unreadable(where, "File Meta Information must be in explicit VR little endian.", SOURCE)
        if element in found:
            raise unreadable(where, "The element occurs twice.", SOURCE)
        if start + length > len(head):
            text = f"A length of {length} bytes is stated where {len(head) - start} are left."
            raise unreadable(where, text, SOURCE)
        found[element] = head[start : start + length]
        at = start + length
    return found, at


def _uid(raw: bytes) -> str:
    return raw.decode("latin-1").strip("\0 ")
