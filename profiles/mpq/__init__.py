"""Multi-Patient Queries (MPQ)."""
