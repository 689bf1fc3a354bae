"""Who asks, as far as HTTP tells."""

from flask import Request, g
from structlog.contextvars import get_contextvars

from registry.access import Caller
from registry.metadata.identify import fresh_uuid


def caller_of(request: Request, transaction: str) -> Caller:
    """The caller of one HTTP request that runs `transaction`; on loopback nobody is authenticated.

    The request's id ties its log lines to its audit record; its transaction names it in the metrics.
    """
    g.transaction = transaction
    request_id = get_contextvars().get("request_id") or fresh_uuid()
    return Caller("anonymous", request.remote_addr or "", transaction, request_id)
