"""DICOM JSON as the index keeps it: compressed with zstd, whose contexts belong to one thread each."""

import threading
from typing import Any

import orjson
import zstandard

LEVEL = 3


class _Contexts(threading.local):
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def pack(data: Any) -> bytes:
    """`data`, one data set of the DICOM JSON model, as stored."""
    return bytes(_contexts.compressor.compress(orjson.dumps(data)))


def unpack(packed: bytes) -> bytes:
    """The JSON text (UTF-8, without white space) of what `pack` made."""
    return bytes(_contexts.decompressor.decompress(packed))


def read(packed: bytes) -> dict[str, Any]:
    """The data set of what `pack` made."""
    data: dict[str, Any] = orjson.loads(unpack(packed))
    return data
