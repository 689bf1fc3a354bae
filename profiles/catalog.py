"""What a profile and a transaction are, as data.

`installed.py` lists them; routes, the SOAP action table, the CapabilityStatement, the WSDL, the integration statement
and the README's table are all printed from that list, so none of them can promise what is not there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from profiles.faces.dimse import Service
from registry.metadata.urn import Action


@dataclass(frozen=True, slots=True)
class Soap:
    """A SOAP 1.2 operation at `/xds/<service>`, chosen by wsa:Action. `request` and `response` are {namespace}local."""

    service: str
    action: Action
    request: str
    response: str
    mtom: bool = False


@dataclass(frozen=True, slots=True)
class Http:
    """An HTTP route outside FHIR: `path` in Flask's spelling."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Fhir:
    """A FHIR interaction on a resource type; `parameters` are (name, type, meaning) of its searches."""

    resource: str
    interaction: str
    parameters: tuple[tuple[str, str, str], ...] = ()
    includes: tuple[str, ...] = ()
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Mllp:
    """An HL7 v2 message over MLLP, chosen by MSH-9: type and trigger events; `segments` are those that are read."""

    message: str
    events: tuple[str, ...]
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dimse:
    """A DIMSE service on an association (PS3.7), for these SOP classes; none: for every storage SOP class."""

    service: Service
    sop_classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SameDoor:
    """A transaction whose wire form is another's: it has no door of its own (RAD-68 is ITI-41)."""

    transaction: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction, one file: its number and name in the book, who plays it, and its three parts.

    `decode` turns the wire into a value, `handle(value, house, caller)` asks an actor, `encode` turns the answer into
    the wire, and `refuse` a rejection, where the transaction has an answer of its own for that (SOAP). For a `SameDoor`
    all are None.
    """

    id: str
    name: str
    actor: str
    source: str
    face: Soap | Http | Fhir | Mllp | Dimse | SameDoor
    decode: Callable[..., Any] | None = None
    handle: Callable[..., Any] | None = None
    encode: Callable[..., Any] | None = None
    refuse: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of the book, the actors that are played of it, and its transactions."""

    id: str
    name: str
    source: str
    actors: tuple[str, ...]
    transactions: tuple[Transaction, ...]
    options: tuple[str, ...] = ()
