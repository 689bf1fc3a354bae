"""The floors: what the same answers cost when nothing is asked for them.

Some are routes of the very server that is measured, so that its sockets, its framework and its counters cost the same
on either side; they are there in no other server. The rest are loops in one thread.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.wsgi import wrap_file

from profiles.house import House

CONSTANT, FILE, FOLDER = "/bench/constant", "/bench/file", "/bench/folder"
BLOCK = 256 * 1024


def folder_of(data: Path) -> Path:
    """Where the floors of a server with this data folder find their bytes."""
    return data / "bench"


def register(app: Flask, house: House) -> None:
    """Add the three routes: `<route>/<name>` sends the file, or the files of the folder, of that name."""
    root = folder_of(house.settings.data)

    @cache
    def content(name: str) -> bytes:
        return (root / name).read_bytes()

    def constant(name: str) -> Response:
        return Response(content(name), content_type="application/octet-stream")

    def file(name: str) -> Response:
        path = root / name
        body = wrap_file(request.environ, path.open("rb"), BLOCK)
        headers = {"Content-Length": str(path.stat().st_size)}
        return Response(body, headers=headers, content_type="application/octet-stream", direct_passthrough=True)

    def folder(name: str) -> Response:
        paths = sorted((root / name).iterdir())
        headers = {"Content-Length": str(sum(path.stat().st_size for path in paths))}
        return Response(_contents(paths), headers=headers, content_type="application/octet-stream")

    app.add_url_rule(f"{CONSTANT}/<name>", "bench constant", constant, methods=["GET", "POST"])
    app.add_url_rule(f"{FILE}/<name>", "bench file", file)
    app.add_url_rule(f"{FOLDER}/<name>", "bench folder", folder)


def _contents(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block


def hashing(pieces: Iterable[bytes]) -> float:
    """Seconds to make SHA-1 and SHA-256 of bytes in memory."""
    begin = time.perf_counter()
    sha1, sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
    for piece in pieces:
        sha1.update(piece)
        sha256.update(piece)
    return time.perf_counter() - begin


def keeping(objects: Iterable[Sequence[bytes]], folder: Path) -> float:
    """Seconds to copy each object, in pieces, from memory into a file of its own in `folder`, with SHA-256 and sync."""
    folder.mkdir()
    begin = time.perf_counter()
    for number, pieces in enumerate(objects):
        sha256 = hashlib.sha256()
        with (folder / str(number)).open("xb", buffering=0) as file:
            for piece in pieces:
                sha256.update(piece)
                file.write(piece)
            os.fsync(file.fileno())
    return time.perf_counter() - begin
