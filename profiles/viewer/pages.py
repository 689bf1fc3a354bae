"""The viewer's routes: its page for the studies that it was opened with, its parts, and DICOMweb for that page alone.

A page lives below an address of its own (`scope`), and so does the DICOMweb that it asks: the same transactions as at
/dicomweb, reading ones alone, by a caller who may see the page's studies and nothing else. Other clients of /dicomweb
notice nothing of it.
"""

import mimetypes
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from flask import Flask, Response, abort, redirect, render_template, request, send_from_directory

from profiles.catalog import Http, Transaction
from profiles.faces.caller import caller_of
from profiles.faces.dicomweb import checked_uids, problem
from profiles.faces.http import response_of
from profiles.house import House
from profiles.viewer.config import app_config
from profiles.viewer.install import ASSETS
from profiles.viewer.opening import Values, found, of_report, opened
from profiles.viewer.scope import Scope, Seal, folder_of, page_of
from registry.access import Caller
from registry.metadata.errors import Rejected

DICOMWEB = "/dicomweb/"
HASHED = re.compile(r"\.[0-9a-f]{20}\.|^[0-9a-f]{20}\.")
TYPES = {".wasm": "application/wasm", ".js": "text/javascript", ".mjs": "text/javascript"}
A_YEAR = 365 * 24 * 3600
# What OHIF needs beyond its own files: WebAssembly, workers made of text, and styles on elements.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:;"
    " connect-src 'self' data: blob:; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:;"
    " style-src 'self' 'unsafe-inline'; manifest-src 'self'; object-src 'self' blob:; frame-src 'self' blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
# The first two give the page memory that its workers share (SharedArrayBuffer).
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
}
OWN_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


def register(app: Flask, house: House, transactions: Iterable[Transaction]) -> None:
    """Add the viewer to `app`: `transactions` are those of which the reading DICOMweb ones are offered to a page."""
    pages = _Pages(house)
    app.add_url_rule("/viewer", "viewer", pages.home, strict_slashes=False)
    app.add_url_rule("/viewer/", "viewer home", pages.home)
    app.add_url_rule("/viewer/study/<study>", "viewer study", pages.study)
    app.add_url_rule("/viewer/report/<report>", "viewer report", pages.report)
    app.add_url_rule(f"{ASSETS}<path:name>", "viewer part", pages.part)
    app.add_url_rule("/viewer/s/<sealed>/app-config.js", "viewer config", pages.config)
    for rule in ("/viewer/s/<sealed>", "/viewer/s/<sealed>/", "/viewer/s/<sealed>/<path:_>"):
        app.add_url_rule(rule, f"page {rule}", pages.page)
    for each in transactions:
        if isinstance(each.face, Http) and each.face.method == "GET" and each.face.path.startswith(DICOMWEB):
            app.add_url_rule(f"/viewer/s/<sealed>{each.face.path}", f"viewer {each.face.path}", _scoped(each, pages))


class _Pages:
    def __init__(self, house: House) -> None:
        self.house, self.seal = house, Seal(house.settings)
        self._app = folder_of(house.settings) / "app"

    def home(self) -> Response:
        """What there is to open, or how it is installed."""
        return self._words("viewer.html", 200)

    def study(self, study: str) -> Response:
        """To a page that shows this study."""

        def of_study(caller: Caller) -> list[Values]:
            checked_uids(study=study)
            return found([("StudyInstanceUID", study)], self.house, caller)

        return self._opened(of_study)

    def report(self, report: str) -> Response:
        """To a page that shows the studies of this DiagnosticReport."""
        return self._opened(lambda caller: of_report(report, self.house, caller))

    def _opened(self, studies: Callable[[Caller], list[Values]]) -> Response:
        caller = caller_of(request, "RAD-106")
        try:
            path = opened(studies(caller), self.house, caller)
        except Rejected as rejected:
            return self._words("viewer.html", rejected.status, rejected.findings[0].text)
        answer = redirect(path, 303)
        answer.headers.update({"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})
        return answer  # type: ignore[return-value]

    def page(self, sealed: str, _: str = "") -> Response:
        """The viewer's page; it finds its way within itself."""
        if _.startswith(DICOMWEB.lstrip("/")):
            abort(404)
        try:
            self.seal.open(sealed)
        except Rejected as rejected:
            return self._words("viewer.html", rejected.status, rejected.findings[0].text)
        try:
            text = (self._app / "index.html").read_text("utf-8")
        except FileNotFoundError:
            return self._words("viewer.html", 503)
        return Response(text.replace("@PAGE@", page_of(sealed)), 200, {**HEADERS, "Cache-Control": "no-store"})

    def config(self, sealed: str) -> Response:
        """The page's settings."""
        try:
            scope = self.seal.open(sealed)
        except Rejected:
            abort(403)
        script = app_config(scope, page_of(sealed), ASSETS)
        return Response(script, 200, {**HEADERS, "Cache-Control": "no-store"}, content_type="text/javascript")

    def part(self, name: str) -> Response:
        """A file of the viewer, compressed where the browser takes that."""
        suffix = Path(name).suffix
        if suffix == ".gz" or not self._app.is_dir():
            abort(404)
        packed = request.accept_encodings.quality("gzip") > 0 and (self._app / f"{name}.gz").is_file()
        kept = A_YEAR if HASHED.search(Path(name).name) else None
        answer = send_from_directory(
            self._app.resolve(),
            f"{name}.gz" if packed else name,
            mimetype=TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream",
            max_age=kept,
        )
        if packed:
            answer.headers["Content-Encoding"] = "gzip"
        answer.headers.update({**HEADERS, "Vary": "Accept-Encoding"})
        return answer

    def scoped(self, sealed: str) -> tuple[Scope, House]:
        """What the page may see, and the house as it is seen from there: URLs in answers lead below the page's own.

        Raises:
            Rejected: Forbidden.
        """
        scope = self.seal.open(sealed)
        settings = self.house.settings
        web = settings.web.model_copy(update={"public_url": f"{settings.base_url}{page_of(sealed)}"})
        return scope, replace(self.house, settings=settings.model_copy(update={"web": web}))

    def _words(self, template: str, status: int, text: str = "") -> Response:
        installed = (self._app / "index.html").exists()
        body = render_template(template, installed=installed, text=text, settings=self.house.settings)
        headers = {"Content-Security-Policy": OWN_POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        return Response(body, status, headers, content_type="text/html; charset=utf-8")


def _scoped(transaction: Transaction, pages: _Pages) -> Callable[..., Response]:
    decode, handle, encode = transaction.decode, transaction.handle, transaction.encode
    if decode is None or handle is None or encode is None:
        raise ValueError(f"{transaction.id} has no parts")

    def view(sealed: str, **variables: str) -> Response:
        try:
            scope, house = pages.scoped(sealed)
            caller = replace(caller_of(request, transaction.id), name="viewer", studies=scope.studies)
            reply = encode(handle(decode(request, **variables), house, caller))
        except Rejected as rejected:
            reply = problem(rejected)
        response = response_of(reply)
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    return view
