"""The repository's tables: documents by uniqueId, and the index of the DICOM objects held.

Bytes lie in the blob store under their SHA-256; a row here never lacks its blob. `patient_id` is canonical CX text, or
NULL for an object that names no patient. A study is (UID, source), source being the OID of the imaging source that the
objects are retrieved from (Retrieve Location UID, RAD TF-2, 4.69). DICOM JSON (PS3.18 F.2) is stored at ingest,
compressed with zstd, so that queries and metadata never touch the objects.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from database.tables import METADATA

DOCUMENT = Table(
    "document",
    METADATA,
    Column("unique_id", Text, primary_key=True),
    Column("patient_id", Text),
    Column("sha256", Text, nullable=False),
    Column("sha1", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("stored", Float, nullable=False),
    Index("document_sha256", "sha256"),
)

# On-demand entries of held studies, by uniqueId (ITI TF-2, 3.61). The last snapshot that was kept: its uniqueId, its
# entryUUID, and the `version` of the study that it shows; NULL before the first.
ON_DEMAND = Table(
    "on_demand",
    METADATA,
    Column("unique_id", Text, primary_key=True),
    Column("patient_id", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("registered", Float, nullable=False),
    Column("snapshot_unique_id", Text),
    Column("snapshot_entry_id", Text),
    Column("snapshot_version", Integer),
    Index("on_demand_study", "study_uid", "source"),
)

# Columns of a study, series or instance are what questions filter and sort by; what answers say is in `attributes`.
STUDY = Table(
    "study",
    METADATA,
    Column("uid", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("patient_id", Text),
    Column("dicom_patient_id", Text, nullable=False),
    # Person names are case-folded, their component groups parted by "=".
    Column("patient_name", Text, nullable=False),
    Column("patient_birth_date", Text, nullable=False),
    Column("patient_sex", Text, nullable=False),
    # 8 and 6 digits as the object writes them, local to its sender; empty when there is no such date or time.
    Column("study_date", Text, nullable=False),
    Column("study_time", Text, nullable=False),
    # A DTM in UTC.
    Column("started", Text),
    Column("accession_number", Text, nullable=False),
    Column("study_id", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("referring_physician", Text, nullable=False),
    Column("institution", Text, nullable=False),
    # Distinct Modality values, parted by a backslash.
    Column("modalities", Text, nullable=False),
    # Accession and order numbers of all series so far, as JSON: {"accessions": [[value, authority]], "orders": ...}.
    Column("requests", Text, nullable=False),
    Column("series_count", Integer, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("received", Float, nullable=False),
    Column("changed", Float, nullable=False),
    Column("version", Integer, nullable=False),
    # The manifest last published: its SOP Instance UID, entryUUID, and the `version` of the study that it describes.
    Column("manifest_uid", Text),
    Column("manifest_entry_id", Text),
    Column("manifest_version", Integer),
    # The `version` at which something was last hidden: what was read before tells of what must not be told any more.
    Column("shrunk", Integer, nullable=False),
    # The version of its corrected demographics, and whom its objects name, NULL for a study that was never corrected.
    Column("correction", Integer),
    Column("stated_patient_id", Text),
    Column("attributes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("uid", "source"),
    Index("study_patient", "patient_id", "study_date"),
    Index("study_dicom_patient", "dicom_patient_id", "study_date"),
    # In the order in which studies are answered, so that a page of them is read and not sorted.
    Index("study_date", "study_date", "uid", "source"),
    Index("study_accession", "accession_number"),
)

SERIES = Table(
    "series",
    METADATA,
    Column("study_uid", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("patient_id", Text),
    Column("modality", Text, nullable=False),
    Column("number", BigInteger),
    Column("description", Text, nullable=False),
    Column("body_part", Text, nullable=False),
    Column("performed_date", Text, nullable=False),
    Column("performed_time", Text, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("attributes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("study_uid", "source", "uid"),
    Index("series_uid", "uid"),
)

# Items of a series' Request Attributes Sequence (PS3.3 C.7.3.1, 10.6), for questions.
SERIES_REQUEST = Table(
    "series_request",
    METADATA,
    Column("study_uid", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("series_uid", Text, nullable=False),
    Column("item", Integer, nullable=False),
    Column("accession_number", Text, nullable=False),
    Column("requested_procedure_id", Text, nullable=False),
    Column("scheduled_procedure_step_id", Text, nullable=False),
    PrimaryKeyConstraint("study_uid", "source", "series_uid", "item"),
    Index("series_request_accession", "accession_number"),
    Index("series_request_procedure", "requested_procedure_id"),
    Index("series_request_step", "scheduled_procedure_step_id"),
)

INSTANCE = Table(
    "instance",
    METADATA,
    Column("study_uid", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("series_uid", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("patient_id", Text),
    Column("sop_class_uid", Text, nullable=False),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("number", BigInteger),
    Column("frames", BigInteger),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored", Float, nullable=False),
    # Where the pixels lie in the blob, as JSON, so that a frame is cut without reading the object again.
    Column("pixels", Text),
    # True for what is evidence and no content to share: rejection notes and manifests (DICOM PS3.16, CID 7010).
    Column("withheld", Integer, nullable=False),
    # The code of the note that rejects it (DICOM PS3.16, CID 7011), NULL when none does.
    Column("rejected", Text),
    # True for what no question finds: rejection notes, and rejected objects as the policy of their code has it. The
    # counts and modalities of studies and series leave them out.
    Column("hidden", Integer, nullable=False),
    # The version of its study's corrected demographics that is laid over its own attributes, NULL for none.
    Column("correction", Integer),
    Column("attributes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("uid", "source"),
    Index("instance_series", "study_uid", "series_uid", "source"),
    Index("instance_sha256", "sha256"),
)

# What was rejected (RAD TF-2, 4.66), whether the object is here, is yet to come or was deleted: it says no more than
# UIDs. `note_uid` is the SOP Instance UID of the note, empty where a retention rule is the reason. `seen`: the object
# was here, and coming again is another matter than coming late. `due` is when it may be deleted, NULL for never.
REJECTION = Table(
    "rejection",
    METADATA,
    Column("uid", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("series_uid", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("note_uid", Text, nullable=False),
    Column("hidden", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("noted", Float, nullable=False),
    Column("due", Float),
    PrimaryKeyConstraint("uid", "study_uid", "source"),
    Index("rejection_due", "due"),
    Index("rejection_study", "study_uid", "source"),
)

# Studies that no rule and no chore may delete from, by whom and why; `released` is NULL while the hold stands.
HOLD = Table(
    "hold",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("study_uid", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed", Float, nullable=False),
    Column("released", Float),
    Column("released_by", Text),
    Index("hold_study", "study_uid"),
)

# What contradicts what is held, for people to see and to decide on; `id` follows from kind, object and hash, so that
# the same contradiction is one row however often it comes. `patients` is a JSON list of canonical CX texts. `sha256`
# and `size` are the object's that is kept aside; `kept` is true while its bytes are in the blob store for this row.
FINDING = Table(
    "finding",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("patients", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("object_uid", Text, nullable=False),
    Column("sha256", Text),
    Column("size", BigInteger),
    Column("kept", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Column("times", Integer, nullable=False),
    Column("resolution", Text),
    Column("resolved", Float),
    Column("resolved_by", Text),
    Column("reason", Text),
    Index("finding_state", "state", "last_seen"),
    Index("finding_study", "study_uid"),
    Index("finding_sha256", "sha256"),
)

# Corrected demographics: an overlay of the objects of a study, which stay as they came. Version 0 is what the objects
# say; versions are added, never changed. `attributes` is packed DICOM JSON (PS3.18 F.2): of version 0 all attributes
# that the study's row had, of others the corrected ones.
DEMOGRAPHICS = Table(
    "demographics",
    METADATA,
    Column("study_uid", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("patient_id", Text),
    Column("attributes", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made", Float, nullable=False),
    PrimaryKeyConstraint("study_uid", "source", "version"),
)
