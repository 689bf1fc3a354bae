"""ITI-38 as an Initiating Gateway asks it, and what another community's gateway answers (ITI TF-2, 3.38)."""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml.etree import tostring

from profiles.document_sharing import stored_query
from profiles.document_sharing.told import errors_of, misattributed, status_of
from profiles.faces import soap_client, xml
from profiles.faces.ebrim_read import RIM
from profiles.faces.soap_client import NoAnswer, Peer
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import Slots
from registry.metadata.urn import Action, Namespace, ResponseStatus
from registry.queries import ReturnType

SOURCE = "ITI TF-2, 3.38.4.1.3"
OBJECT_LIST = RIM + "RegistryObjectList"
OBJECTS = frozenset(RIM + name for name in ("ExtrinsicObject", "RegistryPackage", "Association", "ObjectRef"))


@dataclass(frozen=True, slots=True)
class Given:
    """What one community gave: the elements of its objects, what went wrong there, and whether it answered at all."""

    objects: tuple[bytes, ...] = ()
    findings: tuple[Finding, ...] = ()
    succeeded: bool = True


def question(query_id: str, slots: Slots, returns: ReturnType, home: str) -> bytes:
    """An AdhocQueryRequest; `home` is "" when no community is named."""
    named = f' home="{xml.escaped(home)}"' if home else ""
    return (
        f'<query:AdhocQueryRequest xmlns:query="{Namespace.QUERY}" xmlns:rim="{Namespace.RIM}">'
        f'<query:ResponseOption returnComposedObjects="true" returnType="{returns}"/>'
        f'<rim:AdhocQuery id="{xml.escaped(query_id)}"{named}>{"".join(_slots(slots))}</rim:AdhocQuery>'
        "</query:AdhocQueryRequest>"
    ).encode()


def ask(peer: Peer, home: str, asked: bytes) -> Given:
    """What the gateway of `home` answers to the AdhocQueryRequest `asked`.

    Raises:
        NoAnswer: nothing that can be used.
    """
    answered = soap_client.call(
        peer, Action.CROSS_GATEWAY_QUERY, asked, stored_query.RESPONSE, _refuse_document, lambda _: None
    )
    return given(answered.body, home)


def given(response: xml.Element, home: str) -> Given:
    """What an AdhocQueryResponse of the gateway of `home` gives.

    An object without `home` cannot be asked for again, and one with another is not this community's to give: neither is
    passed on. That a patient is not known there is no error (ITI TF-2, 3.38.4.1.3).

    Raises:
        NoAnswer: it is not what the book says.
    """
    told = errors_of(response, home, ErrorCode.XDSRegistryError)
    status = status_of(response, told)
    findings = [f for f in told if f.code is not ErrorCode.XDSUnknownPatientId]
    objects: list[bytes] = []
    missing: list[str] = []
    strange: list[str] = []
    for element in (e for listed in response.iterchildren(OBJECT_LIST) for e in listed):
        if element.tag not in OBJECTS:
            raise NoAnswer(f"its answer holds {str(element.tag)[:200]}, which is no registry object")
        its_home = element.get("home", "").strip()
        if its_home == home:
            objects.append(tostring(element, encoding="UTF-8", with_tail=False))
        else:
            (strange if its_home else missing).append(
                f"{str(element.tag).removeprefix(RIM)} {element.get('id', 'without an id')}"
            )
    findings += misattributed(missing, strange, home, SOURCE)
    succeeded = status is not ResponseStatus.FAILURE or all(f.warning for f in findings)
    return Given(tuple(objects), tuple(findings), succeeded)


def _slots(slots: Slots) -> Iterator[str]:
    for name, values in slots:
        inside = "".join(f"<rim:Value>{xml.escaped(value)}</rim:Value>" for value in values)
        yield f'<rim:Slot name="{xml.escaped(name)}"><rim:ValueList>{inside}</rim:ValueList></rim:Slot>'


def _refuse_document(_: object) -> None:
    raise NoAnswer("its answer to a query has documents attached")
