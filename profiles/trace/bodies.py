"""What the wire log keeps of a body: text up to a cap, everything else as its length and SHA-256.

A body is looked at while it passes and never held: documents may have gigabytes. Credentials are taken out of what is
kept; the log has no use for them, and an assertion could be played again.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Final

from profiles.faces.multipart import parameters
from registry.metadata.errors import Rejected

MOST_PARTS: Final = 100
MOST_HEADER_BYTES: Final = 8192
TEXT = re.compile(r"text/.*|application/(.*\+)?(xml|json)|application/x-www-form-urlencoded")
HEAD_END = re.compile(rb"\r?\n\r?\n")
PART_TYPE = re.compile(rb"(?im)^content-type:[ \t]*([^\r\n]*)")
# A wsse:Security header block, also one that the cap cut off.
SECURITY = re.compile(r"<((?:[\w.-]+:)?Security)\b[^>]*(?<!/)>.*?(?:</\1\s*>|\Z)", re.DOTALL)
CREDENTIAL = re.compile(r"(?i)\b(access_token|client_secret|client_assertion|assertion|password)=[^&\s]*")
REMOVED = "[removed]"
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class Part:
    """One part of a body, or the whole of one that has no parts."""

    content_type: str
    size: int = 0
    kept: bytearray = field(default_factory=bytearray)
    _digest: Any = field(default_factory=hashlib.sha256)

    def take(self, content: bytes, room: int) -> None:
        """Look at some more of it, and keep `room` bytes of that at most."""
        self.size += len(content)
        self._digest.update(content)
        if room > 0 and is_text(self.content_type):
            self.kept += content[:room]

    def as_dict(self) -> dict[str, Any]:
        """What is kept of it."""
        found: dict[str, Any] = {"type": self.content_type, "size": self.size, "sha256": self._digest.hexdigest()}
        if is_text(self.content_type):
            coding = "utf-16" if self.kept.startswith(UTF16) else "utf-8"
            # The cap may cut a character in two.
            found["text"] = without_secrets(self.kept.decode(coding, "replace"))
            found["cut"] = len(self.kept) < self.size
        return found


def is_text(content_type: str) -> bool:
    """True for media types that people read."""
    return TEXT.fullmatch(content_type.partition(";")[0].strip().lower()) is not None


def without_secrets(text: str) -> str:
    """`text` without WS-Security tokens and form credentials."""
    return CREDENTIAL.sub(rf"\1={REMOVED}", SECURITY.sub(rf"<\1>{REMOVED}</\1>", text))


class Watched:
    """A body that passes: `feed` takes its bytes. `cap` is the bytes of text kept of it in all."""

    def __init__(self, content_type: str, cap: int) -> None:
        self.size = 0
        self.parts: list[Part] = []
        self._cap = cap
        self._mark = _boundary(content_type)
        self._rest = b""
        self._at_head = False
        self._open: Part | None = None
        self._more = 0
        if not self._mark:
            self._begin(content_type)

    def feed(self, content: bytes) -> None:
        """Look at the next bytes."""
        self.size += len(content)
        if not self._mark:
            self._take(content)
            return
        self._rest += content
        while self._head() if self._at_head else self._content():
            pass

    def as_dict(self) -> dict[str, Any]:
        """What is kept of the body."""
        found: dict[str, Any] = {"size": self.size, "parts": [part.as_dict() for part in self.parts if self.size]}
        return found | ({"more": self._more} if self._more else {})

    def _head(self) -> bool:
        """Read a part's headers; False when more must come first."""
        end = HEAD_END.search(self._rest)
        if end is None and len(self._rest) < MOST_HEADER_BYTES:
            return False
        head, self._rest = (self._rest[: end.start()], self._rest[end.end() :]) if end else (b"", self._rest)
        found = PART_TYPE.search(head)
        self._begin(found[1].decode("latin-1") if found else "application/octet-stream")
        self._at_head = False
        return True

    def _content(self) -> bool:
        """Take content up to the next boundary; False when more must come first."""
        at = self._rest.find(self._mark)
        if at < 0:
            # What may be the beginning of a boundary, with the line end before it, waits.
            safe = max(0, len(self._rest) - len(self._mark) - 2)
            self._take(self._rest[:safe])
            self._rest = self._rest[safe:]
            return False
        self._take(self._rest[:at].removesuffix(b"\n").removesuffix(b"\r"))
        self._rest = self._rest[at + len(self._mark) :]
        self._at_head = True
        return True

    def _begin(self, content_type: str) -> None:
        if len(self.parts) == MOST_PARTS:
            self._open = None
            self._more += 1
            return
        self._open = Part(content_type)
        self.parts.append(self._open)

    def _take(self, content: bytes) -> None:
        if self._open is not None:
            self._open.take(content, self._cap - sum(len(part.kept) for part in self.parts))


def _boundary(content_type: str) -> bytes:
    """What parts the body; empty for a body without parts."""
    try:
        mime, given = parameters(content_type)
    except Rejected:
        return b""
    boundary = given.get("boundary", "") if mime.startswith("multipart/") else ""
    return b"--" + boundary.encode("utf-8") if boundary else b""
