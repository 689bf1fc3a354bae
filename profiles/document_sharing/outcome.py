"""RegistryResponse, the answer to every submission: all of it is done, or nothing (ITI TF-3, 4.2.4)."""

from collections.abc import Iterable

from profiles.faces import ebrim_write, soap
from registry.metadata.errors import Finding, Rejected
from registry.metadata.urn import ResponseStatus


def succeed(warnings: Iterable[Finding]) -> soap.Answer:
    """Success, with warnings if there are any."""
    return soap.Answer([ebrim_write.registry_response(ResponseStatus.SUCCESS, warnings)])


def refuse(rejected: Rejected) -> soap.Answer:
    """Failure, and everything that is wrong."""
    return soap.Answer([ebrim_write.registry_response(ResponseStatus.FAILURE, rejected.findings)])
