"""Reports of the demonstration region: a PDF or a text in Swedish, and the submission that brings it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fpdf import FPDF

from profiles.demo.region import Study, patient_id, uid_of, uuid_of
from profiles.settings import AffinityDomain, CodeSetting
from registry.metadata.datatypes import Cxi
from registry.metadata.model import Association, Author, Code, DocumentEntry, Submission, SubmissionSet
from registry.metadata.urn import AssociationType, CodingScheme, FormatCode, ReferenceIdType

NOTICE = "Demonstrationsdata: beskriver ingen verklig person."
TURNAROUND = timedelta(hours=3, minutes=20)
PDF, TEXT = "application/pdf", "text/plain"
REPORT_CLASS = ("REPORTS", "Reports")


@dataclass(frozen=True, slots=True)
class Report:
    """A submission with one document, and the document's bytes."""

    submission: Submission
    document: bytes

    @property
    def entry(self) -> DocumentEntry:
        """The one entry of the submission."""
        return self.submission.entries[0]


def report_of(study: Study, domain: AffinityDomain) -> Report:
    """The report of `study`, as its hospital would submit it."""
    document = _pdf(study) if study.reported_as_pdf else _text(study).encode()
    zone = ZoneInfo(domain.time_zone)
    written = _dtm(study.performed + TURNAROUND, zone)
    patient = str(patient_id(study.person, domain.patient_authorities[0]))
    entry = _entry(study, domain, document, patient, written, _dtm(study.performed, zone))
    submission_set = SubmissionSet(
        id=_urn(study, "submission"),
        unique_id=uid_of(f"study {study.number} submission"),
        source_id=study.hospital.oid,
        patient_id=patient,
        submission_time=written,
        content_type_code=_code(domain.content_type_code),
        authors=entry.authors,
    )
    member = Association(
        id=_urn(study, "member"),
        type=AssociationType.HAS_MEMBER,
        source=submission_set.id,
        target=entry.id,
        submission_set_status="Original",
    )
    return Report(Submission((submission_set,), (entry,), associations=(member,)), document)


def _entry(
    study: Study, domain: AffinityDomain, document: bytes, patient: str, written: str, performed: str
) -> DocumentEntry:
    person, hospital = study.person, study.hospital
    as_pdf = study.reported_as_pdf
    return DocumentEntry(
        id=_urn(study, "report"),
        mime_type=PDF if as_pdf else TEXT,
        unique_id=uid_of(f"study {study.number} report"),
        patient_id=patient,
        title=f"Utlåtande: {study.examination.title}",
        creation_time=written,
        service_start_time=performed,
        service_stop_time=performed,
        hash=hashlib.sha1(document, usedforsecurity=False).hexdigest(),
        size=str(len(document)),
        language_code="sv-SE",
        repository_unique_id=domain.repository_unique_id,
        source_patient_id=patient,
        source_patient_info=(
            f"PID-3|{patient}",
            f"PID-5|{person.family}^{person.given}",
            f"PID-7|{person.birth_date}",
            f"PID-8|{person.sex}",
        ),
        reference_ids=(
            str(Cxi(study.accession, hospital.oid, ReferenceIdType.ACCESSION)),
            str(Cxi(study.uid, "", ReferenceIdType.STUDY_INSTANCE_UID)),
        ),
        authors=(_author(study),),
        class_code=Code(REPORT_CLASS[0], domain.class_code.scheme, REPORT_CLASS[1]),
        confidentiality_codes=(_code(domain.confidentiality_code),),
        format_code=Code(FormatCode.PDF_REPORT, CodingScheme.IHE_FORMAT_CODES, "PDF report")
        if as_pdf
        else Code(FormatCode.TEXT_REPORT, CodingScheme.IHE_FORMAT_CODES, "Text report"),
        healthcare_facility_type_code=_code(domain.healthcare_facility_type_code),
        practice_setting_code=_code(domain.practice_setting_code),
        type_code=Code("18748-4", CodingScheme.LOINC, "Diagnostic imaging study"),
    )


def _author(study: Study) -> Author:
    family, given = study.radiologist
    return Author(
        person=(f"^{family}^{given}",),
        institutions=(f"{study.hospital.name}^^^^^^^^^{study.hospital.oid}",),
        specialties=("Radiologi",),
    )


def _text(study: Study) -> str:
    title, *lines = _lines(study)
    return "\n".join((title, "=" * len(title), "", *lines)) + "\n"


def _lines(study: Study) -> tuple[str, ...]:
    person, examination = study.person, study.examination
    number = f"{person.personnummer[:8]}-{person.personnummer[8:]}"
    return (
        f"Utlåtande: {examination.title}",
        study.hospital.name,
        f"Patient: {person.given} {person.family}, {number}",
        f"Undersökning: {study.performed:%Y-%m-%d %H:%M}, remissnummer {study.accession}",
        f"Remittent: {study.referrer[1]} {study.referrer[0]}",
        "",
        f"Frågeställning: {examination.question}",
        "",
        f"Utlåtande: {examination.findings}",
        "",
        f"Bedömning: {examination.conclusion}",
        "",
        f"Signerat: {study.radiologist[1]} {study.radiologist[0]}, specialist i radiologi",
        "",
        NOTICE,
    )


def _pdf(study: Study) -> bytes:
    pdf = FPDF(format="A4")
    # The moment of making would change the bytes, and with them the hash, at every run.
    pdf.set_creation_date(study.performed.replace(tzinfo=UTC))
    title, *lines = _lines(study)
    pdf.set_title(title)
    pdf.set_lang("sv-SE")
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 16)
    pdf.multi_cell(0, 10, title, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", "", 11)
    for line in lines:
        if line:
            pdf.multi_cell(0, 6, line, new_x="LMARGIN", new_y="NEXT")
        else:
            pdf.ln(4)
    return bytes(pdf.output())


def _urn(study: Study, part: str) -> str:
    return uuid_of(f"study {study.number} {part}").urn


def _dtm(local: datetime, zone: ZoneInfo) -> str:
    return f"{local.replace(tzinfo=zone).astimezone(UTC):%Y%m%d%H%M%S}"


def _code(setting: CodeSetting) -> Code:
    return Code(setting.code, setting.scheme, setting.display)
