"""SOAP faults: messages that cannot be dispatched (SOAP 1.2 Part 1, 5.4; WS-Addressing 1.0 SOAP Binding, 6).

A fault says by its code whose it is, by its subcode which rule, and by its reason what to mend. What a transaction
itself refuses is no fault but its own answer (ITI TF-3, 4.2.4).
"""

from collections.abc import Sequence
from typing import Final

from profiles.faces import xml
from profiles.faces.reply import Reply
from registry.metadata.urn import Namespace

WITHIN: Final = {
    "ActionMismatch": "InvalidAddressingHeader",
    "InvalidCardinality": "InvalidAddressingHeader",
    "InvalidAddress": "InvalidAddressingHeader",
    "OnlyAnonymousAddressSupported": "InvalidAddressingHeader",
}
"""Subcodes that stand within another (WS-Addressing 1.0 SOAP Binding, 6.4.1)."""

# WS-Addressing 1.0 SOAP Binding, 5 and 6: one action for its own faults, another for those that SOAP defines.
ADDRESSING_FAULT: Final = f"{Namespace.ADDRESSING}/fault"
SOAP_FAULT: Final = f"{Namespace.ADDRESSING}/soap/fault"
# SOAP 1.2 Part 1, 5.4.7; the block is of SOAP 1.2's namespace in both versions' envelopes.
UPGRADE: Final = '<soap:Upgrade{}><soap:SupportedEnvelope qname="soap:Envelope"/></soap:Upgrade>'
STATUS: Final = {"Sender": 400}
"""HTTP status by code, 500 for the others (SOAP 1.2 Part 2, table 20)."""


class Fault(Exception):
    """A message that cannot be dispatched at all.

    `code` is Sender, Receiver, MustUnderstand or VersionMismatch; `subcode` the innermost of WS-Addressing; `status`
    HTTP's, 0 for the usual one; `detail` the XML of soap:Detail; `not_understood` the tags of header blocks; `old` is
    True for the answer to a SOAP 1.1 envelope.
    """

    def __init__(
        self,
        code: str,
        reason: str,
        status: int = 0,
        subcode: str = "",
        *,
        detail: str = "",
        not_understood: Sequence[str] = (),
        old: bool = False,
    ) -> None:
        super().__init__(reason)
        self.code, self.reason, self.subcode = code, reason, subcode
        self.status = status or STATUS.get(code, 500)
        self.detail, self.not_understood, self.old = detail, not_understood, old

    @property
    def action(self) -> str:
        """The fault's wsa:Action."""
        return SOAP_FAULT if self.code in ("MustUnderstand", "VersionMismatch") else ADDRESSING_FAULT


def unknown_action(action: str, reason: str) -> Fault:
    """WS-Addressing 1.0 SOAP Binding, 6.4.4, with the action that is not known."""
    detail = f"<wsa:ProblemAction><wsa:Action>{xml.escaped(action)}</wsa:Action></wsa:ProblemAction>"
    return Fault("Sender", reason, subcode="ActionNotSupported", detail=detail)


def wrong_header(name: str, reason: str, subcode: str = "InvalidCardinality") -> Fault:
    """WS-Addressing 1.0 SOAP Binding, 6.4.1 and 6.4.2, with the header that is wrong; `name` is without its prefix."""
    detail = f"<wsa:ProblemHeaderQName>wsa:{name}</wsa:ProblemHeaderQName>"
    return Fault("Sender", reason, subcode=subcode, detail=detail)


def body(fault: Fault) -> bytes:
    """The soap:Fault element of an envelope that declares `soap` and `wsa`."""
    subcodes = ""
    for name in filter(None, (fault.subcode, WITHIN.get(fault.subcode))):
        subcodes = f"<soap:Subcode><soap:Value>wsa:{name}</soap:Value>{subcodes}</soap:Subcode>"
    detail = f"<soap:Detail>{fault.detail}</soap:Detail>" if fault.detail else ""
    return (
        f"<soap:Fault><soap:Code><soap:Value>soap:{fault.code}</soap:Value>{subcodes}</soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{xml.escaped(fault.reason)}</soap:Text></soap:Reason>'
        f"{detail}</soap:Fault>"
    ).encode()


def headers(fault: Fault) -> str:
    """The header blocks that go with the fault: what was not understood, or the version that would be."""
    if fault.code == "VersionMismatch":
        return UPGRADE.format("")
    blocks = []
    for tag in fault.not_understood:
        namespace, _, local = tag.removeprefix("{").rpartition("}")
        name = f'qname="n:{xml.escaped(local)}" xmlns:n="{xml.escaped(namespace)}"' if namespace else f'qname="{local}"'
        blocks.append(f"<soap:NotUnderstood {name}/>")
    return "".join(blocks)


def of_soap_1_1(reason: str) -> Reply:
    """The answer to a SOAP 1.1 envelope, in SOAP 1.1, since its sender reads no other (SOAP 1.2 Part 1, appendix A)."""
    upgrade = UPGRADE.format(f' xmlns:soap="{Namespace.SOAP}"')
    text = (
        f'<e:Envelope xmlns:e="{Namespace.SOAP_1_1}"><e:Header>{upgrade}</e:Header><e:Body>'
        f"<e:Fault><faultcode>e:VersionMismatch</faultcode><faultstring>{xml.escaped(reason)}</faultstring>"
        "</e:Fault></e:Body></e:Envelope>"
    )
    return Reply(500, "text/xml; charset=UTF-8", text.encode())
