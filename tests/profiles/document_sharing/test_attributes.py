"""The tables of attributes: every row is about a real attribute, and finds what it is there to find."""

import re
from dataclasses import fields, replace

import pytest
from good_submission import AUTHOR, CX, ENTRY, FOLDER, MEMBER, SET

from profiles.document_sharing import attributes
from registry.metadata import formats as f
from registry.metadata.errors import ErrorCode
from registry.metadata.rules import check

CODE = ErrorCode.XDSRegistryMetadataError
TABLES = {
    "DocumentEntry": (attributes.DOCUMENT_ENTRY, ENTRY),
    "DocumentEntry of ITI-41": (attributes.PROVIDED_DOCUMENT_ENTRY, ENTRY),
    "DocumentEntry of ITI-61": (
        attributes.ON_DEMAND_DOCUMENT_ENTRY,
        replace(ENTRY, creation_time=None, hash=None, size=None, legal_authenticator=None),
    ),
    "SubmissionSet": (attributes.SUBMISSION_SET, SET),
    "Folder": (attributes.FOLDER, FOLDER),
    "Association": (attributes.ASSOCIATION, MEMBER),
    "author": (attributes.AUTHOR, AUTHOR),
}
ROWS = [pytest.param(*pair, row, id=f"{name} {row.attribute}") for name, pair in TABLES.items() for row in pair[0]]
BROKEN = {
    f.text: "a\x0b",
    f.dtm: "2024-01-01",
    f.sha1: "0" * 39,
    f.home: "1.2.3",
    f.language: "sv_SE",
    f.xcn: "^^Marcus",
    f.mime_type: "pdf",
    f.cx: "42",
    f.cxi: "A1",
    f.oid: "1.2.x",
    f.digits: "12 bytes",
    f.patient_info: "PID-2|x",
    f.title: "x" * 129,
    f.unique_id: "1.2 3",
    f.recipient: "||",
    f.folder_time: "2024",
    f.entry_uuid: "urn:uuid:1",
    f.uri: "a b",
    f.availability: "Online",
    f.xon: "^^^^^^^^^1.2.3",
    f.xtn: "08-123",
}
SHARED_NAMES = {"class_code": "classCode", "mime_type": "mimeType", "unique_id": "uniqueId", "size": "size"}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_names_a_real_attribute_once_and_a_source(name):
    table, thing = TABLES[name]
    known = {field.name for field in fields(thing)}
    assert [row.attribute for row in table if row.attribute not in known] == []
    assert len({row.attribute for row in table}) == len(table)
    assert [row.attribute for row in table if not re.fullmatch(r"ITI TF-3, 4\.2(\.\d+)+", row.source)] == []
    assert {row.use for row in table} <= {"R", "O", "X"}


@pytest.mark.parametrize("name", ["DocumentEntry", "SubmissionSet", "Folder"])
def test_no_two_attributes_share_a_section(name):
    # documentAvailability came later than the numbers.
    sources = [row.source for row in TABLES[name][0] if row.attribute != "document_availability"]
    assert [s for s in sources if sources.count(s) > 1] == [], "each attribute has a section of its own in the book"


def test_wire_names():
    assert {r.attribute: r.wire_name for r in attributes.DOCUMENT_ENTRY if r.attribute in SHARED_NAMES} == SHARED_NAMES


@pytest.mark.parametrize("name", TABLES)
def test_good_is_good(name):
    table, thing = TABLES[name]
    assert list(check(thing, table, CODE, "Here")) == []


@pytest.mark.parametrize(("table", "thing", "row"), ROWS)
def test_without_the_attribute(table, thing, row):
    now = getattr(thing, row.attribute)
    empty = () if isinstance(now, tuple) else "" if row.attribute in ("id", "mime_type", "type", "source", "target") else None  # fmt: skip
    broken = replace(thing, **{row.attribute: empty})
    found = [(one.where, one.source, one.code) for one in check(broken, table, CODE, "Here")]
    assert found == ([(f"Here.{row.wire_name}", row.source, CODE)] if row.use == "R" else [])


@pytest.mark.parametrize(("table", "thing", "row"), [p for p in ROWS if p.values[2].format and p.values[2].use != "X"])
def test_with_a_broken_value(table, thing, row):
    bad, now = BROKEN[row.format], getattr(thing, row.attribute)
    broken = replace(thing, **{row.attribute: (*now, bad) if isinstance(now, tuple) else bad})
    found = list(check(broken, table, CODE, "Here"))
    assert [(one.where, one.source) for one in found] == [(f"Here.{row.wire_name}", row.source)]
    assert len(found[0].text) > 10


@pytest.mark.parametrize(("table", "thing", "row"), [p for p in ROWS if p.values[2].use == "X"])
def test_what_must_not_be_sent(table, thing, row):
    sent = replace(thing, **{row.attribute: getattr(ENTRY, row.attribute)})
    found = list(check(sent, table, CODE))
    assert [(one.where, one.source) for one in found] == [(f"{ENTRY.id}.{row.wire_name}", row.source)]
    assert "leave it out" in found[0].text


def test_an_on_demand_entry_has_nothing_of_a_document():
    table = attributes.ON_DEMAND_DOCUMENT_ENTRY
    assert {row.attribute for row in table if row.use == "X"} == {
        "creation_time",
        "hash",
        "size",
        "legal_authenticator",
    }


def test_what_the_repository_fills_in_need_not_be_sent():
    bare = replace(ENTRY, hash=None, size=None, repository_unique_id=None)
    assert list(check(bare, attributes.PROVIDED_DOCUMENT_ENTRY, CODE)) == []
    assert [one.where for one in check(bare, attributes.DOCUMENT_ENTRY, CODE)] == [
        "Document01.hash",
        "Document01.repositoryUniqueId",
        "Document01.size",
    ]


def test_what_it_fills_in_is_still_read_when_it_is_sent():
    wrong = replace(ENTRY, hash="abc", size="many", repository_unique_id="here")
    assert len(list(check(wrong, attributes.PROVIDED_DOCUMENT_ENTRY, CODE))) == 3
    assert list(check(replace(ENTRY, patient_id=f"{CX}^PI"), attributes.DOCUMENT_ENTRY, CODE)) == []
