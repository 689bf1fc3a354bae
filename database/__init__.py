"""What both actors stand on: one database, its unit of work, the outbox, the audit table and the migrations."""
