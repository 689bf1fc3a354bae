"""What an S3 server or the way to it may say, as refusals: no room, not ours to write, or try again."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from urllib3.exceptions import HTTPError

from registry.metadata.errors import ErrorCode, Rejected
from repository.store.blobs import out_of_resources

SOURCE = "ITI TF-3, table 4.2.4.1-2"
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
# The code of an answer -> what the operator must mend. Other answers of 5xx and 429 pass by themselves.
TEXTS = {
    "NoSuchBucket": "the bucket does not exist",
    "404": "the bucket does not exist, or this server may not know of it",
    "InvalidBucketName": "the bucket has a name that the object store does not take",
    "AccessDenied": "the object store does not allow it to this server's credentials",
    "403": "the object store does not allow it to this server's credentials",
    "InvalidAccessKeyId": "the object store does not know this server's credentials",
    "XAdminUserNotFound": "the object store does not know this server's credentials",
    "SignatureDoesNotMatch": "the object store does not take this server's secret",
    "ExpiredToken": "this server's credentials for the object store have expired",
    "QuotaExceeded": "the object store has no room left for this bucket",
    "InsufficientStorage": "the object store has no room left",
    "XMinioStorageFull": "the object store has no room left",
    "EntityTooLarge": "the object store does not take an object of this size",
}
CREDENTIALS = "this server has no credentials for the object store"
CONFIGURATION = "the client of the object store cannot be set up: its profile, configuration file or region is wrong"
NOT_REACHED = "the object store cannot be reached, or broke off; try again"
BUSY = "the object store has too much to do; try again"
STRANGE = "the object store refuses the request"
FAILURES = (BotoCoreError, ClientError, Boto3Error, HTTPError)


def code_of(error: BaseException) -> str:
    """The code of the server's answer; empty where there was none."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def is_missing(error: BaseException) -> bool:
    """Whether the server says that there is no such object."""
    return code_of(error) in MISSING


def refusal(error: BaseException) -> Rejected:
    """The refusal that tells of `error`: OutOfResources where people must act, Busy where trying again may help."""
    found = _answered(error)
    if isinstance(found, NoCredentialsError | PartialCredentialsError):
        return out_of_resources(CREDENTIALS)
    if isinstance(found, ProfileNotFound | ConfigNotFound | ConfigParseError | NoRegionError):
        return out_of_resources(CONFIGURATION)
    if not isinstance(found, ClientError):
        return _busy(NOT_REACHED)
    code, status = code_of(found), found.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in TEXTS:
        return out_of_resources(TEXTS[code])
    if status == 507:
        return out_of_resources(TEXTS["InsufficientStorage"])
    if status == 429 or status >= 500:
        return _busy(BUSY)
    return out_of_resources(f"{STRANGE}: {code[:50]}")


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the client raises into a refusal, and log its kind; never its text, which may name keys."""
    try:
        yield
    except FAILURES as error:
        found = _answered(error)
        structlog.get_logger(__name__).warning("object store failed", kind=type(found).__name__, code=code_of(found))
        raise refusal(error) from error


def _busy(text: str) -> Rejected:
    return Rejected.because(ErrorCode.XDSRepositoryBusy, "", text, SOURCE)


def _answered(error: BaseException) -> BaseException:
    """The error below the one that the managed transfer wraps around it."""
    below = error.__cause__ or error.__context__
    return below if isinstance(error, Boto3Error) and isinstance(below, ClientError | BotoCoreError) else error
