"""`xdsi viewer install`: the built OHIF viewer from its npm package, made to be served below /viewer/app.

The npm client fetches the package and checks it against the registry's integrity hash. Of it only what a browser loads
is kept: no source maps, no neural networks (136 MB), no service worker, no settings of others. The build expects to be
at the server's root; where it says so is known and counted, and a build that says it otherwise is refused.
"""

import gzip
import json
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath

PACKAGE, VERSION = "@ohif/app", "3.12.10"
ASSETS = "/viewer/app/"
LARGEST = 400 * 2**20
DIST = PurePosixPath("package/dist")
LEFT_OUT = frozenset({"ort", "sw.js", "init-service-worker.js", "app-config.js", "google.js", "silent-refresh.html"})
COMPRESSED = frozenset({".js", ".css", ".wasm", ".svg", ".json"})
NPM_SECONDS = 600
WEBPACK, WEBPACK_HERE = '__webpack_require__.p = "/"', f'__webpack_require__.p = "{ASSETS}"'


class NotInstalled(Exception):
    """The viewer could not be installed; the text says why, in words for the operator."""


def install(folder: Path, version: str = VERSION, archive: Path | None = None) -> str:
    """Fetch the viewer and put it into `folder`/app, in place of one that is there; the version that it has.

    `archive` is the package's file when it has been fetched already, for a machine without a way out.

    Raises:
        NotInstalled: npm or its registry cannot be used, or the package is not as expected.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="install-") as temporary:
        work = Path(temporary)
        file = archive or _fetched(work, version)
        app = work / "app"
        try:
            found = _unpacked(file, app)
        except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, KeyError) as error:
            raise NotInstalled(f"{file.name} cannot be unpacked: {error}") from error
        _place(app)
        (app / "version").write_text(found)
        for each in [path for path in app.rglob("*") if path.suffix in COMPRESSED]:
            each.with_name(f"{each.name}.gz").write_bytes(gzip.compress(each.read_bytes(), 6, mtime=0))
        _replace(app, folder / "app")
    return found


def _fetched(work: Path, version: str) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("npm is not on this machine: install Node.js, or name a package's file by --file")
    command = [npm, "pack", f"{PACKAGE}@{version}", "--pack-destination", str(work), "--ignore-scripts", "--silent"]
    try:
        done = subprocess.run(  # noqa: S603  # the words are ours, the version an operator's
            command, cwd=work, capture_output=True, text=True, timeout=NPM_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"npm did not end well: {type(error).__name__}") from error
    files = list(work.glob("*.tgz"))
    if done.returncode or len(files) != 1:
        raise NotInstalled(f"npm could not fetch {PACKAGE}@{version}: {done.stderr.strip()[-500:]}")
    return files[0]


def _unpacked(file: Path, app: Path) -> str:
    """What a browser loads, in `app`; the package's version."""
    size, version = 0, ""
    with tarfile.open(file) as packed:
        for member in packed:
            path = PurePosixPath(member.name)
            if not member.isfile() or ".." in path.parts or path.is_absolute():
                continue
            content = packed.extractfile(member)
            if content is None:
                continue
            if member.name == "package/package.json":
                version = str(json.load(content)["version"])
            if DIST not in path.parents or path.suffix == ".map" or path.relative_to(DIST).parts[0] in LEFT_OUT:
                continue
            size += member.size
            if size > LARGEST:
                raise ValueError(f"it has more than {LARGEST} bytes")
            target = app / path.relative_to(DIST)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(content, out)
    return version


def _place(app: Path) -> None:
    """Make the build serve from `ASSETS`.

    Raises:
        NotInstalled: it is not the build that is known here.
    """
    bundles = list(app.glob("app.bundle.*.js"))
    index = app / "index.html"
    if len(bundles) != 1 or not index.exists():
        raise NotInstalled("the package holds no built viewer: no index.html, or not one app.bundle")
    _edit(bundles[0], WEBPACK, WEBPACK_HERE)
    for script in app.glob("*.bundle.*.js"):
        text = script.read_text("utf-8")
        if WEBPACK in text:
            script.write_text(text.replace(WEBPACK, WEBPACK_HERE), "utf-8")
    for sheet in app.glob("*.css"):
        sheet.write_text(sheet.read_text("utf-8").replace("url(/", f"url({ASSETS}"), "utf-8")
    index.write_text(_page(bundles[0].name), "utf-8")


def _page(bundle: str) -> str:
    """The page without scripts of its own, so that none need be allowed; `app-config.js` is the opened page's."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Images</title>\n'
        f'<link rel="icon" href="{ASSETS}assets/favicon.ico">\n<script src="@PAGE@/app-config.js"></script>\n'
        f'<script defer src="{ASSETS}{bundle}"></script>\n<link href="{ASSETS}app.bundle.css" rel="stylesheet">\n'
        "</head>\n<body>\n<noscript>The viewer needs JavaScript.</noscript>\n"
        '<div id="react-portal"></div>\n<div id="root"></div>\n</body>\n</html>\n'
    )


def _edit(file: Path, before: str, after: str) -> None:
    text = file.read_text("utf-8")
    if text.count(before) != 1:
        raise NotInstalled(f"{file.name} is not as expected: {before!r} occurs {text.count(before)} times, not once")
    file.write_text(text.replace(before, after), "utf-8")


def _replace(new: Path, place: Path) -> None:
    if place.exists():
        old = new.with_name("old")
        place.rename(old)
    new.rename(place)
