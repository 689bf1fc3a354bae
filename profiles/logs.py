"""Logs: one line of JSON an event, on standard error, without personal data.

Everything that writes goes through here, the web server's own messages too. What a caller sent is data, never layout:
line breaks and escape characters come out escaped. Identities are taken out of every text, and of an error only its
type and its place in the code are kept, because messages of errors quote what was sent.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog
from flask import Flask
from gunicorn.glogging import Logger as GunicornLogger
from structlog.typing import Processor

from registry.metadata.identify import fresh_uuid

Event = MutableMapping[str, Any]

MOST_FRAMES = 12
HIDDEN = "[redacted]"
PERSONAL = frozenset(
    {
        "patient",
        "patient_id",
        "patients",
        "name",
        "family",
        "given",
        "birth_date",
        "personnummer",
        "query",
        "url",
        "body",
    }
)
IDENTITIES = (
    re.compile(r"[^\s|'\"]{1,64}\^\^\^[^\s'\"]{0,256}"),  # CX: id^^^&authority&ISO
    re.compile(r"(?<![\d.])(?:\d{2})?\d{6}[-+]?\d{4}(?![\d.])"),  # personal identity number, 10 or 12 digits
    re.compile(r"(?<=\?)[^\s'\"]{1,4096}"),  # the query of a URL
)


def without_identities(text: str) -> str:
    """`text` with what looks like a patient's identity, or a URL's query, taken out."""
    for pattern in IDENTITIES:
        text = pattern.sub(HIDDEN, text)
    return text


def _redact(_: Any, __: str, event: Event) -> Event:
    for key, value in event.items():
        if key in PERSONAL:
            event[key] = HIDDEN
        elif isinstance(value, str) and key != "timestamp":
            event[key] = without_identities(value)
    return event


def _place_of_error(_: Any, __: str, event: Event) -> Event:
    """`exc_info` as the error's type and its frames: no message and no variable."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
        event["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _without_quotations(record: logging.LogRecord) -> bool:
    """False for pydicom's warnings: of a value that breaks a rule, they quote the value."""
    return record.name != "pydicom" or record.levelno >= logging.ERROR


def configure(level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's events to standard error, from `level` on."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Processor] = [_place_of_error, _redact, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_without_quotations)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
            # The template alone: what other libraries fill into it is what a caller sent.
            use_get_message=False,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))


class ServerLogger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's messages on the same way as all others. There is no access log: addresses hold identities."""

    def setup(self, cfg: Any) -> None:
        """Leave gunicorn's handlers out and let its events rise to the root logger."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Cut off the text after the colon: of a request that cannot be read, it quotes the request."""
        super().warning(msg.partition(": ")[0], *args, **kwargs)

    def access(self, *_: Any, **__: Any) -> None:
        """Write nothing."""


def register(app: Flask, _: object = None) -> None:
    """Give each request an id, `request_id`, that every event of its thread carries."""

    def bind() -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=fresh_uuid())

    app.before_request(bind)
