"""An answer as HTTP sees it, before any web framework does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and body of an HTTP answer. A body that is an iterable is streamed."""

    status: int
    content_type: str = ""
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
