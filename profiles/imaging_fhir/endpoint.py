"""Endpoint: where the objects of a study are retrieved from by WADO-RS (FHIR R4, Endpoint; MADO, WADO Endpoint)."""

from flask import Request

from profiles.catalog import Fhir, Transaction
from profiles.faces.fhir_codes import ABSENT_UNKNOWN, Json, present, render
from profiles.faces.fhir_question import Question
from profiles.faces.fhir_search import Search
from profiles.faces.fhir_values import bare_uid, token
from profiles.imaging_fhir.answering import ACTOR, encode, find, reading
from registry.metadata.urn import FhirExtension, FhirSystem
from registry.queries import FindResources, ReferenceId, ResourceType

PARAMETERS = (
    ("_id", "token", "Logical id"),
    ("_lastUpdated", "date", "Time of the last change"),
    ("identifier", "token", "Retrieve Location UID, in any spelling"),
)
WADO_RS = "DICOM WADO-RS"
# An address is required, and this is how MADO says that there is none: a look-up by Retrieve Location UID gives it.
NOT_SPECIFIED = "http://notspecified"


def render_endpoint(location_uid: str, address: str) -> bytes:
    """The stored body of an Endpoint: JSON (UTF-8) without resourceType, id, meta and status.

    Args:
        location_uid: Retrieve Location UID (OID) of the imaging source, "" when a manifest names none.
        address: base URL of its WADO-RS, "" when unknown.
    """
    oid: Json = {"system": FhirSystem.URI, "value": FhirSystem.OID_PREFIX + location_uid}
    location = {"url": FhirExtension.RETRIEVE_LOCATION_UID, "valueString": location_uid}
    kind = {"system": FhirSystem.ENDPOINT_CONNECTION, "code": "dicom-wado-rs", "display": WADO_RS}
    body = present(
        extension=[location] if location_uid else None,
        identifier=[oid] if location_uid else None,
        connectionType=kind,
        name=WADO_RS,
        payloadType=[{"coding": [{"system": FhirSystem.ENDPOINT_PAYLOAD, "code": "none"}], "text": WADO_RS}],
        payloadMimeType=["application/dicom"],
        address=address or NOT_SPECIFIED,
        _address=None if address else ABSENT_UNKNOWN,
    )
    return render(body)


def decode(request: Request) -> Search[FindResources]:
    """The question of a search.

    Raises:
        Rejected: everything that is wrong with the search.
    """
    question = Question(request, ResourceType.ENDPOINT, PARAMETERS)
    updated_from, updated_to = question.updated()
    query = FindResources(
        ResourceType.ENDPOINT,
        ids=question.ids(),
        identifiers=question.each("identifier", lambda text: ReferenceId(bare_uid(token(text).value))),
        updated_from=updated_from,
        updated_to=updated_to,
    )
    return question.finish(query)


TRANSACTION = Transaction(
    id="FHIR-Endpoint-search",
    name="Search Endpoint",
    actor=ACTOR,
    source="FHIR R4, 3.1.1; Endpoint",
    face=Fhir("Endpoint", "search-type", PARAMETERS),
    decode=decode,
    handle=find,
    encode=encode,
)
READ = reading(ResourceType.ENDPOINT)
