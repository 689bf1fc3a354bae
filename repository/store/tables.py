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
    Column("attributes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("uid", "source"),
    Index("study_patient", "patient_id", "study_date"),
    Index("study_dicom_patient", "dicom_patient_id", "study_date"),
    Index("study_date", "study_date", "uid"),
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
    Column("instance_count", Integer, nullable=False),
    Column("attributes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("study_uid", "source", "uid"),
    Index("series_uid", "uid"),
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
    Column("attributes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("uid", "source"),
    Index("instance_series", "study_uid", "series_uid", "source"),
    Index("instance_sha256", "sha256"),
)
