"""Cross-Community Access for Imaging (RAD TF-1, 29)."""
