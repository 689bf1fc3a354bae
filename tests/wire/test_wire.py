"""Messages as products of the field send them, kept as text: what is understood, and what is refused by which name.

Each file is a request: request line, headers, an empty line, body. Line ends become CR LF when it is sent.
"""

from base64 import b64decode
from pathlib import Path

import pytest
from wire.soap_world import Answer, World

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (HERE / "accepted").glob("*.http"))
PROVIDED = [name for name in NAMES if "provide" in name or "first" in name or "uuids" in name]

REFUSED = {
    "soap11": "VersionMismatch",
    "soap11-in-soap12-type": "VersionMismatch",
    "provide-without-mtom": "Sender",
    "cross-gateway-query": "ActionNotSupported",
    "multi-patient-query": "XDSUnknownStoredQuery",
    "injection-in-patient": "XDSRegistryError",
    "include-by-http": "Sender",
    "stranger": "XDSUnknownPatientId",
    "metadata-update": "XDSRegistryMetadataError",
    "doctype": "Sender",
}


def send(world: World, folder: str, name: str, *, crlf: bool = True) -> Answer:
    text = (HERE / folder / f"{name}.http").read_text(encoding="utf-8")
    head, _, body = text.partition("\n\n")
    line, *lines = head.splitlines()
    headers = dict(one.split(": ", 1) for one in lines)
    sent = body.replace("\n", "\r\n") if crlf else body
    return world.post(line.split()[1].removeprefix("/xds/"), headers, sent.encode())


@pytest.fixture(scope="module")
def provided(world: World) -> dict[str, Answer]:
    """The answers to what brings documents: questions ask for them, whichever process they are asked in."""
    before = len(world.temporaries())
    answers = {name: send(world, "accepted", name) for name in PROVIDED}
    assert len(world.temporaries()) == before
    return answers


@pytest.mark.parametrize("name", PROVIDED)
def test_documents_of_each_dialect_are_kept_and_given_back(provided: dict[str, Answer], name: str) -> None:
    answer = provided[name]
    assert answer.fault is None, answer.fault
    assert answer.outcome == "Success", answer.text


@pytest.mark.usefixtures("provided")
@pytest.mark.parametrize("name", [n for n in NAMES if n not in PROVIDED])
def test_questions_of_each_dialect_are_answered(world: World, name: str) -> None:
    answer = send(world, "accepted", name)
    assert answer.fault is None, answer.fault
    assert answer.outcome == "Success", answer.text
    if "retrieve" in name:
        assert b64decode(answer.body.findtext(".//{*}Document") or "") == b"Svar ett"
    if name in {"axis2-find", "soapaction-find-older-codes"}:
        (found,) = answer.objects
        assert found.get("mimeType") == "text/plain"
    if "reference" in name:
        assert answer.objects == []


def test_line_feeds_alone_are_understood(sqlite_template: Path, tmp_path: Path) -> None:
    from wire.soap_world import open_world

    assert (
        send(open_world(sqlite_template, tmp_path / "data"), "accepted", "axis2-provide", crlf=False).outcome
        == "Success"
    )


def test_each_refused_message_has_its_reason() -> None:
    assert set(REFUSED) == {path.stem for path in (HERE / "refused").glob("*.http")}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_by_which_name(world: World, name: str) -> None:
    before = world.state()
    answer = send(world, "refused", name)
    if answer.fault:
        assert REFUSED[name] in answer.fault[:2]
    else:
        assert answer.outcome == "Failure"
        assert set(answer.codes) == {REFUSED[name]}
    assert world.state() == before
