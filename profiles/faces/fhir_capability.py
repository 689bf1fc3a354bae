"""CapabilityStatement, printed from the transactions that are installed (FHIR R4, CapabilityStatement)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from profiles.catalog import Fhir, Profile
from profiles.faces.fhir import MEDIA_TYPE, ROOT

FHIR_VERSION = "4.0.1"


def capability_statement(profiles: Iterable[Profile], base_url: str, version: str, date: datetime) -> bytes:
    """The statement as JSON (UTF-8).

    Args:
        profiles: what is installed.
        base_url: this server's public address.
        version: the product's version.
        date: when the server was started, aware.
    """
    # Loading the models takes longer than all the rest of the start, and only this answer needs them.
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    faces = [t.face for profile in profiles for t in profile.transactions if isinstance(t.face, Fhir)]
    statement = CapabilityStatement.model_validate(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": date.isoformat(timespec="seconds"),
            "kind": "instance",
            "software": {"name": "OpenXDS-I", "version": version},
            "implementation": {"description": "Imaging registry and repository", "url": base_url + ROOT},
            "fhirVersion": FHIR_VERSION,
            "format": [MEDIA_TYPE, "json"],
            "rest": [{"mode": "server", "resource": _resources(faces)}],
        }
    )
    return bytes(statement.model_dump_json().encode())


def _resources(faces: list[Fhir]) -> list[dict[str, Any]]:
    types = sorted({face.resource for face in faces})
    return [_resource(type, [face for face in faces if face.resource == type]) for type in types]


def _resource(type: str, faces: list[Fhir]) -> dict[str, Any]:
    parameters = [parameter for face in faces for parameter in face.parameters]
    includes = [include for face in faces for include in face.includes]
    profiles = [face.profile for face in faces if face.profile]
    listed = {
        "supportedProfile": profiles,
        # Modifiers and chains are told by their parameter, not as parameters (FHIR R4, 3.1.1.4).
        "searchParam": [
            {"name": name, "type": kind, "documentation": text} for name, kind, text in parameters if ":" not in name
        ],
        "searchInclude": includes,
    }
    return {
        "type": type,
        "interaction": [{"code": face.interaction} for face in faces],
        "versioning": "versioned",
        **{name: values for name, values in listed.items() if values},
    }
