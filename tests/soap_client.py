"""A SOAP client from another hand: zeep, with strict settings, and MTOM by the standard library's email parser.

It shares no code with the server's multipart reader and writer, so that the two can disprove each other.
"""

from base64 import b64decode, b64encode
from email import message_from_bytes
from email.message import Message
from urllib.parse import unquote
from uuid import uuid4

import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from registry.metadata.urn import Namespace

DOCUMENT = f"{{{Namespace.XDS_B}}}Document"
INCLUDE = f"{{{Namespace.XOP}}}Include"
# ITI TF-2, Appendix V: the transactions of these namespaces are sent as MTOM, even where nothing is attached.
MTOM = {Namespace.XDS_B, Namespace.XDS_I_B}


def client(url_of_wsdl: str, session: requests.Session | None = None) -> zeep.Client:
    """A client of the service that the WSDL describes.

    Its messages carry Action, MessageID and To: zeep adds them where the WSDL has wsaw:Action, and would add them
    twice with its WsAddressingPlugin.
    """
    return zeep.Client(
        url_of_wsdl,
        transport=MtomTransport(timeout=10, operation_timeout=60, session=session),
        settings=zeep.Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True),
    )


class MtomTransport(Transport):
    """Sends what must be MTOM as MTOM, and hands zeep every answer as a plain envelope with base64 inside."""

    def post_xml(self, address: str, envelope: etree._Element, headers: dict[str, str]) -> requests.Response:
        body = envelope.find(f"{{{Namespace.SOAP}}}Body")
        if etree.QName(body[0]).namespace in MTOM:
            media_type, message = pack(envelope, _parameter(headers["Content-Type"], "action"))
            headers = {**headers, "Content-Type": media_type}
        else:
            message = etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)
        # Not Transport.post: it decodes the message as UTF-8 when its logger listens to debug.
        response = self.session.post(address, data=message, headers=headers, timeout=self.operation_timeout)
        if response.headers.get("Content-Type", "").lower().startswith("multipart/related"):
            response._content = unpack(response.headers["Content-Type"], response.content)
            response.headers["Content-Type"] = "application/soap+xml; charset=UTF-8"
        return response


def pack(envelope: etree._Element, action: str) -> tuple[str, bytes]:
    """Content-Type and body of the MTOM message; each Document's bytes become a part of their own."""
    boundary, start = f"boundary_{uuid4()}", f"<envelope.{uuid4()}@client.test>"
    parts = []
    for document in envelope.findall(f".//{DOCUMENT}"):
        content_id = f"{uuid4()}@client.test"
        parts.append(_part(boundary, "application/octet-stream", f"<{content_id}>", b64decode(document.text or "")))
        document.text = None
        etree.SubElement(document, INCLUDE, nsmap={"xop": Namespace.XOP}, href=f"cid:{content_id}")
    xop = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
    root = _part(boundary, xop, start, etree.tostring(envelope, encoding="UTF-8", xml_declaration=True))
    media_type = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="{start}"; '
        f'start-info="application/soap+xml"; action="{action}"'
    )
    return media_type, b"".join([root, *parts, f"--{boundary}--\r\n".encode()])


def unpack(media_type: str, body: bytes) -> bytes:
    """The envelope of an MTOM message, each xop:Include replaced by the base64 of the part that it names.

    Raises `ValueError` for a message that is cut short or names a part that is not there.
    """
    message = message_from_bytes(f"Content-Type: {media_type}\r\n\r\n".encode() + body)
    if message.defects or not message.is_multipart():
        raise ValueError(f"not a whole multipart message: {message.defects}")
    parts = {part["Content-ID"].strip("<> "): part for part in message.get_payload()}
    start = message.get_param("start")
    root = parts[start.strip("<>")] if start else message.get_payload(0)
    envelope = etree.fromstring(root.get_payload(decode=True))
    for include in envelope.findall(f".//{INCLUDE}"):
        name = unquote(include.get("href").removeprefix("cid:"))
        if name not in parts:
            raise ValueError(f"no part is called {name}")
        document = include.getparent()
        document.remove(include)
        document.text = b64encode(parts[name].get_payload(decode=True)).decode()
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def _part(boundary: str, media_type: str, content_id: str, content: bytes) -> bytes:
    head = (
        f"--{boundary}\r\nContent-Type: {media_type}\r\n"
        f"Content-Transfer-Encoding: binary\r\nContent-ID: {content_id}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


def _parameter(media_type: str, name: str) -> str:
    message = Message()
    message["Content-Type"] = media_type
    return str(message.get_param(name))
