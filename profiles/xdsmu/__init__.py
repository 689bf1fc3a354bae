"""XDS Metadata Update."""
