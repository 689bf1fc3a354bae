"""ITI-67, Find Document References (MHD, 2:3.67).

The search is the registry's FindDocuments: what ITI-18 asks by a slot, this asks by a parameter. It has none for
the objectType, so it finds stable documents, as ITI-18 does unless it is told otherwise: an on-demand entry would stand
beside its own snapshots. Its DocumentReference can be read by id, as a snapshot's relatesTo does; it has neither hash
nor size (MHD, 2:3.65.4.1.2), and its url leads to what is assembled now, if this repository assembles it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Request

from profiles.catalog import Fhir, Transaction
from profiles.faces import fhir_bundle
from profiles.faces.fhir_bundle import Page
from profiles.faces.fhir_codes import open_keys
from profiles.faces.fhir_question import Question
from profiles.faces.fhir_search import Search
from profiles.faces.fhir_values import bare_uid, modality, reference_id, token
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.settings import AffinityDomain, CodeSetting
from registry.access import Caller
from registry.metadata.datatypes import is_oid
from registry.metadata.errors import ErrorCode
from registry.metadata.model import Code
from registry.metadata.urn import CodingScheme, FhirSystem, ReferenceIdType, Status
from registry.queries import FindDocuments, ReferenceId

PARAMETERS = (
    ("_id", "token", "Logical id: the entryUUID without urn:uuid:"),
    ("_lastUpdated", "date", "Time of the last change"),
    ("accession-number", "token", "Accession number of the examination (MADO)"),
    ("anatomical-region", "token", "Anatomic region among the event codes (MADO)"),
    ("author.family", "string", "Family name of an author"),
    ("author.given", "string", "Given name of an author"),
    ("bodysite", "token", "The same as anatomical-region"),
    ("category", "token", "classCode"),
    ("creation", "date", "creationTime"),
    ("date", "date", "Time of registration"),
    ("event", "token", "eventCodeList"),
    ("facility", "token", "healthcareFacilityTypeCode"),
    ("format", "token", "formatCode"),
    ("identifier", "token", "uniqueId or entryUUID"),
    ("modality", "token", "Acquisition modality among the event codes (MADO)"),
    ("patient", "reference", "The patient"),
    ("patient.identifier", "token", "The patient, by urn:oid:<assigning authority>|<value>"),
    ("patient:identifier", "token", "The same as patient.identifier"),
    ("period", "date", "serviceStartTime"),
    ("related", "token", "referenceIdList, by identifier"),
    ("related:identifier", "token", "The same as related"),
    ("security-label", "token", "confidentialityCode"),
    ("setting", "token", "practiceSettingCode"),
    ("status", "token", "current or superseded; both when absent"),
    ("study-instance-uid", "token", "Study Instance UID, in any spelling (MADO)"),
    ("subject", "reference", "The same as patient"),
    ("subject.identifier", "token", "The same as patient.identifier"),
    ("subject:identifier", "token", "The same as patient.identifier"),
    ("type", "token", "typeCode"),
)  # fmt: skip

SINGLE_CODES = (
    "class_codes",
    "type_codes",
    "practice_setting_codes",
    "healthcare_facility_type_codes",
    "format_codes",
)
REPEATED_CODES = ("event_codes", "confidentiality_codes")

STATUSES = {"current": Status.APPROVED, "superseded": Status.DEPRECATED}
NOBODY = ""
"""A patient id that no record has: the search names a patient who is not known, and finds nothing."""


def decode(request: Request) -> Search[FindDocuments]:
    """FindDocuments of a search.

    Raises:
        Rejected: everything that is wrong with the search.
    """
    question = Question(request, "DocumentReference", PARAMETERS)
    ids, unique_ids = _identifiers(question)
    patient_ids = question.patient_ids()
    updated_from, updated_to = question.updated()
    registered_from, registered_to = question.interval("date").seconds
    creation, start = question.interval("creation"), question.interval("period")
    query = FindDocuments(
        patient_id=patient_ids[0] if patient_ids else None,
        statuses=_statuses(question),
        class_codes=question.codes("category"),
        type_codes=question.codes("type"),
        practice_setting_codes=question.codes("setting"),
        healthcare_facility_type_codes=question.codes("facility"),
        format_codes=question.codes("format"),
        event_codes=(
            *question.code_keys("event", "bodysite", "anatomical-region"),
            *question.each("modality", _modality),
        ),
        confidentiality_codes=question.code_keys("security-label"),
        author_persons=_author(question),
        reference_ids=_references(question),
        creation_time_from=creation.start,
        creation_time_to=creation.end,
        # A period without an end, as manifests have it, would never match a filter on its end: its start decides.
        service_start_time_from=start.start,
        service_start_time_to=start.end,
        ids=ids,
        unique_ids=unique_ids,
        registered_from=registered_from,
        registered_to=registered_to,
        updated_from=updated_from,
        updated_to=updated_to,
    )
    return question.finish(query, question.patients())


def _statuses(question: Question) -> tuple[Status, ...]:
    asked = question.one_of("status", question.tokens("status"))
    for one in asked:
        if one.value not in STATUSES:
            question.fault("status", "current and superseded are what a document can be", ErrorCode.InvalidRequest)
    return tuple(STATUSES[one.value] for one in asked if one.value in STATUSES) or tuple(STATUSES.values())


def _identifiers(question: Question) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(UUIDs, uniqueIds) that `_id` and `identifier` name."""
    ids = question.ids()
    named = question.one_of("identifier", question.each("identifier", _identifier))
    uuids = tuple(value for is_uuid, value in named if is_uuid)
    unique_ids = tuple(value for is_uuid, value in named if not is_uuid)
    if uuids and (unique_ids or ids):
        question.fault(
            "identifier", "entryUUIDs go with neither uniqueIds nor _id", ErrorCode.XDSStoredQueryParamNumber
        )
    return ids or uuids, unique_ids


def _identifier(text: str) -> tuple[bool, str]:
    asked = token(text)
    if not asked.value:
        raise ValueError("a system alone is too little; write system|value")
    if asked.value.lower().startswith(FhirSystem.UUID_PREFIX):
        return True, asked.value.lower().removeprefix(FhirSystem.UUID_PREFIX)
    root = bare_uid(asked.system or "")
    # An HL7 V3 identifier, root and extension, is one uniqueId (ITI TF-3, 4.2.3.2.26).
    return False, f"{root}^{asked.value}" if is_oid(root) else bare_uid(asked.value)


def _modality(text: str) -> str:
    return Code(modality(text), CodingScheme.DICOM_CONTROLLED_TERMINOLOGY).key


def _references(question: Question) -> tuple[tuple[ReferenceId, ...], ...]:
    studies = question.uids("study-instance-uid")
    return (
        *question.each("related", _reference),
        *question.each("related:identifier", _reference),
        *question.reference_ids("accession-number", kind=ReferenceIdType.ACCESSION),
        *(tuple(ReferenceId(uid, ReferenceIdType.STUDY_INSTANCE_UID) for uid in ors) for ors in studies),
    )


def _reference(text: str) -> ReferenceId:
    asked = token(text)
    if asked.system is None and "/" in asked.value:
        raise ValueError("referenceIdList holds identifiers: write related:identifier=system|value")
    return reference_id(asked)


def _author(question: Question) -> tuple[str, ...]:
    """LIKE patterns of XCN: id^family^given^..."""
    families, givens = question.strings("author.family"), question.strings("author.given")
    return tuple(
        f"%^{_like(family)}%^{_like(given)}%"
        for family in families or ("",)
        for given in givens or ("",)
        if family or given
    )


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def handle(search: Search[FindDocuments], house: House, caller: Caller) -> Page:
    """Ask the registry."""
    domain = house.settings.affinity_domain
    named = None if search.query.patient_id is None else (search.query.patient_id,)
    registry = house.registry
    patient_ids = search.patient_ids(named, house.settings.base_url, registry.patient_ids, registry.every_id)
    size = min(search.options.page.size, house.settings.limits.fhir_page)
    query = replace(
        search.query,
        **_closed(search.query, [code.scheme for code in _codes(domain)]),
        patient_id=None if patient_ids is None else (patient_ids or (NOBODY,))[0],
        page=replace(search.options.page, size=size),
    )
    return Page(search.options, house.registry.find_document_references(query, caller), house.settings.base_url)


def _closed(query: FindDocuments, schemes: Sequence[str]) -> dict[str, Any]:
    """The coded fields of `query`, with keys that leave the scheme open turned into all that they may mean."""
    return {name: open_keys(getattr(query, name), schemes) for name in SINGLE_CODES} | {
        name: tuple(open_keys(ors, schemes) for ors in getattr(query, name)) for name in REPEATED_CODES
    }


def _codes(domain: AffinityDomain) -> tuple[CodeSetting, ...]:
    return (
        domain.class_code,
        domain.type_code,
        domain.confidentiality_code,
        domain.healthcare_facility_type_code,
        domain.practice_setting_code,
    )


def encode(page: Page) -> Reply:
    """The searchset."""
    return fhir_bundle.reply(page)


TRANSACTION = Transaction(
    id="ITI-67",
    name="Find Document References",
    actor="Document Responder",
    source="MHD, 2:3.67",
    face=Fhir("DocumentReference", "search-type", PARAMETERS),
    decode=decode,
    handle=handle,
    encode=encode,
)
