"""An application with the viewer's package of our own making, and three studies of two patients."""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from examination import Study
from wire.imaging import CALLER
from wire.soap_world import World, open_world

from profiles.viewer.install import install

BUNDLE = 'x();\n/******/ __webpack_require__.p = "/";\n'
DIST = {
    "index.html": "<script>window.PUBLIC_URL = '/';</script>",
    "app.bundle.0123456789abcdef0123.js": BUNDLE,
    "app.bundle.0123456789abcdef0123.js.map": "{}",
    "147.bundle.47af018b91121924a12c.js": "chunk();",
    "app.bundle.css": "@font-face{src:url(/31fb9346313fc3740d7b.woff2)}",
    "17dd54813d5acc10bf8f.wasm": "\0asm",
    "ort/ort.wasm": "\0asm",
    "sw.js": "caches()",
    "app-config.js": "window.config = {}",
}


@dataclass
class Images:
    """Two studies of one patient, and one of another."""

    world: World
    first: Study
    second: Study
    other: Study


def package(file: Path, **changes: str | None) -> Path:
    """A package as npm packs it; `changes` replace files of its dist, None leaves one out."""
    dist = {name: text for name, text in (DIST | changes).items() if text is not None}
    entries = {"package/package.json": json.dumps({"version": "3.0.0"}), "package/src/secret.js": "no"}
    entries |= {f"package/dist/{name}": text for name, text in dist.items()}
    entries["package/dist/../../../escaped.js"] = "out()"
    with tarfile.open(file, "w:gz") as out:
        for name, text in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            out.addfile(member, io.BytesIO(text.encode()))
    return file


@pytest.fixture(scope="module")
def images(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Images:
    world = open_world(sqlite_template, tmp_path_factory.mktemp("viewer") / "data")
    install(world.data / "viewer", archive=package(world.data / "ohif.tgz"))
    first, other = Study(), Study()
    second = Study(who=first.who)
    for study in (first, second, other):
        outcomes = world.house.imaging.store([[study.object(InstanceNumber=n)] for n in (1, 2)], CALLER)
        assert [o.finding for o in outcomes] == [None, None]
    return Images(world, first, second, other)
