"""SQLAlchemy Core tables of the registry, and its questions as SQL."""
