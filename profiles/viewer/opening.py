"""Opening the viewer: from studies that are found to the address of a page that sees them."""

from collections.abc import Sequence
from typing import Any

import orjson

from profiles.house import House
from profiles.viewer.scope import MOST_STUDIES, Scope, Seal, limited, page_of
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.urn import FhirSystem
from registry.queries import ResourceType
from repository.imaging.matching import matches_of
from repository.imaging.query import DicomQuery, Level

STUDY_UID, MODALITIES, PATIENT_ID, ISSUER = "0020000D", "00080061", "00100020", "00100024"
MICROSCOPY = "SM"


Values = dict[str, list[str]]
"""A study's values by tag."""


def found(asked: Sequence[tuple[str, str]], house: House, caller: Caller, most: int = MOST_STUDIES) -> list[Values]:
    """The studies that match (attribute, value), newest first.

    Raises:
        Rejected: InvalidRequest, a value that is none.
    """
    query = DicomQuery(Level.STUDY, matches_of(Level.STUDY, asked), limit=most)
    return [_values(match) for match in house.imaging.find_studies(query, caller).matches]


def of_report(id: str, house: House, caller: Caller) -> list[Values]:
    """The studies that are held of those that the DiagnosticReport `id` is about.

    Raises:
        Rejected: NotFound, there is no such report.
    """
    report = _body(ResourceType.DIAGNOSTIC_REPORT, id, house, caller)
    named: list[str] = []
    for reference in report.get("imagingStudy", []):
        study = reference.get("reference", "").partition("/")[2]
        known = _body(ResourceType.IMAGING_STUDY, study, house, caller).get("identifier", []) if study else []
        identifiers = [*known, *([reference["identifier"]] if "identifier" in reference else [])]
        uids = (i["value"] for i in identifiers if i.get("system") == FhirSystem.DICOM_UID)
        named += [uid.removeprefix(FhirSystem.OID_PREFIX) for uid in uids]
    return [study for uid in limited(named) for study in found([("StudyInstanceUID", uid)], house, caller)]


def opened(studies: Sequence[Values], house: House, caller: Caller) -> str:
    """The path of a page that shows these studies and, where the settings say so, may show the patient's others.

    Raises:
        Rejected: NotFound, there are none.
    """
    if not studies:
        raise Rejected.because(ErrorCode.NotFound, "study", "No such study is held here", "RAD TF-2, 4.106.4.1.3")
    shown = limited([study[STUDY_UID][0] for study in studies])
    others = limited(_others(studies[0], house, caller)) if house.settings.viewer.same_patient else ()
    slides = all(MICROSCOPY in study.get(MODALITIES, []) for study in studies)
    scope = Scope(shown, tuple(uid for uid in others if uid not in shown), "microscopy" if slides else "viewer")
    return page_of(Seal(house.settings).close(scope))


def _body(type: ResourceType, id: str, house: House, caller: Caller) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(house.registry.read(type, id, caller).body)
    return body


def _others(study: Values, house: House, caller: Caller) -> list[str]:
    patient, issuer = (next(iter(study.get(tag, [])), "") for tag in (PATIENT_ID, ISSUER))
    if not patient or not issuer:
        return []
    asked = [("PatientID", patient), ("IssuerOfPatientID", issuer)]
    return [each[STUDY_UID][0] for each in found(asked, house, caller)]


def _values(match: dict[str, Any]) -> Values:
    values = {}
    for tag, element in match.items():
        given = element.get("Value", []) if isinstance(element, dict) else []
        values[tag] = [one for one in given if isinstance(one, str)]
        if tag == ISSUER and given:
            values[tag] = [str(id_) for one in given for id_ in one.get("00400032", {}).get("Value", [])]
    return values
