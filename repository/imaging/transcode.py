"""Objects in another transfer syntax than they are stored in: decoded, never compressed (PS3.5 A, PS3.18 8.7.3.5.2).

Stored bytes are given as they are whenever that will do. Else the data set is written anew by pydicom, from an object
that was scanned when it came, and its frames are decoded one by one in a process of their own. All of it is made
before any of it is given, so that what cannot be done is said and never half sent.
"""

import struct
from collections.abc import Iterator, Sequence
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, Final

from pydicom import DataElement, Dataset, dcmread, dcmwrite
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.bulk import swapped
from repository.imaging.decoder import undecodable
from repository.imaging.part10 import PREAMBLE
from repository.imaging.pixels import Pixels, pixels_of
from repository.imaging.tags import Tag
from repository.store.imaging import HeldInstance

MADE: Final = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
"""Transfer syntaxes that any object can be given in, the better one first."""

PIXELS: Final = int(Tag.PIXEL_DATA, 16)
BLOCK: Final = 256 * 1024
IN_MEMORY: Final = 16 * 2**20
LARGEST_REST: Final = 64 * 2**20
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WORDS = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
_SOURCE = "PS3.18, 8.7.3.5.2"


def transcoded(imaging: Any, held: HeldInstance, accepted: Sequence[str] | None) -> tuple[str, Iterator[bytes], int]:
    """The object as a DICOM file: its transfer syntax UID, its bytes, and how many they are.

    The stored bytes when their syntax is among `accepted`, or `accepted` is None or holds `*`; else the first of `MADE`
    that is accepted. A preamble goes out only where it makes the file a TIFF too (PS3.10 7.1), for any other is a
    program to somebody; of the data set not a byte is changed.

    Raises:
        Rejected: WadoTransferSyntax when no accepted syntax can be made, NotAcceptable when the pixels cannot be
            decoded, XDSRepositoryError when the stored bytes are damaged.
    """
    syntax = chosen(held, accepted)
    if syntax == held.transfer_syntax_uid:
        return syntax, as_stored(imaging.open(held)), held.size
    made = _made(imaging, held, syntax)
    size = made.tell()
    made.seek(0)
    return syntax, blocks(made), size


def chosen(held: HeldInstance, accepted: Sequence[str] | None) -> str:
    """The transfer syntax that the object would be given in; nothing is decoded yet.

    Raises:
        Rejected: WadoTransferSyntax when none of `accepted` is stored or can be made.
    """
    stored = held.transfer_syntax_uid
    if accepted is None or "*" in accepted or stored in accepted:
        return stored
    possible = MADE if is_decodable(held) else ()
    for syntax in possible:
        if syntax in accepted:
            return syntax
    text = f"The object can be given in these transfer syntaxes: {', '.join(dict.fromkeys((stored, *possible)))}"
    raise Rejected.because(ErrorCode.WadoTransferSyntax, held.uid, text, _SOURCE)


def is_decodable(held: HeldInstance) -> bool:
    """Whether the object may be given in the syntaxes of `MADE`: what is told before anything is decoded."""
    return held.pixels is None or pixels_of(held).is_decodable


def as_stored(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a DICOM file that is closed at their end, with a preamble that nobody runs."""
    with file:
        preamble = file.read(PREAMBLE)
        yield preamble if preamble.startswith(_TIFF) else bytes(len(preamble))
        yield from blocks(file)


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The rest of a file that is closed at its end."""
    with file:
        while block := file.read(BLOCK):
            yield block


def _made(imaging: Any, held: HeldInstance, syntax: str) -> IO[bytes]:
    pixels = pixels_of(held) if held.pixels else None
    spool: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
    try:
        with imaging.open(held) as file:
            data = _data_set(file, held, pixels)
            _write_head(spool, data, held, syntax)
            if pixels:
                _write_pixels(spool, imaging, held, file, pixels, syntax)
                _write_tail(spool, data, held, syntax)
    except BaseException:
        spool.close()
        raise
    return spool


def _data_set(file: BinaryIO, held: HeldInstance, pixels: Pixels | None) -> Dataset:
    """All of the object but its pixels, with the attributes that decoding changes."""
    if held.size - (pixels.end - pixels.start if pixels else 0) > LARGEST_REST:
        raise undecodable(f"{held.uid} has more than {LARGEST_REST} bytes besides its pixels")
    rest = file.read(pixels.start if pixels else held.size)
    if pixels:
        file.seek(pixels.end)
        rest += file.read()
    try:
        data = dcmread(BytesIO(rest), force=True)
        if held.transfer_syntax_uid == ExplicitVRBigEndian:
            data.walk(_swap)
    except Exception as error:
        raise _unwritable(held, error) from error
    for tag in (Tag.EXTENDED_OFFSET_TABLE, Tag.EXTENDED_OFFSET_TABLE_LENGTHS):
        data.pop(int(tag, 16), None)
    for keyword, value in (pixels.decoded_attributes if pixels else {}).items():
        setattr(data, keyword, value)
    return data


def _write_head(spool: IO[bytes], data: Dataset, held: HeldInstance, syntax: str) -> None:
    head = data[:PIXELS]
    head.file_meta = data.file_meta
    head.file_meta.TransferSyntaxUID = syntax
    # What an object leaves out of its File Meta Information is what the scanner let pass.
    head.file_meta.MediaStorageSOPClassUID, head.file_meta.MediaStorageSOPInstanceUID = held.sop_class_uid, held.uid
    try:
        dcmwrite(spool, head, implicit_vr=_implicit(syntax), little_endian=True, enforce_file_format=True)
    except Exception as error:
        raise _unwritable(held, error) from error


def _write_tail(spool: IO[bytes], data: Dataset, held: HeldInstance, syntax: str) -> None:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, _implicit(syntax)
    try:
        write_dataset(out, data[PIXELS + 1 :])
    except Exception as error:
        raise _unwritable(held, error) from error
    spool.write(out.getvalue())


def _write_pixels(
    spool: IO[bytes], imaging: Any, held: HeldInstance, file: BinaryIO, pixels: Pixels, syntax: str
) -> None:
    place = pixels.place
    length = pixels.frame_bytes * pixels.frames if place.encapsulated else place.length
    spool.write(_element(place.vr, pixels, length + length % 2, syntax))
    if place.encapsulated:
        for samples in decoded_frames(imaging, held, pixels, range(1, pixels.frames + 1)):
            spool.write(samples)
    else:
        file.seek(place.offset)
        width = max(_WORDS.get(place.vr, 1), int(pixels.image["bits_allocated"]) // 8 if place.vr == "OW" else 1)
        left = length
        while left and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            spool.write(swapped(block, width) if place.big_endian else block)
    spool.write(bytes(length % 2))


def _element(vr: str, pixels: Pixels, length: int, syntax: str) -> bytes:
    """The head of the element that holds the pixels."""
    element = {"OF": 0x0008, "OD": 0x0009}.get(vr, 0x0010)
    if pixels.place.encapsulated:
        vr = "OW" if int(pixels.image["bits_allocated"]) > 8 else "OB"
    if _implicit(syntax):
        return struct.pack("<HHI", 0x7FE0, element, length)
    return struct.pack("<HH2s2xI", 0x7FE0, element, vr.encode(), length)


def decoded_frames(imaging: Any, held: HeldInstance, pixels: Pixels, numbers: Sequence[int]) -> Iterator[bytes]:
    """Frames by number, from 1, as Explicit VR Little Endian has them, each decoded when it is asked for.

    Raises:
        Rejected: NotFound for a frame that is not there, before the first; NotAcceptable when one cannot be decoded.
    """
    if not pixels.fits:
        text = f"The pixels are too large to be decoded here, or in a form without decoder ({held.transfer_syntax_uid})"
        raise undecodable(text)
    return (_decoded(imaging, held, pixels, frame) for frame in imaging.frames(held, numbers))


def _decoded(imaging: Any, held: HeldInstance, pixels: Pixels, frame: Any) -> bytes:
    stored = b"".join(frame.pieces)
    samples: bytes
    _, samples = imaging.decoder.run("transcode", stored, syntax=held.transfer_syntax_uid, image=pixels.image)
    if len(samples) != pixels.frame_bytes:
        raise undecodable("The decoded pixels are not as many as Rows, Columns, samples and bits say")
    return samples


def _swap(_: Dataset, element: DataElement) -> None:
    """pydicom turns numbers about and leaves words in byte strings as they are."""
    if isinstance(element.value, bytes) and element.VR in _WORDS:
        element.value = swapped(element.value, _WORDS[element.VR])


def _implicit(syntax: str) -> bool:
    return bool(syntax == ImplicitVRLittleEndian)


def _unwritable(held: HeldInstance, error: Exception) -> Rejected:
    return undecodable(f"{held.uid} cannot be written in another transfer syntax: {type(error).__name__}")
