"""The WSDL that a SOAP service publishes (WSDL 1.1 with the SOAP 1.2 binding; ITI TF-2, Appendix V).

One document holds everything a client needs: the schemas that the service's operations use are inlined and import
each other by namespace, so that no second request and no access to other servers is needed to read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from lxml import etree

from profiles.faces.xml import Element, parse, tag
from registry.metadata.urn import Namespace

SCHEMAS = {
    Namespace.RIM: "rim.xsd",
    Namespace.RS: "rs.xsd",
    Namespace.LCM: "lcm.xsd",
    Namespace.QUERY: "query.xsd",
    Namespace.XDS_B: "xds_b.xsd",
    Namespace.XDS_I_B: "xds_i_b.xsd",
    Namespace.RMD: "rmd.xsd",
    Namespace.HL7_V3: "hl7v3.xsd",
}
"""The packaged schema of each message namespace."""

# WSDL 1.1, SOAP 1.2 binding: HTTP as the binding's transport.
_OVER_HTTP = "http://schemas.xmlsoap.org/soap/http"


@dataclass(frozen=True, slots=True)
class Operation:
    """A transaction as its WSDL names it: request and answer are global elements of one of `SCHEMAS`.

    `name` must be an NCName and unique in its service; `action` and `response_action` are the values of wsa:Action.
    """

    name: str
    action: str
    response_action: str
    request: etree.QName
    response: etree.QName


def wsdl(service: str, address: str, operations: Sequence[Operation]) -> bytes:
    """The UTF-8 document that describes `service` (an NCName), reached at the URL `address`.

    Raises `ValueError` when an operation's element is of a namespace that has no packaged schema.
    """
    elements = [name for operation in operations for name in (operation.request, operation.response)]
    schemas = _schemas_of(elements)
    root = etree.Element(
        _wsdl("definitions"),
        {"name": service, "targetNamespace": Namespace.XDS_B},
        nsmap={
            "wsdl": Namespace.WSDL,
            "soap12": Namespace.WSDL_SOAP12,
            "wsaw": Namespace.WSDL_ADDRESSING,
            "tns": Namespace.XDS_B,
            **{namespace.name.lower(): namespace.value for namespace in schemas},
        },
    )
    etree.SubElement(root, _wsdl("types")).extend(schemas.values())
    for operation in operations:
        _message(root, _asked(operation), operation.request)
        _message(root, _answered(operation), operation.response)
    _port_type(root, service, operations)
    _binding(root, service, operations)
    _service(root, service, address)
    etree.indent(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _wsdl(name: str) -> str:
    return tag(Namespace.WSDL, name)


def _soap(name: str) -> str:
    return tag(Namespace.WSDL_SOAP12, name)


def _addressing(name: str) -> str:
    return tag(Namespace.WSDL_ADDRESSING, name)


def _asked(operation: Operation) -> str:
    return f"{operation.name}Request"


def _answered(operation: Operation) -> str:
    return f"{operation.name}Response"


def _schemas_of(elements: Sequence[etree.QName]) -> dict[Namespace, Element]:
    """The schemas of these elements and of all that they import, an imported one before those that import it."""
    found: dict[Namespace, Element] = {}

    def add(namespace: Namespace) -> None:
        if namespace in found:
            return
        schema = _packaged(namespace)
        for imported in schema.findall(tag(Namespace.XML_SCHEMA, "import")):
            add(Namespace(imported.get("namespace", "")))
        found[namespace] = schema

    for element in elements:
        add(Namespace(element.namespace))
    return found


def _packaged(namespace: Namespace) -> Element:
    if namespace not in SCHEMAS:
        raise ValueError(f"no schema is packaged for {namespace}")
    name = SCHEMAS[namespace]
    return parse(files("profiles.faces").joinpath("schemas", name).read_bytes(), what=name)


def _message(root: Element, name: str, element: etree.QName) -> None:
    message = etree.SubElement(root, _wsdl("message"), name=name)
    prefix = Namespace(element.namespace).name.lower()
    etree.SubElement(message, _wsdl("part"), name="body", element=f"{prefix}:{element.localname}")


def _port_type(root: Element, service: str, operations: Sequence[Operation]) -> None:
    port_type = etree.SubElement(root, _wsdl("portType"), name=f"{service}PortType")
    for operation in operations:
        node = etree.SubElement(port_type, _wsdl("operation"), name=operation.name)
        for direction, message, action in (
            ("input", _asked(operation), operation.action),
            ("output", _answered(operation), operation.response_action),
        ):
            etree.SubElement(node, _wsdl(direction), {"message": f"tns:{message}", _addressing("Action"): action})


def _binding(root: Element, service: str, operations: Sequence[Operation]) -> None:
    binding = etree.SubElement(root, _wsdl("binding"), name=f"{service}Binding", type=f"tns:{service}PortType")
    etree.SubElement(binding, _soap("binding"), style="document", transport=_OVER_HTTP)
    # ITI TF-2, Appendix V: every message carries WS-Addressing headers.
    etree.SubElement(binding, _addressing("UsingAddressing"), {_wsdl("required"): "true"})
    for operation in operations:
        node = etree.SubElement(binding, _wsdl("operation"), name=operation.name)
        etree.SubElement(node, _soap("operation"), soapAction=operation.action, style="document")
        for direction in ("input", "output"):
            etree.SubElement(etree.SubElement(node, _wsdl(direction)), _soap("body"), use="literal")


def _service(root: Element, service: str, address: str) -> None:
    node = etree.SubElement(root, _wsdl("service"), name=service)
    port = etree.SubElement(node, _wsdl("port"), name=f"{service}Port", binding=f"tns:{service}Binding")
    etree.SubElement(port, _soap("address"), location=address)
