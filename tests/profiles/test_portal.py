"""The home page, health, metrics and the system description of a real server."""

import re
import socket
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from s3_server import CREDENTIALS

from profiles import health
from profiles.settings import Settings


class Page(HTMLParser):
    """What a page links to, and what it would run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.links += [value for name in ("href", "src") if (value := given.get(name)) and not value.startswith("#")]
        if tag in ("script", "style") or any(name == "style" or name.startswith("on") for name in given):
            self.inline.append(tag)


def test_the_home_page_runs_nothing_and_every_link_opens(base_url: str) -> None:
    answer = requests.get(f"{base_url}/", timeout=10)
    assert answer.ok
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = Page(answer.text)
    assert not page.inline
    assert len(page.links) > 8
    broken = {
        link: status
        for link in page.links
        if (status := requests.get(urljoin(base_url, link), timeout=20).status_code) >= 400
    }
    assert not broken


def test_the_system_description_names_every_address_and_transaction(base_url: str) -> None:
    system = requests.get(f"{base_url}/conformance/system", timeout=10).json()
    assert system["addresses"]["base"] == base_url
    assert all(
        re.fullmatch(r"[0-2](\.\d+)+", system["oids"][name]) for name in ("homeCommunityId", "repositoryUniqueId")
    )
    named = {t["id"]: t["door"]["kind"] for profile in system["profiles"] for t in profile["transactions"]}
    assert {"ITI-18", "ITI-41", "ITI-42", "ITI-43", "RAD-68", "RAD-69"} <= set(named)
    assert named["RAD-68"] == "same-door"


def test_requests_are_counted_over_all_processes(base_url: str) -> None:
    def counted() -> float:
        text = requests.get(f"{base_url}/metrics", timeout=10).text
        found = re.search(r'^xdsi_requests_total\{status="200",transaction="live"\} (\S+)', text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    before = counted()
    for _ in range(12):
        # A new connection each time, so that several processes answer.
        requests.get(f"{base_url}/health/live", headers={"Connection": "close"}, timeout=10)
    assert counted() == before + 12


@pytest.fixture
def settings(tmp_path: Path, sqlite: str) -> Settings:
    return Settings(data=tmp_path, database_url=sqlite)


def test_a_server_that_can_work_is_ready(settings: Settings) -> None:
    assert not any(check() for check in health.readiness(settings).values())


def test_what_keeps_it_from_working_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    changes = {"database_url": f"sqlite:///{tmp_path}/none/x.sqlite", "blobs_url": f"file://{tmp_path}/file/blobs"}
    found = {name: check() for name, check in health.readiness(settings.model_copy(update=changes)).items()}
    assert "cannot be reached" in found["database"]
    assert "cannot be written" in found["blobs"]


def test_an_object_store_that_is_away_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3", reason="no boto3: install openxdsi[s3]")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"s3://bucket?endpoint=http://127.0.0.1:{closed.getsockname()[1]}"
    found = health.readiness(settings.model_copy(update={"blobs_url": url}))["blobs"]()
    assert "cannot be reached" in found


def test_an_empty_database_is_not_ready(settings: Settings, tmp_path: Path) -> None:
    empty = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/empty.sqlite"})
    assert "schema" in health.readiness(empty)["migrations"]()
