"""The viewer's page and what it may see: its own studies, for a while, below its own address."""

import gzip
import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from viewer_world import DIST, Images, package
from wire import submissions as s
from wire.soap_world import open_world

from conformance import messages
from profiles.viewer.install import NotInstalled, install
from profiles.viewer.scope import MOST_STUDIES, Scope, Seal
from registry.access import Caller, OpenPolicy
from registry.metadata.errors import Rejected
from registry.metadata.model import Code
from registry.metadata.urn import CodingScheme, ReferenceIdType


def page(images: Images, uid: str) -> str:
    answer = images.world.client.get(f"/viewer/study/{uid}")
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def get(images: Images, url: str, **headers: str) -> Any:
    return images.world.client.get(url, headers={"Accept": "application/dicom+json"} | headers)


def seen(images: Images, root: str, query: str = "") -> set[str]:
    found = json.loads(get(images, f"{root}/dicomweb/studies?{query}").data)
    return {each["0020000D"]["Value"][0] for each in found}


def test_a_page_sees_its_study_alone(images: Images) -> None:
    root, first = page(images, images.first.uid), images.first
    assert seen(images, root) == {first.uid}
    assert seen(images, root, f"00100020={first.who.number}") == {first.uid}
    assert seen(images, root, f"00100020={images.other.who.number}") == set()
    assert seen(images, root, f"StudyInstanceUID={images.other.uid}") == set()
    for path in ("series", "instances", f"studies/{images.other.uid}/series"):
        uids = {e["0020000D"]["Value"][0] for e in json.loads(get(images, f"{root}/dicomweb/{path}").data)}
        assert uids == (set() if "studies" in path else {first.uid}), path


@pytest.mark.parametrize("path", ["metadata", "series/{series}/metadata", "series/{series}", ""])
def test_another_study_is_not_there_for_a_page(images: Images, path: str) -> None:
    root, other = page(images, images.first.uid), images.other
    url = f"/dicomweb/studies/{other.uid}/{path.format(series=other.series)}".rstrip("/")
    assert get(images, root + url, Accept="*/*").status_code == 404
    assert get(images, url, Accept="*/*").status_code == 200


def test_other_clients_see_all_as_before(images: Images) -> None:
    page(images, images.first.uid)
    assert {images.first.uid, images.second.uid, images.other.uid} <= seen(images, "")


def test_addresses_in_answers_lead_below_the_page(images: Images) -> None:
    root = page(images, images.first.uid)
    text = get(images, f"{root}/dicomweb/studies/{images.first.uid}/metadata").data.decode()
    assert f"{root}/dicomweb/studies/{images.first.uid}" in text
    assert '"http://127.0.0.1:8080/dicomweb' not in text


def test_a_page_can_store_nothing(images: Images) -> None:
    root = page(images, images.first.uid)
    assert images.world.client.post(f"{root}/dicomweb/studies", data=b"x").status_code in {404, 405}
    assert images.world.client.get(f"{root}/dicomweb/nothing").status_code == 404


@pytest.mark.parametrize("change", [lambda s: s[:-4], lambda s: "A" + s[1:], lambda _: "x", lambda s: s[:40]])
def test_what_was_not_sealed_here_opens_nothing(images: Images, change: Any) -> None:
    root = f"/viewer/s/{change(page(images, images.first.uid).rpartition('/')[2])}"
    for url in (root, f"{root}/app-config.js", f"{root}/dicomweb/studies"):
        assert images.world.client.get(url).status_code == 403, url


def test_a_page_ends(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(sqlite_template, tmp_path / "data", viewer={"minutes": 1})
    seal = Seal(world.house.settings)
    sealed = seal.close(Scope(("1.2.3",)))
    assert seal.open(sealed).studies == {"1.2.3"}
    import time

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 62)
    with pytest.raises(Rejected, match="time is over"):
        seal.open(sealed)


def test_no_identifier_is_read_out_of_an_address(images: Images) -> None:
    from base64 import urlsafe_b64decode

    root = page(images, images.first.uid)
    assert images.first.uid not in root
    assert images.first.uid.encode() not in urlsafe_b64decode(root.rpartition("/")[2])


def test_the_largest_address_is_taken_by_servers(images: Images) -> None:
    uids = tuple(f"2.25.{2**127 + 7919 * n**3}" for n in range(MOST_STUDIES))
    sealed = Seal(images.world.house.settings).close(Scope(uids, uids))
    assert len(sealed) < 6000
    assert Seal(images.world.house.settings).open(sealed).shown == uids


def test_the_key_is_nobody_elses(images: Images) -> None:
    page(images, images.first.uid)
    assert stat.S_IMODE((images.world.data / "viewer" / "key").stat().st_mode) == 0o600


def test_the_same_patients_studies_by_setting(images: Images, sqlite_template: Path) -> None:
    world = open_world(sqlite_template, images.world.data.parent / "same", viewer={"same_patient": True})
    from wire.imaging import CALLER

    for study in (images.first, images.second, images.other):
        world.house.imaging.store([[study.object()]], CALLER)
    with_all = Images(world, images.first, images.second, images.other)
    assert seen(with_all, page(with_all, images.first.uid)) == {images.first.uid, images.second.uid}


def test_who_may_see_certain_studies_sees_no_record_of_the_registry(images: Images) -> None:
    visibility = OpenPolicy().visibility(Caller("viewer", "", "RAD-107", studies=frozenset({images.first.uid})))
    assert not visibility.admits(images.first.who.cx)
    assert visibility.admits_study(images.first.uid)
    assert not visibility.admits_study(images.other.uid)


def test_a_report_opens_its_studies_alone(images: Images) -> None:
    world, study = images.world, images.first
    made = messages.provided(
        s.of_patient(
            s.new(
                mime_type="application/pdf",
                type_code=Code("18748-4", CodingScheme.LOINC, "Diagnostic imaging study"),
                reference_ids=(f"{study.uid}^^^^{ReferenceIdType.STUDY_INSTANCE_UID}",),
            ),
            study.who.cx,
        )
    )
    assert world.provide(made, {e.id: b"%PDF" for e in made.entries}).outcome == "Success"
    found = world.client.get(f"/fhir/DiagnosticReport?patient.identifier={quote(study.who.token)}").json
    (report,) = [e["resource"]["id"] for e in found["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"]
    answer = world.client.get(f"/viewer/report/{report}")
    assert answer.status_code == 303, answer.text
    assert seen(images, answer.headers["Location"]) == {study.uid}
    assert world.client.get("/viewer/report/nothing").status_code == 404


# --- the page and its parts ---


def test_a_page_may_load_nothing_from_elsewhere(images: Images) -> None:
    root = page(images, images.first.uid)
    answer = images.world.client.get(f"{root}/viewer")
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy
    assert f'src="{root}/app-config.js"' in answer.text


def test_the_settings_name_the_pages_own_source(images: Images) -> None:
    root = page(images, images.first.uid)
    script = images.world.client.get(f"{root}/app-config.js")
    assert script.mimetype == "text/javascript"
    config = json.loads(script.text.partition("window.config = ")[2].strip().rstrip(";"))
    (source,) = config["dataSources"]
    assert source["configuration"]["wadoRoot"] == source["configuration"]["qidoRoot"] == f"{root}/dicomweb"
    assert f"{root}/viewer?StudyInstanceUIDs={images.first.uid}" in script.text


def test_parts_have_their_types_and_are_kept(images: Images) -> None:
    wasm = images.world.client.get("/viewer/app/17dd54813d5acc10bf8f.wasm", headers={"Accept-Encoding": "gzip"})
    assert (wasm.mimetype, wasm.headers["Content-Encoding"]) == ("application/wasm", "gzip")
    assert gzip.decompress(wasm.data) == DIST["17dd54813d5acc10bf8f.wasm"].encode()
    assert "max-age=31536000" in wasm.headers["Cache-Control"]
    plain = images.world.client.get("/viewer/app/app.bundle.css")
    assert "Content-Encoding" not in plain.headers
    assert "url(/viewer/app/31fb" in plain.text
    assert "31536000" not in plain.headers["Cache-Control"]
    for gone in ("app.bundle.0123456789abcdef0123.js.map", "sw.js", "ort/ort.wasm", "../key", "../../registry.sqlite"):
        assert images.world.client.get(f"/viewer/app/{gone}").status_code == 404, gone


@pytest.mark.parametrize("uid", ["1.2.3", "x", "1" * 80])
def test_a_study_that_is_not_held_is_said_in_words(images: Images, uid: str) -> None:
    answer = images.world.client.get(f"/viewer/study/{uid}")
    assert answer.status_code == (404 if uid == "1.2.3" else 400)
    assert 'role="alert"' in answer.text


def test_without_the_viewer_one_command_is_named(sqlite_template: Path, tmp_path: Path) -> None:
    world = open_world(sqlite_template, tmp_path / "data")
    home = world.client.get("/viewer")
    assert home.status_code == 200
    assert "xdsi viewer install" in home.text
    sealed = Seal(world.house.settings).close(Scope(("1.2.3",)))
    assert world.client.get(f"/viewer/s/{sealed}").status_code == 503


# --- installing ---


def test_installing_keeps_what_a_browser_loads(tmp_path: Path) -> None:
    for _ in range(2):
        assert install(tmp_path / "viewer", archive=package(tmp_path / "ohif.tgz")) == "3.0.0"
    files = {p.relative_to(tmp_path / "viewer").as_posix() for p in (tmp_path / "viewer").rglob("*") if p.is_file()}
    kept = {f for f in files if not f.endswith(".gz")}
    assert kept == {
        "app/version",
        "app/index.html",
        "app/app.bundle.0123456789abcdef0123.js",
        "app/147.bundle.47af018b91121924a12c.js",
        "app/app.bundle.css",
        "app/17dd54813d5acc10bf8f.wasm",
    }
    assert not list(tmp_path.rglob("escaped.js"))
    assert '.p = "/viewer/app/"' in (tmp_path / "viewer/app/app.bundle.0123456789abcdef0123.js").read_text()


@pytest.mark.parametrize(
    "changes",
    [
        {"index.html": None},
        {"app.bundle.0123456789abcdef0123.js": None},
        {"app.bundle.0123456789abcdef0123.js": "a build that says it otherwise"},
        {"app.bundle.aaaaaaaaaaaaaaaaaaaa.js": "another"},
    ],
)
def test_a_build_that_is_not_known_is_refused(tmp_path: Path, changes: dict[str, str | None]) -> None:
    install(tmp_path / "viewer", archive=package(tmp_path / "good.tgz"))
    with pytest.raises(NotInstalled):
        install(tmp_path / "viewer", archive=package(tmp_path / "bad.tgz", **changes))
    assert (tmp_path / "viewer/app/index.html").exists()
    assert [p.name for p in (tmp_path / "viewer").iterdir()] == ["app"]


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"no archive", lambda b: b""])
def test_a_damaged_package_is_refused(tmp_path: Path, damage: Any) -> None:
    file = package(tmp_path / "ohif.tgz")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(NotInstalled):
        install(tmp_path / "viewer", archive=file)


def test_no_npm_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="npm is not on this machine"):
        install(tmp_path / "viewer")
