"""Other communities as the settings name them, and how they are asked."""

import json
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError
from xca_messages import HOME, NORTH, SOUTH, community, urn

from profiles.communities import Communities, Community, communities_of
from profiles.faces.soap_client import NoAnswer, Peer
from profiles.settings import Settings

URL = "https://gateway.test/xca"


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDSI_CONFIG", "")


def test_they_stand_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "xdsi.toml"
    file.write_text(
        f'[[communities]]\nhome_community_id = "{NORTH}"\nquery_url = "{URL}"\nretrieve_url = "{URL}/r"\n'
        f'query_seconds = 3\n\n[[communities]]\nhome_community_id = "{SOUTH}"\nquery_url = "http://localhost:81/"\n'
        'retrieve_url = "http://[::1]:81/"\n'
    )
    found = communities_of(Settings.load(file))
    assert (found.own, list(found.others)) == (urn(HOME), [urn(NORTH), urn(SOUTH)])
    north, south = found.others.values()
    assert (north.query.url, north.query.seconds, north.retrieve.url) == (URL, 3.0, f"{URL}/r")
    assert north.retrieve.answer_bytes > north.query.answer_bytes == north.query.envelope_bytes
    assert (north.query.tls is None, south.query.tls is None, south.retrieve.tls is None) == (False, True, True)


def test_they_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDSI_COMMUNITIES", json.dumps([community(NORTH, URL)]))
    assert [one.home_community_id for one in Settings.load().communities] == [NORTH]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([community("urn:oid:1.2.3", URL)], "not an OID"),
        ([community(HOME, URL)], "has that of this community"),
        ([community(NORTH, URL), community(NORTH, URL)], "two have one home_community_id"),
        ([community(NORTH, "gateway.test/xca")], "not an address"),
        ([community(NORTH, "ftp://gateway.test/xca")], "not an address"),
        ([community(NORTH, "https:///xca")], "not an address"),
        ([community(NORTH, "https://user:secret@gateway.test/xca")], "not an address"),
        ([community(NORTH, "http://gateway.test/xca")], "unencrypted"),
        ([community(NORTH, "http://127.0.0.1.gateway.test/xca")], "unencrypted"),
        ([community(NORTH, URL, query_seconds=0)], "greater than 0"),
        ([community(NORTH, URL, ca_file="/nowhere/ca.pem")], "ca_file"),
        ([community(NORTH, URL, timeout=3)], "timeout"),
        ([{"home_community_id": NORTH, "query_url": URL}], "retrieve_url"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(given: list[dict[str, object]], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Settings.load(communities=given)


def test_certificates_are_read_when_the_server_starts(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=us -keyout key -out pem"
    subprocess.run([openssl, *made.split()], cwd=tmp_path, check=True, capture_output=True)
    files = {"ca_file": tmp_path / "pem", "certificate_file": tmp_path / "pem", "key_file": tmp_path / "key"}
    found = communities_of(Settings.load(communities=[community(NORTH, URL, **files)]))
    tls = found.others[urn(NORTH)].query.tls
    assert tls is not None
    assert len(tls.get_ca_certs()) == 1
    assert (tls.verify_mode, tls.check_hostname, tls.minimum_version) == (
        ssl.CERT_REQUIRED,
        True,
        ssl.TLSVersion.TLSv1_2,
    )
    (tmp_path / "key").write_text("no key")
    with pytest.raises(ssl.SSLError):
        communities_of(Settings.load(communities=[community(NORTH, URL, **files)]))


def test_each_answer_or_why_there_is_none() -> None:
    peer = Peer(URL, 5.0, None, 1, 1)
    homes = ["a", "b", "c"]
    communities = Communities("own", [Community(home, peer, peer) for home in homes])

    def question(home: str, _: Peer) -> str:
        if home == "b":
            raise NoAnswer("it sleeps")
        if home == "c":
            raise ZeroDivisionError
        return f"{home}!"

    answers = dict(communities.ask(question, dict.fromkeys(homes, peer)).answers())
    assert answers["a"] == "a!"
    assert str(answers["b"]) == "it sleeps"
    assert isinstance(answers["c"], NoAnswer)
    assert "internal error" in str(answers["c"])
