"""`create_app`: a Flask application of the installed profiles. Tests call it with settings of their own."""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter

import structlog
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from profiles import health, portal
from profiles.catalog import Http, Soap
from profiles.composition import compose
from profiles.faces import dicomweb, fhir, fhir_http, soap_http
from profiles.faces import http as http_face
from profiles.faces.http import response_of
from profiles.findings import pages as findings_pages
from profiles.house import House
from profiles.installed import PROFILES
from profiles.settings import Settings
from profiles.trace import capture, pages
from profiles.trace.ring import Ring
from profiles.viewer import pages as viewer_pages
from registry.metadata.errors import ErrorCode, Rejected

Extra = Callable[[Flask, House], None]


def create_app(settings: Settings, extras: Iterable[Extra] = ()) -> Flask:
    """The application; `extras` add routes of what may not be imported from here (the conformance tools)."""
    house = compose(settings)
    app = Flask(__name__)
    transactions = [t for profile in PROFILES for t in profile.transactions]
    soaps = sorted((t for t in transactions if isinstance(t.face, Soap)), key=attrgetter("face.service"))
    for service, members in groupby(soaps, key=attrgetter("face.service")):
        soap_http.register(app, service, list(members), house)
    for transaction in transactions:
        if isinstance(transaction.face, Http):
            http_face.register(app, transaction, house, dicomweb.problem)
    fhir_http.register(app, PROFILES, house, settings.base_url, version("openxdsi"))
    portal.register(app, house)
    viewer_pages.register(app, house, transactions)
    health.register(app, house)
    findings_pages.register(app, house)
    for extra in extras:
        extra(app, house)
    if settings.trace.enabled:
        ring = Ring.of(settings)
        pages.register(app, house, ring)
        capture.install(app, ring, settings.trace.body_bytes)
    app.register_error_handler(Exception, _failed)
    return app


def _failed(error: Exception) -> Response:
    """What no face has answered: a coded answer, and the traceback for the operator."""
    if isinstance(error, HTTPException):
        if request.path.startswith("/dicomweb"):
            code = ErrorCode.NotFound if error.code == 404 else ErrorCode.InvalidRequest
            reply = dicomweb.problem(Rejected.because(code, "URL", error.name, "DICOM PS3.18, 8.3"))
            response = response_of(reply)
            response.status_code = error.code or 500
            return response
        return Response(f"{error.name}\n", error.code, {**dict(error.get_headers()), "Content-Type": "text/plain"})
    structlog.get_logger(__name__).error("failed", exc_info=error, endpoint=request.endpoint)
    rejected = Rejected.because(
        ErrorCode.XDSRegistryError, "", "an internal error, which was logged", "RFC 9110, 15.6.1"
    )
    if request.path.startswith("/fhir"):
        return response_of(fhir.outcome(rejected))
    if request.path.startswith("/dicomweb"):
        return response_of(dicomweb.problem(rejected))
    answer: Response = jsonify(error="internal error")
    answer.status_code = 500
    return answer
