"""Pages that show what patients' records say: for a browser on this machine, by the policy of every other door."""

from typing import Final

from flask import Response, abort, make_response, render_template, request

from profiles.addresses import Address
from profiles.faces.caller import caller_of
from profiles.house import House
from profiles.portal import SECURITY
from registry.access import EVERYTHING

FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")


def admit(house: House, transaction: str) -> None:
    """Refuse whoever may not see every patient's records, or is not on this machine."""
    peer = Address(request.remote_addr or "", 0)
    here = peer.is_loopback and not any(name in request.headers for name in FORWARDED)
    if not here or house.policy.visibility(caller_of(request, transaction)) != EVERYTHING:
        abort(403)


def page(template: str, **values: object) -> Response:
    """The page, which nothing keeps."""
    response = make_response(render_template(template, **values))
    response.headers.update(SECURITY)
    response.headers["Cache-Control"] = "no-store"
    return response
