"""Slots of stored queries, for tests of what they are read as."""

from typing import Any

import pytest

from profiles.document_sharing import query_decode
from profiles.document_sharing.query_tables import SINGLE_PATIENT
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import Slots
from registry.metadata.urn import ObjectType, Status, StoredQueryId

Q = StoredQueryId
DE = "$XDSDocumentEntry"
PATIENT = "17^^^&1.2.3&ISO"
WHO = (f"{DE}PatientId", (f"'{PATIENT}'",))
APPROVED = (f"{DE}Status", (f"('{Status.APPROVED}')",))
UUID = "00000000-0000-4000-8000-00000000abcd"
MISSING, NUMBER, ERROR = (
    ErrorCode.XDSStoredQueryMissingParam,
    ErrorCode.XDSStoredQueryParamNumber,
    ErrorCode.XDSRegistryError,
)


def decode_query(query: str, slots: Slots, shapes: Any = SINGLE_PATIENT) -> Any:
    return query_decode.decode_query(query, slots, shapes)


def find(*slots: tuple[str, tuple[str, ...]], query: str = Q.FIND_DOCUMENTS) -> Any:
    return decode_query(query, (WHO, APPROVED, *slots))


def refusal(query: str, slots: Slots) -> list[tuple[ErrorCode, str]]:
    with pytest.raises(Rejected) as caught:
        decode_query(query, slots)
    assert all(f.text and "TF-2" in f.source for f in caught.value.findings)
    return [(f.code, f.where) for f in caught.value.findings]


FIELDS: list[tuple[str, tuple[str, ...], str, Any]] = [
    ("ClassCode", ("('a^^1.2','b^^s t')",), "class_codes", ("a^^1.2", "b^^s t")),
    ("TypeCode", ("('a^^1.2')",), "type_codes", ("a^^1.2",)),
    ("PracticeSettingCode", ("('a^^1.2')",), "practice_setting_codes", ("a^^1.2",)),
    ("HealthcareFacilityTypeCode", ("('a^^1.2')",), "healthcare_facility_type_codes", ("a^^1.2",)),
    ("FormatCode", ("('a^^1.2')", "('b^^1.2')"), "format_codes", ("a^^1.2", "b^^1.2")),
    ("EventCodeList", ("('a^^1.2','b^^1.2')",), "event_codes", (("a^^1.2", "b^^1.2"),)),
    ("ConfidentialityCode", ("('N^^1.2')",), "confidentiality_codes", (("N^^1.2",),)),
    ("CreationTimeFrom", ("20260102",), "creation_time_from", "20260102000000"),
    ("CreationTimeTo", ("'2026'",), "creation_time_to", "20260101000000"),
    ("ServiceStartTimeFrom", ("'20260102030405'",), "service_start_time_from", "20260102030405"),
    ("ServiceStartTimeTo", ("202601",), "service_start_time_to", "20260101000000"),
    ("ServiceStopTimeFrom", ("2026010203",), "service_stop_time_from", "20260102030000"),
    ("ServiceStopTimeTo", ("202601020304",), "service_stop_time_to", "20260102030400"),
    ("AuthorPerson", ("('%Alm%','^B_k')",), "author_persons", ("%Alm%", "^B_k")),
    ("AuthorPerson", ("('O''Hara%')",), "author_persons", ("O'Hara%",)),
    ("Type", (f"('{ObjectType.ON_DEMAND_DOCUMENT}')",), "object_types", (ObjectType.ON_DEMAND_DOCUMENT,)),
    ("Type", (f"('{ObjectType.STABLE_DOCUMENT.upper()}')",), "object_types", (ObjectType.STABLE_DOCUMENT,)),
]
