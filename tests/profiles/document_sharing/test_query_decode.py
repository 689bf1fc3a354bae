"""Each stored query and each of its parameters: the Slots that are sent, and the question that comes of them."""

from typing import Any

import pytest
from query_slots import APPROVED, DE, ERROR, FIELDS, MISSING, NUMBER, PATIENT, UUID, WHO, Q, decode_query, find, refusal

from profiles.document_sharing.query_tables import MULTIPLE_PATIENTS
from registry.metadata.errors import ErrorCode
from registry.metadata.model import Slots
from registry.metadata.urn import ObjectType, ReferenceIdType, Status
from registry.queries import (
    FindDocuments,
    GetAssociations,
    GetDocuments,
    GetSubmissionSetAndContents,
    ReferenceId,
)


@pytest.mark.parametrize("query", [Q.FIND_DOCUMENTS, Q.FIND_DOCUMENTS_BY_REFERENCE_ID])
@pytest.mark.parametrize(("name", "values", "field", "expected"), FIELDS)
def test_parameters_of_find_documents(query: str, name: str, values: Any, field: str, expected: Any) -> None:
    more, known = ((), {}) if query == Q.FIND_DOCUMENTS else (((f"{DE}ReferenceIdList", ("('x')",)),), REFERENCE)
    assert find((DE + name, values), *more, query=query) == FindDocuments(
        patient_id=PATIENT, **{**known, field: expected}
    )


REFERENCE: dict[str, Any] = {"reference_ids": ((ReferenceId("x"),),)}


def test_find_documents_alone() -> None:
    assert find() == FindDocuments(patient_id=PATIENT, statuses=(Status.APPROVED,))


def test_both_statuses_in_one_list_or_in_two_values() -> None:
    both = (Status.APPROVED, Status.DEPRECATED)
    for values in ((f"('{both[0]}','{both[1]}')",), (f"('{both[0]}')", f"('{both[1]}')")):
        assert decode_query(Q.FIND_DOCUMENTS, (WHO, (f"{DE}Status", values))).statuses == both  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["EventCodeList", "ConfidentialityCode"])
def test_a_repeated_slot_is_an_and(name: str) -> None:
    query = find((DE + name, ("('a^^s','b^^s')",)), (DE + name, ("('c^^s')",)))
    assert (("a^^s", "b^^s"), ("c^^s",)) in (query.event_codes, query.confidentiality_codes)


def test_a_repeated_slot_of_reference_ids_is_an_and() -> None:
    name = f"{DE}ReferenceIdList"
    query = find((name, ("('x','y')",)), (name, ("('z')",)), query=Q.FIND_DOCUMENTS_BY_REFERENCE_ID)
    assert query.reference_ids == ((ReferenceId("x"), ReferenceId("y")), (ReferenceId("z"),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A1", ReferenceId("A1")),
        (f"A1^^^&1.2.9&ISO^{ReferenceIdType.ACCESSION}", ReferenceId("A1", ReferenceIdType.ACCESSION, "1.2.9")),
        (f"1.2.3^^^^{ReferenceIdType.STUDY_INSTANCE_UID}", ReferenceId("1.2.3", ReferenceIdType.STUDY_INSTANCE_UID)),
        (f"A1^^^NAME^{ReferenceIdType.ORDER}", ReferenceId("A1", ReferenceIdType.ORDER, "NAME")),
        ("A1^^^&1.2.9&ISO", ReferenceId("A1", None, "1.2.9")),
        ("A1^^^^", ReferenceId("A1")),
    ],
)
def test_reference_ids_in_all_spellings(text: str, expected: ReferenceId) -> None:
    query = find((f"{DE}ReferenceIdList", (f"('{text}')",)), query=Q.FIND_DOCUMENTS_BY_REFERENCE_ID)
    assert query.reference_ids == ((expected,),)


def test_the_malformed_id_of_dcm4che_is_known() -> None:
    slots = ((f"{DE}ReferenceIdList", ("('x')",)),)
    assert Q.FIND_DOCUMENTS_BY_REFERENCE_ID_DCM4CHE == "urn:uuid:12941a89-e02e-4be5-967cce4bfc8fe492"
    assert find(*slots, query="urn:uuid:12941a89-e02e-4be5-967cce4bfc8fe492") == find(
        *slots, query=Q.FIND_DOCUMENTS_BY_REFERENCE_ID
    )


@pytest.mark.parametrize("name", ["ClassCode", "TypeCode", "FormatCode", "EventCodeList", "ConfidentialityCode"])
def test_the_older_spelling_of_codes_means_the_same(name: str) -> None:
    older = find((DE + name, ("('a','b')",)), (f"{DE}{name}Scheme", ("('s','t')",)))
    assert older == find((DE + name, ("('a^^s','b^^t')",)))


def test_the_older_spelling_pairs_slot_by_slot() -> None:
    code, scheme = f"{DE}EventCodeList", f"{DE}EventCodeListScheme"
    query = find((code, ("('a')",)), (code, ("('b','c')",)), (scheme, ("('s')",)), (scheme, ("('t','u')",)))
    assert query.event_codes == (("a^^s",), ("b^^t", "c^^u"))


@pytest.mark.parametrize(
    ("query", "slots", "expected"),
    [
        (Q.GET_DOCUMENTS, ((f"{DE}EntryUUID", (f"('urn:uuid:{UUID}')",)),), GetDocuments(ids=(UUID,))),
        (Q.GET_DOCUMENTS, ((f"{DE}EntryUUID", (f"('{UUID.upper()}')",)),), GetDocuments(ids=(UUID,))),
        (Q.GET_DOCUMENTS, ((f"{DE}UniqueId", ("('1.2','3.4^x')",)),), GetDocuments(unique_ids=("1.2", "3.4^x"))),
        (Q.GET_DOCUMENTS, ((f"{DE}LogicalID", (f"('urn:uuid:{UUID}')",)),), GetDocuments(logical_ids=(UUID,))),
        (Q.GET_ASSOCIATIONS, (("$uuid", (f"('urn:uuid:{UUID}','{UUID}')",)),), GetAssociations(ids=(UUID, UUID))),
        (
            Q.GET_SUBMISSION_SET_AND_CONTENTS,
            (("$XDSSubmissionSetEntryUUID", (f"'urn:uuid:{UUID}'",)),),
            GetSubmissionSetAndContents(id=UUID),
        ),
        (
            Q.GET_SUBMISSION_SET_AND_CONTENTS,
            (
                ("$XDSSubmissionSetUniqueId", ("'1.2'",)),
                (f"{DE}FormatCode", ("('f^^s')",)),
                (f"{DE}ConfidentialityCode", ("('N^^s')",)),
                (f"{DE}ConfidentialityCode", ("('V^^s')",)),
                (f"{DE}Type", (f"('{ObjectType.STABLE_DOCUMENT}')",)),
            ),
            GetSubmissionSetAndContents(
                unique_id="1.2", format_codes=("f^^s",), confidentiality_codes=(("N^^s",), ("V^^s",))
            ),
        ),
    ],
)
def test_the_other_queries(query: str, slots: Slots, expected: Any) -> None:
    assert decode_query(query, slots) == expected
    ignored = (("$MetadataLevel", ("1",)), ("$homeCommunityId", ("'urn:oid:1.2'",)), ("$Vendor", ("what",)))
    assert decode_query(query, (*slots, *ignored)) == expected


@pytest.mark.parametrize(
    "query",
    [
        "", "urn:uuid:", "14d4debf-8f97-4251-9a74-a90016b0af0d",
        *MULTIPLE_PATIENTS, "x" * 10_000,
    ],
)  # fmt: skip
def test_an_unknown_query(query: str) -> None:
    assert refusal(query, (WHO, APPROVED)) == [(ErrorCode.XDSUnknownStoredQuery, "AdhocQuery.id")]


@pytest.mark.parametrize("query", [Q.FIND_DOCUMENTS.upper(), f" {Q.FIND_DOCUMENTS}\n"])
def test_a_query_s_uuid_is_read_in_any_case(query: str) -> None:
    assert decode_query(query, (WHO, APPROVED)) == decode_query(Q.FIND_DOCUMENTS, (WHO, APPROVED))


@pytest.mark.parametrize(
    ("query", "slots", "expected"),
    [
        (Q.FIND_DOCUMENTS, (), [(MISSING, f"{DE}PatientId"), (MISSING, f"{DE}Status")]),
        (Q.FIND_DOCUMENTS, (APPROVED,), [(MISSING, f"{DE}PatientId")]),
        (Q.FIND_DOCUMENTS, (WHO,), [(MISSING, f"{DE}Status")]),
        (Q.FIND_DOCUMENTS_BY_REFERENCE_ID, (WHO, APPROVED), [(MISSING, f"{DE}ReferenceIdList")]),
        (Q.GET_DOCUMENTS, (), [(MISSING, f"{DE}EntryUUID")]),
        (Q.GET_ASSOCIATIONS, (), [(MISSING, "$uuid")]),
        (Q.GET_SUBMISSION_SET_AND_CONTENTS, (), [(MISSING, "$XDSSubmissionSetEntryUUID")]),
        (
            Q.GET_DOCUMENTS,
            ((f"{DE}EntryUUID", (f"('{UUID}')",)), (f"{DE}UniqueId", ("('1.2')",))),
            [(NUMBER, f"{DE}EntryUUID")],
        ),
        (
            Q.GET_SUBMISSION_SET_AND_CONTENTS,
            (("$XDSSubmissionSetEntryUUID", (f"'{UUID}'",)), ("$XDSSubmissionSetUniqueId", ("'1.2'",))),
            [(NUMBER, "$XDSSubmissionSetEntryUUID")],
        ),
    ],
)
def test_what_is_missing_or_excludes_each_other(query: str, slots: Slots, expected: Any) -> None:
    assert refusal(query, slots) == expected


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("ClassCode", ("'a^^s'",), ERROR),
        ("ClassCode", ("('a')",), ERROR),
        ("ClassCode", ("('a^^')",), ERROR),
        ("ClassCode", ("('^^s')",), ERROR),
        ("ClassCode", ("('a^x^s')",), ERROR),
        ("ClassCode", ("()",), ERROR),
        ("ClassCode", ("('a^^s'",), ERROR),
        ("CreationTimeFrom", ("('2026')",), ERROR),
        ("CreationTimeFrom", ("'2026','2027'",), ERROR),
        ("CreationTimeFrom", ("('2026','2027')",), NUMBER),
        ("CreationTimeFrom", ("2026", "2027"), NUMBER),
        ("CreationTimeFrom", ("20261301",), ERROR),
        ("CreationTimeFrom", ("'2026-01-01'",), ERROR),
        ("CreationTimeFrom", ("20260101120000.5",), ERROR),
        ("Type", ("('urn:uuid:x')",), ERROR),
        ("AuthorPerson", ("'Alm'",), ERROR),
    ],
)
def test_one_wrong_parameter_is_named(name: str, values: tuple[str, ...], code: ErrorCode) -> None:
    assert refusal(Q.FIND_DOCUMENTS, (WHO, APPROVED, (DE + name, values))) == [(code, DE + name)]


@pytest.mark.parametrize("name", ["ClassCode", "CreationTimeFrom", "AuthorPerson", "PatientId", "Status", "Type"])
def test_only_what_can_be_anded_may_be_repeated(name: str) -> None:
    slot = next(((DE + n, v) for n, v, _, _ in FIELDS if n == name), WHO if name == "PatientId" else APPROVED)
    twice = (slot,) if name in ("PatientId", "Status") else (slot, slot)
    assert refusal(Q.FIND_DOCUMENTS, (WHO, APPROVED, *twice)) == [(NUMBER, DE + name)]


@pytest.mark.parametrize(
    ("patient", "code"),
    [
        ("'17'", ERROR),
        ("'17^^^HOSPITAL'", ERROR),
        ("17^^^&1.2.3&ISO", ERROR),
        (f"('{PATIENT}')", ERROR),
        (f"('{PATIENT}','{PATIENT}')", NUMBER),
        ("''", ERROR),
    ],
)
def test_a_patient_is_one_identifier_with_its_authority(patient: str, code: ErrorCode) -> None:
    assert refusal(Q.FIND_DOCUMENTS, ((f"{DE}PatientId", (patient,)), APPROVED)) == [(code, f"{DE}PatientId")]


@pytest.mark.parametrize(
    ("status", "code"),
    [("Approved", ERROR), (f"'{Status.APPROVED}'", ERROR), ("('Approved')", MISSING), ("('urn:x','')", MISSING)],
)
def test_statuses_are_full_urns_in_a_list(status: str, code: ErrorCode) -> None:
    assert refusal(Q.FIND_DOCUMENTS, (WHO, (f"{DE}Status", (status,)))) == [(code, f"{DE}Status")]


def test_a_status_that_is_not_understood_is_passed_over() -> None:
    """ITI TF-2, 3.18.4.1.2.3.6; only when no other is left it is as if the parameter were missing."""
    slots = (WHO, (f"{DE}Status", (f"('Submitted','{Status.DEPRECATED}')",)))
    assert decode_query(Q.FIND_DOCUMENTS, slots).statuses == (Status.DEPRECATED,)


@pytest.mark.parametrize("schemes", ["('s')", "('s','t','u')", "s"])
def test_there_must_be_as_many_schemes_as_codes(schemes: str) -> None:
    found = refusal(
        Q.FIND_DOCUMENTS, (WHO, APPROVED, (f"{DE}ClassCode", ("('a','b')",)), (f"{DE}ClassCodeScheme", (schemes,)))
    )
    assert f"{DE}ClassCodeScheme" in [where for _, where in found]


def test_schemes_without_their_codes_are_not_passed_over() -> None:
    """They would narrow; an answer that is too wide misleads."""
    assert refusal(Q.FIND_DOCUMENTS, (WHO, APPROVED, (f"{DE}ClassCodeScheme", ("('s')",))))


@pytest.mark.parametrize(
    "name", ["CreationTimeFrom", "ClassCode", "EventCodeList", "AuthorPerson", "Type", "FormatCode"]
)
def test_a_parameter_without_a_value_is_refused(name: str) -> None:
    """A Slot whose ValueList is empty narrows by nothing: told rather than guessed."""
    assert [where for _, where in refusal(Q.FIND_DOCUMENTS, (WHO, APPROVED, (DE + name, ())))] == [DE + name]


def test_a_required_parameter_without_a_value_is_missing() -> None:
    assert refusal(Q.FIND_DOCUMENTS, ((WHO[0], ()), APPROVED)) == [(MISSING, WHO[0])]
    assert refusal(
        Q.GET_SUBMISSION_SET_AND_CONTENTS, (("$XDSSubmissionSetUniqueId", ()), (f"{DE}FormatCode", ("('f^^s')",)))
    )


def test_the_cap_is_on_the_parameter_and_not_on_each_value() -> None:
    values = tuple("(" + ",".join(f"'1.{n}.{m}'" for n in range(5001)) + ")" for m in range(2))
    assert refusal(Q.GET_DOCUMENTS, ((f"{DE}UniqueId", values),)) == [(ERROR, f"{DE}UniqueId")]


def test_everything_wrong_is_told_at_once() -> None:
    found = refusal(
        Q.FIND_DOCUMENTS,
        (
            (f"{DE}ClassCode", ("('a')",)),
            (f"{DE}CreationTimeFrom", ("'yesterday'",)),
            (f"{DE}Status", ("('Approved','Deprecated')",)),
            (f"{DE}AuthorPerson", ("Alm",)),
            (f"{DE}EventCodeList", ("('a^^s')",)),
        ),
    )
    assert sorted(where for _, where in found) == sorted(
        f"{DE}{n}" for n in ("PatientId", "ClassCode", "CreationTimeFrom", "Status", "AuthorPerson")
    )
