"""RAD-106, Invoke Image Display (RAD TF-2, 4.106): a system without a viewer opens ours, for a study or a patient.

The answer sends the browser on to a page of the viewer that sees what was asked for and nothing else. Besides the
book's GET a POST of the same parameters is taken, for whoever would keep identifiers out of addresses.

The book leaves open what becomes of parameters that a display cannot follow. Here what would show too little or
something else is refused (406), and every image is shown undecoded, which is what `diagnosticQuality` asks for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Request

from profiles.catalog import Http, Transaction
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.viewer.opening import ISSUER, found, opened
from profiles.viewer.scope import MOST_STUDIES
from registry.access import Caller
from registry.metadata.datatypes import Cx
from registry.metadata.errors import ErrorCode, Finding, Rejected

PATH = "/IHEInvokeImageDisplay"
SOURCE = "RAD TF-2, 4.106.4.1.2"
VIEWER_TYPES = frozenset({"", "IHE_BIR", "STUDY", "PATIENT"})
LONGEST = 4096
SEPARATORS = re.compile(r"[,;\\]")
MODALITY = re.compile(r"[A-Z0-9_ ]{1,16}")


@dataclass(frozen=True, slots=True)
class Display:
    """What is to be shown: studies by a condition each, or the `most` newest ones of a patient."""

    questions: tuple[tuple[tuple[str, str], ...], ...]
    most: int
    of_patient: bool


def decode(request: Request) -> Display:
    """The parameters of a GET or of a form.

    Raises:
        Rejected: InvalidRequest with all that is wrong; NotAcceptable, it asks for what this display does not do.
    """
    given = {name: values[-1].strip() for name, values in request.values.to_dict(flat=False).items()}
    findings = [_wrong(name, f"has more than {LONGEST} characters") for name, v in given.items() if len(v) > LONGEST]
    if findings:
        raise Rejected(findings)
    findings += _unable(given)
    kind = given.get("requestType", "")
    if kind == "STUDY":
        display = _of_studies(given, findings)
    elif kind == "PATIENT":
        display = _of_patient(given, findings)
    else:
        findings.append(_wrong("requestType", "is required: STUDY or PATIENT"))
        display = None
    if findings or display is None:
        raise Rejected(findings)
    return display


def handle(display: Display, house: House, caller: Caller) -> str:
    """The path of the viewer's page.

    Raises:
        Rejected: NotFound, no study is held that was asked for; InvalidRequest, a value that cannot be searched for.
    """
    studies = []
    for question in display.questions:
        studies += found(question, house, caller, display.most)
    if display.of_patient and len({tuple(each.get(ISSUER, [])) for each in studies}) > 1:
        text = "several patients have this id: write it with its authority, id^^^&OID&ISO"
        raise Rejected.because(ErrorCode.InvalidRequest, "patientID", text, SOURCE)
    return opened(studies, house, caller)


def encode(path: str) -> Reply:
    """303, so that what was sent in a form is not sent again to the page."""
    return Reply(303, headers={"Location": path, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})


def _of_studies(given: Mapping[str, str], findings: list[Finding]) -> Display | None:
    uids = [one.strip() for one in SEPARATORS.split(given.get("studyUID", "")) if one.strip()]
    numbers = [one.strip() for one in given.get("accessionNumber", "").split(",") if one.strip()]
    if not uids and not numbers:
        findings.append(_wrong("studyUID", "or accessionNumber is required for requestType=STUDY"))
    if len(uids) + len(numbers) > MOST_STUDIES:
        findings.append(_wrong("studyUID", f"names more than {MOST_STUDIES} studies"))
    if any(set("*?") & set(one) for one in (*uids, *numbers)):
        findings.append(_wrong("studyUID", "and accessionNumber take no wildcards"))
    asked = uids or [_number(one) for one in numbers]
    name = "StudyInstanceUID" if uids else "AccessionNumber"
    return Display(tuple(((name, one),) for one in asked), MOST_STUDIES, of_patient=False)


def _of_patient(given: Mapping[str, str], findings: list[Finding]) -> Display | None:
    patient = _patient(given.get("patientID", ""), findings)
    since, until = (_date(name, given.get(name, ""), findings) for name in ("lowerDateTime", "upperDateTime"))
    most = given.get("mostRecentResults", "") or str(MOST_STUDIES)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", most):
        findings.append(_wrong("mostRecentResults", "is a number from 1"))
        most = "1"
    modalities = [one.strip().upper() for one in given.get("modalitiesInStudy", "").split(",") if one.strip()]
    if not all(MODALITY.fullmatch(one) for one in modalities):
        findings.append(_wrong("modalitiesInStudy", "are codes parted by commas, as CT,MR"))
    asked = [*patient]
    if since or until:
        asked.append(("StudyDate", f"{since}-{until}"))
    if modalities:
        asked.append(("ModalitiesInStudy", "\\".join(modalities)))
    return Display((tuple(asked),), min(int(most), MOST_STUDIES), of_patient=True)


def _patient(text: str, findings: list[Finding]) -> list[tuple[str, str]]:
    """The id alone, or with its authority, as a CX has it (id^^^&OID&ISO)."""
    if not text or set("*?\\") & set(text):
        findings.append(_wrong("patientID", "is required for requestType=PATIENT, without wildcards"))
        return []
    if "^" not in text:
        return [("PatientID", text)]
    try:
        cx = Cx.parse(text)
    except ValueError:
        findings.append(_wrong("patientID", "is not written id^^^&OID&ISO"))
        return []
    return [("PatientID", cx.value), *([("IssuerOfPatientID", cx.authority)] if cx.authority else [])]


def _date(name: str, text: str, findings: list[Finding]) -> str:
    """Studies are found by their day; a time of day is read and not used."""
    if not text:
        return ""
    try:
        return datetime.fromisoformat(text).strftime("%Y%m%d")
    except ValueError:
        findings.append(_wrong(name, "is a date and time as ISO 8601 has it"))
        return ""


def _unable(given: Mapping[str, str]) -> list[Finding]:
    findings = []
    if given.get("viewerType", "") not in VIEWER_TYPES:
        findings.append(_cannot("viewerType", "is of no viewer that is here; IHE_BIR is"))
    if given.get("keyImagesOnly", "").lower() == "true":
        findings.append(_cannot("keyImagesOnly", "cannot be followed: whole studies are shown"))
    return findings


def _number(text: str) -> str:
    """An accession number may come with its issuer, as a CX (RAD TF-2, 4.106.4.1.2)."""
    return text.partition("^")[0]


def _wrong(name: str, text: str) -> Finding:
    return Finding(ErrorCode.InvalidRequest, name, text, SOURCE)


def _cannot(name: str, text: str) -> Finding:
    return Finding(ErrorCode.NotAcceptable, name, text, SOURCE)


TRANSACTIONS = tuple(
    Transaction(
        id="RAD-106",
        name=name,
        actor="Image Display",
        source="RAD TF-2, 4.106",
        face=Http(method, PATH),
        decode=decode,
        handle=handle,
        encode=encode,
    )
    for method, name in (("GET", "Invoke Image Display"), ("POST", "Invoke Image Display by a form"))
)
