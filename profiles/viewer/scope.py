"""What a viewer's page may see: certain studies, for a while, sealed into the page's address.

A page's address goes through proxies, histories and logs, so it is encrypted and not only signed: nobody reads a UID
out of it. What is opened with it is never more than it says, and when its time is over there is nothing: the page asks
for images below its own address, not at /dicomweb.
"""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken

from profiles.settings import Settings
from registry.metadata.errors import ErrorCode, Rejected

MOST_STUDIES = 50
"""Of one page: an address must not be longer than servers take."""
LONGEST_SEAL = 6000


@dataclass(frozen=True, slots=True)
class Scope:
    """`shown` are the Study Instance UIDs that the page opens with, `others` those that it may show besides.

    `mode` is the viewer's: how it lays its page out.
    """

    shown: tuple[str, ...]
    others: tuple[str, ...] = ()
    mode: str = "viewer"

    @property
    def studies(self) -> frozenset[str]:
        """All that may be seen."""
        return frozenset((*self.shown, *self.others))


class Seal:
    """Seals scopes with the key of the settings; it is made with the first, where there is none."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.viewer.key_file or folder_of(settings) / "key"
        self._seconds = int(settings.viewer.minutes * 60)
        self._fernet: Fernet | None = None

    def close(self, scope: Scope) -> str:
        """The scope as a segment of a URL's path."""
        packed = zlib.compress(orjson.dumps([scope.shown, scope.others, scope.mode]), 9)
        return self._with_key().encrypt(packed).decode()

    def open(self, sealed: str) -> Scope:
        """The scope that was sealed.

        Raises:
            Rejected: Forbidden, it was not sealed here, or its time is over.
        """
        try:
            packed = self._with_key().decrypt(sealed[:LONGEST_SEAL], ttl=self._seconds)
        except InvalidToken:
            text = "This page's time is over, or its address is not whole. Open the images again from where you came"
            raise Rejected.because(ErrorCode.Forbidden, "viewer", text, "RFC 9110, 15.5.4") from None
        shown, others, mode = orjson.loads(zlib.decompress(packed))
        return Scope(tuple(shown), tuple(others), mode)

    def _with_key(self) -> Fernet:
        if self._fernet is None:
            self._fernet = Fernet(_key(self._file))
        return self._fernet


def folder_of(settings: Settings) -> Path:
    """Where the viewer and its key are."""
    return settings.viewer.folder or settings.data / "viewer"


def page_of(sealed: str) -> str:
    """The address of the page, without the server's."""
    return f"/viewer/s/{sealed}"


def limited(uids: Sequence[str]) -> tuple[str, ...]:
    """As many as one page can have, each once."""
    return tuple(dict.fromkeys(uids))[:MOST_STUDIES]


def _key(file: Path) -> bytes:
    """The key; of several processes that find none, one makes it."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(Fernet.generate_key())
        try:
            os.link(made, file)
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return file.read_bytes().strip()
