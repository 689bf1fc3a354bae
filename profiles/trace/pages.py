"""`/trace`: the wire log in a browser, there only when the log is kept.

It shows what patients' records say, so it asks the same policy as every other door, is audited like one, and answers
only a browser on this machine, never one behind a front.
"""

from itertools import islice
from typing import Final

from flask import Flask, Response, abort, request

from profiles.faces.caller import caller_of
from profiles.house import House
from profiles.private_pages import admit, page
from profiles.trace import readable
from profiles.trace.ring import Ring
from registry.audit import READ, AuditRecord

SHOWN: Final = 100  # exchanges on the list
TRANSACTION: Final = "trace"


def register(app: Flask, house: House, ring: Ring) -> None:
    """Add the list and the page of one exchange."""

    def several() -> Response:
        admit(house, TRANSACTION)
        transaction, failed = request.args.get("transaction", ""), request.args.get("failed") == "1"
        found = list(islice(readable.selected(ring.newest(), transaction, failed), SHOWN))
        _audited(house, *(one["id"] for one in found))
        chosen = {"transaction": transaction, "failed": failed}
        return page("trace_list.html", readable=readable, exchanges=found, most=SHOWN, **chosen)

    def single(id_: str) -> Response:
        admit(house, TRANSACTION)
        exchange = ring.get(id_)
        if exchange is None:
            abort(404)
        _audited(house, exchange["id"])
        return page("trace_one.html", readable=readable, exchange=exchange)

    app.add_url_rule("/trace", "trace list", several)
    app.add_url_rule("/trace/<id_>", "trace one", single)


def _audited(house: House, *ids: str) -> None:
    house.audit.keep(AuditRecord(caller_of(request, TRANSACTION), READ, (), ids, count=len(ids), detail="wire log"))
