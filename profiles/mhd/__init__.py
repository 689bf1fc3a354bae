"""Mobile access to Health Documents (IHE MHD 4.2)."""
