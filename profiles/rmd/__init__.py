"""Remove Metadata and Documents (RMD)."""
