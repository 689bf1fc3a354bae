"""XML, multipart, DICOM and HL7 v2 from outside are read in one place each; this test reads the source to keep it so.

Every hole of this kind in other servers was a second parser beside the guarded one.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
SOURCES = ("registry", "repository", "database", "profiles", "conformance", "wsgi.py")

XML_HOME = "profiles/faces/xml.py"
MULTIPART_HOME = "profiles/faces/multipart.py"
HL7_HOME = "profiles/faces/hl7v2.py"
DICOM_HOMES = ("repository/imaging/", "profiles/demo/", "conformance/bench/")

MEND_XML = "call profiles.faces.xml.parse(bytes), and profiles.faces.xml.text to escape"
MEND_XML_BELOW = "let the caller parse by profiles.faces.xml and pass the element on"
MEND_MULTIPART = "call profiles.faces.multipart.read_parts (or profiles.faces.mtom.read_message)"
MEND_DICOM = "ask repository.imaging: its scanner bounds depth, count and lengths first"
MEND_HL7 = "call profiles.faces.hl7v2.read: it bounds what the library is given, and reads escapes itself"
MEND_NEVER = "leave it out: with input from outside it reads files and addresses that the sender chooses"

LXML_PARSING = frozenset(
    (
        *("parse", "fromstring", "fromstringlist", "iterparse", "XML", "XMLID", "XMLDTDID", "HTML", "DTD"),
        *("XMLParser", "XMLPullParser", "HTMLParser", "HTMLPullParser", "ETCompatXMLParser"),
    )
)
BANNED_MODULES = {
    **dict.fromkeys(("xml.etree", "xml.dom", "xml.sax", "xml.parsers", "bs4", "lxml.html", "lxml.objectify"), MEND_XML),
    **dict.fromkeys(("defusedxml", "lxml.sax", "lxml.ElementInclude", "xmltodict", "html5lib"), MEND_XML),
    **dict.fromkeys(("email.parser", "email.feedparser", "cgi", "multipart", "python_multipart"), MEND_MULTIPART),
    **dict.fromkeys(("werkzeug.formparser", "werkzeug.sansio.multipart", "requests_toolbelt"), MEND_MULTIPART),
    "pydicom.filereader": MEND_DICOM,
    "hl7": MEND_HL7,
}
BANNED_NAMES = {
    **{f"lxml.etree.{name}": MEND_XML for name in LXML_PARSING},
    **dict.fromkeys(("lxml.etree.XSLT", "lxml.etree.XInclude"), MEND_NEVER),
    **dict.fromkeys(("email.message_from_bytes", "email.message_from_binary_file"), MEND_MULTIPART),
    **dict.fromkeys(("email.message_from_string", "email.message_from_file"), MEND_MULTIPART),
    **dict.fromkeys(("pydicom.dcmread", "pydicom.read_file", "pydicom.dicomio.dcmread"), MEND_DICOM),
}
BANNED_METHODS = {"xinclude": MEND_NEVER, "dcmread": MEND_DICOM}


def names_used(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of what a module imports or reaches through an import; `.name` for any attribute."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, f".{node.attr}"
            if dotted := _dotted(node, known):
                yield node.lineno, dotted


def _dotted(node: ast.expr, known: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value, known)):
        return f"{owner}.{node.attr}"
    return ""


def mend(name: str) -> str | None:
    """How to mend the use of a name, None if it is allowed."""
    if name.startswith("."):
        return BANNED_METHODS.get(name[1:])
    if name in BANNED_NAMES:
        return BANNED_NAMES[name]
    for module, advice in BANNED_MODULES.items():
        if name == module or name.startswith(f"{module}."):
            return advice
    return "import the names that are needed" if name in ("lxml.etree.*", "pydicom.*", "email.*", "lxml.*") else None


def allowed(path: str, advice: str) -> bool:
    if advice is MEND_XML:
        return path == XML_HOME
    if advice is MEND_MULTIPART:
        return path == MULTIPART_HOME
    if advice is MEND_HL7:
        return path == HL7_HOME
    return advice is MEND_DICOM and path.startswith(DICOM_HOMES)


def faults(path: str, source: str) -> list[str]:
    found = {(line, name, advice) for line, name in names_used(ast.parse(source)) if (advice := mend(name))}
    below = not path.startswith(("profiles/", "conformance/", "wsgi.py"))
    return [
        f"{path}:{line}: {name.lstrip('.')}: {MEND_XML_BELOW if below and advice is MEND_XML else advice}"
        for line, name, advice in sorted(found)
        if not allowed(path, advice)
    ]


def test_input_from_outside_is_parsed_in_one_place_each():
    files = [f for s in SOURCES for f in ([TOP / s] if s.endswith(".py") else sorted((TOP / s).rglob("*.py")))]
    found = [
        fault
        for file in files
        if file.exists()
        for fault in faults(file.relative_to(TOP).as_posix(), file.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(["parsers outside their homes:", *found])


@pytest.mark.parametrize(
    "source",
    [
        "from lxml import etree\netree.fromstring(b'')",
        "from lxml import etree as e\ne.parse('f')",
        "import lxml.etree\nlxml.etree.XML('')",
        "import lxml.etree as ET\nread = ET.iterparse",
        "from lxml.etree import XMLParser",
        "from lxml.etree import fromstring as f",
        "from lxml.etree import *",
        "from lxml import etree\netree.XSLT(x)",
        "tree.xinclude()",
        "import xml.etree.ElementTree as ET",
        "from xml.dom import minidom",
        "from xml.sax.saxutils import escape",
        "from bs4 import BeautifulSoup",
        "import email\nemail.message_from_bytes(b'')",
        "from email import message_from_bytes",
        "from email.parser import BytesParser",
        "import cgi",
        "import multipart",
        "from werkzeug.formparser import FormDataParser",
        "import pydicom\npydicom.dcmread('f')",
        "from pydicom import dcmread",
        "from pydicom.filereader import read_partial",
        "import pydicom as p\np.dcmread(f)",
        "import hl7\nhl7.parse('')",
        "from hl7.parser import parse",
        "def f():\n    from lxml import etree\n    return etree.fromstring",
    ],
)
def test_the_test_sees_every_way_to_do_it(source):
    (fault, *_) = faults("profiles/x/y.py", source)
    assert ": " in fault


@pytest.mark.parametrize(
    "source",
    [
        "from lxml import etree\ne: etree._Element = etree.Element('a')\netree.tostring(e)",
        "from lxml import etree\netree.XMLSchema(schema)\netree.XPath('/a')",
        "from profiles.faces import multipart, xml\nxml.parse(b'')\nmultipart.parameters('')",
        "from profiles.faces.xml import parse\nparse(b'')",
        "from email.utils import formatdate",
        "from urllib import parse\nparse.quote('')",
        "import pydicom\npydicom.Dataset()",
    ],
)
def test_the_test_lets_the_rest_be(source):
    assert faults("profiles/x/y.py", source) == []


def test_each_home_may_do_its_own_and_no_other():
    parse, read = "from lxml.etree import XMLParser", "from pydicom import dcmread"
    assert not faults(XML_HOME, parse)
    assert not faults("repository/imaging/scanner.py", read)
    assert not faults("profiles/demo/make.py", read)
    assert not faults(HL7_HOME, "import hl7")
    assert faults(XML_HOME, read)
    assert faults("repository/imaging/scanner.py", parse)
    assert faults("repository/store/blobs.py", read)
