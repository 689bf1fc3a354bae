"""Where the repository keeps bytes and rows."""
