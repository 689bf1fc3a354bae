"""Bodies as the wire log keeps them: text up to a cap, the rest as length and hash."""

import gzip
import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from profiles.trace import capture
from profiles.trace.bodies import Watched
from profiles.trace.ring import Bounds, Ring


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("seed", range(8))
def test_parts_are_the_same_however_the_body_is_cut(end: str, seed: int) -> None:
    rng = random.Random(seed)
    contents = [b"<a>text</a>", b"", b"--cut", b"\r\n\r\n--cut-her", rng.randbytes(5000), b"\r\n"]
    body = b""
    for number, content in enumerate(contents):
        kind = "text/xml" if number == 0 else "application/pdf"
        body += f"--cut-here{end}Content-ID: <{number}>{end}content-type: {kind}{end}{end}".encode() + content
        body += end.encode()
    body += f"--cut-here--{end}".encode()
    watched = Watched('multipart/related; boundary="cut-here"', 100)
    at = 0
    while at < len(body):
        step = rng.choice((1, 2, 7, 50, 3000))
        watched.feed(body[at : at + step])
        at += step
    found = watched.as_dict()
    assert found["size"] == len(body)
    assert [p["size"] for p in found["parts"]] == [len(c) for c in contents]
    assert [p["sha256"] for p in found["parts"]] == [hashlib.sha256(c).hexdigest() for c in contents]
    assert found["parts"][0]["text"] == "<a>text</a>"


def test_text_is_cut_at_the_cap_over_all_parts() -> None:
    watched = Watched("multipart/related; boundary=b", 150)
    part = b"--b\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 100 + b"\r\n"
    watched.feed(part * 3 + b"--b--")
    found = watched.as_dict()["parts"]
    assert [len(p["text"]) for p in found] == [100, 50, 0]
    assert [p["cut"] for p in found] == [False, True, True]
    assert [p["size"] for p in found] == [100] * 3


def test_many_parts_are_counted_and_not_listed() -> None:
    watched = Watched("multipart/related; boundary=b", 1000)
    watched.feed(b"--b\r\n\r\nx\r\n" * 150 + b"--b--")
    found = watched.as_dict()
    assert (len(found["parts"]), found["more"]) == (100, 50)


@pytest.mark.parametrize("kind", ["", "multipart/related", "multipart/related; boundary=\xe9", "no type", "a/b; c"])
def test_any_content_type_is_borne(kind: str) -> None:
    watched = Watched(kind, 1000)
    for block in (b"--\xff", b"x" * 20_000, b""):
        watched.feed(block)
    assert watched.as_dict()["size"] == 20_003


def test_a_coded_body_is_bytes(tmp_path: Path) -> None:
    """Text is kept to be read; what would have to be inflated first is not."""
    coded = gzip.compress(b"<a/>")

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/xml"), ("Content-Encoding", "gzip")])
        return [coded]

    ring = Ring(tmp_path / "ring", Bounds(10, 1e9, 10**9))
    client = Client(capture.Seam(application, ring, 1000))
    sent = {"Content-Encoding": "gzip", "Content-Type": "text/xml"}
    assert client.post("/xds/registry", data=coded, headers=sent, buffered=True).data == coded
    (one,) = ring.newest()
    for side in ("request", "answer"):
        (part,) = one[side]["parts"]
        assert (part["size"], "text" in part) == (len(coded), False)
