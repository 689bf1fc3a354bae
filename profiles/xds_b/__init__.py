"""Cross-Enterprise Document Sharing (ITI TF-1, 10)."""
