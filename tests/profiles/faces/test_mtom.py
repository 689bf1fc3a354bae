"""MTOM: what senders in the field write is read, what an attacker writes is refused, and a refusal leaves nothing."""

import re

import pytest

from profiles.faces import mtom
from profiles.faces.multipart import parameters, write_parts
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import Namespace

XOP = Namespace.XOP
ROOT = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'


def envelope(*documents: str, header: str = "") -> bytes:
    held = "".join(f"<d:Document>{document}</d:Document>" for document in documents)
    body = f'<d:Request xmlns:d="{Namespace.XDS_B}">{held}</d:Request>'
    inner = f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body>"
    return f'<s:Envelope xmlns:s="{Namespace.SOAP}">{inner}</s:Envelope>'.encode()


def xop(href: str) -> str:
    return f'<x:Include xmlns:x="{XOP}" href="{href}"/>'


def package(*parts: tuple[str, str, bytes]) -> bytes:
    """Parts as (Content-ID, Content-Type, content); an empty id or type is left out."""
    return b"".join(
        write_parts(
            "sep",
            [
                ([(n, v) for n, v in (("Content-ID", name), ("Content-Type", kind)) if v], [content])
                for name, kind, content in parts
            ],
        )
    )


class Shelf:
    """Keeps what is received, as the blob store would; numbers are the handles."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}
        self.received = 0

    def receive(self, chunks) -> int:
        content = b"".join(chunks)
        self.received += 1
        self.kept[self.received] = content
        return self.received

    def discard(self, handle: int) -> None:
        del self.kept[handle]

    def read(self, body: bytes, extra: str = '; start="<root@x>"', size: int = 65536, **options):
        content_type = options.pop(
            "content_type", f'multipart/related; boundary=sep; type="application/xop+xml"{extra}'
        )
        at = 0

        def read(n: int) -> bytes:
            nonlocal at
            piece = body[at : at + min(n, size)]
            at += len(piece)
            return piece

        return mtom.read_message(content_type, read, self.receive, discard=self.discard, **options)

    def documents(self, message) -> list[bytes | None]:
        handles = [mtom.included(e, message) for e in message.root.iter(f"{{{Namespace.XDS_B}}}Document")]
        return [None if h is None else self.kept[h] for h in handles]


@pytest.fixture
def shelf():
    return Shelf()


def two_documents() -> bytes:
    return package(
        ("<root@x>", ROOT, envelope(xop("cid:1@x"), xop("cid:2@x"))),
        ("<1@x>", "text/plain", b"first"),
        ("<2@x>", "application/dicom", b"second\r\n"),
    )


@pytest.mark.parametrize("size", [1, 65536])
def test_attachments_are_found_by_their_includes(shelf, size):
    message = shelf.read(two_documents(), size=size)
    assert message.packaged
    assert message.attachments == {"1@x": 1, "2@x": 2}
    assert shelf.documents(message) == [b"first", b"second\r\n"]


@pytest.mark.parametrize(
    ("content_id", "href"),
    [
        ("<1.urn:uuid:3D4B@apache.org>", "cid:1.urn:uuid:3D4B@apache.org"),
        ("<4@urn:ihe:iti:xds-b:2007>", "cid:4@urn%3Aihe%3Aiti%3Axds-b%3A2007"),
        ("<http://tempuri.org/1/6349>", "cid:http%3A%2F%2Ftempuri.org%2F1%2F6349"),
        ("<a%40b>", "cid:a%40b"),
        ("<a+b@x>", "cid:a+b@x"),
        ("bare@x", "cid:bare@x"),
        ("<1@x>", "CID:1@x"),
        ("<å@x>", "cid:%C3%A5@x"),
        ("<1@x>", "cid:%31@x"),
    ],
)
def test_spellings_of_a_content_id(shelf, content_id, href):
    body = package(("<root@x>", ROOT, envelope(xop(href))), (content_id, "", b"d"))
    assert shelf.documents(shelf.read(body)) == [b"d"]


@pytest.mark.parametrize("extra", ["", "; start-info=application/soap+xml; charset=utf-8"])
def test_without_start_the_first_part_is_the_root(shelf, extra):
    assert shelf.documents(shelf.read(two_documents(), extra)) == [b"first", b"second\r\n"]


@pytest.mark.parametrize("start", ['"<root@x>"', '"root@x"', "<root@x>", "root@x"])
def test_spellings_of_start(shelf, start):
    assert len(shelf.read(two_documents(), f"; start={start}").attachments) == 2


def test_parts_before_the_root_are_attachments(shelf):
    body = package(("<1@x>", "text/plain", b"early"), ("<root@x>", ROOT, envelope(xop("cid:1@x"))))
    assert shelf.documents(shelf.read(body)) == [b"early"]


@pytest.mark.parametrize(
    "kind", ["", "application/soap+xml", 'application/xop+xml;charset=utf-8;type="application/soap+xml"']
)
def test_spellings_of_the_root_type(shelf, kind):
    assert shelf.read(package(("<root@x>", kind, envelope()))).root.tag == f"{{{Namespace.SOAP}}}Envelope"


def test_the_root_may_lack_a_content_id(shelf):
    body = package(("", ROOT, envelope(xop("cid:1@x"))), ("<1@x>", "", b"d"))
    assert shelf.documents(shelf.read(body, "")) == [b"d"]


def test_a_plain_message_has_no_attachments(shelf):
    message = shelf.read(envelope("aGk="), content_type="application/soap+xml; charset=utf-8", size=7)
    assert not message.packaged
    assert shelf.documents(message) == [None]
    assert [mtom.inline(e) for e in message.root.iter(f"{{{Namespace.XDS_B}}}Document")] == [b"hi"]


def test_inline_beside_xop(shelf):
    body = package(("<root@x>", ROOT, envelope("aGk=", xop("cid:1@x"))), ("<1@x>", "", b"d"))
    assert shelf.documents(shelf.read(body)) == [None, b"d"]


def test_an_attachment_that_nothing_names_is_not_kept(shelf):
    body = package(("<root@x>", ROOT, envelope(xop("cid:2@x"))), ("<1@x>", "", b"stray"), ("<2@x>", "", b"d"))
    assert shelf.read(body).attachments == {"2@x": 2}
    assert shelf.kept == {2: b"d"}


SECOND = ("<1@x>", "text/plain", b"d")


def with_includes(*hrefs: str) -> bytes:
    return package(("<root@x>", ROOT, envelope(*map(xop, hrefs))), SECOND)


BAD = {
    "http": (with_includes("http://127.0.0.1:9/1@x"), "must be a cid"),
    "file": (with_includes("file:///etc/hostname"), "must be a cid"),
    "relative": (with_includes("1@x"), "must be a cid"),
    "no href": (package(("<root@x>", ROOT, envelope(f'<x:Include xmlns:x="{XOP}"/>')), SECOND), "must be a cid"),
    "blank before cid": (with_includes(" cid:1@x"), "must be a cid"),
    "missing": (with_includes("cid:2@x"), "names no attachment"),
    "empty cid": (with_includes("cid:"), "names no attachment"),
    "other case": (with_includes("cid:1@X"), "names no attachment"),
    "dots": (with_includes("cid:%2e%2e%2f1@x"), "names no attachment"),
    "the root": (with_includes("cid:root@x"), "names no attachment"),
    "one part twice": (with_includes("cid:1@x", "cid:1@x"), "Two xop:Include"),
    "one part in two spellings": (with_includes("cid:1@x", "cid:%31%40x"), "Two xop:Include"),
    "in the header": (
        package(("<root@x>", ROOT, envelope(header=f"<h>{xop('cid:1@x')}</h>")), SECOND),
        "only stand in the Body",
    ),
    "one id twice": (package(("<root@x>", ROOT, envelope(xop("cid:1@x"))), SECOND, SECOND), "Two parts"),
    "the root's id twice": (package(("<root@x>", ROOT, envelope()), ("<root@x>", ROOT, envelope())), "Two parts"),
    "attachment without id": (package(("<root@x>", ROOT, envelope()), ("", "", b"d")), "no Content-ID"),
    "no root": (package(SECOND), "start parameter"),
    "DOCTYPE": (package(SECOND, ("<root@x>", ROOT, b"<!DOCTYPE a>" + envelope())), "DOCTYPE"),
    "text root": (package(SECOND, ("<root@x>", "text/xml", envelope())), "root part is text/xml"),
    "charset": (package(SECOND, ("<root@x>", "application/xop+xml; charset=utf-7", envelope())), "send UTF-8"),
    "truncated": (two_documents()[:-6], "truncated"),
}


@pytest.mark.parametrize(("body", "says"), BAD.values(), ids=BAD)
def test_a_refused_message_leaves_nothing(shelf, body, says):
    with pytest.raises(Rejected, match=says) as caught:
        shelf.read(body)
    assert caught.value.status in (400, 415)
    assert shelf.kept == {}


def test_every_wrong_include_is_told_at_once(shelf):
    with pytest.raises(Rejected) as caught:
        shelf.read(with_includes("cid:2@x", "cid:1@x", "cid:3@x", "cid:1@x"))
    assert [f.where for f in caught.value.findings] == ["cid:2@x", "cid:3@x", "cid:1@x"]


def test_no_prefix_of_a_message_succeeds(shelf):
    body = two_documents().rstrip()
    for length in range(len(body)):
        with pytest.raises(Rejected):
            shelf.read(body[:length])
    assert shelf.received > 50
    assert shelf.kept == {}


def test_a_bad_envelope_stops_the_documents_behind_it(shelf):
    with pytest.raises(Rejected):
        shelf.read(package(("<root@x>", ROOT, b"<a>"), SECOND))
    assert shelf.received == 0


def test_a_broken_connection_leaves_nothing(shelf):
    pieces = iter([two_documents()[:-40]])

    def read(n: int) -> bytes:
        for piece in pieces:
            return piece
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        mtom.read_message("multipart/related; boundary=sep", read, shelf.receive, discard=shelf.discard)
    assert (shelf.received, shelf.kept) == (1, {})


def test_a_store_that_fails_has_the_earlier_parts_discarded(shelf):
    def receive(chunks) -> int:
        if shelf.received:
            raise OSError("disk full")
        return shelf.receive(chunks)

    body = two_documents()
    pieces = iter([body])
    with pytest.raises(OSError, match="disk full"):
        mtom.read_message(
            "multipart/related; boundary=sep", lambda n: next(pieces, b""), receive, discard=shelf.discard
        )
    assert (shelf.received, shelf.kept) == (1, {})


@pytest.mark.parametrize("content_type", ["application/soap+xml", None], ids=["plain", "packaged"])
def test_the_cap_is_on_the_envelope_alone(shelf, content_type):
    root = envelope(*([] if content_type else [xop("cid:1@x")]))
    body = root if content_type else package(("<root@x>", ROOT, root), ("<1@x>", "", b"d" * 300_000))
    options = {"content_type": content_type} if content_type else {}
    shelf.read(body, limit=len(root), **options)
    with pytest.raises(Rejected, match="MTOM") as caught:
        shelf.read(body, limit=len(root) - 1, **options)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "content_type",
    [
        "text/xml",
        "application/xop+xml",
        "multipart/mixed; boundary=sep",
        "multipart/related; boundary=sep; type=text/xml",
        "",
        "application/soap+xml; charset=iso-8859-1",
    ],
)
def test_other_content_types_are_refused(shelf, content_type):
    with pytest.raises(Rejected) as caught:
        shelf.read(two_documents(), content_type=content_type)
    assert caught.value.status == 415


def test_a_plain_message_cannot_include(shelf):
    with pytest.raises(Rejected, match=r"came alone; send MTOM"):
        shelf.read(envelope(xop("cid:1@x")), content_type="application/soap+xml")


@pytest.mark.parametrize("held", ["text{}", "{}text", "{}<b/>", "<b/>{}", "{}" + xop("cid:2@x")], ids=range(5))
def test_an_include_stands_alone(shelf, held):
    body = package(("<root@x>", ROOT, envelope(held.format(xop("cid:1@x")))), SECOND, ("<2@x>", "", b"e"))
    extra = shelf.read(body)
    with pytest.raises(Rejected, match="all that its element holds"):
        shelf.documents(extra)


def test_blanks_around_an_include_are_fine(shelf):
    assert shelf.documents(shelf.read(package(("<root@x>", ROOT, envelope(f"\n {xop('cid:1@x')}\n")), SECOND))) == [
        b"d"
    ]


def document(shelf, held: str):
    root = shelf.read(envelope(held), content_type="application/soap+xml", limit=1 << 25).root
    return next(root.iter(f"{{{Namespace.XDS_B}}}Document"))


@pytest.mark.parametrize(
    ("held", "content"), [("", b""), ("aGk=", b"hi"), ("\n aG\r\n\tk= ", b"hi"), ("+/8=", b"\xfb\xff")]
)
def test_inline_base64(shelf, held, content):
    assert mtom.inline(document(shelf, held)) == content


@pytest.mark.parametrize("held", ["aGk", "aGk=aGk=", "aGk==", "a", "-_8=", "åäö=", "aG!k", "<b/>", "=", "aGk=\u00a0x"])
def test_other_text_is_not_base64(shelf, held):
    with pytest.raises(Rejected, match="base64") as caught:
        mtom.inline(document(shelf, held))
    assert caught.value.status == 400


def test_inline_has_a_cap_that_names_mtom():
    from lxml.etree import Element

    element = Element("Document")
    element.text = "A" * (mtom.INLINE_LIMIT // 3 * 4) + "AAA="
    assert len(mtom.inline(element)) == mtom.INLINE_LIMIT
    element.text = "A" * (mtom.INLINE_LIMIT // 3 * 4 + 4)
    with pytest.raises(Rejected, match="MTOM") as caught:
        mtom.inline(element)
    assert caught.value.findings[0].code is ErrorCode.TooLarge


def test_what_is_written_is_read(shelf):
    ids = [mtom.new_content_id(), "odd+id%/å@x"]
    held = [mtom.include(i).decode() for i in ids]
    attachments = [mtom.Attachment(i, [b"d", bytes([n])], "application/dicom") for n, i in enumerate(ids)]
    content_type, body = mtom.write_message([envelope(*held)], attachments, action="urn:a")
    message = shelf.read(b"".join(body), content_type=content_type)
    assert list(message.attachments) == ids
    assert shelf.documents(message) == [b"d\0", b"d\1"]


def test_the_headers_of_an_answer():
    content_type, body = mtom.write_message([b"<e/>"], [], action="urn:ihe:iti:2007:RetrieveDocumentSetResponse")
    mime, parsed = parameters(content_type)
    given = dict(parsed)
    boundary = given.pop("boundary")
    start = given.pop("start")
    assert mime == "multipart/related"
    assert given == {
        "type": "application/xop+xml",
        "start-info": "application/soap+xml",
        "action": "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
    }
    written = b"".join(body).decode()
    assert written.startswith(f"--{boundary}\r\nContent-Type: {ROOT}\r\n")
    assert f"\r\nContent-ID: {start}\r\n" in written
    assert re.fullmatch(r"<[^<>@]+@[^<>@]+>", start)


def test_an_answer_without_action_has_none():
    assert "action" not in parameters(mtom.write_message([], [])[0])[1]


def test_attachments_are_opened_late_and_not_copied():
    opened = []
    chunk = bytes(1000)

    def attachments():
        for n in range(3):
            opened.append(n)
            yield mtom.Attachment(str(n), [chunk])

    _, body = mtom.write_message([b"<e/>"], attachments())
    assert opened == []
    seen = [opened[:] for piece in body if piece is chunk]
    assert seen == [[0], [0, 1], [0, 1, 2]]
