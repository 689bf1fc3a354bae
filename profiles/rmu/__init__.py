"""Restricted Metadata Update (RMU)."""
