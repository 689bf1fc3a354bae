"""The one parser refuses what attacks a parser, and reads what senders send."""

import os
import resource
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.faces import xml
from registry.metadata.errors import ErrorCode, Rejected

CANARY = "canary-93a1"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))

DOCTYPES = {
    "bare": "<!DOCTYPE a><a/>",
    "after a comment of 5 kB": f"<!--{'x' * 5000}--><!DOCTYPE a><a/>",
    "after an instruction": '<?xml version="1.0"?><?x y?>\n<!DOCTYPE a [<!ELEMENT a ANY>]><a/>',
    "file entity": '<!DOCTYPE a [<!ENTITY e SYSTEM "FILE">]><a>&e;</a>',
    "file entity unused": '<!DOCTYPE a [<!ENTITY e SYSTEM "FILE">]><a/>',
    "http entity": '<!DOCTYPE a [<!ENTITY e SYSTEM "HTTP/e">]><a>&e;</a>',
    "ftp entity": '<!DOCTYPE a [<!ENTITY e SYSTEM "FTP/e">]><a>&e;</a>',
    "public entity": '<!DOCTYPE a [<!ENTITY e PUBLIC "p" "HTTP/p">]><a>&e;</a>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % p SYSTEM "HTTP/p.dtd"> %p;]><a/>',
    "parameter entity of a file": '<!DOCTYPE a [<!ENTITY % p SYSTEM "FILE"> %p;]><a/>',
    "outer DTD": '<!DOCTYPE a SYSTEM "HTTP/a.dtd"><a/>',
    "outer DTD of a file": '<!DOCTYPE a SYSTEM "FILE"><a/>',
    "public DTD": '<!DOCTYPE a PUBLIC "-//X//Y" "HTTP/a.dtd"><a/>',
    "entity in an attribute": '<!DOCTYPE a [<!ENTITY e "x">]><a b="&e;"/>',
    "attribute default": '<!DOCTYPE a [<!ATTLIST a role CDATA "admin">]><a/>',
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l9;</a>',
    "billion laughs in an attribute": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a b="&l9;"/>',
    "quadratic": f'<!DOCTYPE a [<!ENTITY e "{"x" * 50_000}">]><a>{"&e;" * 50_000}</a>',
}


@pytest.fixture
def canary(tmp_path):
    """Fills FILE, HTTP and FTP into a payload; fails the test if the listener was ever called."""
    secret = tmp_path / "canary.txt"
    secret.write_text(CANARY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        yield (
            lambda text: (
                text.replace("FILE", secret.as_uri())
                .replace("HTTP", f"http://{address}")
                .replace("FTP", f"ftp://{address}")
                .encode()
            )
        )
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def refusal(data: bytes, **options) -> Rejected:
    with pytest.raises(Rejected) as caught:
        xml.parse(data, **options)
    assert len(str(caught.value)) < 500
    return caught.value


@pytest.mark.parametrize("payload", DOCTYPES.values(), ids=DOCTYPES)
def test_a_doctype_is_refused_and_nothing_is_fetched(payload, canary):
    began = time.perf_counter()
    refused = refusal(canary(payload))
    assert time.perf_counter() - began < 0.5
    assert refused.findings[0].code is ErrorCode.InvalidRequest
    assert CANARY not in str(refused)


@pytest.mark.parametrize(
    "payload",
    [
        '<!DOCTYPE a SYSTEM "{}"><a/>',
        '<!DOCTYPE a SYSTEM "file://{}"><a/>',
        '<!DOCTYPE a PUBLIC "-//X//Y" "{}"><a/>',
        '<!DOCTYPE a [<!ENTITY e SYSTEM "{}">]><a>&e;</a>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "{}"> %p;]><a/>',
    ],
)
def test_no_file_of_this_machine_is_opened(payload, tmp_path):
    """A pipe that nobody writes to holds up whoever opens it; a device would do worse."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: refusal(payload.format(pipe).encode()), daemon=True)
    thread.start()
    thread.join(5)
    opened = thread.is_alive()
    if opened:
        pipe.open("w").close()
    assert not opened


def test_the_doctype_finding_names_the_doctype():
    assert "DOCTYPE" in str(refusal(b"<!DOCTYPE a><a/>"))


def test_the_word_doctype_in_a_text_harms_nobody():
    assert xml.parse(b"<a><![CDATA[<!DOCTYPE a>]]></a>").text == "<!DOCTYPE a>"


def test_an_xinclude_stays_an_element(canary):
    payload = '<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="FILE" parse="text"/></a>'
    root = xml.parse(canary(payload))
    assert len(root) == 1
    assert CANARY not in "".join(root.itertext())


@pytest.mark.parametrize("siblings", [0, 300])
@pytest.mark.parametrize("innermost", ["<a/>", "<a></a>", "<a>t</a>"])
def test_a_hundred_levels_pass_and_one_more_does_not(siblings, innermost):
    def nested(depth: int) -> str:
        return "<a>" * (depth - 1) + "<b></b>" * siblings + innermost + "</a>" * (depth - 1)

    xml.parse(nested(100).encode())
    xml.parse(nested(100).encode("utf-16"))
    assert "100 deep" in str(refusal(nested(101).encode()))
    assert "100 deep" in str(refusal(nested(101).encode("utf-16")))


@pytest.mark.parametrize("depth", [255, 300, 100_000])
@pytest.mark.parametrize("closed", [True, False])
def test_deep_documents_are_refused(depth, closed):
    assert refusal(b"<a>" * depth + b"</a>" * depth * closed).status == 400


def test_many_shallow_elements_are_not_deep():
    assert len(xml.parse(b"<a>" + b"<b></b>" * 1000 + b"</a>")) == 1000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("declared", ["", '<?xml version="1.0" encoding="{}"?>'])
def test_utf8_and_utf16_with_its_mark_are_read(encoding, declared):
    data = (declared.format(encoding.removesuffix("-sig")) + "<a>Åsa 🩻</a>").encode(encoding)
    assert xml.parse(data).text == "Åsa 🩻"


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("utf-7", "utf-7"),
        ("UTF-7", "ascii"),
        ("iso-8859-1", "latin-1"),
        ("latin-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("US-ASCII", "ascii"),
        ("cp037", "cp037"),
        ("UTF-16", "ascii"),
        ("utf-16", "utf-16-le"),
        ("utf-32", "utf-32"),
        ("", "utf-16-le"),
        ("", "utf-32"),
        ("utf-8", "latin-1"),
    ],
)
def test_other_encodings_are_refused(declared, encoding):
    letter = "a" if encoding == "ascii" else "å"
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    data = f"{head}<a>{letter if encoding != 'cp037' else 'a'}</a>".encode(encoding)
    assert refusal(data).status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\0",
        b"<a>\0</a>",
        b"<a/>\0",
        b"<a>&#0;</a>",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"text",
        b"<a>&e;</a>",
    ],
)
def test_what_is_not_xml_is_refused(data):
    assert "well-formed" in str(refusal(data, what="envelope"))


def test_a_huge_name_is_not_echoed():
    refusal(b"<" + b"n" * 100_000 + b"></b>")


def test_the_cap_is_exact_and_is_checked_before_the_parse():
    data = b"<a>" + b"<b/>" * 10 + b"</a>"
    xml.parse(data, limit=len(data))
    assert refusal(data, limit=len(data) - 1).status == 413
    wide = b"<a>" + b"<b/>" * 2_000_000 + b"</a>"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = refusal(wide)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024
    assert refused.findings[0].code is ErrorCode.TooLarge
    assert "MTOM" in str(refused)


@pytest.mark.parametrize("data", [b"<a>%b</a>", b'<a b="%b"/>'], ids=["text", "attribute"])
def test_a_huge_text_asks_for_mtom_whatever_the_cap(data):
    refused = refusal(data % (b"x" * 20_000_000), limit=1 << 30)
    assert refused.status == 413
    assert "MTOM" in str(refused)


def test_threads_do_not_disturb_each_other():
    wrong = []

    def work(number: int) -> None:
        for turn in range(100):
            if xml.parse(f"<a><b>{number} {turn}</b></a>".encode())[0].text != f"{number} {turn}":
                wrong.append((number, turn))
            with pytest.raises(Rejected):
                xml.parse(b"<a>" * 150 + b"</a>" * 150)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@given(st.text(st.characters(codec="utf-8")))
def test_text_comes_back_from_content_and_attribute(value):
    written = xml.text(value)
    root = xml.parse(b'<a b="' + written + b'">' + written + b"</a>")
    assert (root.text or "") == root.get("b")
    kept = "".join(c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") else "\ufffd" for c in value)
    assert root.get("b") == kept


def test_text_replaces_what_xml_cannot_carry():
    assert xml.text("a\x00\x1b\ud800b") == "a\ufffd\ufffd\ufffdb".encode()


def test_tag():
    assert xml.parse(b'<x:a xmlns:x="urn:n"/>').tag == xml.tag("urn:n", "a")
