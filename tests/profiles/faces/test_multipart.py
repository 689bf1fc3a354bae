"""multipart/related: the dialects of the field are read, everything that could be cut two ways is refused."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from profiles.faces.multipart import BLOCK, Limits, parameters, read_parts, write_parts
from registry.metadata.errors import ErrorCode, Rejected

TYPE = 'multipart/related; boundary="sep"; type="application/xop+xml"'
GOOD = (
    b"--sep\r\nContent-Type: application/xop+xml\r\nContent-ID: <root@x>\r\n\r\n<e/>\r\n"
    b"--sep\r\nContent-Type: text/plain\r\nContent-ID: <1@x>\r\n\r\nhello\r\nthere\r\n--sep--\r\n"
)


def reader(body: bytes, size: int = BLOCK):
    """A `read` that gives at most `size` bytes at once."""
    at = 0

    def read(n: int) -> bytes:
        nonlocal at
        piece = body[at : at + min(n, size)]
        at += len(piece)
        return piece

    return read


def parts(body: bytes, content_type: str = TYPE, size: int = BLOCK, limits: Limits | None = None):
    return [(p.headers, b"".join(p.chunks)) for p in read_parts(content_type, reader(body, size), limits)]


def contents(body: bytes, content_type: str = TYPE, size: int = BLOCK) -> list[bytes]:
    return [content for _, content in parts(body, content_type, size)]


def refusal(body: bytes, content_type: str = TYPE, limits: Limits | None = None) -> Rejected:
    """The refusal, the same in one read and byte by byte."""
    found = []
    for size in (BLOCK, 1):
        with pytest.raises(Rejected) as caught:
            parts(body, content_type, size, limits)
        found.append(caught.value)
    assert found[0].findings == found[1].findings
    assert len(str(found[0])) < 500
    return found[0]


@pytest.mark.parametrize("size", [1, 2, 7, BLOCK])
def test_a_message_is_read(size):
    (root, first), (other, second) = parts(GOOD, size=size)
    assert root == {"content-type": "application/xop+xml", "content-id": "<root@x>"}
    assert (first, second) == (b"<e/>", b"hello\r\nthere")
    assert other["content-id"] == "<1@x>"


DIALECTS = {
    "LF throughout": (TYPE, GOOD.replace(b"\r\n", b"\n"), b"hello\nthere"),
    "blanks after boundary and header lines": (
        TYPE,
        GOOD.replace(b"--sep\r\n", b"--sep \t\r\n").replace(b"@x>\r\n", b"@x> \r\n"),
        b"hello\r\nthere",
    ),
    "blanks and LF": (TYPE, GOOD.replace(b"\r\n", b"\n").replace(b"--sep\n", b"--sep \n"), b"hello\nthere"),
    "empty line first": (TYPE, b"\r\n" + GOOD, b"hello\r\nthere"),
    "preamble": (TYPE, b"This is a multi-part message.\r\nIn MIME.\r\n" + GOOD, b"hello\r\nthere"),
    "epilogue": (TYPE, GOOD + b"bye\r\n", b"hello\r\nthere"),
    "no line end at the end": (TYPE, GOOD[:-2], b"hello\r\nthere"),
    "blanks after the closing boundary": (TYPE, GOOD[:-2] + b"  \r\n", b"hello\r\nthere"),
    "header names in lower case, no blank": (
        TYPE,
        GOOD.replace(b"Content-Type: ", b"content-type:").replace(b"Content-ID: ", b"content-id:"),
        b"hello\r\nthere",
    ),
    "folded header": (TYPE, GOOD.replace(b"text/plain", b"text/plain;\r\n\tname=x"), b"hello\r\nthere"),
    "unquoted boundary with odd characters": (
        "Multipart/Related;boundary=uuid:37-6a+id=17;type=application/xop+xml",
        GOOD.replace(b"--sep", b"--uuid:37-6a+id=17"),
        b"hello\r\nthere",
    ),
    "quoted boundary with blanks": (
        'multipart/related; boundary="a b"',
        GOOD.replace(b"--sep", b"--a b"),
        b"hello\r\nthere",
    ),
    "longest boundary": (f"multipart/related; boundary={'b' * 70}", GOOD.replace(b"sep", b"b" * 70), b"hello\r\nthere"),
    "8bit": (TYPE, GOOD.replace(b"Content-ID", b"Content-Transfer-Encoding: 8bit\r\nContent-ID"), b"hello\r\nthere"),
    "Latin-1 file name": (
        TYPE,
        GOOD.replace(b"Content-ID", b"Content-Disposition: attachment; name=\xe5.pdf\r\nContent-ID"),
        b"hello\r\nthere",
    ),
}


@pytest.mark.parametrize(("content_type", "body", "expected"), DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("size", [1, 5, BLOCK])
def test_dialects(content_type, body, expected, size):
    assert contents(body, content_type, size)[1] == expected


@pytest.mark.parametrize(
    ("given", "mime", "expected"),
    [
        ("Application/SOAP+XML", "application/soap+xml", {}),
        (" a/b ; Charset = UTF-8 ;", "a/b", {"charset": "UTF-8"}),
        ('a/b; start-info="s"; charset=utf-8', "a/b", {"start-info": "s", "charset": "utf-8"}),
        ('a/b; boundary="x;y=z"', "a/b", {"boundary": "x;y=z"}),
        (r'a/b; x="q\"\\u"', "a/b", {"x": r'q"\u'}),
        (
            "a/b; boundary=uuid:1+id=17; type=application/xop+xml",
            "a/b",
            {"boundary": "uuid:1+id=17", "type": "application/xop+xml"},
        ),
        ('a/b; boundary="u";\r\n    start="<r@c>"', "a/b", {"boundary": "u", "start": "<r@c>"}),
        ("a/b; start=<0.urn:uuid:3D@apache.org>", "a/b", {"start": "<0.urn:uuid:3D@apache.org>"}),
        ('a/b; x=""', "a/b", {"x": ""}),
        ("a/b; x=1; X=1", "a/b", {"x": "1"}),
    ],
)
def test_parameters(given, mime, expected):
    assert parameters(given) == (mime, expected)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "multipart",
        "/",
        "a/b/c",
        "a b/c",
        'a/b; x="1',
        'a/b; x="1" 2',
        "a/b; x",
        "a/b; =1",
        'a/b; x=a"b"',
        "a/b; x=1; x=2",
        "a/b; x=\0",
        "a/b\r\nX: y",
        "a/b; x=" + "y" * 4096,
        'a/b; x="\\',
    ],
)
def test_unreadable_content_types(given):
    with pytest.raises(Rejected):
        parameters(given)


BAD = {
    "nothing": b"",
    "no boundary at all": b"hello",
    "no closing boundary": GOOD.replace(b"--sep--\r\n", b""),
    "closing boundary half": GOOD[:-3],
    "only the closing boundary": b"--sep--\r\n",
    "boundary goes on": GOOD.replace(b"--sep\r\nContent-Type: text", b"--sepx\r\nContent-Type: text"),
    "a content holds the boundary": GOOD.replace(b"hello", b"hello\r\n--sep hidden"),
    "closing boundary goes on": GOOD[:-2] + b"x\r\n",
    "LF in a CR LF message's headers": GOOD.replace(b"plain\r\n", b"plain\n"),
    "LF after a later boundary": GOOD.replace(b"--sep\r\nContent-Type: text", b"--sep\nContent-Type: text"),
    "CR LF in an LF message's headers": GOOD.replace(b"\r\n", b"\n").replace(b"plain\n", b"plain\r\n"),
    "CR LF after a later boundary of an LF message": GOOD.replace(b"\r\n", b"\n").replace(
        b"--sep\nContent-Type: text", b"--sep\r\nContent-Type: text"
    ),
    "CR in a header": GOOD.replace(b"text/plain", b"text/plain\rX: y"),
    "NUL in a header": GOOD.replace(b"text/plain", b"text/\0plain"),
    "header without colon": GOOD.replace(b"Content-Type: text/plain", b"Content-Type text/plain"),
    "header without name": GOOD.replace(b"Content-Type: text/plain", b": text/plain"),
    "blank in a header's name": GOOD.replace(b"Content-Type: text", b"Content Type: text"),
    "folding before any header": GOOD.replace(b"--sep\r\n", b"--sep\r\n x\r\n", 1),
    "blank line of blanks": GOOD.replace(b"\r\n\r\nhello", b"\r\n \r\nhello"),
    "header twice": GOOD.replace(b"Content-ID: <1@x>", b"Content-ID: <1@x>\r\ncontent-id: <2@x>"),
    "base64": GOOD.replace(b"Content-ID", b"Content-Transfer-Encoding: base64\r\nContent-ID"),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_damaged_bodies_are_refused(body):
    assert refusal(body).findings[0].code is ErrorCode.InvalidRequest


def test_a_missing_end_is_called_truncated():
    assert "truncated" in str(refusal(BAD["no closing boundary"]))


@pytest.mark.parametrize("body", [GOOD, GOOD.replace(b"\r\n", b"\n")], ids=["CR LF", "LF"])
def test_no_prefix_of_a_message_succeeds(body):
    for length in range(len(body.rstrip())):
        refusal(body[:length])


@pytest.mark.parametrize(
    "boundary", ["", "b" * 71, '"sep "', '" "', "såp", '"s\\"p"', '"s\tp"', "s{p", '"' + " " * 71 + '"'], ids=repr
)
def test_boundaries_outside_the_rules_are_refused(boundary):
    assert "boundary" in str(refusal(GOOD, f"multipart/related; boundary={boundary}"))


def test_the_boundary_is_needed():
    assert "boundary" in str(refusal(GOOD, "multipart/related"))


@pytest.mark.parametrize("mime", ["multipart/mixed", "multipart/form-data", "text/xml", "application/soap+xml"])
def test_other_types_are_refused_before_the_first_read(mime):
    with pytest.raises(Rejected) as caught:
        read_parts(f"{mime}; boundary=sep", pytest.fail)
    assert caught.value.status == 415


def with_parts(count: int) -> bytes:
    return b"".join(b"--sep\r\n\r\n\r\n" for _ in range(count)) + b"--sep--"


def with_headers(count: int) -> bytes:
    return b"--sep\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(count)) + b"\r\n\r\n--sep--"


def with_header_bytes(count: int) -> bytes:
    return b"--sep\r\nX: " + b"y" * (count - 7) + b"\r\n\r\n\r\n--sep--"


def with_folds(count: int) -> bytes:
    return b"--sep\r\nX: y\r\n" + b" z\r\n" * ((count - 8) // 4) + b" " * ((count - 8) % 4) + b"\r\n\r\n--sep--"


def with_preamble(count: int) -> bytes:
    return b"p" * (count - 2) + b"\r\n" + GOOD


def with_preamble_lines(count: int) -> bytes:
    return b"\r\n" * (count // 2) + b"\n" * (count % 2) + GOOD


def with_epilogue(count: int) -> bytes:
    return GOOD + b"e" * (count - 2)


CAPS = [
    (with_parts, 1000),
    (with_headers, 16),
    (with_header_bytes, 8192),
    (with_preamble, 1024),
    (with_preamble_lines, 1024),
    (with_epilogue, 1024),
]


@pytest.mark.parametrize(("build", "cap"), CAPS)
@pytest.mark.parametrize("size", [1, 100, BLOCK])
def test_a_cap_lets_through_what_it_says(build, cap, size):
    parts(build(cap), size=size)


@pytest.mark.parametrize(("build", "cap"), CAPS)
def test_one_over_a_cap_is_refused(build, cap):
    refused = refusal(build(cap + 1))
    assert refused.status == 400
    assert refused.findings[0].source == "limit of this server"


def test_folded_lines_count_as_header_bytes():
    assert "headers of a part" in str(refusal(with_folds(8192 * 2)))


def test_endless_lines_are_cut_off():
    """Each place where a line is awaited, fed for ever."""
    for begin in (b"", b"--sep", b"--sep\r\nX: ", b"--sep\r\n\r\n\r\n--sep", b"--sep\r\n\r\n\r\n--sep--"):
        for filler in (b"x", b" "):
            taken = 0

            def read(n: int, begin: bytes = begin, filler: bytes = filler) -> bytes:
                nonlocal taken
                block = (begin if not taken else b"") + filler * 1024
                taken += 1
                return block[:n]

            with pytest.raises(Rejected):
                list(read_parts(TYPE, read))
            assert taken < 32


NEAR_BOUNDARY = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"-", b"--", b"--se", b"\r\n--se", b"sep", b"x", b"\0", b"\r\n--", b"\r\r\n"]
    ),
    max_size=30,
).map(b"".join)


@given(
    contents_=st.lists(st.one_of(st.binary(max_size=300), NEAR_BOUNDARY), min_size=1, max_size=5),
    size=st.integers(1, 97),
)
@example(contents_=[b"\r\n--se", b"", b"\r", b"\r\n"], size=1)
@example(contents_=[b"--se"], size=3)
def test_what_is_written_is_read_however_it_is_cut(contents_, size):
    whole = [c.replace(b"--sep", b"--sap") for c in contents_]
    body = b"".join(write_parts("sep", [([("Content-ID", f"<{n}>")], [c[:5], c[5:]]) for n, c in enumerate(whole)]))
    assert contents(body, size=size) == whole


@given(st.data())
def test_mutated_messages_are_read_or_rejected(data):
    body = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(NEAR_BOUNDARY)
    size = data.draw(st.integers(1, 40))

    def outcome(size: int):
        try:
            return parts(bytes(body), size=size)
        except Rejected as refused:
            return refused.findings

    assert outcome(size) == outcome(BLOCK)


def test_a_part_may_have_no_headers_and_no_content():
    assert contents(b"--sep\r\n\r\n--sep\r\n\r\n\r\n--sep\r\nX: y\r\n\r\n--sep--") == [b"", b"", b""]


def test_what_the_caller_leaves_is_drained_and_old_chunks_are_dry():
    body = b"".join(write_parts("sep", [([], [b"a" * 300_000]), ([], [b"b" * 300_000]), ([], [b"c"])]))
    stream = read_parts(TYPE, reader(body, 1000))
    first = next(stream)
    assert set(next(first.chunks)) == {ord("a")}
    second = next(stream)
    assert list(first.chunks) == []
    assert set(b"".join(second.chunks)) == {ord("b")}
    assert b"".join(next(stream).chunks) == b"c"
    assert list(stream) == []


def test_closed_chunks_do_not_lose_the_place():
    body = b"".join(write_parts("sep", [([], [b"a" * 300_000]), ([], [b"b"])]))
    stream = read_parts(TYPE, reader(body))
    first = next(stream)
    next(first.chunks)
    first.chunks.close()
    assert b"".join(next(stream).chunks) == b"b"


def test_what_read_raises_passes_through():
    def read(n: int) -> bytes:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        next(read_parts(TYPE, read))


def test_content_type_and_id_of_a_part():
    root, _ = read_parts(TYPE, reader(GOOD))
    assert (root.content_id, root.content_type) == ("root@x", "application/xop+xml")
    (bare,) = read_parts(TYPE, reader(b"--sep\r\n\r\nx\r\n--sep--"))
    assert (bare.content_id, bare.content_type) == ("", "")


def test_memory_does_not_grow_with_the_content():
    block = bytes(range(256)) * 256

    def source():
        yield b"--sep\r\n\r\n"
        for _ in range(1000):  # 64 MB
            yield block
        yield b"\r\n--sep--\r\n"

    stream = source()
    tracemalloc.start()
    try:
        size = sum(len(c) for p in read_parts(TYPE, lambda n: next(stream, b"")) for c in p.chunks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 1000 * len(block)
    assert peak < 8 * BLOCK


def test_chunks_are_written_uncopied():
    chunk = bytes(100_000)
    assert any(piece is chunk for piece in write_parts("sep", [([], [chunk])]))


def test_the_exact_bytes():
    written = b"".join(write_parts("b", [([("Content-Type", "text/plain")], [b"1"]), ([], [b"2"])]))
    assert written == b"--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\n"


@pytest.mark.parametrize("header", [("Content-Type", "a\r\nX: y"), ("X\r\nY", "z"), ("X:", "y"), ("X", "\0")])
def test_a_header_cannot_break_out(header):
    with pytest.raises(ValueError, match="control"):
        list(write_parts("b", [([header], [])]))
