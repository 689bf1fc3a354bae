"""`/trace`: the wire log in a browser, there only when the log is kept.

It shows what patients' records say, so it asks the same policy as every other door, is audited like one, and answers
only a browser on this machine, never one behind a front.
"""

from itertools import islice
from typing import Final

from flask import Flask, Response, abort, make_response, render_template, request

from profiles.addresses import Address
from profiles.faces.caller import caller_of
from profiles.house import House
from profiles.portal import SECURITY
from profiles.trace import readable
from profiles.trace.ring import Ring
from registry.access import EVERYTHING
from registry.audit import READ, AuditRecord

SHOWN: Final = 100  # exchanges on the list
FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
TRANSACTION: Final = "trace"


def register(app: Flask, house: House, ring: Ring) -> None:
    """Add the list and the page of one exchange."""

    def several() -> Response:
        _admit(house)
        transaction, failed = request.args.get("transaction", ""), request.args.get("failed") == "1"
        found = list(islice(readable.selected(ring.newest(), transaction, failed), SHOWN))
        _audited(house, *(one["id"] for one in found))
        return _page("trace_list.html", exchanges=found, transaction=transaction, failed=failed, most=SHOWN)

    def single(id_: str) -> Response:
        _admit(house)
        exchange = ring.get(id_)
        if exchange is None:
            abort(404)
        _audited(house, exchange["id"])
        return _page("trace_one.html", exchange=exchange)

    app.add_url_rule("/trace", "trace list", several)
    app.add_url_rule("/trace/<id_>", "trace one", single)


def _admit(house: House) -> None:
    """Refuse whoever may not see every patient's messages, or is not on this machine."""
    peer = Address(request.remote_addr or "", 0)
    here = peer.is_loopback and not any(name in request.headers for name in FORWARDED)
    if not here or house.policy.visibility(caller_of(request, TRANSACTION)) != EVERYTHING:
        abort(403)


def _audited(house: House, *ids: str) -> None:
    house.audit.keep(AuditRecord(caller_of(request, TRANSACTION), READ, (), ids, count=len(ids), detail="wire log"))


def _page(template: str, **values: object) -> Response:
    response = make_response(render_template(template, readable=readable, **values))
    response.headers.update(SECURITY)
    response.headers["Cache-Control"] = "no-store"
    return response
