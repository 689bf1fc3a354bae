"""The stored queries' tables: levels of metadata, what is excluded, and questions about several patients."""

from dataclasses import fields
from typing import Any

import pytest
from query_slots import APPROVED, DE, ERROR, FIELDS, MISSING, NUMBER, PATIENT, WHO, Q, decode_query, find, refusal

from profiles.document_sharing.query_tables import MULTIPLE_PATIENTS, SINGLE_PATIENT, QueryShape
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import Slots
from registry.metadata.urn import AssociationType, Status
from registry.queries import (
    Excluded,
    FindDocuments,
    FindFolders,
    ReferenceId,
)

# --- the queries of XDS Metadata Update, CP-ITI-1323 and ITI-51 ---


@pytest.mark.parametrize("shape", {**SINGLE_PATIENT, **MULTIPLE_PATIENTS}.values(), ids=lambda shape: shape.name)
def test_every_parameter_fills_a_field_that_there_is(shape: QueryShape) -> None:
    known = {f.name for f in fields(shape.makes)} | {f"excluding.{f.name}" for f in fields(Excluded)}  # type: ignore[arg-type]
    assert {p.field for p in shape.parameters} | set(shape.fixed) <= known
    assert len({p.name for p in shape.parameters}) == len(shape.parameters)
    assert {*shape.one_of, *shape.any_of} <= set(shape.by_name)
    assert "TF-2, 3." in shape.source


@pytest.mark.parametrize("shape", SINGLE_PATIENT.values(), ids=lambda shape: shape.name)
def test_every_query_has_the_two_levels(shape: QueryShape) -> None:
    assert "$MetadataLevel" in shape.by_name


@pytest.mark.parametrize(("text", "every"), [("1", False), ("2", True), ("'1'", False), ("'2'", True)])
def test_metadata_level(text: str, every: bool) -> None:
    assert find(("$MetadataLevel", (text,))).all_versions is every


@pytest.mark.parametrize("text", ["0", "3", "12", "''", "'two'", "(2)"])
def test_there_are_two_metadata_levels(text: str) -> None:
    assert refusal(Q.FIND_DOCUMENTS, (WHO, APPROVED, ("$MetadataLevel", (text,)))) == [(ERROR, "$MetadataLevel")]


@pytest.mark.parametrize(
    "text", [AssociationType.RPLC, AssociationType.HAS_MEMBER, AssociationType.IS_SNAPSHOT_OF, "RPLC", "HasMember"]
)
def test_association_types_in_full_or_bare(text: str) -> None:
    slots = (WHICH, ("$AssociationTypes", (f"('{text}')",)))
    (found,) = decode_query(Q.GET_RELATED_DOCUMENTS, slots).types
    assert found.endswith(text)


WHICH = (f"{DE}UniqueId", ("'1.2'",))


@pytest.mark.parametrize("types", ["()", "('urn:x')", "('rplc')", "'RPLC'"])
def test_association_types_are_those_of_the_book(types: str) -> None:
    assert refusal(Q.GET_RELATED_DOCUMENTS, (WHICH, ("$AssociationTypes", (types,)))) == [(ERROR, "$AssociationTypes")]
    assert refusal(Q.GET_RELATED_DOCUMENTS, (WHICH,)) == [(MISSING, "$AssociationTypes")]


@pytest.mark.parametrize(("name", "values", "field", "expected"), [row for row in FIELDS if "Time" not in row[0]])
def test_what_is_excluded(name: str, values: Any, field: str, expected: Any) -> None:
    query = find((f"{DE}{name}Exclude", values), query=Q.FIND_DOCUMENTS_EXCLUDE)
    assert query == FindDocuments(PATIENT, excluding=Excluded(**{field: expected}))
    both = ((f"{DE}{name}Exclude", values), (f"{DE}{name}", values))
    assert (NUMBER, f"{DE}{name}Exclude") in refusal(Q.FIND_DOCUMENTS_EXCLUDE, (WHO, APPROVED, *both))


def test_only_that_query_excludes() -> None:
    """Elsewhere the Slot has no meaning, as any that is not known."""
    assert find((f"{DE}ClassCodeExclude", ("('a^^s')",))) == find()


def test_the_older_spelling_of_codes_excludes_too() -> None:
    older = ((f"{DE}ClassCodeExclude", ("('a')",)), (f"{DE}ClassCodeExcludeScheme", ("('s')",)))
    assert find(*older, query=Q.FIND_DOCUMENTS_EXCLUDE).excluding == Excluded(class_codes=("a^^s",))


def test_a_percent_sign_makes_a_reference_id_a_pattern() -> None:
    name = f"{DE}ReferenceIdList"
    query = find((name, ("('R%','A_1','\\%')",)), query=Q.FIND_DOCUMENTS_BY_REFERENCE_ID)
    assert query.reference_ids == (
        (ReferenceId("R%", pattern=True), ReferenceId("A_1"), ReferenceId("\\\\%", pattern=True)),
    )


ID = Q.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS
FOLDERS = Q.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS
BY_REFERENCE = Q.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS
OF_FOLDERS = ("$XDSFolderStatus", (f"('{Status.APPROVED}')",))


@pytest.mark.parametrize(
    ("query", "slots", "expected"),
    [
        (ID, (APPROVED, (f"{DE}PatientId", (f"('{PATIENT}','2^^^&1.2.3&ISO')",))), {"patient_ids": (PATIENT, "2^^^&1.2.3&ISO")}),
        (ID, (APPROVED, (f"{DE}ClassCode", ("('a^^s')",))), {"class_codes": ("a^^s",)}),
        (ID, (APPROVED, (f"{DE}EventCodeList", ("('a^^s')",))), {"event_codes": (("a^^s",),)}),
        (ID, (APPROVED, (f"{DE}HealthcareFacilityTypeCode", ("('a^^s')",))), {"healthcare_facility_type_codes": ("a^^s",)}),
        (BY_REFERENCE, (APPROVED, (f"{DE}ReferenceIdList", ("('R%')",))), {"reference_ids": ((ReferenceId("R%"),),)}),
    ],
)  # fmt: skip
def test_documents_of_several_patients(query: str, slots: Slots, expected: Any) -> None:
    assert decode_query(query, slots, MULTIPLE_PATIENTS) == FindDocuments(several_patients=True, **expected)


def test_folders_of_several_patients() -> None:
    slots = (OF_FOLDERS, ("$XDSFolderCodeList", ("('a^^s')",)))
    assert decode_query(FOLDERS, slots, MULTIPLE_PATIENTS) == FindFolders(codes=(("a^^s",),), several_patients=True)


@pytest.mark.parametrize(
    ("query", "slots", "where"),
    [
        (ID, (APPROVED,), f"{DE}PatientId"),
        (ID, (APPROVED, (f"{DE}TypeCode", ("('a^^s')",))), f"{DE}PatientId"),
        (ID, ((f"{DE}ClassCode", ("('a^^s')",)),), f"{DE}Status"),
        (FOLDERS, (OF_FOLDERS,), "$XDSFolderPatientId"),
        (BY_REFERENCE, (APPROVED,), f"{DE}ReferenceIdList"),
    ],
)
def test_a_question_to_everybody_is_missing_something(query: str, slots: Slots, where: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode_query(query, slots, MULTIPLE_PATIENTS)
    assert [(f.code, f.where) for f in caught.value.findings] == [(MISSING, where)]


@pytest.mark.parametrize("query", SINGLE_PATIENT)
def test_the_queries_about_one_patient_are_not_those_about_several(query: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode_query(query, (WHO, APPROVED), MULTIPLE_PATIENTS)
    assert [f.code for f in caught.value.findings] == [ErrorCode.XDSUnknownStoredQuery]
