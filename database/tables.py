"""The tables that belong to neither actor: the outbox and the audit log.

Both actors hang their own tables on the same `METADATA`, so that one migration history covers one database. Times are
seconds since 1970 UTC (REAL), or text as the wire spells it; ids are made by the application, never by a sequence, and
there is no foreign key across patients, so that the rows of a patient can live on any shard.
"""

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text

METADATA = MetaData()

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("payload", Text, nullable=False),
    Column("due", Float, nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease", Float, nullable=False),
    Column("state", Text, nullable=False),
    Column("error", Text),
    Column("created", Float, nullable=False),
    Index("outbox_due", "state", "due"),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("recorded", Float, nullable=False),
    Column("transaction", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Integer, nullable=False),
    Column("patient_id", Text),
    Column("record", Text, nullable=False),
    Index("audit_patient", "patient_id", "recorded"),
    Index("audit_recorded", "recorded"),
)
