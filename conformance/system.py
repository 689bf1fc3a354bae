"""`GET /conformance/system`: all that whoever configures a peer must know, as JSON, printed from what is installed."""

from typing import Any

from flask import Flask, Response, jsonify

from profiles.catalog import Dimse, Fhir, Http, Mllp, SameDoor, Soap, Transaction
from profiles.house import House
from profiles.installed import PROFILES
from profiles.settings import Settings


def register(app: Flask, house: House) -> None:
    """Add the route."""

    def system() -> Response:
        return jsonify(description(house.settings))

    app.add_url_rule("/conformance/system", "conformance_system", system)


def description(settings: Settings) -> dict[str, Any]:
    """Addresses, OIDs and names of this server, and its transactions with the door of each."""
    base, domain = settings.base_url, settings.affinity_domain
    return {
        "product": "OpenXDS-I",
        "addresses": {
            "base": base,
            "fhir": f"{base}/fhir",
            "dicomweb": f"{base}/dicomweb",
            "soap": {
                name: {"endpoint": f"{base}/xds/{name}", "wsdl": f"{base}/xds/{name}?wsdl"} for name in _services()
            },
            "health": {"live": f"{base}/health/live", "ready": f"{base}/health/ready"},
            "metrics": f"{base}/metrics",
        },
        "oids": {
            "homeCommunityId": domain.home_community_id,
            "repositoryUniqueId": domain.repository_unique_id,
            "retrieveLocationUid": domain.retrieve_location_uid,
            "sourceId": domain.source_id,
            "patientAuthorities": list(domain.patient_authorities),
        },
        "retrieveLocations": {domain.retrieve_location_uid: f"{base}/dicomweb", **domain.retrieve_locations},
        "dicom": {
            "aeTitle": settings.ae_title,
            "address": None if settings.dicom == "off" else settings.dicom,
            "spoken": True,
        },
        "mllp": {"address": None if settings.mllp == "off" else settings.mllp, "spoken": True},
        "profiles": [
            {
                "id": profile.id,
                "name": profile.name,
                "source": profile.source,
                "actors": list(profile.actors),
                "options": list(profile.options),
                "transactions": [_transaction(t, base) for t in profile.transactions],
            }
            for profile in PROFILES
        ],
    }


def _services() -> list[str]:
    """The SOAP services of the installed transactions."""
    return sorted({t.face.service for profile in PROFILES for t in profile.transactions if isinstance(t.face, Soap)})


def _transaction(transaction: Transaction, base: str) -> dict[str, Any]:
    return {
        "id": transaction.id,
        "name": transaction.name,
        "actor": transaction.actor,
        "source": transaction.source,
        "door": _door(transaction, base),
    }


def _door(transaction: Transaction, base: str) -> dict[str, Any]:
    match transaction.face:
        case Soap() as soap:
            return {"kind": "soap", "endpoint": f"{base}/xds/{soap.service}", "action": soap.action, "mtom": soap.mtom}
        case Http() as http:
            return {"kind": "http", "method": http.method, "url": f"{base}{http.path}"}
        case Fhir() as fhir:
            searches = [name for name, _, _ in fhir.parameters]
            return {
                "kind": "fhir",
                "url": f"{base}/fhir/{fhir.resource}",
                "interaction": fhir.interaction,
                "parameters": searches,
            }
        case Mllp() as mllp:
            return {"kind": "mllp", "messages": [f"{mllp.message}^{event}" for event in mllp.events]}
        case Dimse() as dimse:
            return {"kind": "dimse", "service": dimse.service.value, "sopClasses": list(dimse.sop_classes) or "storage"}
        case SameDoor() as same:
            return {"kind": "same-door", "transaction": same.transaction}
