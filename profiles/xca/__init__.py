"""Cross-Community Access (XCA)."""
