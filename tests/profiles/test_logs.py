import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from flask import Flask

from profiles import logs


class Written:
    """Logs go to the standard error of the test; `lines` gives what came."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def begin(self) -> None:
        logs.configure()

    def lines(self) -> list[str]:
        return self._capture.readouterr().err.splitlines()


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield Written(capsys)
    root.handlers[:], root.level = before
    structlog.reset_defaults()


HOSTILE = [
    'a\r\nb", "level": "info',
    "\x1b[31mred",
    "tab\tnul\0",
    '"}{"event":"forged"}',
    "\u2028next",
    "%s%n",
    "{0}",
    "\\u000a",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_caller_sent_stays_one_field_of_one_line(written: Written, text: str) -> None:
    written.begin()
    structlog.get_logger().error("seen", agent=text)
    logging.getLogger("other.library").error(text)
    lines = written.lines()
    assert len(lines) == 2
    assert json.loads(lines[0])["agent"] == text
    assert json.loads(lines[1])["event"] == text
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "191212121212",
        "19121212-1212",
        "121212-1212",
        "121212+1212",
        "7^^^&1.2.3&ISO",
        "/fhir/Patient?identifier=7",
        "/x?name=Ek",
    ],
)
def test_identities_are_taken_out(written: Written, text: str) -> None:
    written.begin()
    structlog.get_logger().error(f"before {text} after", detail=text)
    event = json.loads(written.lines()[0])
    for field in (event["event"], event["detail"]):
        assert logs.HIDDEN in field
        assert not any(part in field for part in ("1212", "7^", "identifier", "Ek"))
    assert event["event"].startswith("before")
    assert event["event"].endswith("after")


@pytest.mark.parametrize("text", ["1.2.840.10008.5.1.4.1.1.88.59", "2.25.198705051212", "status 200 in 12 ms"])
def test_uids_and_numbers_stay(written: Written, text: str) -> None:
    written.begin()
    structlog.get_logger().error("seen", detail=text)
    assert json.loads(written.lines()[0])["detail"] == text


def test_an_error_tells_its_type_and_place_but_not_what_it_says(written: Written) -> None:
    written.begin()

    def fails() -> None:
        raise ValueError("patient Ekblad is unknown")

    try:
        fails()
    except ValueError:
        structlog.get_logger().exception("one")
        logging.getLogger("library").exception("two %s", "Ekblad")
    for line in written.lines():
        assert "Ekblad" not in line
        event = json.loads(line)
        assert event["error"] == "ValueError"
        assert event["stack"][-1].endswith("fails")


def test_the_web_server_does_not_quote_a_request_that_it_cannot_read(written: Written) -> None:
    written.begin()
    from gunicorn.config import Config

    logger = logs.ServerLogger(Config())
    logger.warning("Invalid request from ip=127.0.0.1: Invalid Request Line 'GET /Ekblad'")
    logger.error("Error handling request %s", "/fhir/Patient?name=Ekblad")
    lines = written.lines()
    assert len(lines) == 2
    assert "Ekblad" not in "".join(lines)
    assert not logger.access_log_enabled


def test_each_request_has_its_own_id() -> None:
    app = Flask(__name__)
    logs.register(app)
    app.add_url_rule("/", view_func=lambda: structlog.contextvars.get_contextvars()["request_id"])
    client = app.test_client()
    assert client.get("/").text != client.get("/").text
