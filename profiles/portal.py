"""The home page: in plain words what runs here, and what one can try."""

from flask import Flask, Response, make_response, render_template

from profiles.house import House
from profiles.installed import PROFILES
from registry.access import Caller
from registry.metadata.errors import Rejected
from registry.queries import FindResources, Page, ResourceType

# What the page may load: its own style sheet. Nothing inline, nothing from elsewhere, nobody's frame.
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
}
SERVICES = (
    ("registry", "Document Registry"),
    ("repository", "Document Repository"),
    ("imaging", "Imaging Document Source"),
    ("gateway", "Responding Gateway"),
    ("initiating-gateway", "Initiating Gateway"),
)


def register(app: Flask, house: House) -> None:
    """Add `/`, and to every answer of `app` that a browser must take its type as it is said.

    The style sheet is served from the package by Flask itself.
    """

    def home() -> Response:
        page = render_template(
            "home.html",
            settings=house.settings,
            profiles=PROFILES,
            services=SERVICES,
            patient=_some_patient(house),
        )
        response = make_response(page)
        response.headers.update(SECURITY)
        return response

    def typed(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    app.add_url_rule("/", "home", home)
    app.after_request(typed)


def _some_patient(house: House) -> str | None:
    """The FHIR id of a patient to show, opaque; None when there is none yet."""
    caller = Caller(name="home page", address="", transaction="home")
    try:
        found = house.registry.search(FindResources(ResourceType.PATIENT, page=Page(1)), caller)
    except Rejected:
        return None
    return next((item.id for item in found.items), None)
