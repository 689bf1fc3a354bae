"""DIMSE requests and answers as values (PS3.7): what a handler is given and what it gives back.

No network and no library is in sight here. `dimse_serving` turns messages into these values and back again, so that a
transaction is `handle(request, house, caller) -> answer`, as behind every other door.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any


class Service(Enum):
    """What can be asked on an association (PS3.7 7.5); each has one answer type.

    ECHO, COMMIT and STORE are answered by a `Status`, FIND by an iterator of `Match`, MOVE and GET by a `Retrieval`.
    A handler refuses by raising `Refused`, or `Rejected`, for which `dimse_status` has a code.
    """

    ECHO = "C-ECHO"
    STORE = "C-STORE"
    FIND = "C-FIND"
    MOVE = "C-MOVE"
    GET = "C-GET"
    COMMIT = "N-ACTION"


class Right(StrEnum):
    """What a peer may do."""

    STORE = "store"
    QUERY = "query"
    MOVE = "move"
    COMMIT = "commit"


def is_ae_title(text: str) -> bool:
    """1 to 16 printable characters of ASCII without backslash, spaces at the ends not counted (PS3.5 6.2)."""
    return bool(text.strip()) and len(text) <= 16 and text.isascii() and text.isprintable() and "\\" not in text


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of an association.

    `title` is the calling AE title, `called` the called one, `address` the IP address, `certificate` the common name in
    its certificate, empty without TLS. `authority` is the OID whose its Patient IDs are when they name no issuer, empty
    for the domain's own.
    """

    title: str
    called: str
    address: str
    certificate: str = ""
    authority: str = ""
    rights: frozenset[Right] = frozenset(Right)


@dataclass(frozen=True, slots=True)
class Status:
    """A DIMSE status (PS3.7 C), `comment` for who must mend it, `elements` the offending ones as GGGGEEEE."""

    code: int = 0x0000
    comment: str = ""
    elements: tuple[str, ...] = ()


class Refused(Exception):
    """A handler's refusal, with the status that says why."""

    def __init__(self, code: int, comment: str = "", elements: tuple[str, ...] = ()) -> None:
        self.status = Status(code, comment, elements)
        super().__init__(comment)


@dataclass(frozen=True, slots=True)
class Echo:
    """C-ECHO (PS3.7 9.1.5)."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Store:
    """C-STORE (PS3.7 9.1.1). `file` is the object as a Part 10 file, in pieces, as they come from the network."""

    peer: Peer
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    file: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Find:
    """C-FIND (PS3.7 9.1.2). `identifier` is in the DICOM JSON model; `cancelled()`: no more is wanted."""

    peer: Peer
    sop_class_uid: str
    identifier: dict[str, Any]
    cancelled: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Match:
    """One match, in the DICOM JSON model; `unsupported` when optional keys were not matched on (status FF01)."""

    identifier: dict[str, Any]
    unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Retrieve:
    """C-MOVE or C-GET (PS3.7 9.1.3, 9.1.4). `destination` is the Move Destination, empty for C-GET."""

    peer: Peer
    sop_class_uid: str
    identifier: dict[str, Any]
    destination: str
    cancelled: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Instance:
    """One object to be sent.

    `read(accepted)` gives it as a Part 10 file in one of the accepted transfer syntaxes: the UID of that syntax and the
    file's bytes in pieces; it raises Rejected when it cannot. The object's own syntax must come back untouched.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    read: Callable[[Sequence[str]], tuple[str, Iterator[bytes]]]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where C-MOVE and N-EVENT-REPORT go: a configured peer. `tls` is True when it must be spoken."""

    title: str
    host: str
    port: int
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What is to be sent, and where; `destination` is None on the same association (C-GET)."""

    instances: Sequence[Instance]
    destination: Destination | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A SOP instance that storage commitment names."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Commit:
    """N-ACTION of storage commitment (PS3.4 J.3.2)."""

    peer: Peer
    transaction_uid: str
    references: tuple[Reference, ...]


Request = Echo | Store | Find | Retrieve | Commit
