"""The seam of the wire log: around the whole application, so that SOAP, FHIR and DICOMweb pass it alike.

It is put there only when the settings ask for it. It sees what the application reads of a request and what it gives
out; it holds neither, and whatever goes wrong with the log leaves the exchange as it was.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import structlog
from flask import Flask, Response, g, request

from profiles.trace import findings
from profiles.trace.bodies import REMOVED, Watched, without_secrets
from profiles.trace.ring import Ring

TRACED: Final = ("/xds/", "/fhir", "/dicomweb", "/wado")
"""Paths whose exchanges are kept."""

SECRET: Final = ("authorization", "cookie", "token", "secret", "password", "api-key", "x-auth")
"""What the name of a header holds whose value is a credential."""

KEY = "xdsi.transaction"
log = structlog.get_logger(__name__)
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def install(app: Flask, ring: Ring, body_bytes: int) -> None:
    """Put the seam around `app`."""

    def name(response: Response) -> Response:
        request.environ[KEY] = g.get("transaction", "")
        return response

    app.after_request(name)
    app.wsgi_app = Seam(app.wsgi_app, ring, body_bytes)  # type: ignore[method-assign]


class Seam:
    """A WSGI application around another: keeps a copy of what passes, `body_bytes` of each body's text."""

    def __init__(self, inner: Application, ring: Ring, body_bytes: int, now: Callable[[], float] = time.time) -> None:
        self._inner, self._ring, self._cap, self._now = inner, ring, body_bytes, now

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """See PEP 3333."""
        if not environ.get("PATH_INFO", "").startswith(TRACED):
            return self._inner(environ, start_response)
        exchange = _Exchange(environ, self._cap, self._now())

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            exchange.start(status, headers)
            return start_response(status, headers, *more)

        def finish() -> None:
            try:
                self._ring.keep(exchange.begun, exchange.as_dict())
            except Exception:
                log.exception("the wire log cannot be written")

        return _Watching(self._inner(environ, start), exchange, finish)


class _Exchange:
    """One request and its answer as they pass."""

    def __init__(self, environ: dict[str, Any], cap: int, begun: float) -> None:
        self.begun = begun
        self._clock = time.perf_counter()
        self._environ, self._cap = environ, cap
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        # A coded body is bytes to whoever reads the log.
        kind = "" if environ.get("HTTP_CONTENT_ENCODING") else environ.get("CONTENT_TYPE", "")
        self._asked = Watched(kind, cap)
        self.answered = Watched("", cap)
        environ["wsgi.input"] = _Input(environ["wsgi.input"], self._asked)

    def start(self, status: str, headers: list[tuple[str, str]]) -> None:
        """The answer begins."""
        self._status = int(status.split(" ", 1)[0])
        self._headers = list(headers)
        given = {name.lower(): value for name, value in headers}
        kind = "" if given.get("content-encoding") else given.get("content-type", "")
        self.answered = Watched(kind, self._cap)

    def as_dict(self) -> dict[str, Any]:
        """What is kept of it."""
        environ, answered = self._environ, self.answered.as_dict()
        told = findings.told(self._status, answered)
        query = environ.get("QUERY_STRING", "")
        return {
            "seconds": round(time.perf_counter() - self._clock, 6),
            "peer": environ.get("REMOTE_ADDR", ""),
            "method": environ.get("REQUEST_METHOD", ""),
            "path": without_secrets(environ.get("PATH_INFO", "") + (f"?{query}" if query else "")),
            "transaction": environ.get(KEY, ""),
            "status": self._status,
            "outcome": findings.outcome(self._status, told),
            "findings": [one.as_dict() for one in told],
            "request": {"headers": _shown(_headers_of(environ)), **self._asked.as_dict()},
            "answer": {"headers": _shown(self._headers), **answered},
        }


class _Input:
    """`wsgi.input`, watched (PEP 3333)."""

    def __init__(self, inner: Any, watched: Watched) -> None:
        self._inner, self._watched = inner, watched

    def _seen(self, content: bytes) -> bytes:
        self._watched.feed(content)
        return content

    def read(self, *size: int) -> bytes:
        return self._seen(self._inner.read(*size))

    def readline(self, *size: int) -> bytes:
        return self._seen(self._inner.readline(*size))

    def readlines(self, *hint: int) -> list[bytes]:
        return [self._seen(line) for line in self._inner.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self._seen, self._inner)


class _Watching:
    """An answer's body, watched; `finish` runs when the server closes it, also when the client has left."""

    def __init__(self, inner: Iterable[bytes], exchange: _Exchange, finish: Callable[[], None]) -> None:
        self._inner, self._exchange, self._finish = inner, exchange, finish

    def __iter__(self) -> Iterator[bytes]:
        for block in self._inner:
            self._exchange.answered.feed(block)
            yield block

    def close(self) -> None:
        """See PEP 3333."""
        try:
            close = getattr(self._inner, "close", None)
            if close is not None:
                close()
        finally:
            self._finish()


def _headers_of(environ: dict[str, Any]) -> list[tuple[str, str]]:
    named = [(key[5:], value) for key, value in environ.items() if key.startswith("HTTP_")]
    named += [(key, environ[key]) for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)]
    return [(name.replace("_", "-").title(), str(value)) for name, value in sorted(named)]


def _shown(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, REMOVED if any(word in name.lower() for word in SECRET) else value) for name, value in headers]
