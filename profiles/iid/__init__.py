"""Invoke Image Display (RAD TF-1, 35)."""
