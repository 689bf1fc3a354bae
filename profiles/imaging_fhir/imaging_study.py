"""The search of ImagingStudy (FHIR R4, ImagingStudy; MADO, search; RAD IMR)."""

from flask import Request

from profiles.catalog import Fhir, Transaction
from profiles.faces.fhir_question import Question
from profiles.faces.fhir_search import Search
from profiles.faces.fhir_values import modality
from profiles.imaging_fhir.answering import ACTOR, encode, find, reading
from profiles.imaging_fhir.asking import order
from registry.metadata.urn import ReferenceIdType
from registry.queries import FindResources, ReferenceId, ResourceType

PARAMETERS = (
    ("_id", "token", "Logical id"),
    ("_lastUpdated", "date", "Time of the last change"),
    ("accession-number", "token", "Accession number"),
    ("based-on", "token", "Accession or order number, by identifier"),
    ("based-on.identifier", "token", "The same as based-on"),
    ("based-on:identifier", "token", "The same as based-on"),
    ("basedon", "token", "The same as based-on"),
    ("basedon.identifier", "token", "The same as based-on"),
    ("basedon:identifier", "token", "The same as based-on"),
    ("identifier", "token", "Study Instance UID, in any spelling, or accession number"),
    ("modality", "token", "Modality of a series"),
    ("patient", "reference", "The patient"),
    ("patient.identifier", "token", "The patient, by urn:oid:<assigning authority>|<value>"),
    ("patient:identifier", "token", "The same as patient.identifier"),
    ("started", "date", "When the study was started"),
    ("status", "token", "Status"),
    ("study-instance-uid", "token", "Study Instance UID, in any spelling"),
    ("subject", "reference", "The same as patient"),
    ("subject.identifier", "token", "The same as patient.identifier"),
    ("subject:identifier", "token", "The same as patient.identifier"),
)
INCLUDES = ("ImagingStudy:endpoint",)
ORDERS = tuple(f"{name}{by}" for name in ("basedon", "based-on") for by in ("", ".identifier", ":identifier"))


def decode(request: Request) -> Search[FindResources]:
    """The question of a search.

    Raises:
        Rejected: everything that is wrong with the search.
    """
    question = Question(request, ResourceType.IMAGING_STUDY, PARAMETERS, INCLUDES)
    started = question.interval("started")
    updated_from, updated_to = question.updated()
    query = FindResources(
        ResourceType.IMAGING_STUDY,
        ids=question.ids(),
        patient_ids=question.patient_ids(),
        identifiers=_identifiers(question),
        date_from=started.start,
        date_to=started.end,
        modalities=question.once("modality", modality),
        statuses=tuple(one.value for one in question.one_of("status", question.tokens("status"))),
        updated_from=updated_from,
        updated_to=updated_to,
    )
    return question.finish(query, question.patients())


def _identifiers(question: Question) -> tuple[tuple[ReferenceId, ...], ...]:
    uids = question.uids("study-instance-uid")
    orders = (ors for name in ORDERS for ors in question.each(name, order))
    return (
        *question.reference_ids("identifier"),
        *question.reference_ids("accession-number", kind=ReferenceIdType.ACCESSION),
        *(tuple(ReferenceId(uid, ReferenceIdType.STUDY_INSTANCE_UID) for uid in ors) for ors in uids),
        *(tuple(one for pair in ors for one in pair) for ors in orders),
    )


TRANSACTION = Transaction(
    id="FHIR-ImagingStudy-search",
    name="Search ImagingStudy",
    actor=ACTOR,
    source="FHIR R4, 3.1.1; ImagingStudy",
    face=Fhir("ImagingStudy", "search-type", PARAMETERS, INCLUDES),
    decode=decode,
    handle=find,
    encode=encode,
)
READ = reading(ResourceType.IMAGING_STUDY)
