"""Who asks, as far as HTTP tells."""

from flask import Request

from registry.access import Caller


def caller_of(request: Request, transaction: str) -> Caller:
    """The caller of one HTTP request that runs `transaction`; on loopback nobody is authenticated."""
    return Caller(name="anonymous", address=request.remote_addr or "", transaction=transaction)
