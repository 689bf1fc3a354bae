"""What the registry needs of the wires without knowing them: how a record looks, ready-made.

`profiles/app.py` hands these in. Bodies are rendered when a record is written and stored; what may change later is left
out of them and printed around them by the face. `BASE` stands for the server's public base URL in a FHIR body, and
`VERSION` for the VersionInfo element in an ebRIM body: both are put in when the body goes out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from registry.metadata.model import (
    Association,
    DocumentEntry,
    Folder,
    PatientDetails,
    Slots,
    StudyDescription,
    SubmissionSet,
)

# A NUL cannot occur in what was accepted, so the escape JSON writes for it, and the byte itself in XML, are free marks.
BASE = "\0"
BASE_IN_JSON = b"\\u0000"
VERSION = b"\0"


@dataclass(frozen=True, slots=True)
class Related:
    """An association of the entry being rendered to another document: its type's URN and the target's UUID (bare)."""

    type: str
    target: str


@dataclass(frozen=True, slots=True)
class Renderers:
    """One function a body. FHIR bodies are JSON objects (UTF-8) without resourceType, id, meta and status."""

    ebrim: Callable[[DocumentEntry | SubmissionSet | Folder | Association], bytes]
    """Everything inside the object's element, with `VERSION` where VersionInfo goes."""

    document_reference: Callable[[DocumentEntry, str, Sequence[Related], float], bytes]
    """entry (with its bare UUID as id), FHIR id of its patient, relations, registration (seconds since 1970)."""

    imaging_study: Callable[[StudyDescription, str | None, Sequence[tuple[str, str]]], bytes]
    """study, FHIR id of its patient or None, (Retrieve Location UID, FHIR id of the Endpoint) of each source."""

    diagnostic_report: Callable[[bytes, Sequence[str]], bytes]
    """The DocumentReference body of its document, FHIR ids of the ImagingStudies that it reports on."""

    patient: Callable[[PatientDetails, bytes | None], bytes]
    """patient, the body that is to be replaced: what the details do not say at all is kept of it."""

    endpoint: Callable[[str, str], bytes]
    """Retrieve Location UID, WADO-RS base URL ("" when unknown)."""

    patient_links: Callable[[bytes, str | None, Sequence[str]], bytes]
    """A Patient's body with its links instead of those it has: FHIR id of who replaced it, and of whom it replaces."""

    ebrim_of: Callable[[bytes, str], bytes]
    """An ebRIM body with another patientId (canonical CX text)."""

    subject_of: Callable[[bytes, str, str], bytes]
    """A FHIR body whose references to one Patient (FHIR id) are to another: from, to."""

    slots_of: Callable[[bytes], Slots]
    """The Slots of an ebRIM body, as (name, values)."""

    relations_of: Callable[[bytes, Sequence[Related]], bytes]
    """A DocumentReference's body with these relations instead of those it has."""
