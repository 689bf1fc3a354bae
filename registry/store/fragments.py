"""Compressed bodies: zstd with a dictionary that knows what metadata looks like.

A DocumentEntry's ebRIM of 7 KB becomes about half a kilobyte, 10 microseconds in and 4 out, which on PostgreSQL is
cheaper than moving it whole. A row names its dictionary; dictionaries are part of the data and are never removed.
Contexts are not thread safe, so each thread has its own.
"""

import threading
from functools import cache, lru_cache
from importlib.resources import files

import zstandard

CURRENT = 1
LEVEL = 1
REMEMBERED, REMEMBERED_BYTES = 2000, 2000
"""Bodies that a process remembers, and the most that one has compressed: together some 20 MB."""


@cache
def _dictionary(number: int) -> zstandard.ZstdCompressionDict:
    data = files("registry.store").joinpath(f"fragments-{number}.zdict").read_bytes()
    dictionary = zstandard.ZstdCompressionDict(data)
    # Digested once, rather than at each use.
    dictionary.precompute_compress(level=LEVEL)
    return dictionary


class _Contexts(threading.local):
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(LEVEL, dict_data=_dictionary(CURRENT))
        self.decompressors: dict[int, zstandard.ZstdDecompressor] = {}


_contexts = _Contexts()


def compress(body: bytes) -> bytes:
    """`body` compressed with dictionary `CURRENT`."""
    return bytes(_contexts.compressor.compress(body))


def decompress(data: bytes, dictionary: int = CURRENT) -> bytes:
    """The body again. `dictionary` is the row's."""
    return (_remembered if len(data) <= REMEMBERED_BYTES else _decompress)(data, dictionary)


def _decompress(data: bytes, dictionary: int) -> bytes:
    known = _contexts.decompressors.get(dictionary)
    if known is None:
        known = _contexts.decompressors[dictionary] = zstandard.ZstdDecompressor(dict_data=_dictionary(dictionary))
    return bytes(known.decompress(data))


# Who looks at a patient asks for the same records several times within minutes, through one face and another. Known by
# its content, what is remembered can never be stale. A hit saves four fifths; a miss costs a tenth more.
_remembered = lru_cache(maxsize=REMEMBERED)(_decompress)
