"""What is required, and how it is shown to be so."""
