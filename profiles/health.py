"""Whether the server lives, whether it can work, and how it does: `/health/live`, `/health/ready`, `/metrics`."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import literal, select
from sqlalchemy.exc import SQLAlchemyError

from database.engine import Database
from database.migrate import current, head
from database.statement import Statement
from profiles.findings.pages import OpenFindings
from profiles.house import House
from profiles.settings import Settings
from registry.metadata.errors import Rejected

REACHABLE = Statement(select(literal(1)))
LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
UNNAMED = "other"
SILENT_SECONDS = 2.0

Check = Callable[[], str]


def register(app: Flask, house: House) -> None:
    """Add the three routes, and count every request of `app`."""
    checks = readiness(house.settings)
    app.add_url_rule("/health/live", "live", lambda: jsonify(status="alive"))
    app.add_url_rule("/health/ready", "ready", lambda: _ready(checks))
    _measure(app, OpenFindings(house.imaging.findings))


def readiness(settings: Settings) -> dict[str, Check]:
    """What must hold before requests are sent here; each check gives what is wrong, or nothing."""
    database = Database(settings.database)
    needed = cache(head)

    def reachable() -> str:
        try:
            database.rows(REACHABLE)
        except Rejected:
            return "the database cannot be reached"
        return ""

    def migrated() -> str:
        try:
            found = current(settings.database)
        except SQLAlchemyError:
            return "the database's schema cannot be read"
        return (
            ""
            if found == needed()
            else "the database's schema is not this release's: start `xdsi serve` to bring it up to date"
        )

    return {"database": reachable, "migrations": migrated, "blobs": _blobs(settings)}


def _blobs(settings: Settings) -> Check:
    """Whether the blob store can be written."""
    place = settings.blobs
    folder = place if isinstance(place, Path) else settings.data / "spool"

    def writable() -> str:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return ""
        except OSError:
            return "the blob folder cannot be written"

    if isinstance(place, Path):
        return writable
    from repository.store.s3 import S3Blobs  # an optional part of the installation

    # Whoever asks whether we are ready asks again soon.
    store = S3Blobs(replace(place, seconds=min(place.seconds, SILENT_SECONDS)), folder)

    def reachable() -> str:
        try:
            store.reach()
        except Rejected as rejected:
            return rejected.findings[0].text
        return writable()

    return reachable


def _ready(checks: dict[str, Check]) -> tuple[Response, int]:
    found = {name: check() for name, check in checks.items()}
    fit = not any(found.values())
    return jsonify(status="ready" if fit else "not ready", checks={n: wrong or "ok" for n, wrong in found.items()}), (
        200 if fit else 503
    )


def _measure(app: Flask, findings: OpenFindings) -> None:
    """Count requests and their time to the first byte by transaction; each application has a registry of its own.

    Under `xdsi serve` the processes share a folder of counters (PROMETHEUS_MULTIPROC_DIR), which `/metrics` adds up.
    """
    registry = CollectorRegistry()
    registry.register(findings)
    requests = Counter("xdsi_requests", "Requests answered", ("transaction", "status"), registry=registry)
    seconds = Histogram(
        "xdsi_request_seconds", "Time to the first byte", ("transaction",), buckets=LATENCIES, registry=registry
    )

    def begin() -> None:
        g.begun = time.perf_counter()

    def end(response: Response) -> Response:
        transaction = g.get("transaction") or (request.url_rule.endpoint if request.url_rule else UNNAMED)
        requests.labels(transaction, response.status_code).inc()
        if "begun" in g:
            seconds.labels(transaction).observe(time.perf_counter() - g.begun)
        return response

    def metrics() -> Response:
        source = registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            source = CollectorRegistry()
            MultiProcessCollector(source)  # type: ignore[no-untyped-call]
            source.register(findings)
        return Response(generate_latest(source), content_type=CONTENT_TYPE_LATEST)

    app.before_request(begin)
    app.after_request(end)
    app.add_url_rule("/metrics", "metrics", metrics)
