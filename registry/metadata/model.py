"""The XDS metadata model (ITI TF-3, 4.2.1 and 4.2.3), frozen.

Values are the text that was sent: a wrong value must be able to stand here, so that the rules can name all that is
wrong with it, and a right one goes out as it came in. `datatypes` reads the text. Absent is None or empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from registry.metadata.urn import ObjectType

Slots = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value: code, coding scheme (OID or name) and display name (ITI TF-3, 4.2.3.1.2)."""

    code: str
    scheme: str
    display: str = ""

    @property
    def key(self) -> str:
        """`code^^scheme`, as stored queries spell it (ITI TF-2, 3.18.4.1.2.3.4)."""
        return f"{self.code}^^{self.scheme}"


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote it: XCN, XON, CX or plain text, and XTN values as sent (ITI TF-3, 4.2.3.1.4)."""

    person: tuple[str, ...] = ()
    institutions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    telecommunications: tuple[str, ...] = ()
    extra: Slots = ()


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """ITI TF-3, 4.2.3.2. `id` is the entryUUID (`urn:uuid:`), or symbolic within a submission.

    `extra` keeps the slots that the book does not name, losslessly.
    """

    id: str
    mime_type: str = ""
    object_type: str = ObjectType.STABLE_DOCUMENT
    unique_id: str | None = None
    patient_id: str | None = None
    title: str | None = None
    comments: str | None = None
    creation_time: str | None = None
    service_start_time: str | None = None
    service_stop_time: str | None = None
    hash: str | None = None
    size: str | None = None
    language_code: str | None = None
    legal_authenticator: str | None = None
    source_patient_id: str | None = None
    source_patient_info: tuple[str, ...] = ()
    reference_ids: tuple[str, ...] = ()
    uri: str | None = None
    repository_unique_id: str | None = None
    document_availability: str | None = None
    authors: tuple[Author, ...] = ()
    class_code: Code | None = None
    confidentiality_codes: tuple[Code, ...] = ()
    event_codes: tuple[Code, ...] = ()
    format_code: Code | None = None
    healthcare_facility_type_code: Code | None = None
    practice_setting_code: Code | None = None
    type_code: Code | None = None
    status: str | None = None
    home: str | None = None
    logical_id: str | None = None
    version: str | None = None
    limited_metadata: bool = False
    extra: Slots = ()


@dataclass(frozen=True, slots=True)
class SubmissionSet:
    """ITI TF-3, 4.2.3.3."""

    id: str
    unique_id: str | None = None
    source_id: str | None = None
    patient_id: str | None = None
    title: str | None = None
    comments: str | None = None
    submission_time: str | None = None
    content_type_code: Code | None = None
    authors: tuple[Author, ...] = ()
    intended_recipients: tuple[str, ...] = ()
    status: str | None = None
    home: str | None = None
    logical_id: str | None = None
    version: str | None = None
    limited_metadata: bool = False
    extra: Slots = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """ITI TF-3, 4.2.3.4."""

    id: str
    unique_id: str | None = None
    patient_id: str | None = None
    title: str | None = None
    comments: str | None = None
    last_update_time: str | None = None
    codes: tuple[Code, ...] = ()
    status: str | None = None
    home: str | None = None
    logical_id: str | None = None
    version: str | None = None
    limited_metadata: bool = False
    extra: Slots = ()


@dataclass(frozen=True, slots=True)
class Association:
    """ITI TF-3, 4.2.2. `submission_set_status` is `Original` or `Reference` on a SubmissionSet's HasMember."""

    id: str
    type: str
    source: str
    target: str
    submission_set_status: str | None = None
    documentation: Code | None = None
    status: str | None = None
    home: str | None = None
    logical_id: str | None = None
    version: str | None = None
    extra: Slots = ()


RegistryObject = DocumentEntry | SubmissionSet | Folder | Association
Holder = DocumentEntry | SubmissionSet | Folder
"""What has a patient and a uniqueId."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Everything that one request submits. There must be exactly one SubmissionSet; a rule says so, not the type."""

    submission_sets: tuple[SubmissionSet, ...] = ()
    entries: tuple[DocumentEntry, ...] = ()
    folders: tuple[Folder, ...] = ()
    associations: tuple[Association, ...] = ()

    @property
    def submission_set(self) -> SubmissionSet:
        """The one SubmissionSet of a submission that passed the rules."""
        return self.submission_sets[0]

    def holders(self) -> Iterator[Holder]:
        """Every object that has a patient and a uniqueId."""
        yield from self.submission_sets
        yield from self.entries
        yield from self.folders

    def objects(self) -> Iterator[RegistryObject]:
        """All registry objects of the submission."""
        yield from self.holders()
        yield from self.associations


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM instance as a study's description or a manifest lists it.

    `title` and `description` are a key object document's: why its images were picked (DICOM PS3.16, TID 2010).
    """

    sop_class_uid: str
    sop_instance_uid: str
    number: int | None = None
    frames: int | None = None
    title: Code | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a study's description. `retrieve_location_uid` is RAD-69's repositoryUniqueId (RAD TF-2, 4.69).

    `body_part` is text, `region` the coded anatomic region where the objects, or their manifest, have one.
    """

    uid: str
    modality: str = ""
    number: int | None = None
    description: str = ""
    body_part: str = ""
    started: str | None = None
    retrieve_location_uid: str = ""
    retrieve_url: str = ""
    instances: tuple[Instance, ...] = ()
    region: Code | None = None


@dataclass(frozen=True, slots=True)
class StudyDescription:
    """A study as its objects, or a manifest of them, describe it: what an ImagingStudy shows.

    `source` is the OID of the imaging source that holds the objects; a study is (uid, source), never the UID alone.
    `started` is a DTM in UTC. `accessions` and `orders` are (value, authority OID or empty).
    """

    uid: str
    source: str
    patient_id: str | None = None
    started: str | None = None
    description: str = ""
    accessions: tuple[tuple[str, str], ...] = ()
    orders: tuple[tuple[str, str], ...] = ()
    procedure_codes: tuple[Code, ...] = ()
    referrer: str = ""
    institution: str = ""
    patient: "PatientDetails | None" = None
    series: tuple[Series, ...] = ()


@dataclass(frozen=True, slots=True)
class PatientDetails:
    """What a source says about its patient. `patient_id` and `source_patient_id` are canonical CX text.

    `family` and `given` are single strings; `birth_date` is 4, 6 or 8 digits; `sex` is HL7 table 0001 (M, F, O, U).
    """

    patient_id: str
    family: str = ""
    given: str = ""
    birth_date: str = ""
    sex: str = ""
    source_patient_id: str = ""
    extra: Slots = field(default=())
