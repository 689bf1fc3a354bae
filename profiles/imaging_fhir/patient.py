"""Patient: its body and its search (FHIR R4, Patient; of PDQm, ITI-78, what is kept here)."""

from collections.abc import Sequence

import orjson
from flask import Request

from profiles.catalog import Fhir, Transaction
from profiles.faces.fhir_codes import Json, identifier, present, render
from profiles.faces.fhir_question import Question
from profiles.faces.fhir_search import Search
from profiles.imaging_fhir.answering import ACTOR, encode, find, reading
from registry.metadata.datatypes import Cx, Dtm
from registry.metadata.model import PatientDetails
from registry.queries import FindResources, ResourceType

PARAMETERS = (
    ("_id", "token", "Logical id"),
    ("_lastUpdated", "date", "Time of the last change"),
    ("birthdate", "date", "Date of birth"),
    ("family", "string", "Beginning of the family name"),
    ("given", "string", "Beginning of a given name"),
    ("identifier", "token", "urn:oid:<assigning authority>|<value>"),
    ("name", "string", "Beginning of a family or given name"),
)
PERSONAL = frozenset({"birthdate", "family", "given", "identifier", "name"})

# HL7 table 0001.
GENDERS = {"M": "male", "F": "female", "O": "other", "U": "unknown"}


def render_patient(patient: PatientDetails, before: bytes | None = None) -> bytes:
    """The stored body of a Patient: JSON (UTF-8) without resourceType, id and meta; a Patient has no status.

    Of the body `before` its links are kept, and its further identifiers where the details name none.
    """
    name = present(family=patient.family, given=patient.given.split())
    body = present(
        identifier=_identifiers(patient),
        active=True,
        name=[name] if name else None,
        gender=GENDERS.get(patient.sex),
        birthDate=_date(patient.birth_date),
    )
    if before is not None:
        old = orjson.loads(before)
        body["identifier"] += old["identifier"][len(body["identifier"]) :]
        body |= {name: old[name] for name in ("active", "link") if name in old}
    return render(body)


def render_links(body: bytes, replaced_by: str | None, replaces: Sequence[str]) -> bytes:
    """A Patient's stored body with these links (FHIR ids) instead of those it has (FHIR R4, Patient.link).

    One that another replaced is not active; without links the body is again what `render_patient` made.
    """
    links = [("replaced-by", replaced_by)] if replaced_by else [("replaces", id) for id in replaces]
    whole = {name: value for name, value in orjson.loads(body).items() if name != "link"}
    whole["active"] = replaced_by is None
    if links:
        whole["link"] = [{"other": {"reference": f"Patient/{id}"}, "type": type} for type, id in links]
    return render(whole)


def _identifiers(patient: PatientDetails) -> list[Json]:
    cx = Cx.parse(patient.patient_id)
    found = [{"use": "official"} | identifier(cx.value, cx.authority)]
    if patient.source_patient_id and patient.source_patient_id != patient.patient_id:
        try:
            source = Cx.parse(patient.source_patient_id)
        except ValueError:
            return found
        found.append({"use": "secondary"} | identifier(source.value, source.authority))
    return found


def _date(digits: str) -> str | None:
    try:
        return Dtm.parse(digits[:8]).fhir() if digits else None
    except ValueError:
        return None


def decode(request: Request) -> Search[FindResources]:
    """The question of a search.

    Raises:
        Rejected: everything that is wrong with the search.
    """
    question = Question(request, ResourceType.PATIENT, PARAMETERS)
    born = question.interval("birthdate")
    updated_from, updated_to = question.updated()
    query = FindResources(
        ResourceType.PATIENT,
        ids=question.ids(),
        identifiers=question.reference_ids("identifier"),
        date_from=born.start,
        date_to=born.end,
        family=question.strings("family"),
        given=question.strings("given"),
        names=question.strings("name"),
        updated_from=updated_from,
        updated_to=updated_to,
    )
    return question.finish(query, personal=PERSONAL)


TRANSACTION = Transaction(
    id="FHIR-Patient-search",
    name="Search Patient",
    actor=ACTOR,
    source="FHIR R4, 3.1.1; Patient",
    face=Fhir("Patient", "search-type", PARAMETERS),
    decode=decode,
    handle=find,
    encode=encode,
)
READ = reading(ResourceType.PATIENT)
