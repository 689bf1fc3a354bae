"""How people read the wire log: on a terminal and in a browser."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from wire import submissions as s
from wire.soap_world import World
from wire_log import QUERY, get, newest, ring_of

from profiles import commands


@pytest.fixture
def told(world: World) -> World:
    world.query(QUERY)
    world.register(s.new(creation_time="yesterday"))
    return world


@pytest.fixture
def xdsi(told: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("XDSI_CONFIG", "")
    cli = commands.command_line(lambda: (), {})

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["trace", "--data", str(told.data), *arguments])

    return run


def test_the_list_on_a_terminal(xdsi: Callable[..., Any], told: World) -> None:
    output = xdsi().output
    head, first, second = output.splitlines()
    assert "what is wrong" in head
    assert "ITI-18" in first
    assert all(words in second for words in ("ITI-42", "refused", "XDSRegistryMetadataError"))
    assert newest(told)["id"][-8:] in second


@pytest.mark.parametrize("filters", [("--failed",), ("--transaction", "iti-42"), ("-n", "1")])
def test_filters_on_a_terminal(xdsi: Callable[..., Any], filters: tuple[str, ...]) -> None:
    output = xdsi(*filters).output
    assert "ITI-42" in output
    assert "ITI-18" not in output


def test_one_exchange_on_a_terminal(xdsi: Callable[..., Any], told: World) -> None:
    output = xdsi(newest(told)["id"][-8:]).output
    assert output.index("Source: ITI TF-3, 4.2.3.2.6") < output.index("request, ") < output.index("answer, ")
    assert "\n      <lcm:SubmitObjectsRequest" in output or "\n    <lcm:SubmitObjectsRequest" in output


def test_an_exchange_that_is_not_there(xdsi: Callable[..., Any]) -> None:
    result = xdsi("00000000")
    assert (result.exit_code, "There is no exchange 00000000" in result.output) == (commands.WRONG_USE, True)


def test_nothing_yet_says_what_to_switch_on(xdsi: Callable[..., Any]) -> None:
    assert "[trace] enabled" in xdsi("--transaction", "ITI-999").output


def test_what_was_sent_does_not_steer_the_terminal(xdsi: Callable[..., Any], told: World) -> None:
    sent = "\x1b[2J\x9b2J\x07 [red]no markup[/red] \u202e".encode()
    told.post("registry", {"Content-Type": "application/soap+xml", "User-Agent": "a\x9bb[/]"}, sent)
    output = xdsi(newest(told)["id"]).output
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(output)
    assert "\\u001b[2J" in output
    assert "[red]no markup[/red]" in output
    assert not {"\x1b", "\x9b"} & set(xdsi().output)


@pytest.mark.parametrize("path", ["/trace", "/trace?failed=1", "/trace?transaction=ITI-42"])
def test_the_list_in_a_browser(told: World, path: str) -> None:
    answer = get(told, path)
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ITI-42" in answer.text
    assert ("ITI-18" in answer.text) == (path == "/trace")
    assert "/trace" in get(told, "/").text


def test_one_exchange_in_a_browser(told: World) -> None:
    page = get(told, f"/trace/{newest(told)['id']}").text
    assert page.index("ITI TF-3, 4.2.3.2.6") < page.index('<h2 id="request"')
    assert "&lt;lcm:SubmitObjectsRequest" in page
    assert "<script" not in page
    assert "style=" not in page


def test_what_was_sent_is_text_in_a_browser(told: World) -> None:
    told.post("registry", {"Content-Type": "application/soap+xml", "User-Agent": "<img src=x>"}, b"<script>1</script>")
    page = get(told, f"/trace/{newest(told)['id']}").text
    assert "<script>" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    "forwarded", [{"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}, {"Via": "1.1 front"}]
)
def test_nobody_behind_a_front_sees_it(told: World, forwarded: dict[str, str]) -> None:
    assert get(told, "/trace", headers=forwarded).status_code == 403
    assert get(told, f"/trace/{newest(told)['id']}", headers=forwarded).status_code == 403


def test_nobody_elsewhere_sees_it(told: World) -> None:
    assert get(told, "/trace", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403


def test_who_may_not_see_every_patient_sees_none_of_it(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from registry.access import OpenPolicy, Visibility

    monkeypatch.setattr(OpenPolicy, "visibility", lambda *_: Visibility(frozenset({"1"})))
    assert get(told, "/trace").status_code == 403


def test_reading_it_is_audited(told: World) -> None:
    get(told, f"/trace/{newest(told)['id']}")
    spooled = "".join(path.read_text() for path in (told.data / "audit").iterdir())
    assert '"wire log"' in spooled
    assert newest(told)["id"] in spooled


@pytest.mark.parametrize("id_", ["x", "0" * 8, "..%2f..%2fregistry.sqlite", "1800000000000-aaaaaaaa"])
def test_a_page_that_is_not_there(told: World, id_: str) -> None:
    assert get(told, f"/trace/{id_}").status_code == 404


def test_following_prints_what_comes(told: World, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from profiles.trace import command

    turns: Iterator[Callable[[], object]] = iter([lambda: told.query(QUERY), lambda: told.register(s.new(size="x"))])

    def wait(_: float) -> None:
        work = next(turns, None)
        if work is None:
            raise KeyboardInterrupt
        work()

    monkeypatch.setattr(command.time, "sleep", wait)
    with pytest.raises(KeyboardInterrupt):
        command.follow(ring_of(told), "", failed=True)
    lines = [line for line in capsys.readouterr().out.splitlines() if "[info" not in line]
    assert [("ITI-42" in line, "ITI-18" in line) for line in lines[1:]] == [(True, False)]
