"""HL7 v3 messages of patient administration: the parts of them that an identity feed is read for, and the answer.

Lenient in what is read: elements are found by name, whatever stands between them. Book: ITI TF-2, 3.44 and appendix O.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from profiles.faces import xml
from profiles.faces.xml import Element
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.identify import fresh_uuid
from registry.metadata.urn import Arc, Hl7V3, Namespace

V3 = "{" + Namespace.HL7_V3 + "}"
LONGEST_VALUE = 1024  # characters
DONE, REFUSED = "AA", "AE"
# HL7 code system AcknowledgementDetailCode.
DETAILS: Mapping[ErrorCode, str] = {
    ErrorCode.Incomplete: "SYN101",
    ErrorCode.XDSUnknownPatientId: "KEY204",
    ErrorCode.PatientLinkConflict: "KEY205",
}


@dataclass(frozen=True, slots=True)
class Ii:
    """An instance identifier: root OID and extension; `name` is the assigning authority's."""

    root: str
    extension: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What the answer to a message needs to know of it: its id, and the devices it came from and was for."""

    id: Ii
    sender: Ii
    receiver: Ii


def wrapper_of(message: Element) -> Wrapper:
    """The transmission wrapper (ITI TF-2, appendix O.1.1); what is missing is empty."""
    sender, receiver = (f"{V3}{role}/{V3}device/{V3}id" for role in ("sender", "receiver"))
    return Wrapper(
        _first(message.findall(f"{V3}id")), _first(message.findall(sender)), _first(message.findall(receiver))
    )


def all_of(parent: Element, *path: str) -> list[Element]:
    """The elements at a path of local names."""
    return list(parent.findall("/".join(V3 + name for name in path)))


def identifiers(parent: Element) -> tuple[Ii, ...]:
    """The `id` children that say something."""
    return tuple(one for one in map(_ii, parent.findall(f"{V3}id")) if one.root or one.extension)


def value(parent: Element, *path: str, attribute: str = "value") -> str:
    """An attribute of the first element at a path, empty when it is not there."""
    found = parent.find("/".join(V3 + name for name in path))
    return "" if found is None else _bounded(found.get(attribute, ""))


def text(parent: Element, *path: str) -> str:
    """The text of all elements at a path, with single spaces."""
    found = parent.findall("/".join(V3 + name for name in path))
    return _bounded(" ".join(" ".join("".join(map(str, one.itertext())).split()) for one in found))


def acknowledgement(wrapper: Wrapper | None, ours: str, findings: Iterable[Finding] = ()) -> bytes:
    """MCCI_IN000002UV01: `AA`, or `AE` with a detail for each finding (ITI TF-2, 3.44.4.1.3).

    Args:
        wrapper: of the message that is answered; None when there is none to name.
        ours: OID of this device, where the sender named none.
        findings: what is wrong.
    """
    rows = [f for f in findings if not f.warning]
    sender = wrapper.sender if wrapper else Ii("", "")
    receiver = wrapper.receiver if wrapper and wrapper.receiver.root else Ii(ours, "")
    interaction = f'root="{Hl7V3.INTERACTIONS}" extension="MCCI_IN000002UV01"'
    return (
        f'<MCCI_IN000002UV01 xmlns="{Namespace.HL7_V3}" ITSVersion="XML_1.0">'
        f'<id root="{Arc.UUID}.{_number()}"/>'
        f'<creationTime value="{datetime.now(UTC):%Y%m%d%H%M%S}"/>'
        f"<interactionId {interaction}/>"
        '<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="NE"/>'
        f"{_device('receiver', 'RCV', sender)}{_device('sender', 'SND', receiver)}"
        f'<acknowledgement><typeCode code="{REFUSED if rows else DONE}"/>'
        f"<targetMessage>{_id(wrapper.id if wrapper else Ii('', ''))}</targetMessage>"
        f"{''.join(map(_detail, rows))}</acknowledgement></MCCI_IN000002UV01>"
    ).encode()


def _detail(finding: Finding) -> str:
    """acknowledgementDetail: a code of HL7's, words for people with our own code in front, and where."""
    code = DETAILS.get(finding.code, "INTERR" if finding.code.status >= 500 else "SYN102")
    words = xml.escaped(f"{finding.code.wire}: {finding}")
    place = f"<location>{xml.escaped(finding.where)}</location>" if finding.where else ""
    return (
        f'<acknowledgementDetail typeCode="E"><code code="{code}" codeSystem="{Hl7V3.DETAIL_CODES}"/>'
        f"<text>{words}</text>{place}</acknowledgementDetail>"
    )


def _device(role: str, code: str, id: Ii) -> str:
    return f'<{role} typeCode="{code}"><device classCode="DEV" determinerCode="INSTANCE">{_id(id)}</device></{role}>'


def _id(id: Ii) -> str:
    if not id.root:
        return '<id nullFlavor="UNK"/>'
    extension = f' extension="{xml.escaped(id.extension)}"' if id.extension else ""
    return f'<id root="{xml.escaped(id.root)}"{extension}/>'


def _number() -> int:
    return int(fresh_uuid().replace("-", ""), 16)


def _first(found: Sequence[Element]) -> Ii:
    return _ii(found[0]) if found else Ii("", "")


def _ii(element: Element) -> Ii:
    root, extension = element.get("root", "").strip(), element.get("extension", "").strip()
    return Ii(_bounded(root), _bounded(extension), _bounded(element.get("assigningAuthorityName", "").strip()))


def _bounded(text: str) -> str:
    return text[:LONGEST_VALUE]
