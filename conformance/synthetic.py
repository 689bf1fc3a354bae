"""Synthetic metadata: as large and as varied as real submissions, from a seed; for benchmarks and the dictionary.

No person is behind any of it: numbers are random, names are syllables.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from registry.metadata.model import Association, Author, Code, DocumentEntry, Submission, SubmissionSet
from registry.metadata.urn import AssociationType, CodingScheme, FormatCode, ReferenceIdType

AUTHORITY = "1.2.752.129.2.1.3.1"
HOSPITALS = "1.2.752.129.2.9.100"
ORDERS = "1.2.752.129.2.9.101"
SYLLABLES = (
    "an",
    "ber",
    "dal",
    "el",
    "fors",
    "gren",
    "holm",
    "ing",
    "kvist",
    "lund",
    "mar",
    "nor",
    "ros",
    "sten",
    "vik",
)
TITLES = ("DT thorax", "DT buk", "MR hjärna", "MR knä", "Röntgen lungor", "Röntgen hand", "Ultraljud buk", "Mammografi")
MODALITIES = (
    ("CT", "Computed Tomography"),
    ("MR", "Magnetic Resonance"),
    ("DX", "Digital Radiography"),
    ("US", "Ultrasound"),
)
REGIONS = (
    ("51185008", "Thoracic structure"),
    ("818983003", "Abdomen"),
    ("69536005", "Head structure"),
    ("72696002", "Knee"),
)


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(SYLLABLES, k=2)).title()


def _uuid(rng: random.Random) -> str:
    return f"urn:uuid:{UUID(int=rng.getrandbits(128), version=4)}"


def _uid(rng: random.Random) -> str:
    return f"1.2.752.129.2.9.5.{rng.getrandbits(96)}"


def patient_id(number: int) -> str:
    """The CX text of the n-th synthetic patient."""
    return f"18{number:010d}^^^&{AUTHORITY}&ISO"


def entry(rng: random.Random, patient: str) -> DocumentEntry:
    """A report's DocumentEntry of about 7 KB of ebRIM."""
    year, month, day = rng.randint(2014, 2026), rng.randint(1, 12), rng.randint(1, 28)
    start = f"{year}{month:02d}{day:02d}{rng.randint(7, 18):02d}{rng.randint(0, 59):02d}00"
    hospital = rng.randint(1, 10)
    modality, region = rng.choice(MODALITIES), rng.choice(REGIONS)
    person = f"SE{rng.getrandbits(32):010d}^{_word(rng)}^{_word(rng)}^^^^^^&{HOSPITALS}.{hospital}&ISO"
    return DocumentEntry(
        id=_uuid(rng),
        mime_type="application/pdf",
        unique_id=_uid(rng),
        patient_id=patient,
        title=f"{rng.choice(TITLES)}, utlåtande",
        comments="Slutsvar",
        creation_time=start[:8] + "200000",
        service_start_time=start,
        service_stop_time=start[:8] + "190000",
        hash=f"{rng.getrandbits(160):040x}",
        size=str(rng.randint(10_000, 900_000)),
        language_code="sv-SE",
        legal_authenticator=person,
        source_patient_id=f"P{rng.getrandbits(30)}^^^&{HOSPITALS}.{hospital}&ISO",
        source_patient_info=(
            f"PID-3|P{rng.getrandbits(30)}^^^&{HOSPITALS}.{hospital}&ISO",
            f"PID-5|{_word(rng)}^{_word(rng)}",
            f"PID-7|{rng.randint(1930, 2015)}0{rng.randint(1, 9)}1{rng.randint(0, 9)}",
            f"PID-8|{rng.choice('MF')}",
        ),
        reference_ids=(
            f"A{rng.getrandbits(36)}^^^&{ORDERS}.{hospital}&ISO^{ReferenceIdType.ACCESSION}",
            f"{_uid(rng)}^^^^{ReferenceIdType.STUDY_INSTANCE_UID}",
        ),
        repository_unique_id="1.2.752.129.2.9.2",
        authors=(
            Author(
                person=(person,),
                institutions=(f"Sjukhus {hospital}^^^^^^^^^{HOSPITALS}.{hospital}",),
                roles=("Röntgenläkare",),
                specialties=("Radiologi",),
            ),
        ),
        class_code=Code("IMG", "1.2.752.129.2.9.6.1", "Bilddiagnostik"),
        confidentiality_codes=(Code("N", CodingScheme.CONFIDENTIALITY, "normal"),),
        event_codes=(
            Code(modality[0], CodingScheme.DICOM_CONTROLLED_TERMINOLOGY, modality[1]),
            Code(region[0], CodingScheme.SNOMED_CT, region[1]),
        ),
        format_code=Code(FormatCode.PDF_REPORT, CodingScheme.IHE_FORMAT_CODES, "PDF"),
        healthcare_facility_type_code=Code("22232009", CodingScheme.SNOMED_CT, "Hospital"),
        practice_setting_code=Code("394914008", CodingScheme.SNOMED_CT, "Radiology"),
        type_code=Code("85430-7", CodingScheme.LOINC, "Diagnostic imaging report"),
    )


def submission(rng: random.Random, patient: str, documents: int = 2) -> Submission:
    """A valid submission of `documents` reports of one patient."""
    entries = tuple(entry(rng, patient) for _ in range(documents))
    first = entries[0]
    owner = SubmissionSet(
        id=_uuid(rng),
        unique_id=_uid(rng),
        source_id="1.2.752.129.2.9.4",
        patient_id=patient,
        title="Utlåtande",
        submission_time=first.creation_time,
        content_type_code=Code("18748-4", CodingScheme.LOINC, "Diagnostic imaging study"),
        authors=first.authors,
    )
    return Submission((owner,), entries, (), _members(rng, owner.id, entries))


def _members(rng: random.Random, owner: str, entries: Sequence[DocumentEntry]) -> tuple[Association, ...]:
    return tuple(Association(_uuid(rng), AssociationType.HAS_MEMBER, owner, e.id, "Original") for e in entries)


def bare(one: DocumentEntry) -> DocumentEntry:
    """The entry with its UUID as it is stored, for the renderers."""
    return replace(one, id=one.id.removeprefix("urn:uuid:"))
