"""The search of DiagnosticReport (FHIR R4, DiagnosticReport; RAD IMR, RAD-143)."""

from dataclasses import dataclass, replace

import orjson
from flask import Request

from profiles.catalog import Fhir, Transaction
from profiles.faces.fhir import ROOT
from profiles.faces.fhir_bundle import Page
from profiles.faces.fhir_codes import Json, authority_of, open_keys
from profiles.faces.fhir_question import Question
from profiles.faces.fhir_search import Search
from profiles.faces.fhir_values import bare_uid, own_id, reference_id, token
from profiles.house import House
from profiles.imaging_fhir.answering import ACTOR, encode, find, reading
from profiles.imaging_fhir.asking import order
from registry.access import Caller
from registry.metadata.datatypes import is_oid
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import FhirSystem, ReferenceIdType
from registry.queries import FindResources, ReferenceId, ResourceType

PARAMETERS = (
    ("_id", "token", "Logical id"),
    ("_lastUpdated", "date", "Time of the last change"),
    ("accession-number", "token", "Accession number"),
    ("based-on", "token", "Accession or order number, by identifier"),
    ("based-on.identifier", "token", "The same as based-on"),
    ("based-on:identifier", "token", "The same as based-on"),
    ("basedOn", "token", "The same as based-on (IMR)"),
    ("basedOn.identifier", "token", "The same as based-on (IMR)"),
    ("category", "token", "RAD; all reports here are of radiology"),
    ("code", "token", "typeCode of the document"),
    ("date", "date", "When the examination was done"),
    ("identifier", "token", "uniqueId of the document, Study Instance UID or accession number"),
    ("imagingStudy", "reference", "The study that is reported on (IMR)"),
    ("imagingStudy.identifier", "token", "The study by its Study Instance UID (IMR)"),
    ("imagingstudy", "reference", "The same as imagingStudy"),
    ("imagingstudy.identifier", "token", "The same as imagingStudy.identifier"),
    ("patient", "reference", "The patient"),
    ("patient.identifier", "token", "The patient, by urn:oid:<assigning authority>|<value>"),
    ("patient:identifier", "token", "The same as patient.identifier"),
    ("status", "token", "Status"),
    ("study", "reference", "The same as imagingStudy"),
    ("study-instance-uid", "token", "The study by its Study Instance UID"),
    ("study.identifier", "token", "The same as imagingStudy.identifier"),
    ("subject", "reference", "The same as patient"),
    ("subject.identifier", "token", "The same as patient.identifier"),
    ("subject:identifier", "token", "The same as patient.identifier"),
)
STUDIES = ("imagingStudy", "imagingstudy", "study")
ORDERS = tuple(f"{name}{by}" for name in ("based-on", "basedOn") for by in ("", ".identifier", ":identifier"))
STUDY_UIDS = ("study-instance-uid", *(f"{name}.identifier" for name in STUDIES))
CATEGORIES = frozenset({"RAD"})


@dataclass(frozen=True, slots=True)
class ReportSearch:
    """A search of reports, and the studies that it names by reference (AND of ORs), which the registry must look up."""

    search: Search[FindResources]
    studies: tuple[tuple[str, ...], ...] = ()


def decode(request: Request) -> ReportSearch:
    """The question of a search.

    Raises:
        Rejected: everything that is wrong with the search.
    """
    question = Question(request, ResourceType.DIAGNOSTIC_REPORT, PARAMETERS)
    date = question.interval("date")
    updated_from, updated_to = question.updated()
    for asked in question.one_of("category", question.tokens("category")):
        if asked.value not in CATEGORIES:
            question.fault("category", "reports here are of the category RAD alone", ErrorCode.InvalidRequest)
    query = FindResources(
        ResourceType.DIAGNOSTIC_REPORT,
        ids=question.ids(),
        patient_ids=question.patient_ids(),
        identifiers=_identifiers(question),
        date_from=date.start,
        date_to=date.end,
        statuses=tuple(one.value for one in question.one_of("status", question.tokens("status"))),
        codes=question.codes("code"),
        updated_from=updated_from,
        updated_to=updated_to,
    )
    studies = tuple(ors for name in STUDIES for ors in question.references(name, ResourceType.IMAGING_STUDY))
    return ReportSearch(question.finish(query, question.patients()), studies)


def _identifiers(question: Question) -> tuple[tuple[ReferenceId, ...], ...]:
    uids = (ors for name in STUDY_UIDS for ors in question.uids(name))
    orders = (ors for name in ORDERS for ors in question.each(name, order))
    return (
        *(tuple(one for some in ors for one in some) for ors in question.each("identifier", _identifier)),
        *question.reference_ids("accession-number", kind=ReferenceIdType.ACCESSION),
        *(tuple(ReferenceId(uid, ReferenceIdType.STUDY_INSTANCE_UID) for uid in ors) for ors in uids),
        *(tuple(one for pair in ors for one in pair) for ors in orders),
    )


def _identifier(text: str) -> tuple[ReferenceId, ...]:
    """A UID is the document's or its study's; root and extension may be a uniqueId (ITI TF-3, 4.2.3.2.26)."""
    asked = token(text)
    if asked.system in (FhirSystem.DICOM_UID, FhirSystem.URI):
        return (ReferenceId(bare_uid(asked.value)),)
    found = reference_id(asked)
    root = authority_of(asked.system or "")
    unique_id = ReferenceId(f"{root}^{asked.value}", ReferenceIdType.UNIQUE_ID)
    return (found, unique_id) if is_oid(root) else (found,)


def handle(asked: ReportSearch, house: House, caller: Caller) -> Page:
    """Ask the registry; a study that is named by reference is looked up first."""
    search, domain = asked.search, house.settings.affinity_domain
    query = replace(search.query, codes=open_keys(search.query.codes, [domain.type_code.scheme]))
    for ors in asked.studies:
        query = _of_studies(query, ors, house, caller)
    return find(replace(search, query=query), house, caller)


def _of_studies(query: FindResources, studies: tuple[str, ...], house: House, caller: Caller) -> FindResources:
    """The query, narrowed to reports on one of these studies: of its patient, and sharing an identifier with it."""
    shared: list[ReferenceId] = []
    patients: set[str] = set()
    for reference in studies:
        id = own_id(reference, ResourceType.IMAGING_STUDY, house.settings.base_url + ROOT)
        try:
            study = orjson.loads(house.registry.read(ResourceType.IMAGING_STUDY, id or "", caller).body)
        except Rejected:
            continue
        shared += _references(study)
        subject = str(study["subject"].get("reference", "")).removeprefix("Patient/")
        patients.update(house.registry.patient_ids(subject))
    if query.patient_ids is None or not patients:
        owners = patients
    else:
        # The study shows the survivor of a merge; the search may name its patient by another id.
        owners = set(house.registry.every_id(patients).intersection(query.patient_ids))
    identifiers = (*query.identifiers, tuple(dict.fromkeys(shared))) if shared else query.identifiers
    return replace(query, patient_ids=tuple(sorted(owners)), identifiers=identifiers)


def _references(study: Json) -> list[ReferenceId]:
    """Identifiers that a report may share with the study; where either left out the authority, the number does."""
    found = [
        ReferenceId(bare_uid(one["value"]), ReferenceIdType.STUDY_INSTANCE_UID)
        for one in study["identifier"]
        if one.get("system") == FhirSystem.DICOM_UID
    ]
    for number in (one["identifier"] for one in study.get("basedOn", ())):
        codes = {coding["code"] for coding in number["type"]["coding"]}
        kind = ReferenceIdType.ACCESSION if "ACSN" in codes else ReferenceIdType.ORDER
        authorities = (authority_of(number["system"]), "") if "system" in number else (None,)
        found += [ReferenceId(number["value"], kind, authority) for authority in authorities]
    return found


TRANSACTION = Transaction(
    id="FHIR-DiagnosticReport-search",
    name="Search DiagnosticReport",
    actor=ACTOR,
    source="FHIR R4, 3.1.1; DiagnosticReport",
    face=Fhir("DiagnosticReport", "search-type", PARAMETERS),
    decode=decode,
    handle=handle,
    encode=encode,
)
READ = reading(ResourceType.DIAGNOSTIC_REPORT)
