"""The program that decodes pixels: started by `decoder.py`, one process of its own, never imported by the server.

The host itself touches nothing from outside. For each job it forks a child, which may spend so much memory and
processor time, can open no file and no socket, and answers on the one socket that came with the job. Codecs are loaded
before the fork, so a child costs some milliseconds. A child that is killed has simply not answered.

A job is a 4-byte length, that much JSON, and the frame's bytes; an answer is a byte `0` (done) or `1` (refused), a
4-byte length, that much JSON, and the bytes of the result until the socket ends.
"""

import io
import json
import os
import resource
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder, get_encoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 5
WALL_SECONDS = 15
LENGTH = struct.Struct("<I")
LARGEST_SIDE = 32_768
PHOTOGRAPH_PIXELS = 64 << 20
# Exif 2.32, 4.6.
ORIENTATION, DATE_TIME, EXIF_IFD, DATE_TIME_ORIGINAL = 0x0112, 0x0132, 0x8769, 0x9003
PALETTE = "PALETTE COLOR"
INVERTED = "MONOCHROME1"


class Refused(Exception):
    """What cannot be done, in words."""


def decoded(syntax: str, image: Mapping[str, Any], frame: bytes) -> tuple[np.ndarray, dict[str, Any]]:
    """The frame's samples, colour as RGB by pixel, with the attributes as they became."""
    decoder = get_decoder(UID(syntax))
    source = encapsulate([frame], has_bot=False) if UID(syntax).is_encapsulated else frame
    pixels, meta = decoder.as_array(source, index=0, number_of_frames=1, **image)
    return pixels, {name: value for name, value in meta.items() if isinstance(value, str | int)}


def transcode(job: Mapping[str, Any], frame: bytes) -> tuple[dict[str, Any], bytes]:
    """The frame as Explicit VR Little Endian has it."""
    pixels, meta = decoded(job["syntax"], job["image"], frame)
    return meta, np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()


def picture(job: Mapping[str, Any], frame: bytes) -> tuple[dict[str, Any], bytes]:
    """The frame as a picture of 8 bits a sample, seen through its look-up tables and a window (PS3.4 N.2)."""
    pixels, meta = decoded(job["syntax"], job["image"], frame)
    wanted = job["picture"]
    shown: Image.Image = Image.fromarray(_bytes(pixels, meta, _tables(job["attributes"], meta), wanted))
    shown = _placed(shown, wanted)
    out = io.BytesIO()
    if wanted["format"] == "JPEG":
        shown.save(out, "JPEG", quality=wanted["quality"])
    else:
        shown.save(out, wanted["format"])
    return {"columns": shown.width, "rows": shown.height}, out.getvalue()


def _tables(attributes: Mapping[str, Any], meta: Mapping[str, Any]) -> Dataset:
    """The look-up tables and windows, without those that no number can be read from."""
    found = Dataset()
    for tag, attribute in attributes.items():
        with suppress(Exception):
            found.update(Dataset.from_json({tag: attribute}))
    found.PhotometricInterpretation, found.BitsAllocated = meta["photometric_interpretation"], meta["bits_allocated"]
    found.BitsStored = meta.get("bits_stored", found.BitsAllocated)
    found.PixelRepresentation = meta.get("pixel_representation", 0)
    return found


def _bytes(pixels: np.ndarray, meta: Mapping[str, Any], tables: Dataset, wanted: Mapping[str, Any]) -> np.ndarray:
    interpretation = meta["photometric_interpretation"]
    if interpretation == PALETTE:
        pixels = apply_color_lut(pixels, tables)
        return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels.astype(np.uint8)
    if pixels.ndim == 3:
        # Colour has no window of its own: what is deeper than 8 bits is cut to the upper ones (PS3.3 C.11.2).
        spare = max(int(meta.get("bits_stored", 8)) - 8, 0)
        return (pixels >> spare).clip(0, 255).astype(np.uint8)
    values = _windowed(apply_modality_lut(pixels, tables), tables, wanted)
    inverse = interpretation == INVERTED or tables.get("PresentationLUTShape") == "INVERSE"
    return 255 - values if inverse else values


def _windowed(values: np.ndarray, tables: Dataset, wanted: Mapping[str, Any]) -> np.ndarray:
    if wanted["window"] is not None:
        center, width, function = wanted["window"]
        tables.WindowCenter, tables.WindowWidth, tables.VOILUTFunction = center, width, function
        values = apply_windowing(values, tables)
    else:
        try:
            return _by_file(values, tables)
        except (ValueError, AttributeError, TypeError, IndexError, KeyError):
            return _whole_range(values)
    return _stretched(values, *_range(tables))


def _by_file(values: np.ndarray, tables: Dataset) -> np.ndarray:
    """By the object's own look-up table or window; ValueError and the like where these are none."""
    if "VOILUTSequence" in tables:
        bits = int(tables.VOILUTSequence[0].LUTDescriptor[2])
        return _stretched(apply_voi_lut(values, tables), 0, (1 << bits) - 1)
    if "WindowCenter" not in tables:
        return _whole_range(values)
    return _stretched(apply_windowing(values, tables), *_range(tables))


def _whole_range(values: np.ndarray) -> np.ndarray:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return _stretched(values, float(finite.min()), float(finite.max())) if finite.size else _stretched(values, 0, 1)


def _range(tables: Dataset) -> tuple[float, float]:
    """What `apply_windowing` spreads a window over: all that the stored bits can say, after the modality's slope."""
    bits, signed = int(tables.BitsStored), int(tables.PixelRepresentation)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if tables.get("ModalityLUTSequence"):
        return 0, (1 << int(tables.ModalityLUTSequence[0].LUTDescriptor[2])) - 1
    slope, intercept = float(tables.get("RescaleSlope") or 1), float(tables.get("RescaleIntercept") or 0)
    return tuple(sorted((low * slope + intercept, high * slope + intercept)))  # type: ignore[return-value]


def _stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = (np.nan_to_num(values.astype(np.float32)) - low) * (255.0 / ((high - low) or 1))
    return scaled.round().clip(0, 255).astype(np.uint8)


def _placed(shown: Image.Image, wanted: Mapping[str, Any]) -> Image.Image:
    """Cut to the region asked for, and scaled to fit the viewport with its proportions kept (PS3.18 8.3.5.1.3)."""
    if wanted["region"] is not None:
        left, top, width, height, flipped, turned = wanted["region"]
        box = (max(left, 0), max(top, 0), min(left + width, shown.width), min(top + height, shown.height))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise Refused("The region asked for lies outside the image")
        shown = shown.crop(box)
        if flipped:
            shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if turned:
            shown = shown.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if wanted["viewport"] is not None:
        columns, rows = wanted["viewport"]
        factor = min((columns or LARGEST_SIDE) / shown.width, (rows or LARGEST_SIDE) / shown.height)
        size = (max(round(shown.width * factor), 1), max(round(shown.height * factor), 1))
        shown = shown.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return shown


def photograph(job: Mapping[str, Any], file: bytes) -> tuple[dict[str, Any], bytes]:
    """A camera's JPEG or PNG: what is seen, and its samples upright; none if `keep` and it stands so."""
    shown: Image.Image = Image.open(io.BytesIO(file), formats=("JPEG", "PNG"))
    if shown.width * shown.height > PHOTOGRAPH_PIXELS or max(shown.size) > LARGEST_SIDE:
        raise Refused(f"The picture has more than {PHOTOGRAPH_PIXELS} pixels, or a side above {LARGEST_SIDE}")
    shown.load()
    exif = shown.getexif()
    orientation = exif.get(ORIENTATION, 1)
    meta = {"orientation": orientation if orientation in range(9) else 1, "taken": _taken(exif), "bits": 8}
    shown = ImageOps.exif_transpose(shown)
    if shown.mode.startswith("I;16") or shown.mode == "I":
        samples = np.asarray(shown).clip(0, 65535).astype("<u2")
        meta |= {"bits": 16, "samples": 1}
    else:
        samples = np.asarray(_opaque(shown))
        meta |= {"samples": 3 if samples.ndim == 3 else 1}
    meta |= {"rows": shown.height, "columns": shown.width}
    return meta, b"" if job["keep"] and meta["orientation"] in (0, 1) else samples.tobytes()


def _opaque(shown: Image.Image) -> Image.Image:
    """In grey or RGB, what is transparent on white."""
    if shown.mode in ("1", "L"):
        return shown.convert("L")
    if shown.mode in ("LA", "PA", "RGBA") or "transparency" in shown.info:
        shown = shown.convert("RGBA")
        white = Image.new("RGB", shown.size, "white")
        white.paste(shown, mask=shown.getchannel("A"))
        return white
    return shown.convert("RGB")


def _taken(exif: Image.Exif) -> str:
    """When the camera says that it was taken: 14 digits, or empty."""
    said = str(exif.get_ifd(EXIF_IFD).get(DATE_TIME_ORIGINAL, "") or exif.get(DATE_TIME, ""))
    digits = "".join(letter for letter in said if letter.isascii() and letter.isdigit())
    return digits if len(digits) == 14 and "0101" <= digits[4:8] <= "1231" and digits[8:] < "236000" else ""


WORK: Mapping[str, Callable[[Mapping[str, Any], bytes], tuple[dict[str, Any], bytes]]] = {
    "transcode": transcode,
    "picture": picture,
    "photograph": photograph,
}


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """The next `size` bytes."""
    held = bytearray(size)
    view, at = memoryview(held), 0
    while at < size:
        got = connection.recv_into(view[at:])
        if not got:
            raise Refused("The job was cut off")
        at += got
    return bytes(held)


def answer(connection: socket.socket) -> None:
    """One job, in the child: within the limits, and whatever happens one answer or none."""
    limit()
    try:
        job = json.loads(read_exactly(connection, *LENGTH.unpack(read_exactly(connection, 4))))
        frame = read_exactly(connection, job["size"])
        meta, result = WORK[job["work"]](job, frame)
        status = b"0"
    except MemoryError:
        status, meta, result = b"1", {"text": "decoding needs more memory than it may have"}, b""
    except Exception as error:
        status, meta, result = b"1", {"text": f"{type(error).__name__}: {str(error)[:300]}"}, b""
    head = json.dumps(meta).encode()
    connection.sendall(status + LENGTH.pack(len(head)) + head)
    connection.sendall(result)


def limit() -> None:
    """Bounds that cannot be lifted again: memory, time, and no new descriptor, hence no file and no network."""
    signal.alarm(WALL_SECONDS)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (most, most))


def warm_up() -> None:
    """Load all that a child may need, for it can open no file; a child's own fault must not be a missing module."""
    for syntax in AllTransferSyntaxes:
        try:
            get_decoder(syntax)
        except NotImplementedError:
            continue
    for format_ in ("JPEG", "PNG", "GIF"):
        held = io.BytesIO()
        Image.new("L", (8, 8)).save(held, format_)
        with Image.open(io.BytesIO(held.getvalue())) as read:
            read.load()
    turned, held = Image.Exif(), io.BytesIO()
    turned[ORIENTATION] = 6
    Image.new("RGB", (8, 8)).save(held, "JPEG", exif=turned)
    photograph({"keep": False}, held.getvalue())
    image = {
        "rows": 64, "columns": 64, "samples_per_pixel": 1, "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": 8, "bits_stored": 8, "pixel_representation": 0, "pixel_keyword": "PixelData",
    }  # fmt: skip
    black = np.zeros((64, 64), np.uint8)
    for syntax in (ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless):
        frame = black.tobytes()
        if syntax.is_encapsulated:
            frame = get_encoder(syntax).encode(black, **image, number_of_frames=1)
        pixels, meta = decoded(syntax, image, frame)
        Image.fromarray(_bytes(pixels, meta, _tables({}, meta), {"window": None}))


def serve(channel: socket.socket) -> None:
    """Take jobs until the server is gone: each is one message with one socket."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        if not message:
            return
        connection = socket.socket(fileno=descriptors[0])
        if os.fork() == 0:
            channel.close()
            try:
                answer(connection)
            finally:
                os._exit(0)
        connection.close()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    warm_up()
    serve(socket.socket(fileno=int(sys.argv[1])))
