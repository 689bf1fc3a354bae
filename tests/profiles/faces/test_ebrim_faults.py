"""ebRIM that is structurally wrong or out of all proportion: named, and nothing is registered."""

from pathlib import Path
from typing import Any

import pytest
from wire import submissions
from wire.soap_world import World, open_world

from conformance import messages
from registry.metadata.model import Author, Code, Submission
from registry.metadata.urn import Action, ClassificationScheme

LANGUAGE = "<rim:Value>sv-SE</rim:Value>"


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("world") / "data")


def edited(sent: Submission, old: str, new: str) -> bytes:
    body = messages.register_document_set(sent).decode()
    assert old in body, old
    return body.replace(old, new).encode()


FAULTS: list[tuple[str, str, str]] = [
    (LANGUAGE, f"{LANGUAGE}{LANGUAGE}", "languageCode"),
    ('<rim:Slot name="languageCode">', '<rim:Slot name="">', "Slot"),
    ('<rim:Slot name="languageCode">', '<rim:Slot name="creationTime">', "creationTime"),
    ('nodeRepresentation="85430-7"', "", "type_code"),
    ('name="codingScheme"', 'name="scheme"', "type_code"),
    ('classificationNode="', 'classificationnode="', "RegistryPackage"),
    ('objectType="urn:uuid:7edca82f', 'objectType="urn:uuid:00000000', "objectType"),
    ('mimeType="application/pdf"', 'mimeType="pdf"', "mimeType"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "where"), FAULTS, ids=[w for _, _, w in FAULTS])
def test_one_structural_fault_is_named(world: World, old: str, new: str, where: str) -> None:
    before = world.state()
    answer = world.send(Action.REGISTER_DOCUMENT_SET, edited(submissions.new(), old, new))
    assert answer.outcome == "Failure"
    assert set(answer.codes) == {"XDSRegistryMetadataError"}
    assert where in answer.text
    assert world.state() == before


def test_an_author_without_anything_and_a_foreign_classification_are_named(world: World) -> None:
    sent = submissions.new()
    author = (
        f'<rim:Classification id="a" classificationScheme="{ClassificationScheme.DOCUMENT_AUTHOR}"'
        f' classifiedObject="{{}}" nodeRepresentation=""/></rim:ExtrinsicObject>'
    )
    own = edited(sent, "</rim:ExtrinsicObject>", author.format(sent.entries[0].id))
    assert "author" in world.send(Action.REGISTER_DOCUMENT_SET, own).text
    foreign = edited(sent, "</rim:ExtrinsicObject>", author.format("other"))
    assert "classifiedObject" in world.send(Action.REGISTER_DOCUMENT_SET, foreign).text


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
