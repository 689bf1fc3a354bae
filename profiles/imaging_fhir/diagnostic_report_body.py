"""A report document as DiagnosticReport (FHIR R4, DiagnosticReport; HL7 EU imaging report, minimal metadata).

Made of the DocumentReference's body, so that the two never say different things.
"""

from collections.abc import Iterable, Sequence

import orjson

from profiles.faces.fhir_codes import Json, present, render
from registry.metadata.urn import FhirSystem

RADIOLOGY: Json = {"coding": [{"system": FhirSystem.DIAGNOSTIC_SERVICE, "code": "RAD", "display": "Radiology"}]}
IMAGING_REPORT: Json = {"text": "Imaging report"}
ORDER_TYPES = frozenset({"ACSN", "PLAC"})


def render_diagnostic_report(document_reference: bytes, study_ids: Sequence[str]) -> bytes:
    """The stored body of a report's DiagnosticReport: JSON (UTF-8) without resourceType, id, meta and status.

    Args:
        document_reference: the stored body of its document's DocumentReference.
        study_ids: FHIR ids of the ImagingStudies that it reports on.
    """
    document: Json = orjson.loads(document_reference)
    context: Json = document.get("context", {})
    attachment: Json = document["content"][0]["attachment"]
    period: Json = context.get("period", {})
    authors = document.get("author", [])
    interpreters = [document["authenticator"]] if "authenticator" in document else authors
    body = present(
        contained=_contained(document.get("contained", []), [*authors, *interpreters]),
        identifier=[document["masterIdentifier"]] if "masterIdentifier" in document else None,
        basedOn=_orders(context),
        category=[RADIOLOGY, *document.get("category", [])],
        code=document.get("type", IMAGING_REPORT),
        subject=document["subject"],
        effectiveDateTime=period.get("start") or attachment.get("creation"),
        issued=_instant(attachment.get("creation")) or document["date"],
        performer=authors,
        resultsInterpreter=interpreters,
        imagingStudy=_studies(context, study_ids),
        presentedForm=[attachment],
    )
    return render(body)


def _instant(text: str | None) -> str | None:
    return text if text and "T" in text else None


def _contained(contained: Iterable[Json], references: Iterable[Json]) -> list[Json]:
    """Those that the report refers to, directly or through another: FHIR allows no others (dom-3)."""
    known = {f"#{resource['id']}": resource for resource in contained}
    wanted: dict[str, None] = {}
    left = [reference["reference"] for reference in references]
    while left:
        name = left.pop(0)
        if name in known and name not in wanted:
            wanted[name] = None
            inner = (known[name].get(part, {}) for part in ("practitioner", "organization"))
            left += [reference["reference"] for reference in inner if reference]
    return [known[name] for name in wanted]


def _related(context: Json, wanted: Iterable[str]) -> list[Json]:
    """Identifiers among context.related of these types."""
    identifiers = [one["identifier"] for one in context.get("related", [])]
    codes = set(wanted)
    return [i for i in identifiers if codes & {coding["code"] for coding in i.get("type", {}).get("coding", ())}]


def _orders(context: Json) -> list[Json]:
    return [{"type": "ServiceRequest", "identifier": one} for one in _related(context, ORDER_TYPES)]


def _studies(context: Json, study_ids: Sequence[str]) -> list[Json]:
    """The studies known here; until one is, what the document itself names, by identifier."""
    if study_ids:
        return [{"reference": f"ImagingStudy/{id}"} for id in study_ids]
    named = (one["identifier"] for one in context.get("related", []))
    return [{"type": "ImagingStudy", "identifier": i} for i in named if i.get("system") == FhirSystem.DICOM_UID]
