"""Where blobs lie in an S3 object store, read from a URL: `s3://bucket/prefix?endpoint=https://..&region=..`.

A URL is written into logs and settings files, so it may not carry credentials: they come from the environment or
another link of the client's own chain (`AWS_ACCESS_KEY_ID`, a profile, the machine's role).
"""

import re
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import parse_qsl, urlsplit

Addressing = Literal["path", "virtual", "auto"]

SCHEME = "s3"
ADDRESSINGS: tuple[Addressing, ...] = ("path", "virtual", "auto")
# What every S3 server takes as the name of a bucket.
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PARAMETERS = ("endpoint", "region", "addressing", "timeout")
# What a server other than Amazon's is told when no region is named: most of them take any, and want one to be signed.
ANY_REGION = "us-east-1"
LONGEST_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, and the prefix of all keys in it, empty or ending in a slash.

    `endpoint` is the server's base URL, empty for Amazon's; `seconds` is how long it may be silent.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    addressing: Addressing = "auto"
    seconds: float = 30.0

    @classmethod
    def parse(cls, url: str) -> Self:
        """From a URL.

        Raises:
            ValueError: it is not such a URL. The text never repeats it, for what is wrong may be a secret.
        """
        parts = urlsplit(url)
        if parts.scheme != SCHEME or not parts.netloc:
            raise ValueError("blobs_url: an S3 store is written s3://bucket/prefix?endpoint=https://..&region=..")
        if "@" in parts.netloc:
            raise ValueError("blobs_url: credentials do not belong into the URL; set AWS_ACCESS_KEY_ID and its secret")
        if not BUCKET.fullmatch(parts.netloc):
            raise ValueError("blobs_url: a bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots")
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        if set(given) - set(PARAMETERS):
            raise ValueError(f"blobs_url: parameters of an S3 store are {', '.join(PARAMETERS)}, and no others")
        endpoint = _endpoint(given.get("endpoint", ""))
        prefix = parts.path.strip("/")
        return cls(
            bucket=parts.netloc,
            prefix=f"{prefix}/" if prefix else "",
            endpoint=endpoint,
            region=given.get("region", "") or (ANY_REGION if endpoint else ""),
            addressing=_addressing(given.get("addressing", "path" if endpoint else "auto")),
            seconds=_seconds(given.get("timeout", "30")),
        )


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query):
        raise ValueError("blobs_url: endpoint is the http(s) URL of a server, without user and query")
    return text.rstrip("/")


def _addressing(text: str) -> Addressing:
    for known in ADDRESSINGS:
        if known == text:
            return known
    raise ValueError(f"blobs_url: addressing is one of {', '.join(ADDRESSINGS)}")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ValueError(f"blobs_url: timeout is a number of seconds, {LONGEST_TIMEOUT:.0f} at most")
    return seconds
