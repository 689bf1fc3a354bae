"""The registry's tables.

One row a registry object: the columns that questions filter by, and the ready-made ebRIM and FHIR bodies (compressed;
`dictionary` says how). What can change later (status, logicalID, version, home) is in columns only and printed around
the body. Every table carries the patient, so that a patient's rows can live together on a shard; `patient_id` is the
canonical CX text `value^^^&authority&ISO`. UUIDs are stored bare, without `urn:uuid:`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from database.tables import METADATA


def _object(*columns: Column[object]) -> list[Column[object] | PrimaryKeyConstraint]:
    """Columns that every registry object has, in front of its own."""
    return [
        Column("patient_id", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("logical_id", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("status", Text, nullable=False),
        Column("home", Text),
        Column("registered", Float, nullable=False),
        # False once a newer version of the same logical object is there (ITI TF-2, 3.57).
        Column("is_latest", Boolean, nullable=False),
        *columns,
        Column("dictionary", Integer, nullable=False),
        Column("ebrim", LargeBinary, nullable=False),
        PrimaryKeyConstraint("id", "patient_id"),
    ]


DOCUMENT_ENTRY = Table(
    "document_entry",
    METADATA,
    *_object(
        Column("object_type", Text, nullable=False),
        # False for a documentAvailability of Offline, which only questions about all versions see.
        Column("is_online", Boolean, nullable=False),
        Column("mime_type", Text, nullable=False),
        Column("unique_id", Text, nullable=False),
        Column("repository_unique_id", Text),
        Column("hash", Text),
        Column("size", BigInteger),
        Column("creation_time", Text),
        Column("service_start_time", Text),
        Column("service_stop_time", Text),
        Column("class_code", Text),
        Column("type_code", Text),
        Column("format_code", Text),
        Column("healthcare_facility_type_code", Text),
        Column("practice_setting_code", Text),
        # FHIR's version of the DocumentReference and when it came to be: a change of status makes a new one.
        Column("revision", Integer, nullable=False),
        Column("updated", Float, nullable=False),
        Column("fhir", LargeBinary, nullable=False),
    ),
    # With what an ObjectRef holds, so that references are answered from the index alone.
    Index(
        "document_entry_patient",
        *("patient_id", "status", "creation_time", "object_type", "is_latest", "is_online", "id", "home"),
    ),
    Index("document_entry_patient_registered", "patient_id", "registered", "id"),
    Index("document_entry_unique_id", "unique_id"),
    Index("document_entry_logical_id", "logical_id"),
    # For questions about several patients, which may name none (ITI TF-2, 3.51.4.1.2.1.1). Times mostly grow.
    Index("document_entry_class_code", "class_code", "creation_time"),
    Index("document_entry_facility", "healthcare_facility_type_code", "creation_time"),
)

SUBMISSION_SET = Table(
    "submission_set",
    METADATA,
    *_object(
        Column("unique_id", Text, nullable=False),
        Column("source_id", Text),
        Column("submission_time", Text),
        Column("content_type_code", Text),
    ),
    UniqueConstraint("unique_id", name="submission_set_unique_id"),
    Index("submission_set_patient", "patient_id", "status", "submission_time"),
)

FOLDER = Table(
    "folder",
    METADATA,
    *_object(
        Column("unique_id", Text, nullable=False),
        Column("last_update_time", Text),
    ),
    # Versions of one Folder share its uniqueId (ITI TF-2, 3.57); two first versions never do.
    UniqueConstraint("unique_id", "version", name="folder_unique_id"),
    Index("folder_logical_id", "logical_id"),
    Index("folder_patient", "patient_id", "status", "last_update_time"),
)

ASSOCIATION = Table(
    "association",
    METADATA,
    *_object(
        Column("type", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("target", Text, nullable=False),
    ),
    Index("association_source", "source"),
    Index("association_target", "target"),
)

ENTRY_CODE = Table(
    "entry_code",
    METADATA,
    Column("patient_id", Text, nullable=False),
    Column("entry_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Index("entry_code_entry", "entry_id", "kind", "code"),
    # Without the id: equal keys then lie in the order of their arrival, which costs little to add to.
    Index("entry_code_code", "code", "kind"),
)

ENTRY_AUTHOR = Table(
    "entry_author",
    METADATA,
    Column("patient_id", Text, nullable=False),
    Column("entry_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Index("entry_author_entry", "entry_id"),
)

# The heart of the registry: reports and studies find each other by identifiers alone, whichever came first.
REFERENCE_ID = Table(
    "reference_id",
    METADATA,
    Column("patient_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Index("reference_id_value", "value", "kind", "record"),
    Index("reference_id_record", "record_id"),
)


def _resource(*columns: Column[object]) -> list[Column[object]]:
    """Columns of a FHIR resource that is not a DocumentEntry; `fhir` is NULL while stale, and rendered when read."""
    return [
        Column("id", Text, primary_key=True),
        Column("patient_id", Text),
        Column("version", Integer, nullable=False),
        Column("updated", Float, nullable=False),
        Column("status", Text, nullable=False),
        *columns,
        Column("fhir", LargeBinary),
    ]


IMAGING_STUDY = Table(
    "imaging_study",
    METADATA,
    *_resource(
        Column("uid", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("origin", Text, nullable=False),
        Column("manifest_id", Text),
        Column("started", Text),
        Column("modalities", Text, nullable=False),
    ),
    UniqueConstraint("uid", "source", name="imaging_study_uid"),
    Index("imaging_study_patient", "patient_id", "updated", "id"),
    Index("imaging_study_manifest", "manifest_id"),
)

DIAGNOSTIC_REPORT = Table(
    "diagnostic_report",
    METADATA,
    *_resource(
        Column("entry_id", Text, nullable=False),
        Column("effective", Text),
    ),
    Index("diagnostic_report_patient", "patient_id", "updated", "id"),
    Index("diagnostic_report_entry", "entry_id"),
)

PATIENT = Table(
    "patient",
    METADATA,
    *_resource(
        Column("value", Text, nullable=False),
        Column("authority", Text, nullable=False),
        Column("family", Text, nullable=False),
        Column("given", Text, nullable=False),
        # In small letters of every script, which the engines do not make alike.
        Column("folded_family", Text, nullable=False),
        Column("folded_given", Text, nullable=False),
        Column("birth_date", Text, nullable=False),
        Column("sex", Text, nullable=False),
        # Known by a feed, rather than taken as it came; and the patient_id that all merges with it ended in, its own
        # if it is the one that survived them.
        Column("is_fed", Boolean, nullable=False),
        Column("survivor", Text),
    ),
    # Of the few who were merged alone: it costs the others nothing.
    Index(
        "patient_survivor",
        "survivor",
        postgresql_where=text("survivor IS NOT NULL"),
        sqlite_where=text("survivor IS NOT NULL"),
    ),
    UniqueConstraint("patient_id", name="patient_patient_id"),
    Index("patient_value", "value"),
)

# Each merge as it was told, so that it can be undone: `patient.survivor` is the end of the chain, this one step of it.
PATIENT_LINK = Table(
    "patient_link",
    METADATA,
    Column("subsumed", Text, nullable=False),
    Column("survivor", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("undone", Float),
    Index("patient_link_subsumed", "subsumed"),
    Index("patient_link_survivor", "survivor"),
)

ENDPOINT = Table(
    "endpoint",
    METADATA,
    *_resource(
        Column("location_uid", Text, nullable=False),
        Column("address", Text, nullable=False),
    ),
)

# Documents that are manifests of one study, by uniqueId: so that a source's newer one finds its older ones. `made` has
# 14 digits; `location` is the Retrieve Location UID that a manifest names, if it was read; one that `withdraws` lists
# nothing.
MANIFEST = Table(
    "manifest",
    METADATA,
    Column("unique_id", Text, primary_key=True),
    Column("study_uid", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("made", Text, nullable=False),
    Column("is_read", Boolean, nullable=False),
    Column("withdraws", Boolean, nullable=False),
    Index("manifest_study", "study_uid", "source_id"),
)
