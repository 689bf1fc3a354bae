"""The names of the book: no two rows alike, each well formed."""

import inspect
import re
from enum import StrEnum

import pytest

from registry.metadata import urn
from registry.metadata.datatypes import is_oid

TABLES = [
    table
    for _, table in inspect.getmembers(urn, inspect.isclass)
    if issubclass(table, StrEnum) and table.__module__ == urn.__name__
]
UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MISSPELT_ON_PURPOSE = {urn.StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID_DCM4CHE}


def test_there_are_tables():
    assert len(TABLES) > 15


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_no_two_rows_are_alike(table):
    # __members__ holds aliases too, which iterating leaves out: an alias is a value that was typed twice.
    aliases = [name for name, member in table.__members__.items() if name != member.name]
    assert not aliases, f"{aliases} of {table.__name__} have another member's value; one of the two is mistyped"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_table_says_where_the_book_has_it(table):
    assert table.__doc__
    assert re.search(r"ITI|RAD|FHIR|DICOM|HL7|OID|IHE", table.__doc__), table.__name__


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_uuid_is_one(table):
    for member in table:
        if str(member).startswith("urn:uuid:") and len(member) > len("urn:uuid:"):
            assert UUID.fullmatch(member) or member in MISSPELT_ON_PURPOSE, member


@pytest.mark.parametrize("table", [urn.CodingScheme, urn.PatientAuthority, urn.Arc])
def test_every_oid_is_one(table):
    assert [str(member) for member in table if not is_oid(member)] == []


def test_no_uuid_serves_two_tables():
    """objectTypes, schemes and queries never share a UUID: a row pasted into the wrong table shows here."""
    seen: dict[str, str] = {}
    for table in TABLES:
        for member in table:
            if UUID.fullmatch(member):
                assert seen.setdefault(str(member), table.__name__) == table.__name__, member


def test_response_actions():
    assert urn.Action.REGISTRY_STORED_QUERY.response == "urn:ihe:iti:2007:RegistryStoredQueryResponse"
    assert urn.Action.RETRIEVE_IMAGING_DOCUMENT_SET.response == urn.Action.RETRIEVE_DOCUMENT_SET.response


@pytest.mark.parametrize(
    ("member", "value"),
    [
        (urn.ObjectType.STABLE_DOCUMENT, "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"),
        (urn.ClassificationScheme.FORMAT_CODE, "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"),
        (urn.IdentificationScheme.DOCUMENT_UNIQUE_ID, "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"),
        (urn.IdentificationScheme.DOCUMENT_PATIENT_ID, "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"),
        (urn.StoredQueryId.FIND_DOCUMENTS, "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"),
        (urn.StoredQueryId.GET_DOCUMENTS, "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"),
        (urn.ResponseStatus.PARTIAL_SUCCESS, "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"),
        (urn.ReferenceIdType.ACCESSION, "urn:ihe:iti:xds:2013:accession"),
        (urn.ReferenceIdType.STUDY_INSTANCE_UID, "urn:ihe:iti:xds:2016:studyInstanceUID"),
    ],
)
def test_values_that_every_peer_knows(member, value):
    assert member == value
