"""Cross-Enterprise Document Sharing for Imaging (RAD TF-1, 18)."""
