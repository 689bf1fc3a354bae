"""What a correction of demographics changes, as attributes of the DICOM JSON model (PS3.3 C.7.1.1, C.7.2.1)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from registry.metadata.datatypes import Cx, is_oid
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.model import PatientDetails
from repository.imaging.tags import Tag

SOURCE = "PS3.3 C.7.1.1; PS3.5 6.2"
DATE = re.compile(r"[0-9]{8}")
SEXES = frozenset({"M", "F", "O", ""})
LONGEST = 64  # characters of an LO, and of each component group of a PN
LONGEST_ACCESSION = 16
FORBIDDEN = re.compile(r"[\\\x00-\x1f\x7f]")

# What says who somebody is (PS3.3 C.7.1.1): of a study that is given to another patient, none of it stays.
IDENTITY: Mapping[str, str] = {
    Tag.PATIENT_NAME: "PN",
    Tag.PATIENT_ID: "LO",
    Tag.ISSUER_OF_PATIENT_ID: "LO",
    Tag.ISSUER_OF_PATIENT_ID_QUALIFIERS: "SQ",
    Tag.PATIENT_BIRTH_DATE: "DA",
    "00100032": "TM",  # Patient's Birth Time
    Tag.PATIENT_SEX: "CS",
    "00101000": "LO",  # Other Patient IDs
    "00101001": "PN",  # Other Patient Names
    "00101002": "SQ",  # Other Patient IDs Sequence
    "00101005": "PN",  # Patient's Birth Name
    "00101040": "LO",  # Patient's Address
    "00101060": "PN",  # Patient's Mother's Birth Name
    "00101090": "LO",  # Medical Record Locator
    "00102154": "SH",  # Patient's Telephone Numbers
    "00104000": "LT",  # Patient Comments
    "00380010": "LO",  # Admission ID
}
# Shown empty, although an object may lack them: type 2 of the Patient Module.
ALWAYS = frozenset({Tag.PATIENT_NAME, Tag.PATIENT_ID, Tag.PATIENT_BIRTH_DATE, Tag.PATIENT_SEX})


@dataclass(frozen=True, slots=True)
class Change:
    """What is corrected; None leaves it as it is, an empty text says that it is not known.

    `patient_id` is canonical CX text, `name` a PN, `birth_date` 8 digits, `sex` a CS of PS3.3 C.7.1.1.1.4;
    `accession_authority` is the OID of the accession number's issuer.
    """

    patient_id: str | None = None
    name: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    accession: str | None = None
    accession_authority: str | None = None

    def checked(self) -> "Change":
        """The change, with its patient id in canonical form.

        Raises:
            Rejected: InvalidRequest, with everything that cannot be a value.
        """
        wrong = [Finding(ErrorCode.InvalidRequest, where, text, SOURCE) for where, text in self._problems()]
        if wrong:
            raise Rejected(wrong)
        return replace(self, patient_id=str(Cx.parse(self.patient_id))) if self.patient_id else self

    def _problems(self) -> Iterator[tuple[str, str]]:
        if all(getattr(self, field.name) is None for field in fields(self)):
            yield "", "nothing is to be corrected"
        if self.patient_id is not None and not _is_identifier(self.patient_id):
            yield "patient id", "is not an identifier with the OID of its authority: 42^^^&1.2.3&ISO"
        if self.name is not None and (FORBIDDEN.search(self.name) or _longest(self.name) > LONGEST):
            yield "name", "is not a person's name of DICOM: Family^Given"
        if self.birth_date and not DATE.fullmatch(self.birth_date):
            yield "birth date", "is not a date of 8 digits"
        if self.sex is not None and self.sex not in SEXES:
            yield "sex", "is none of M, F and O"
        if self.accession is not None and (FORBIDDEN.search(self.accession) or len(self.accession) > LONGEST_ACCESSION):
            yield "accession", f"is longer than {LONGEST_ACCESSION} characters, or holds one that may not be there"
        if self.accession_authority and not is_oid(self.accession_authority):
            yield "accession authority", "is not an OID"
        if self.accession_authority and self.accession is None:
            yield "accession authority", "is of no accession number"


def overlay_of(change: Change, patient: PatientDetails | None) -> dict[str, Any]:
    """What a change lays over the objects.

    `patient` is what is known of the patient whom the study is given to, None where it stays its patient's: then
    nothing that says who the first one was stays.
    """
    overlay: dict[str, Any] = {}
    if patient:
        overlay |= {tag: {"vr": vr} for tag, vr in IDENTITY.items()}
        overlay |= _of_patient(patient)
    if change.patient_id:
        overlay |= identified(Cx.parse(change.patient_id))
        overlay[Tag.ISSUER_OF_PATIENT_ID] = {"vr": "LO"}
    if change.name is not None:
        overlay[Tag.PATIENT_NAME] = _name(change.name)
    texts = ((Tag.PATIENT_BIRTH_DATE, "DA", change.birth_date), (Tag.PATIENT_SEX, "CS", change.sex))
    overlay |= {tag: _text(vr, value) for tag, vr, value in texts if value is not None}
    if change.accession is not None:
        overlay[Tag.ACCESSION_NUMBER] = _text("SH", change.accession)
        issuer = {"vr": "SQ", "Value": [_issuer(change.accession_authority)]} if change.accession_authority else None
        overlay[Tag.ISSUER_OF_ACCESSION_NUMBER] = issuer or {"vr": "SQ"}
    if any(not text.isascii() for text in (change.name or "", patient.family if patient else "")):
        overlay[Tag.SPECIFIC_CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return {str(tag): value for tag, value in overlay.items()}


def laid_over(data: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The data set with the overlay's values; what the overlay empties is not added where it was not."""
    found = dict(data)
    for tag, value in overlay.items():
        if "Value" in value or tag in data or tag in ALWAYS:
            found[tag] = value
    return {str(tag): found[tag] for tag in sorted(found)}


def identified(patient: Cx) -> dict[str, Any]:
    """Patient ID and its issuer (PS3.3 C.7.1.1)."""
    return {
        str(Tag.PATIENT_ID): _text("LO", patient.value),
        str(Tag.ISSUER_OF_PATIENT_ID_QUALIFIERS): {"vr": "SQ", "Value": [_issuer(patient.authority)]},
    }


def _of_patient(patient: PatientDetails) -> dict[str, Any]:
    name = "^".join((patient.family, patient.given)).rstrip("^")
    return {
        **identified(Cx.parse(patient.patient_id)),
        str(Tag.PATIENT_NAME): _name(name),
        str(Tag.PATIENT_BIRTH_DATE): _text("DA", patient.birth_date if DATE.fullmatch(patient.birth_date) else ""),
        str(Tag.PATIENT_SEX): _text("CS", patient.sex if patient.sex in SEXES else ""),
    }


def _issuer(authority: str | None) -> dict[str, Any]:
    """An item that names an authority by its OID (PS3.3, table 10-17)."""
    return {
        str(Tag.UNIVERSAL_ENTITY_ID): {"vr": "UT", "Value": [authority]},
        str(Tag.UNIVERSAL_ENTITY_ID_TYPE): {"vr": "CS", "Value": ["ISO"]},
    }


def _name(name: str) -> dict[str, Any]:
    groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False))
    given = {group: text for group, text in groups.items() if text}
    return {"vr": "PN", "Value": [given]} if given else {"vr": "PN"}


def _text(vr: str, value: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]} if value else {"vr": vr}


def _longest(name: str) -> int:
    return max(map(len, name.split("=")))


def _is_identifier(text: str) -> bool:
    try:
        cx = Cx.parse(text)
    except ValueError:
        return False
    return bool(cx.value) and is_oid(cx.authority or "") and len(cx.value) <= LONGEST and not FORBIDDEN.search(cx.value)
