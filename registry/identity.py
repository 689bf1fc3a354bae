"""FHIR ids made of stable identifiers, so that an export and re-import keeps every URL.

A patient's id is random instead: one derived from a personal number could be guessed back from a URL.
"""

from uuid import UUID, uuid5

NAMESPACE = UUID("6f1c7a52-6f0e-5d6a-9a3e-0d6f6f70656e")


def study_id(uid: str, source: str) -> str:
    """ImagingStudy of a Study Instance UID at an imaging source (OID)."""
    return str(uuid5(NAMESPACE, f"study|{uid}|{source}"))


def report_id(unique_id: str) -> str:
    """DiagnosticReport whose first document has this uniqueId; later versions of the report keep the id."""
    return str(uuid5(NAMESPACE, f"report|{unique_id}"))


def endpoint_id(location_uid: str, address: str) -> str:
    """Endpoint of an imaging source: its Retrieve Location UID and WADO-RS base URL, either of which may be empty."""
    return str(uuid5(NAMESPACE, f"endpoint|{location_uid}|{address}"))
