"""What a manifest is registered with: from a study's description to a submission (RAD TF-2, 4.68; ITI TF-3, 4.2.3)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from registry.metadata.datatypes import Cxi
from registry.metadata.model import (
    Association,
    Author,
    Code,
    DocumentEntry,
    PatientDetails,
    StudyDescription,
    Submission,
    SubmissionSet,
)
from registry.metadata.urn import AssociationType, CodingScheme, FormatCode, ObjectType, ReferenceIdType
from repository.imaging.event_codes import event_codes

MIME_TYPE = "application/dicom"
FORMAT_CODE = Code(FormatCode.KOS_MANIFEST, CodingScheme.DICOM_UID_REGISTRY, "Key Object Selection Document")
SET, DOCUMENT = "SubmissionSet01", "Document01"  # symbolic ids, ITI TF-3, 4.2.1.4
# HL7 v2's own delimiters: within a component they would begin another (ITI TF-3, table 4.2.3.1.7-2).
DELIMITERS = str.maketrans("^&~|\\", "     ")


@dataclass(frozen=True, slots=True)
class ManifestCodes:
    """What the affinity domain decides about manifests, since no DICOM object says it.

    `source_id` is the OID that this source submits under, `language_code` as RFC 5646 has it. `procedures` is procedure
    code (`code^^scheme`) -> typeCode; with `type_from_procedure` one that it does not have is the typeCode itself.
    """

    source_id: str
    language_code: str
    class_code: Code
    type_code: Code
    confidentiality_code: Code
    healthcare_facility_type_code: Code
    practice_setting_code: Code
    content_type_code: Code
    procedures: Mapping[str, Code] = field(default_factory=dict)
    type_from_procedure: bool = False

    def type_of(self, study: StudyDescription) -> Code:
        """The typeCode of a study's manifest (RAD TF-3, 4.68.4.1.2.3.2)."""
        for procedure in study.procedure_codes:
            known = self.procedures.get(procedure.key) or (procedure if self.type_from_procedure else None)
            if known:
                return replace(known, display=known.display or known.code)
        return self.type_code


def manifest_submission(
    study: StudyDescription,
    codes: ManifestCodes,
    *,
    document_uid: str,
    submission_uid: str,
    created: str,
    submitted: str,
    replaces: str | None = None,
    snapshot_of: str | None = None,
) -> Submission:
    """The submission of a study's manifest, without what the repository adds: hash, size, repositoryUniqueId.

    `document_uid` is the manifest's SOP Instance UID; `created` and `submitted` are DTM. `replaces` is the entryUUID
    (bare) of the manifest that this one takes the place of, `snapshot_of` that of the on-demand entry that it was
    assembled for.
    """
    entry = _entry(study, codes, document_uid, created)
    return _submission(entry, codes, submission_uid, submitted, _associations(replaces, snapshot_of))


def on_demand_submission(
    study: StudyDescription,
    codes: ManifestCodes,
    *,
    document_uid: str,
    submission_uid: str,
    submitted: str,
    repository_unique_id: str,
) -> Submission:
    """The submission of an on-demand entry of a study's manifest (ITI TF-2, 3.61.4.1).

    It has what the manifest has, and nothing that tells of bytes: creationTime, hash, size.
    """
    entry = replace(
        _entry(study, codes, document_uid, None),
        object_type=ObjectType.ON_DEMAND_DOCUMENT,
        repository_unique_id=repository_unique_id,
    )
    return _submission(entry, codes, submission_uid, submitted, _associations())


def _submission(
    entry: DocumentEntry,
    codes: ManifestCodes,
    submission_uid: str,
    submitted: str,
    associations: Iterable[Association],
) -> Submission:
    submission_set = SubmissionSet(
        id=SET,
        unique_id=submission_uid,
        source_id=codes.source_id,
        patient_id=entry.patient_id,
        title=entry.title,
        submission_time=submitted,
        content_type_code=codes.content_type_code,
        authors=entry.authors,
    )
    return Submission((submission_set,), (entry,), associations=tuple(associations))


def _entry(study: StudyDescription, codes: ManifestCodes, document_uid: str, created: str | None) -> DocumentEntry:
    patient = study.patient or PatientDetails(study.patient_id or "")
    return DocumentEntry(
        id=DOCUMENT,
        mime_type=MIME_TYPE,
        unique_id=document_uid,
        patient_id=study.patient_id,
        title=study.description or None,
        creation_time=created,
        service_start_time=study.started,
        language_code=codes.language_code,
        source_patient_id=patient.source_patient_id or study.patient_id,
        source_patient_info=tuple(_patient_info(patient)),
        reference_ids=tuple(_reference_ids(study)),
        authors=_authors(study.institution),
        class_code=codes.class_code,
        confidentiality_codes=(codes.confidentiality_code,),
        event_codes=event_codes(study.series),
        format_code=FORMAT_CODE,
        healthcare_facility_type_code=codes.healthcare_facility_type_code,
        practice_setting_code=codes.practice_setting_code,
        type_code=codes.type_of(study),
    )


def _associations(replaces: str | None = None, snapshot_of: str | None = None) -> Iterator[Association]:
    yield Association("Association01", AssociationType.HAS_MEMBER, SET, DOCUMENT, submission_set_status="Original")
    if replaces:
        yield Association("Association02", AssociationType.RPLC, DOCUMENT, f"urn:uuid:{replaces}")
    if snapshot_of:
        yield Association("Association03", AssociationType.IS_SNAPSHOT_OF, DOCUMENT, f"urn:uuid:{snapshot_of}")


def _authors(institution: str) -> tuple[Author, ...]:
    """Who made the images: the institution, if the objects name it (ITI TF-3, 4.2.3.1.4)."""
    name = institution.translate(DELIMITERS).strip()
    return (Author(institutions=(name,)),) if name else ()


def _patient_info(patient: PatientDetails) -> Iterator[str]:
    """ITI TF-3, 4.2.3.2.23. XPN is family, given, further names, suffix, prefix: another order than DICOM's."""
    family, given = (part.translate(DELIMITERS).strip() for part in (patient.family, patient.given))
    name = f"{family}^{given}".rstrip("^")
    fields = (
        ("PID-3", patient.source_patient_id or patient.patient_id),
        ("PID-5", name),
        ("PID-7", patient.birth_date),
        ("PID-8", patient.sex),
    )
    return (f"{field}|{value}" for field, value in fields if value)


def _reference_ids(study: StudyDescription) -> Iterator[str]:
    """The identifiers by which reports and orders find the study (ITI TF-3, 4.2.3.2.28)."""
    yield from _cxi(study.accessions, ReferenceIdType.ACCESSION)
    yield str(Cxi(study.uid, "", ReferenceIdType.STUDY_INSTANCE_UID))
    yield from _cxi(study.orders, ReferenceIdType.ORDER)


def _cxi(identifiers: Iterable[tuple[str, str]], kind: ReferenceIdType) -> Iterator[str]:
    """As CXi; a value with a delimiter in it cannot be written and is left out."""
    return (
        str(Cxi(value, authority, kind)) for value, authority in identifiers if value == value.translate(DELIMITERS)
    )
