"""ebRIM that is structurally wrong or out of all proportion: named, and nothing is registered.

What no attribute of the book carries is kept, or the sender is told that it is not.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from structlog.testing import capture_logs
from wire import submissions
from wire.soap_world import World, open_world

from conformance import messages
from registry.metadata.model import Author, Code, Submission
from registry.metadata.urn import Action, Namespace, ObjectType, Severity
from registry.metadata.urn import ClassificationScheme as Scheme
from registry.metadata.urn import IdentificationScheme as Ident


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("world") / "data")


Change = Callable[[Any], None]


def part(tag: str, /, **attributes: str) -> str:
    """An XPath to the entry's (or set's) parts by wire name and attributes."""
    wanted = "".join(f'[@{key}="{value}"]' for key, value in attributes.items())
    return f"//*[local-name()='{tag}']{wanted}"


ENTRY, SET, LINK = part("ExtrinsicObject"), part("RegistryPackage"), part("Association")
TYPE_CODE = ENTRY + part("Classification", classificationScheme=Scheme.TYPE_CODE)
AUTHOR = ENTRY + part("Classification", classificationScheme=Scheme.DOCUMENT_AUTHOR)
UNIQUE_ID = ENTRY + part("ExternalIdentifier", identificationScheme=Ident.DOCUMENT_UNIQUE_ID)
KIND = SET + "/*[@classificationNode]"


def put(path: str, attribute: str, value: str | None) -> Change:
    def change(root: Any) -> None:
        (element,) = root.xpath(path)
        if value is None:
            del element.attrib[attribute]
        else:
            element.set(attribute, value)

    return change


def twice(path: str) -> Change:
    def change(root: Any) -> None:
        element = root.xpath(path)[0]
        element.addnext(deepcopy(element))

    return change


def add(path: str, inside: str) -> Change:
    def change(root: Any) -> None:
        (element,) = root.xpath(path)
        element.append(etree.fromstring(f'<rim:x xmlns:rim="{Namespace.RIM}">{inside}</rim:x>')[0])

    return change


def gone(path: str) -> Change:
    def change(root: Any) -> None:
        for element in root.xpath(path):
            element.getparent().remove(element)

    return change


def slot(name: str, *texts: str) -> str:
    inside = "".join(f"<rim:Value>{text}</rim:Value>" for text in texts)
    return f'<rim:Slot name="{name}"><rim:ValueList>{inside}</rim:ValueList></rim:Slot>'


def changed(sent: Submission, *changes: Change) -> bytes:
    root = etree.fromstring(messages.register_document_set(sent))
    for change in changes:
        change(root)
    return bytes(etree.tostring(root))


ENTRY_LANGUAGE = ENTRY + part("Slot", name="languageCode")
CODING_SCHEME = TYPE_CODE + part("Slot", name="codingScheme")
FAULTS: list[tuple[Change, str, str]] = [
    # what is done to a good message, the attribute that is named, and a word of what is said
    (twice(ENTRY_LANGUAGE + "//*[local-name()='Value']"), "languageCode", "takes one value, 2"),
    (add(ENTRY, slot("", "1")), "Slot", "no name"),
    (twice(ENTRY_LANGUAGE), "languageCode", "twice"),
    (gone(ENTRY_LANGUAGE), "languageCode", "missing"),
    (add(ENTRY, slot("urn:ihe:iti:2099:new", "1")), "urn:ihe:iti:2099:new", "must not begin with urn:ihe:"),
    (put(ENTRY, "objectType", "urn:uuid:00000000"), "objectType", "stable document type"),
    (put(ENTRY, "mimeType", "pdf"), "mimeType", "media type"),
    (put(ENTRY, "home", "1.2.3"), "homeCommunityId", "urn:oid:"),
    (put(ENTRY, "lid", "urn:uuid:00000000-0000-4000-8000-000000000001"), "lid", "ITI-57"),
    (put(TYPE_CODE, "nodeRepresentation", None), "typeCode", "no nodeRepresentation"),
    (put(TYPE_CODE, "nodeRepresentation", " "), "typeCode", "no nodeRepresentation"),
    (put(TYPE_CODE, "classifiedObject", "other"), "typeCode", "classifiedObject is 'other'"),
    (put(TYPE_CODE, "classifiedObject", None), "typeCode", "no classifiedObject"),
    (add(ENTRY, '<rim:Classification id="c" classifiedObject="o"/>'), "Classification", "neither a classificationScheme"),
    (twice(TYPE_CODE), "typeCode", "twice"),
    (gone(TYPE_CODE), "typeCode", "missing"),
    (gone(CODING_SCHEME), "typeCode.codingScheme", "exactly one"),
    (twice(CODING_SCHEME), "typeCode.codingScheme", "twice"),
    (twice(CODING_SCHEME + "//*[local-name()='Value']"), "typeCode.codingScheme", "2 values"),
    (gone(AUTHOR + "/*"), "author", "authorPerson, authorInstitution"),
    (put(AUTHOR, "classifiedObject", "other"), "author", "classifiedObject"),
    (twice(AUTHOR + part("Slot", name="authorPerson")), "author.authorPerson", "twice"),
    (twice(AUTHOR + part("Slot", name="authorPerson") + "//*[local-name()='Value']"), "author.authorPerson", "one value"),
    (add(AUTHOR, slot("authorTelecommunication", "08-123")), "author.authorTelecommunication", "component 3"),
    (twice(UNIQUE_ID), "uniqueId", "twice"),
    (gone(UNIQUE_ID), "uniqueId", "missing"),
    (put(UNIQUE_ID, "value", " "), "uniqueId", "missing"),
    (put(UNIQUE_ID, "value", "1.2 3"), "uniqueId", "without blanks"),
    (put(UNIQUE_ID, "registryObject", "other"), "uniqueId", "registryObject is 'other'"),
    (put(UNIQUE_ID, "registryObject", None), "uniqueId", "no registryObject"),
    (twice(LINK + "//*[local-name()='Value']"), "SubmissionSetStatus", "takes one value, 2"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "where", "words"), FAULTS)
def test_one_structural_fault_is_one_finding(world: World, change: Change, where: str, words: str) -> None:
    before = world.state()
    sent = submissions.new()
    answer = world.send(Action.REGISTER_DOCUMENT_SET, changed(sent, change))
    assert answer.outcome == "Failure"
    ids = {o.id for o in sent.objects()}
    (error,) = answer.errors
    named, _, attribute = error.location.partition(".")
    assert named in ids
    assert (error.code, attribute) == ("XDSRegistryMetadataError", where), answer.text
    assert words in answer.text
    assert "(ITI TF-" in error.context
    assert world.state() == before


@pytest.mark.parametrize(
    "change",
    [
        gone(KIND),
        put(KIND, "classificationNode", "urn:uuid:00000000-0000-4000-8000-000000000001"),
        put(KIND, "classifiedObject", "other"),
        add(SET, f'<rim:Classification id="k" classifiedObject="OWNER" classificationNode="{ObjectType.FOLDER}"/>'),
    ],
    ids=["none", "unknown", "another's", "two"],
)
def test_a_package_must_be_of_one_kind(world: World, change: Change) -> None:
    sent = submissions.new()
    body = changed(sent, change).replace(b"OWNER", sent.submission_set.id.encode())
    answer = world.send(Action.REGISTER_DOCUMENT_SET, body)
    assert f"{sent.submission_set.id}.classificationNode" in {e.location for e in answer.errors}
    assert "exactly one SubmissionSet, 0" in answer.text


def test_what_is_missing_is_named_as_the_sender_must_write_it(world: World) -> None:
    for path, words in (
        (ENTRY_LANGUAGE, "Slot languageCode"),
        (TYPE_CODE, f"classificationScheme {Scheme.TYPE_CODE}"),
        (UNIQUE_ID, f"identificationScheme {Ident.DOCUMENT_UNIQUE_ID}"),
    ):
        assert words in world.send(Action.REGISTER_DOCUMENT_SET, changed(submissions.new(), gone(path))).text


def test_an_object_needs_an_id(world: World) -> None:
    answer = world.send(Action.REGISTER_DOCUMENT_SET, changed(submissions.new(), put(LINK, "id", "")))
    assert "Association.entryUUID" in {e.location for e in answer.errors}
    answer = world.send(Action.REGISTER_DOCUMENT_SET, changed(submissions.new(), put(LINK, "id", "urn:uuid:1")))
    assert "8-4-4-4-12" in answer.text


DROPPED: list[tuple[Change, str]] = [
    (add(ENTRY, '<rim:Classification id="c" classificationScheme="urn:x" nodeRepresentation="1"/>'), "urn:x"),
    (add(ENTRY, '<rim:ExternalIdentifier id="e" identificationScheme="urn:x" value="1"/>'), "urn:x"),
    (add(ENTRY, '<rim:ExternalLink externalURI="http://a.example.org"/>'), "ExternalLink"),
    (add(TYPE_CODE, slot("remark", "r")), "typeCode.remark"),
    (twice(TYPE_CODE + "/*[local-name()='Name']/*"), ""),
    (add(TYPE_CODE + "/*[local-name()='Name']", '<rim:LocalizedString value="another"/>'), "typeCode.Name"),
    (add(LINK, '<rim:Name><rim:LocalizedString value="n"/></rim:Name>'), "title"),
    (add("//*[local-name()='RegistryObjectList']", '<rim:Service id="s"/>'), "Service"),
]


@pytest.mark.parametrize(("change", "where"), DROPPED)
def test_what_is_not_kept_is_told_and_the_rest_is_registered(world: World, change: Change, where: str) -> None:
    before = world.rows()["document_entry"]
    answer = world.send(Action.REGISTER_DOCUMENT_SET, changed(submissions.new(), change))
    assert answer.outcome == "Success"
    assert set(answer.codes) == ({"XDSExtraMetadataNotSaved"} if where else set())
    assert all(e.severity == Severity.WARNING and where in e.location + e.context for e in answer.errors)
    assert world.rows()["document_entry"] == before + 1


def test_a_repository_tells_it_too(world: World) -> None:
    sent = messages.provided(submissions.new())
    content_type, chunks = messages.provide_and_register(sent, {sent.entries[0].id: [b"%PDF"]})
    link = b'<rim:ExternalLink externalURI="http://a.example.org"/></rim:ExtrinsicObject>'
    body = b"".join(chunks).replace(b"</rim:ExtrinsicObject>", link)
    answer = world.post("repository", {"Content-Type": content_type}, body)
    assert (answer.outcome, answer.codes) == ("Success", ["XDSExtraMetadataNotSaved"])


def test_a_code_without_a_display_name_is_taken_and_logged(world: World) -> None:
    sent = submissions.new()
    with capture_logs() as logs:
        answer = world.send(Action.REGISTER_DOCUMENT_SET, changed(sent, gone(TYPE_CODE + "/*[local-name()='Name']")))
    assert (answer.outcome, answer.errors) == ("Success", [])
    assert [line["count"] for line in logs if line["event"] == "codes without a display name"] == [1]


@pytest.mark.parametrize(("attribute", "value"), [("nodeRepresentation", "author"), ("nodeRepresentation", None)])
def test_an_author_may_be_written_as_senders_do(world: World, attribute: str, value: str | None) -> None:
    answer = world.send(Action.REGISTER_DOCUMENT_SET, changed(submissions.new(), put(AUTHOR, attribute, value)))
    assert (answer.outcome, answer.errors) == ("Success", [])


@pytest.mark.parametrize(
    "entry",
    [
        {"extra": (("urn:x", ("v" * 257,)),)},
        {"extra": (("urn:" + "x" * 300, ("v",)),)},
        {"extra": (("urn:x", ("v",) * 257),)},
        {"extra": tuple((f"urn:x:{n}", ("v",)) for n in range(101))},
        {"class_code": Code("c" * 257, "1.2.3", "d")},
        {"class_code": Code("c", "1" * 257, "d")},
        {"reference_ids": ("A" * 257 + "^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession",)},
        {"authors": (Author(("^" + "a" * 257,)),)},
        {"title": "t" * 129},
        {"comments": "c" * 100_000},
        {"source_patient_id": "1" * 257 + "^^^&1.2.3&ISO"},
    ],
    ids=lambda e: next(iter(e)),
)
def test_lengths_and_numbers_have_caps(world: World, entry: dict[str, Any]) -> None:
    """ebRIM's LongName has 256 characters; what is longer could not be given back by the schema."""
    before = world.state()
    answer = world.register(submissions.new(**entry))
    assert answer.outcome == "Failure"
    assert set(answer.codes) == {"XDSRegistryMetadataError"}
    assert world.state() == before
