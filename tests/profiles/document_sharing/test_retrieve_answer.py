"""RetrieveDocumentSetResponse: its status, and documents that are opened only when they are sent."""

from lxml import etree

from profiles.document_sharing.retrieve import Document, answer, status
from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.urn import Namespace, ResponseStatus

MISSING = Finding(ErrorCode.XDSDocumentUniqueIdError, "1.2.9", "no such document", "ITI TF-2, 3.43.4.1.3")
WARNING = Finding(ErrorCode.XDSDocumentUniqueIdError, "1.2.9", "old", "ITI TF-2, 3.43", warning=True)


def document(opened, unique_id="1.2.3", home=None):
    def chunks():
        opened.append(unique_id)
        yield b"bytes of "
        yield unique_id.encode()

    return Document("1.2.5", unique_id, "text/x-a&b", home, chunks)


def test_status():
    assert status(2, []) == status(0, []) == status(0, [WARNING]) == ResponseStatus.SUCCESS
    assert status(1, [MISSING]) == ResponseStatus.PARTIAL_SUCCESS
    assert status(0, [MISSING]) == status(0, [WARNING, MISSING]) == ResponseStatus.FAILURE


def test_documents_and_errors_in_one_answer():
    opened: list[str] = []
    found = answer([document(opened, home="urn:oid:1.2.6"), MISSING, document(opened, "1.2.4<>")])
    root = etree.fromstring(b"".join(found.body), etree.XMLParser(resolve_entities=False))
    xdsb = {"x": Namespace.XDS_B, "rs": Namespace.RS, "xop": Namespace.XOP}
    assert root.findtext("x:DocumentResponse/x:HomeCommunityId", namespaces=xdsb) == "urn:oid:1.2.6"
    ids = [e.text for e in root.findall("x:DocumentResponse/x:DocumentUniqueId", xdsb)]
    assert ids == ["1.2.3", "1.2.4<>"]
    (error,) = root.iter(f"{{{Namespace.RS}}}RegistryError")
    assert (error.get("errorCode"), error.get("location")) == ("XDSDocumentUniqueIdError", "1.2.9")
    hrefs = [e.get("href") for e in root.iter(f"{{{Namespace.XOP}}}Include")]
    assert len(set(hrefs)) == len(found.attachments) == 2
    assert opened == []
    assert [b"".join(a.chunks) for a in found.attachments] == [b"bytes of 1.2.3", b"bytes of 1.2.4<>"]


def test_no_document_is_opened_before_its_turn():
    opened: list[str] = []
    found = answer([document(opened, "1.2.3"), document(opened, "1.2.4")])
    next(iter(found.attachments[0].chunks))
    assert opened == ["1.2.3"]
