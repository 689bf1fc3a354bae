"""Ranges of bulk values, wherever their pieces lie and whatever the byte order."""

import io
from array import array

import pytest

from repository.imaging.bulk import Bulk, word_of
from repository.imaging.encapsulated import Span

FILE = bytes(range(100))
SPANS = (Span(10, 7), Span(40, 0), Span(50, 13))
VALUE = FILE[10:17] + FILE[50:63]


@pytest.mark.parametrize("start", range(0, 20, 3))
@pytest.mark.parametrize("stop", [1, 7, 8, 19, 20, None])
def test_a_range_over_pieces(start, stop):
    bulk = Bulk(SPANS, lambda: io.BytesIO(FILE))
    assert bulk.size == len(VALUE)
    if stop is None or start < stop:
        assert b"".join(bulk.read(start, stop)) == VALUE[start:stop]


@pytest.mark.parametrize(("width", "letter"), [(2, "H"), (4, "I"), (8, "Q")])
@pytest.mark.parametrize(("start", "stop"), [(0, None), (1, 2), (3, 64), (7, 9), (0, 1), (63, 64)])
def test_words_are_turned_about_whatever_the_range(width, letter, start, stop):
    words = array(letter, FILE[:64])
    words.byteswap()
    bulk = Bulk((Span(0, 64),), lambda: io.BytesIO(FILE), width)
    assert b"".join(bulk.read(start, stop)) == words.tobytes()[start:stop]


def test_the_length_of_a_word_is_that_of_the_vr_at_the_path():
    data = {"00400100": {"vr": "SQ", "Value": [{}, {"00091010": {"vr": "OW"}}]}, "7FE00010": {"vr": "OB"}}
    assert (word_of(data, "00400100/1/00091010"), word_of(data, "7FE00010")) == (2, 1)
