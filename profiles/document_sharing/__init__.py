"""What every document profile shares: attribute tables and submission rules (ITI TF-3)."""
