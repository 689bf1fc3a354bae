"""People and organisations of a DocumentEntry as contained resources (MHD, field map)."""

from collections.abc import Sequence

from profiles.faces.fhir_codes import Json, identifier, present
from registry.metadata.datatypes import Cx, Dtm, Xcn, Xon, is_oid
from registry.metadata.model import Author, DocumentEntry
from registry.metadata.urn import FhirSystem

# HL7 table 0001.
GENDERS = {"M": "male", "F": "female", "O": "other", "U": "unknown"}


def author_resources(authors: Sequence[Author]) -> tuple[list[str], list[Json]]:
    """Ids of the resources that stand for the authors, in order, and all resources to be contained.

    A person with an organisation, a role or a specialty is a PractitionerRole, which has room for one organisation: the
    others, and those of an author without a person, stand for themselves.
    """
    ids: list[str] = []
    contained: list[Json] = []
    for number, author in enumerate(authors, 1):
        id = f"author{number}"
        people = [practitioner(f"{id}-person", text) for text in author.person[:1]]
        organizations = [_organization(f"{id}-organization{n}", text) for n, text in enumerate(author.institutions, 1)]
        if people and author.telecommunications:
            people[0]["telecom"] = [_telecom(text) for text in author.telecommunications]
        if author.roles or author.specialties or (people and organizations):
            role = _role(id, people[:1], organizations[:1], author)
            named = [role, *organizations[1:]]
        else:
            named = [*people, *organizations]
        ids += [one["id"] for one in named]
        contained += [*people, *organizations[:1], *(one for one in named if one not in people + organizations[:1])]
    return ids, contained


def authenticator_resource(text: str | None) -> Json | None:
    """The legal authenticator, XCN."""
    return practitioner("authenticator", text) if text else None


def practitioner(id: str, text: str) -> Json:
    """Practitioner of an XCN; text without any ^ is a name."""
    resource: Json = {"resourceType": "Practitioner", "id": id}
    try:
        person = Xcn.parse(text)
    except ValueError:
        return resource | {"name": [{"text": text.replace("^", " ").strip() or text}]}
    if "^" not in text:
        return resource | {"name": [{"text": text}]}
    name = present(family=person.family, given=person.given.split())
    return resource | present(
        identifier=[identifier(person.id, person.authority)] if person.id else None, name=[name] if name else None
    )


def _organization(id: str, text: str) -> Json:
    resource: Json = {"resourceType": "Organization", "id": id}
    try:
        organization = Xon.parse(text)
    except ValueError:
        return resource | {"name": text}
    if is_oid(organization.id):
        known = {"system": FhirSystem.URI, "value": FhirSystem.OID_PREFIX + organization.id}
    else:
        known = identifier(organization.id, organization.authority) if organization.id else {}
    return resource | present(identifier=[known] if known else None, name=organization.name)


def _role(id: str, people: Sequence[Json], organizations: Sequence[Json], author: Author) -> Json:
    return {"resourceType": "PractitionerRole", "id": id} | present(
        practitioner={"reference": f"#{people[0]['id']}"} if people else None,
        organization={"reference": f"#{organizations[0]['id']}"} if organizations else None,
        code=[{"text": text} for text in author.roles],
        specialty=[{"text": text} for text in author.specialties],
    )


def _telecom(text: str) -> Json:
    """XTN: component 4 is an e-mail address, 12 a number as it is dialled, 1 what older senders use for both."""
    parts = (text + "^" * 12).split("^")
    if parts[3]:
        return {"system": "email", "value": parts[3]}
    return {"system": "phone", "value": parts[11] or parts[0] or text.strip("^")}


def source_patient(entry: DocumentEntry) -> Json | None:
    """The patient as the source knew them: sourcePatientId, and PID-5, -7 and -8 of sourcePatientInfo."""
    fields: dict[str, str] = {}
    for line in entry.source_patient_info:
        name, _, value = line.partition("|")
        fields.setdefault(name, value)
    family, given, *_ = [*fields.get("PID-5", "").split("~")[0].split("^"), "", ""]
    resource = present(
        identifier=[_source_id(entry.source_patient_id)] if entry.source_patient_id else None,
        name=[person] if (person := present(family=family, given=given.split())) else None,
        gender=GENDERS.get(fields.get("PID-8", "")),
        birthDate=_date(fields.get("PID-7", "")),
    )
    return {"resourceType": "Patient", "id": "source-patient"} | resource if resource else None


def _source_id(text: str) -> Json:
    try:
        cx = Cx.parse(text)
    except ValueError:
        return {"value": text}
    return identifier(cx.value, cx.authority)


def _date(text: str) -> str | None:
    try:
        return Dtm.parse(text[:8]).fhir()
    except ValueError:
        return None
