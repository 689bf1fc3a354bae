"""ITI-62, Remove Metadata (ITI TF-2, 3.62): registry objects are taken out of the registry, for good."""

from profiles.catalog import Soap, Transaction
from profiles.document_sharing import outcome
from profiles.faces import soap, xml
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action, Namespace

RIM = "{" + Namespace.RIM + "}"
REQUEST = "{" + Namespace.LCM + "}RemoveObjectsRequest"
SOURCE = "ITI TF-2, 3.62.4.1.2"
CODE = ErrorCode.XDSRegistryError
MOST_OBJECTS = 10_000
WHOLE = "DeleteAll"


def decode(request: soap.Request[object]) -> list[str]:
    """The entryUUIDs that a RemoveObjectsRequest names, as sent and each once.

    Raises:
        Rejected: XDSRegistryError, the objects are named by a query, or not at all, or by something else than a UUID.
    """
    body, findings = request.body, list[Finding]()
    if body.find(RIM + "AdhocQuery") is not None:
        text = "objects to be removed are named by an ObjectRefList alone, never by a query"
        findings.append(Finding(CODE, "AdhocQuery", text, SOURCE))
    scope = body.get("deletionScope", "")
    if scope and not scope.endswith(WHOLE):
        text = f"{scope!r} is not possible: what is removed here is removed whole; leave it out"
        findings.append(Finding(CODE, "deletionScope", text, SOURCE))
    lists = body.findall(RIM + "ObjectRefList")
    refs = [ref for one in lists for ref in one.iterchildren(RIM + "ObjectRef")]
    if len(lists) != 1 or not 0 < len(refs) <= MOST_OBJECTS:
        text = f"there must be one, of 1 to {MOST_OBJECTS} ObjectRefs; {len(lists)} were sent, of {len(refs)}"
        findings.append(Finding(CODE, "ObjectRefList", text, SOURCE))
    ids = [_id(ref) for ref in refs]
    if not all(ids):
        findings.append(Finding(CODE, f"ObjectRef[{ids.index('') + 1}].id", "is required and missing", SOURCE))
    if findings:
        raise Rejected(findings)
    return list(dict.fromkeys(ids))


def _id(ref: xml.Element) -> str:
    return (ref.get("id") or "").strip()


def handle(ids: list[str], house: House, caller: Caller) -> tuple[Finding, ...]:
    """Remove the objects; there are no warnings.

    Raises:
        Rejected: with everything that is wrong.
    """
    house.registry.remove(ids, caller)
    return ()


TRANSACTION = Transaction(
    id="ITI-62",
    name="Remove Metadata",
    actor="Document Registry",
    source="ITI TF-2, 3.62",
    face=Soap(
        service="registry",
        action=Action.DELETE_DOCUMENT_SET,
        request=REQUEST,
        response="{" + Namespace.RS + "}RegistryResponse",
    ),
    decode=decode,
    handle=handle,
    encode=outcome.succeed,
    refuse=outcome.refuse,
)
